//! What budgets would have spent in each hour, from the hours that were summed: for forecasts. A budget that is new or
//! changed learns from what it covers of the time before it.

use super::super::error::LedgerError;
use super::super::handle::Ledger;
use super::super::rebuild::recorded;
use super::super::text::{read_caller, read_payer, read_time, time};
use super::{at, name};
use crate::budget::{HoursFound, HoursRequest, covers};
use crate::money::Money;
use crate::policy::snapshot::Budget;
use crate::request::Caller;
use rusqlite::{Connection, Row, params};
use std::collections::{BTreeMap, HashMap};

/// Columns by which what a budget covers is told, beside the mirror.
const KINDS: [&str; 8] = [
    "model",
    "provider",
    "supply",
    "route",
    "client",
    "tags",
    "purpose",
    "territory",
];

impl Ledger {
    pub async fn hours(&self, request: &HoursRequest) -> Result<HoursFound, LedgerError> {
        let request = request.clone();
        self.read(move |connection| hours(connection, &request)).await
    }
}

fn hours(connection: &Connection, request: &HoursRequest) -> rusqlite::Result<HoursFound> {
    let first: Option<String> = connection.query_row("SELECT min(at) FROM decisions", [], |row| row.get(0))?;
    let mut sums = Sums {
        request,
        covered: HashMap::new(),
        found: vec![BTreeMap::new(); request.budgets.len()],
    };
    sums.read(connection)?;
    if request.shadows {
        sums.read_shadows(connection)?;
    }
    Ok(HoursFound {
        first: first.as_deref().and_then(read_time),
        sums: sums
            .found
            .into_iter()
            .map(|hours| hours.into_iter().collect())
            .collect(),
    })
}

struct Sums<'a> {
    request: &'a HoursRequest,
    /// By what is told apart: which budgets count it.
    covered: HashMap<String, Vec<bool>>,
    found: Vec<BTreeMap<i64, Money>>,
}

impl Sums<'_> {
    fn read(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement = connection.prepare(
            "SELECT hour, model, provider, supply, route, client, tags, purpose, territory, sum(posted + held) AS amount
             FROM spend_hours WHERE hour >= ?1 AND hour < ?2 AND currency = ?3
             GROUP BY hour, model, provider, supply, route, client, tags, purpose, territory",
        )?;
        let (since, until) = (name(self.request.since), name(self.request.until));
        let mut rows = statement.query(params![since, until, self.request.currency.code()])?;
        while let Some(row) = rows.next()? {
            let covered = self.covered_by(row, "", covers)?;
            self.add(row, &covered, false)?;
        }
        Ok(())
    }

    /// The hours do not tell a shadow call from others: its mirror's budget paid for it, and none that covers its like.
    fn read_shadows(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement = connection.prepare(
            "SELECT substr(at, 1, 13) AS hour, model, provider, supply, route, client, tags, purpose, territory, mirror,
             sum(amount) AS amount FROM attempts
             WHERE at >= ?1 AND at < ?2 AND currency = ?3 AND mirror <> '' AND ended <> 'voided'
             GROUP BY hour, model, provider, supply, route, client, tags, purpose, territory, mirror",
        )?;
        let (since, until) = (time(at(self.request.since)), time(at(self.request.until)));
        let mut rows = statement.query(params![since, until, self.request.currency.code()])?;
        while let Some(row) = rows.next()? {
            let counted = self.covered_by(row, "", covers)?;
            self.add(row, &counted, true)?;
            let mirror: String = row.get("mirror")?;
            let mirrored = read_payer(row)?;
            let paid = self.covered_by(row, &mirror, |budget, model, _| covers(budget, model, &mirrored))?;
            self.add(row, &paid, false)?;
        }
        Ok(())
    }

    fn covered_by(
        &mut self,
        row: &Row<'_>,
        mirror: &str,
        covers: impl Fn(&Budget, &crate::policy::condition::ModelFacts, &Caller) -> bool,
    ) -> rusqlite::Result<Vec<bool>> {
        let mut kind = mirror.to_owned();
        for column in KINDS {
            kind.push('\u{1f}');
            kind.push_str(row.get_ref(column)?.as_str()?);
        }
        if let Some(known) = self.covered.get(&kind) {
            return Ok(known.clone());
        }
        let caller = read_caller(row)?;
        let model = self.request.selectors.complete(recorded(row)?);
        let budgets = self.request.budgets.iter();
        let covered: Vec<bool> = budgets.map(|budget| covers(budget, &model, &caller)).collect();
        self.covered.insert(kind, covered.clone());
        Ok(covered)
    }

    fn add(&mut self, row: &Row<'_>, covered: &[bool], back: bool) -> rusqlite::Result<()> {
        let amount = Money::from_nanos(row.get("amount")?);
        let amount = if back { Money::ZERO.minus(amount) } else { amount };
        let begins = format!("{}:00:00Z", row.get_ref("hour")?.as_str()?);
        let Some(begins) = read_time(&begins) else {
            return Ok(());
        };
        let hour = super::hour_of(begins);
        for (hours, _) in self.found.iter_mut().zip(covered).filter(|(_, covered)| **covered) {
            let sum = hours.entry(hour).or_default();
            *sum = sum.plus(amount);
        }
        Ok(())
    }
}
