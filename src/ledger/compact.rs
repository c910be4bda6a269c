//! Folding old attempts and giving their space back: in the daemon step by step between the records, or by hand.

use super::command::Command;
use super::error::LedgerError;
use super::fold::Folded;
use super::handle::Ledger;
use super::schema::MIGRATIONS;
use super::shrink::shrink;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use rusqlite::{Connection, OpenFlags};
use std::cmp::Ordering;
use std::path::Path;
use std::time::Duration;

/// A budget of a year, and the same month of the year before, need their attempts.
pub const LEAST_MONTHS: u32 = 13;
const BUSY: Duration = Duration::from_secs(10);

/// The first instant that is kept: that of a month of UTC, `months` before the present one.
pub fn kept_since(months: u32, now: Timestamp) -> Option<Timestamp> {
    let month = now.to_zoned_datetime(TimeZone::UTC).first_of_month().ok()?;
    let first = month.checked_sub(Span::new().months(i64::from(months))).ok()?;
    Some(first.start_of_day().ok()?.timestamp())
}

impl Ledger {
    /// One step, in line with the records; `None` where nothing is left to do.
    pub async fn compact(&self, before: Timestamp) -> Result<Option<Folded>, LedgerError> {
        self.ask(|reply| Command::Compact(before, reply)).await
    }
}

/// All of it at once, by hand. `alone`: no daemon runs, so that the file may be written anew where it could not shrink.
pub fn compact_by_hand(path: &Path, before: Timestamp, alone: bool) -> Result<Folded, LedgerError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let (known, path) = (MIGRATIONS.len() as i64, path.to_owned());
    match found.cmp(&known) {
        Ordering::Less => return Err(LedgerError::Older { path, found, known }),
        Ordering::Greater => return Err(LedgerError::Newer { path, found, known }),
        Ordering::Equal => {}
    }
    let mut folded = Folded::default();
    while let Some(some) = shrink(&connection, before)? {
        folded = folded.plus(some);
    }
    let shrinks: i64 = connection.pragma_query_value(None, "auto_vacuum", |row| row.get(0))?;
    if alone && shrinks != 2 {
        connection.pragma_update(None, "auto_vacuum", 2)?;
        connection.execute_batch("VACUUM")?;
    }
    Ok(folded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_months_are_kept() {
        let now: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
        let kept = |months| kept_since(months, now).unwrap().to_string();
        assert_eq!(kept(13), "2025-10-01T00:00:00Z");
        assert_eq!(kept(24), "2024-11-01T00:00:00Z");
    }
}
