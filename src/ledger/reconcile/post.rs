//! What an invoice says of held and estimated attempts becomes true in the ledger: one transaction, beside a copy, while no
//! daemon has the file. A row is never changed; what was is taken back and what was billed is posted, each by a row of
//! its own in the attempt's own accounts.

use super::super::copy::back_up;
use super::super::error::LedgerError;
use super::super::schema::MIGRATIONS;
use super::super::text::time;
use super::super::write::{Memory, Write};
use crate::budget::Spent;
use crate::invoice::Share;
use crate::money::Money;
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, params};
use std::path::{Path, PathBuf};
use std::time::Duration;

const BUSY: Duration = Duration::from_secs(5);

/// Which invoice it is.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// Of its bytes, so that the same one is known again.
    pub hash: &'a str,
    pub form: &'a str,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Posted {
    pub attempts: u64,
    /// By how much what the ledger holds and has posted changed.
    pub change: Money,
    /// The file as it was; `None` where nothing was to post.
    pub copy: Option<PathBuf>,
}

/// Those that stand already as they were billed are left alone, so that the same invoice posts once.
pub fn post(path: &Path, origin: Origin<'_>, shares: &[Share], now: Timestamp) -> Result<Posted, LedgerError> {
    let mut posted = Posted::default();
    if !shares.iter().any(|share| share.held || share.now != share.billed) {
        return Ok(posted);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    ready(&connection, path)?;
    let copy = (1..)
        .map(|number: u32| path.with_file_name(format!("ledger.sqlite.before-reconcile-{number}")))
        .find(|copy| !copy.exists());
    if let Some(copy) = &copy {
        back_up(path, copy)?;
    }
    posted.copy = copy;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for share in shares {
        if correct(&transaction, origin, share, now)? {
            posted.attempts += 1;
            posted.change = posted.change.plus(share.billed).minus(share.now);
        }
    }
    transaction.commit()?;
    Ok(posted)
}

/// Its schema is this version's, and nobody else counts on its sums.
fn ready(connection: &Connection, path: &Path) -> Result<(), LedgerError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = MIGRATIONS.len() as i64;
    let path = path.to_owned();
    if found < known {
        return Err(LedgerError::Older { path, found, known });
    }
    if found > known {
        return Err(LedgerError::Newer { path, found, known });
    }
    let fleet: i64 = connection.query_row("SELECT count(*) FROM fleet", [], |row| row.get(0))?;
    if fleet > 0 { Err(LedgerError::Shared) } else { Ok(()) }
}

fn correct(
    transaction: &Transaction<'_>,
    origin: Origin<'_>,
    share: &Share,
    now: Timestamp,
) -> Result<bool, LedgerError> {
    let counts: i64 = transaction.query_row(
        "SELECT coalesce(sum(amount), 0) FROM attempts WHERE id = ?1 OR corrects = ?1",
        [share.attempt],
        |row| row.get(0),
    )?;
    if Money::from_nanos(counts) != share.now || (!share.held && share.now == share.billed) {
        return Ok(false);
    }
    let incarnation = transaction.query_row("SELECT max(number) FROM incarnations", [], |row| row.get(0))?;
    let mut memory = Memory::default();
    let mut write = Write::new(transaction, incarnation, &mut memory);
    let before = Money::ZERO.minus(share.now);
    let (held, posted) = if share.held {
        write.run("DELETE FROM holds WHERE attempt = ?1", [share.attempt])?;
        (
            write.correction(share.attempt, ("held", "release"), true, before)?,
            share.billed,
        )
    } else {
        (
            write.correction(share.attempt, ("posted", "adjustment"), true, before)?,
            share.billed,
        )
    };
    let billed = write.correction(share.attempt, ("posted", "adjustment"), false, posted)?;
    let back = if share.held {
        Spent {
            held: before,
            ..Spent::default()
        }
    } else {
        Spent {
            posted: before,
            ..Spent::default()
        }
    };
    let forth = Spent {
        posted,
        ..Spent::default()
    };
    write.post_beside(share.attempt, [(held, back), (billed, forth)])?;
    write.run(
        "INSERT INTO reconciliations (invoice, attempt, at, form, was, billed) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET at = excluded.at, billed = excluded.billed",
        params![
            origin.hash,
            share.attempt,
            time(now),
            origin.form,
            share.now.nanos(),
            share.billed.nanos()
        ],
    )?;
    Ok(true)
}
