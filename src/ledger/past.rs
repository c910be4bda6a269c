//! What the records tell of the time before the books were opened: what requests would have cost without plans, and the
//! last hour's spend. For estimates; summed up by the database, judged by the books.

use super::error::LedgerError;
use super::handle::Ledger;
use super::rebuild::recorded;
use super::record::PolicyRecord;
use super::text::{read_payer, read_time, time};
use crate::budget::{PastDecisions, PastFound, PastRequest, PastSpend};
use crate::money::{Currency, Money};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

impl Ledger {
    pub async fn past(&self, request: &PastRequest, currency: Currency) -> Result<PastFound, LedgerError> {
        let request = request.clone();
        self.read(move |connection| past(connection, &request, currency)).await
    }
}

impl Ledger {
    /// The policy that was in force at an instant; before the first of them, the first.
    pub async fn policy_at(&self, at: Timestamp) -> Result<Option<PolicyRecord>, LedgerError> {
        self.read(move |connection| policy_at(connection, at)).await
    }
}

fn policy_at(connection: &Connection, at: Timestamp) -> rusqlite::Result<Option<PolicyRecord>> {
    let mut statement = connection.prepare(
        "SELECT * FROM policies WHERE id = coalesce(
             (SELECT max(id) FROM policies WHERE since <= ?1), (SELECT min(id) FROM policies))",
    )?;
    let found = statement.query_row([time(at)], |row| {
        let since: String = row.get("since")?;
        Ok(PolicyRecord {
            hash: row.get("hash")?,
            text: row.get("text")?,
            origin: row.get("origin")?,
            since: read_time(&since).unwrap_or(at),
        })
    });
    found.optional()
}

fn past(connection: &Connection, request: &PastRequest, currency: Currency) -> rusqlite::Result<PastFound> {
    let first: Option<String> = connection.query_row("SELECT min(at) FROM decisions", [], |row| row.get(0))?;
    Ok(PastFound {
        first: first.as_deref().and_then(read_time),
        decided: decided(connection, request, currency)?,
        spent: spent(connection, request.before, currency)?,
    })
}

fn decided(connection: &Connection, request: &PastRequest, currency: Currency) -> rusqlite::Result<Vec<PastDecisions>> {
    let mut statement = connection.prepare(
        "SELECT first_choice, client, tags, purpose, territory, route, '' AS mirror, count(*) AS requests, sum(first_cost) AS cost
         FROM decisions WHERE at >= ?1 AND at < ?2 AND currency = ?3 AND first_choice <> ''
         GROUP BY first_choice, client, tags, purpose, territory, route
         UNION ALL
         SELECT model, client, tags, purpose, territory, route, mirror, count(*), sum(iif(ended = 'posted', amount, 0))
         FROM attempts WHERE at >= ?1 AND at < ?2 AND currency = ?3 AND mirror <> '' AND outcome IN ('ok', 'failed')
         GROUP BY model, client, tags, purpose, territory, route, mirror",
    )?;
    let span = (time(request.since), time(request.before));
    let rows = statement.query_map(params![span.0, span.1, currency.code()], |row| {
        Ok(PastDecisions {
            model: row.get("first_choice")?,
            caller: read_payer(row)?,
            requests: row.get::<_, i64>("requests")?.unsigned_abs(),
            cost: Money::from_nanos(row.get("cost")?),
        })
    })?;
    rows.collect()
}

/// In stretches of five minutes, each at its beginning.
fn spent(connection: &Connection, before: Timestamp, currency: Currency) -> rusqlite::Result<Vec<PastSpend>> {
    let since = before.checked_sub(SignedDuration::from_hours(1)).unwrap_or(before);
    let mut statement = connection.prepare(
        "SELECT unixepoch(at) / 300 * 300 AS stretch, model, provider, supply, client, tags, purpose, territory, route,
         mirror, sum(amount) AS amount
         FROM attempts WHERE at >= ?1 AND at < ?2 AND currency = ?3 AND amount > 0 AND ended <> 'voided'
         GROUP BY stretch, model, provider, supply, client, tags, purpose, territory, route, mirror",
    )?;
    let rows = statement.query_map(params![time(since), time(before), currency.code()], |row| {
        Ok(PastSpend {
            at: Timestamp::from_second(row.get("stretch")?).unwrap_or(before),
            model: recorded(row)?,
            caller: read_payer(row)?,
            amount: Money::from_nanos(row.get("amount")?),
        })
    })?;
    rows.collect()
}
