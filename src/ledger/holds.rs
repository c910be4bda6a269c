//! Held money: attempts whose bill nobody has told, and what becomes of it. A row is never changed: a release is two
//! rows of its own, one that takes the held amount back and one that posts what is estimated.

use super::error::LedgerError;
use super::handle::Ledger;
use super::record::ReleaseRecord;
use super::text::read_time;
use super::write::Write;
use crate::budget::{HeldAttempt, HeldIn, Spent};
use crate::money::{Currency, Money};
use crate::period::Span;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::sync::Arc;

impl Ledger {
    /// What is held, in the order in which it was recorded; at most `most`, behind the attempt `after`.
    pub async fn holds(&self, after: i64, most: usize) -> Result<Vec<HeldAttempt>, LedgerError> {
        self.settled().await?;
        self.read(move |connection| holds(connection, after, most)).await
    }
}

fn holds(connection: &Connection, after: i64, most: usize) -> rusqlite::Result<Vec<HeldAttempt>> {
    let mut statement = connection.prepare_cached(
        "SELECT a.id, a.at, a.amount, a.currency, h.estimate FROM holds h JOIN attempts a ON a.id = h.attempt
         WHERE h.attempt > ?1 ORDER BY h.attempt LIMIT ?2",
    )?;
    let mut rows = statement.query(params![after, most as i64])?;
    let mut held = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, amount): (i64, i64) = (row.get("id")?, row.get("amount")?);
        let estimate: Option<i64> = row.get("estimate")?;
        let (at, code): (String, String) = (row.get("at")?, row.get("currency")?);
        let (Some(at), Some(currency)) = (read_time(&at), Currency::parse(&code)) else {
            continue;
        };
        held.push(HeldAttempt {
            id,
            at,
            amount: Money::from_nanos(amount),
            estimate: Money::from_nanos(estimate.unwrap_or(amount)),
            currency,
            accounts: accounts_of(connection, id)?,
        });
    }
    Ok(held)
}

fn accounts_of(connection: &Connection, attempt: i64) -> rusqlite::Result<Vec<HeldIn>> {
    let mut statement = connection.prepare_cached(
        "SELECT p.budget, p.shape, p.period_start, p.period_end, o.key FROM postings o JOIN pools p ON p.id = o.pool
         WHERE o.attempt = ?1 AND o.held > 0",
    )?;
    let account = |row: &Row<'_>| {
        let (start, end): (String, String) = (row.get("period_start")?, row.get("period_end")?);
        Ok(HeldIn {
            budget: row.get("budget")?,
            shape: row.get("shape")?,
            span: Span {
                start: read_time(&start).unwrap_or(Timestamp::MIN),
                end: read_time(&end).unwrap_or(Timestamp::MAX),
            },
            key: row.get("key")?,
        })
    };
    statement.query_map([attempt], account)?.collect()
}

impl Write<'_> {
    /// Told twice, it counts once.
    pub(super) fn release(&mut self, r: &ReleaseRecord) -> rusqlite::Result<()> {
        let Some(amount) = self.open_hold(r.attempt)? else {
            return Ok(());
        };
        self.run("DELETE FROM holds WHERE attempt = ?1", [r.attempt])?;
        let taken_back = self.correction(r.attempt, ("held", "release"), true, Money::ZERO.minus(amount))?;
        let posted = self.correction(r.attempt, ("posted", "estimate"), true, r.estimate)?;
        let (back, posting) = (
            Spent {
                held: Money::ZERO.minus(amount),
                ..Spent::default()
            },
            Spent {
                posted: r.estimate,
                ..Spent::default()
            },
        );
        self.post_beside(r.attempt, [(taken_back, back), (posted, posting)])
    }

    /// Beside the leases, like what is found later: the attempt drew from them when it ended.
    pub(super) fn post_beside(&mut self, attempt: i64, rows: [(i64, Spent); 2]) -> rusqlite::Result<()> {
        for (pool, key) in self.posted_in(attempt)? {
            for (row, spent) in rows {
                self.posting((pool, row), &key, spent, true)?;
                self.add(pool, &key, spent)?;
            }
        }
        Ok(())
    }

    /// A held attempt waits for somebody to tell its bill.
    pub(super) fn hold(&self, attempt: i64, estimate: Option<Money>) -> rusqlite::Result<()> {
        self.run(
            "INSERT INTO holds (attempt, estimate) VALUES (?1, ?2)",
            params![attempt, estimate.map(Money::nanos)],
        )
    }

    /// What is held for an attempt; nothing where that is over.
    fn open_hold(&self, attempt: i64) -> rusqlite::Result<Option<Money>> {
        self.connection
            .prepare_cached("SELECT a.amount FROM holds h JOIN attempts a ON a.id = h.attempt WHERE h.attempt = ?1")?
            .query_row([attempt], |row| row.get(0).map(Money::from_nanos))
            .optional()
    }

    fn posted_in(&self, attempt: i64) -> rusqlite::Result<Vec<(i64, Arc<str>)>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT pool, key FROM postings WHERE attempt = ?1")?;
        let rows = statement.query_map([attempt], |row| Ok((row.get("pool")?, row.get("key")?)))?;
        rows.collect()
    }

    /// A row beside the attempt's own: the same facts and the same instant, another amount.
    pub(super) fn correction(
        &self,
        attempt: i64,
        (ended, outcome): (&str, &str),
        estimated: bool,
        amount: Money,
    ) -> rusqlite::Result<i64> {
        self.run(
            "INSERT INTO attempts (incarnation, decision, number, at, model, provider, supply, upstream, client, tags,
             purpose, ended, outcome, class, status, input, cache_read, output, reasoning, estimated, amount, worst,
             currency, total_ms, route, key, territory, run, mirror, again, licenses, corrects)
             SELECT ?2, decision, number, at, model, provider, supply, upstream, client, tags, purpose, ?3, ?4, '', 0,
             0, 0, 0, 0, ?6, ?5, 0, currency, 0, route, key, territory, run, mirror, again, licenses, id
             FROM attempts WHERE id = ?1",
            params![attempt, self.incarnation, ended, outcome, amount.nanos(), estimated],
        )?;
        let row = self.connection.last_insert_rowid();
        self.run(
            "INSERT INTO spend_hours
             SELECT substr(at, 1, 13), model, provider, supply, route, client, tags, purpose, territory, licenses, currency,
             0, 0, 0, 0, 0, 0, 0, 0, iif(ended = 'posted', amount, 0), iif(ended = 'held', amount, 0),
             iif(ended = 'posted' AND estimated, amount, 0), iif(outcome = 'adjustment', amount, 0), 0,
             iif(again = 'retry', amount, 0), iif(again = 'fallback', amount, 0),
             (SELECT iif(first.outcome = 'failed', attempts.amount, 0) FROM attempts first WHERE first.id = ?2), 0
             FROM attempts WHERE id = ?1
             ON CONFLICT DO UPDATE SET posted = posted + excluded.posted, held = held + excluded.held,
             estimated = estimated + excluded.estimated, adjusted = adjusted + excluded.adjusted,
             retries = retries + excluded.retries, fallbacks = fallbacks + excluded.fallbacks,
             failed = failed + excluded.failed",
            [row, attempt],
        )?;
        Ok(row)
    }
}
