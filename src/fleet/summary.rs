//! What the fleet has spent of its budgets, for people: by the store, with each daemon's part.

use super::error::FleetError;
use super::line::Line;
use super::session::Stamp;
use tokio_postgres::Row;

/// One account of the present periods. Amounts are decimals in the budget's currency.
#[derive(Clone, Debug)]
pub struct FleetBudget {
    pub budget: String,
    pub key: String,
    pub period_start: String,
    pub period_end: String,
    pub currency: String,
    pub limit: String,
    pub posted: String,
    pub held: String,
    /// Given to daemons and not told as spent.
    pub leased: String,
    pub free: String,
    pub daemons: Vec<FleetPart>,
}

/// What one daemon told of it; of a window that slides, since its block began.
#[derive(Clone, Debug)]
pub struct FleetPart {
    pub machine: String,
    pub holder: String,
    pub posted: String,
    pub held: String,
    pub leased: String,
    pub told_at: String,
}

const BUDGETS: &str = r#"SELECT budget, key, to_char(period_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
        to_char(period_end AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), currency, trim_scale("limit")::text,
        trim_scale(posted)::text, trim_scale(held)::text, trim_scale(leased)::text, trim_scale(free)::text
    FROM planb.budget_now WHERE fleet = $1 ORDER BY budget, key LIMIT 10000"#;

const PARTS: &str = r#"SELECT p.budget, a.key, m.machine, l.holder, trim_scale(l.posted / 1e9)::text,
        trim_scale((l.held + l.kept) / 1e9)::text,
        trim_scale(greatest(l.total - (l.posted + l.held - l.overdraft), 0) / 1e9)::text,
        to_char(l.renewed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    FROM planb.leases l JOIN planb.accounts a ON a.id = l.account JOIN planb.pools p ON p.id = a.pool
    JOIN planb.members m ON m.fleet = p.fleet AND m.holder = l.holder
    WHERE p.fleet = $1 AND p.period_start <= now() AND p.period_end > now() AND (l.posted <> 0 OR l.held <> 0 OR l.total <> 0)
    ORDER BY l.posted DESC LIMIT 10000"#;

impl Line {
    pub(super) async fn summary(&mut self, stamp: &mut Stamp) -> Result<Vec<FleetBudget>, FleetError> {
        self.link(stamp).await?;
        let Some(link) = &self.link else {
            return Err(FleetError::Slow);
        };
        let failed = |error: tokio_postgres::Error| self.failed(&error);
        let fleet = &self.session.fleet;
        let budgets = link.client.query(BUDGETS, &[fleet]).await.map_err(failed)?;
        let parts = link.client.query(PARTS, &[fleet]).await.map_err(failed)?;
        let mut found: Vec<FleetBudget> = budgets.iter().map(budget).collect();
        for row in &parts {
            let (name, key): (&str, &str) = (row.get(0), row.get(1));
            if let Some(budget) = found
                .iter_mut()
                .find(|budget| budget.budget == name && budget.key == key)
            {
                budget.daemons.push(part(row));
            }
        }
        Ok(found)
    }
}

fn budget(row: &Row) -> FleetBudget {
    FleetBudget {
        budget: row.get(0),
        key: row.get(1),
        period_start: row.get(2),
        period_end: row.get(3),
        currency: row.get(4),
        limit: row.get(5),
        posted: row.get(6),
        held: row.get(7),
        leased: row.get(8),
        free: row.get(9),
        daemons: Vec::new(),
    }
}

fn part(row: &Row) -> FleetPart {
    FleetPart {
        machine: row.get(2),
        holder: row.get(3),
        posted: row.get(4),
        held: row.get(5),
        leased: row.get(6),
        told_at: row.get(7),
    }
}
