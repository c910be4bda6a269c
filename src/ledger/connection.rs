//! Connections that only read.

use super::error::LedgerError;
use super::schema::MIGRATIONS;
use rusqlite::{Connection, OpenFlags};
use std::cmp::Ordering;
use std::path::Path;
use std::time::Duration;

const BUSY: Duration = Duration::from_secs(2);

/// A connection that cannot change anything; works while a daemon writes and when none runs.
pub(super) fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

/// The same for what was added later: a file that no daemon of this version has opened lacks it.
pub(super) fn open_current(path: &Path) -> Result<Connection, LedgerError> {
    let connection = open(path)?;
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = MIGRATIONS.len() as i64;
    let path = path.to_owned();
    match found.cmp(&known) {
        Ordering::Less => Err(LedgerError::Older { path, found, known }),
        Ordering::Equal => Ok(connection),
        Ordering::Greater => Err(LedgerError::Newer { path, found, known }),
    }
}
