//! Opening the store: the file, its schema, this daemon's incarnation number, and what earlier ones left behind.

use super::error::LedgerError;
use super::mark::{self, Reached};
use super::private::create_private;
use super::schema::{MIGRATIONS, migrate};
use super::soundness::check_first;
use super::text::time;
use crate::budget::UNACCOUNTED_KEY;
use crate::money::Money;
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};
use std::path::Path;
use std::time::Duration;

/// How long one statement waits for another process that writes (`sqlite3` in somebody's shell).
const BUSY: Duration = Duration::from_secs(5);

/// What was found at start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// This daemon's number; an earlier one is refused from now on.
    pub incarnation: i64,
    /// Leases that nobody gave back: their unrecorded rest is held from now on.
    pub unaccounted: Vec<Unaccounted>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unaccounted {
    pub budget: String,
    pub currency: String,
    pub amount: Money,
}

pub(super) fn open_store(path: &Path, now: Timestamp) -> Result<(Connection, Opening), LedgerError> {
    let failed = |reason: String| LedgerError::Open {
        path: path.to_owned(),
        reason,
    };
    create_private(path).map_err(|error| {
        failed(format!(
            "{error}; planb must be able to write there, or be given another directory with --state DIR"
        ))
    })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let sql = |error: rusqlite::Error| failed(error.to_string());
    let noted = mark::reached(path);
    let mut connection = Connection::open_with_flags(path, flags).map_err(sql)?;
    connection.busy_timeout(BUSY).map_err(sql)?;
    check_first(&connection).map_err(|reason| LedgerError::Damaged {
        path: path.to_owned(),
        reason,
    })?;
    let pages: i64 = connection
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .map_err(sql)?;
    if pages == 0 {
        // Only possible while the file is empty: what is folded later gives its space back.
        connection
            .pragma_update(None, "auto_vacuum", "INCREMENTAL")
            .map_err(sql)?;
    }
    connection.pragma_update(None, "journal_mode", "WAL").map_err(sql)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(sql)?;
    migrate(&mut connection, path, MIGRATIONS)?;
    if let Some(noted) = noted {
        is_all_there(&connection, noted).map_err(sql)?.map_or(Ok(()), |(found, noted)| {
            let mark = mark::path_of(path);
            Err(LedgerError::Damaged {
                path: path.to_owned(),
                reason: format!(
                    "what was on the disk is gone (start {}, sync {}; it had come to start {}, sync {}), or an older copy was put here on purpose: then remove {}",
                    found.0, found.1, noted.0, noted.1, mark.display()
                ),
            })
        })?;
    }
    let opening = begin_incarnation(&mut connection, now).map_err(sql)?;
    Ok((connection, opening))
}

/// Where it is not: how far it goes, and how far it went.
fn is_all_there(connection: &Connection, noted: Reached) -> rusqlite::Result<Option<(Reached, Reached)>> {
    let last = "SELECT number, syncs FROM incarnations ORDER BY number DESC LIMIT 1";
    let found: Option<Reached> = connection
        .query_row(last, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let found = found.unwrap_or_default();
    Ok((found < noted).then_some((found, noted)))
}

/// One transaction: either the new number is minted and all earlier leases are settled, or neither.
fn begin_incarnation(connection: &mut Connection, now: Timestamp) -> rusqlite::Result<Opening> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute(
        "INSERT INTO incarnations (started_at, seen_at, version) VALUES (?1, ?1, ?2)",
        params![time(now), env!("CARGO_PKG_VERSION")],
    )?;
    let incarnation = transaction.last_insert_rowid();
    let unaccounted = hold_unrecorded(&transaction, now)?;
    transaction.commit()?;
    Ok(Opening {
        incarnation,
        unaccounted,
    })
}

fn hold_unrecorded(transaction: &Transaction<'_>, now: Timestamp) -> rusqlite::Result<Vec<Unaccounted>> {
    transaction.execute(
        "UPDATE leases SET unaccounted = max(granted - used, 0), ended_at = ?1 WHERE ended_at IS NULL",
        [time(now)],
    )?;
    transaction.execute(
        "INSERT INTO accounts (pool, key, held, unaccounted)
         SELECT l.pool, CASE WHEN p.keyed THEN ?1 ELSE '' END, sum(l.unaccounted), sum(l.unaccounted)
         FROM leases l JOIN pools p ON p.id = l.pool
         WHERE l.unaccounted > 0 AND l.settled = 0 GROUP BY l.pool
         ON CONFLICT (pool, key) DO UPDATE SET held = held + excluded.held, unaccounted = unaccounted + excluded.unaccounted",
        [UNACCOUNTED_KEY],
    )?;
    let mut statement = transaction.prepare(
        "SELECT p.budget, p.currency, sum(l.unaccounted) FROM leases l JOIN pools p ON p.id = l.pool
         WHERE l.unaccounted > 0 AND l.settled = 0 GROUP BY p.id ORDER BY p.budget, p.period_start",
    )?;
    let rows = statement.query_map([], |row| {
        let amount = Money::from_nanos(row.get(2)?);
        Ok(Unaccounted {
            budget: row.get(0)?,
            currency: row.get(1)?,
            amount,
        })
    })?;
    let unaccounted = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    drop(statement);
    transaction.execute(
        "UPDATE leases SET settled = 1 WHERE ended_at IS NOT NULL AND settled = 0",
        [],
    )?;
    Ok(unaccounted)
}
