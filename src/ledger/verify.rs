//! Proves a ledger's file: that it is whole, and that every sum in it is the sum of its parts.
//!
//! Reads one frozen view of the file, beside a daemon that writes or without one, and changes nothing.

use super::connection::open;
use super::error::LedgerError;
use rusqlite::Connection;
use std::path::Path;

/// One promise of the ledger and what was found of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    pub promise: &'static str,
    /// The places where it is broken; empty when it holds. At most [`MOST`] are named.
    pub broken: Vec<String>,
}

/// Places a promise names at most: the first ones lead to the others.
const MOST: usize = 20;

/// A query answers with one line of text for each place where its promise is broken.
const PROMISES: [(&str, &str); 11] = [
    (
        "the file is whole",
        "SELECT * FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
    ),
    (
        "every row that is referred to is there",
        "SELECT \"table\" || ' row ' || coalesce(rowid, '?') || ' refers to a missing row of ' || parent FROM pragma_foreign_key_check",
    ),
    (
        "every account is the sum of its postings and of what crashes left",
        "SELECT p.budget || ' ' || p.period_start || ' key ' || quote(a.key) || ': posted ' || a.posted || ' of ' || s.posted
             || ', held ' || a.held || ' of ' || (s.held + a.unaccounted) || ', overdraft ' || a.overdraft || ' of ' || s.overdraft
         FROM (SELECT a.pool, a.key, coalesce(o.posted, 0) AS posted, coalesce(o.held, 0) AS held, coalesce(o.overdraft, 0) AS overdraft
               FROM accounts a
               LEFT JOIN (SELECT pool, key, sum(posted) AS posted, sum(held) AS held, sum(overdraft) AS overdraft
                          FROM postings GROUP BY pool, key) o ON o.pool = a.pool AND o.key = a.key) s
         JOIN accounts a ON a.pool = s.pool AND a.key = s.key JOIN pools p ON p.id = a.pool
         WHERE a.posted <> s.posted OR a.held <> s.held + a.unaccounted OR a.overdraft <> s.overdraft",
    ),
    (
        "every posting has its account",
        "SELECT 'pool ' || o.pool || ' key ' || quote(o.key) FROM postings o
         WHERE NOT EXISTS (SELECT 1 FROM accounts a WHERE a.pool = o.pool AND a.key = o.key) GROUP BY o.pool, o.key",
    ),
    (
        "every posting is what its attempt cost, and in its period and currency",
        "SELECT 'attempt ' || a.id || ' in ' || p.budget || ': ' || (o.posted + o.held) || ' of ' || a.amount
         FROM postings o JOIN attempts a ON a.id = o.attempt JOIN pools p ON p.id = o.pool
         WHERE o.posted + o.held <> a.amount OR a.currency <> p.currency
            OR a.at < p.period_start OR a.at >= p.period_end
            OR (a.ended = 'posted' AND o.held <> 0) OR (a.ended = 'held' AND o.posted <> 0)",
    ),
    (
        "every attempt has one end, and one that was voided cost nothing",
        "SELECT 'attempt ' || id || ': ' || ended || ' with ' || amount FROM attempts
         WHERE ended NOT IN ('posted', 'voided', 'held') OR (amount < 0 AND outcome NOT IN ('adjustment', 'release', 'folded')) OR (ended = 'voided' AND amount <> 0)",
    ),
    (
        "every hold is of a held attempt, and is released once",
        "SELECT 'attempt ' || h.attempt FROM holds h JOIN attempts a ON a.id = h.attempt WHERE a.ended <> 'held'
         UNION ALL SELECT 'attempt ' || corrects FROM attempts WHERE outcome = 'release' GROUP BY corrects
         HAVING count(*) > 1 OR corrects IN (SELECT attempt FROM holds)",
    ),
    (
        "every lease has drawn what its daemon's attempts took",
        "SELECT p.budget || ' ' || p.period_start || ', start ' || l.incarnation || ': ' || l.used || ' of ' || coalesce(s.drawn, 0)
         FROM (SELECT pool, incarnation, sum(used) AS used FROM leases GROUP BY pool, incarnation) l
         JOIN pools p ON p.id = l.pool
         LEFT JOIN (SELECT o.pool, a.incarnation, sum(o.posted + o.held - o.overdraft) AS drawn FROM postings o
                    JOIN attempts a ON a.id = o.attempt WHERE NOT o.found GROUP BY o.pool, a.incarnation) s
           ON s.pool = l.pool AND s.incarnation = l.incarnation
         WHERE l.used <> coalesce(s.drawn, 0)",
    ),
    (
        "no lease of an earlier daemon is open",
        "SELECT p.budget || ' ' || p.period_start || ', start ' || l.incarnation FROM leases l JOIN pools p ON p.id = l.pool
         WHERE l.ended_at IS NULL AND l.incarnation < (SELECT max(number) FROM incarnations)",
    ),
    (
        "every hour of spend is the sum of its attempts",
        "SELECT coalesce(h.hour, r.hour) || ' ' || coalesce(h.model, r.model) || ': ' || coalesce(h.nanos, 0) || ' of ' || coalesce(r.nanos, 0)
             || ', ' || coalesce(h.attempts, 0) || ' of ' || coalesce(r.attempts, 0) || ' attempts'
         FROM (SELECT hour, model, currency, sum(posted + held) AS nanos, sum(attempts) AS attempts, sum(input + output) AS tokens
               FROM spend_hours GROUP BY 1, 2, 3) h
         FULL JOIN (SELECT substr(at, 1, 13) AS hour, model, currency, sum(amount) AS nanos,
                           sum(iif(outcome = 'folded', folded, outcome NOT IN ('adjustment', 'release', 'estimate'))) AS attempts, sum(input + output) AS tokens
                    FROM attempts GROUP BY 1, 2, 3) r
           ON r.hour = h.hour AND r.model = h.model AND r.currency = h.currency
         WHERE (h.nanos, h.attempts, h.tokens) IS NOT (r.nanos, r.attempts, r.tokens)",
    ),
    (
        "every hour of requests is the sum of its decisions",
        "SELECT coalesce(h.hour, r.hour) || ' ' || coalesce(h.model, r.model) || ': ' || coalesce(h.requests, 0) || ' of ' || coalesce(r.requests, 0)
         FROM (SELECT hour, model, currency, sum(requests) AS requests, sum(first_cost) AS nanos FROM request_hours
               WHERE hour >= (SELECT coalesce(substr(max(upto), 1, 13), '') FROM folds) GROUP BY 1, 2, 3) h
         FULL JOIN (SELECT substr(at, 1, 13) AS hour, coalesce(chosen, '') AS model, currency, count(*) AS requests,
                           sum(first_cost) AS nanos
                    FROM decisions WHERE first_choice <> '' AND at >= (SELECT coalesce(max(upto), '') FROM folds) GROUP BY 1, 2, 3) r
           ON r.hour = h.hour AND r.model = h.model AND r.currency = h.currency
         WHERE (h.requests, h.nanos) IS NOT (r.requests, r.nanos)",
    ),
];

/// What tells a daemon that its budgets' sums are not those of its records.
pub(super) const SUMS: [(&str, &str); 2] = [PROMISES[2], PROMISES[3]];

/// Every promise, kept or not.
pub fn verify(path: &Path) -> Result<Vec<Proof>, LedgerError> {
    let mut connection = open(path)?;
    let frozen = connection.transaction()?;
    PROMISES
        .iter()
        .map(|(promise, sql)| {
            Ok(Proof {
                promise,
                broken: broken(&frozen, sql)?,
            })
        })
        .collect()
}

/// The places where one is not.
pub(super) fn broken(connection: &Connection, sql: &str) -> Result<Vec<String>, LedgerError> {
    let mut statement = connection.prepare(sql)?;
    let places = statement.query_map([], |row| row.get(0))?;
    Ok(places.take(MOST).collect::<rusqlite::Result<_>>()?)
}
