//! Is the file sound? At the start the tables that the books are read from are checked before anything is served; the whole
//! file and its sums then, beside the work: how long that takes grows with the file, and a start must not.
//!
//! What is found later closes what is paid for as long as the daemon runs, as a disk does that cannot be written.

use super::connection::open;
use super::error::LedgerError;
use super::shared::Shared;
use super::verify::{SUMS, broken};
use rusqlite::{Connection, ErrorCode};
use std::sync::Arc;

/// What admissions, periods and plans start from. Each grows with budgets, policies and days, not with requests.
const FIRST: [&str; 11] = [
    "incarnations",
    "pools",
    "accounts",
    "leases",
    "holds",
    "raises",
    "meters",
    "meter_steps",
    "policies",
    "plan_history",
    "fleet",
];

/// Of the tables that a start reads.
pub(super) fn check_first(connection: &Connection) -> Result<(), String> {
    let mut statement = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
        .map_err(|error| error.to_string())?;
    let names = statement.query_map([], |row| row.get::<_, String>(0));
    let names: Vec<String> = names.and_then(Iterator::collect).map_err(|error| error.to_string())?;
    let first = names.iter().filter(|name| FIRST.contains(&name.as_str()));
    for table in first {
        let found = problem(connection, Some(table)).map_err(|error| error.to_string())?;
        found.map_or(Ok(()), Err)?;
    }
    Ok(())
}

/// The first thing that is wrong with one table and its indexes, or with the whole file.
fn problem(connection: &Connection, table: Option<&str>) -> rusqlite::Result<Option<String>> {
    let answer: rusqlite::Result<String> = match table {
        Some(table) => connection.query_row("SELECT * FROM pragma_quick_check(?1)", [table], |row| row.get(0)),
        None => connection.query_row("SELECT * FROM pragma_quick_check", [], |row| row.get(0)),
    };
    match answer {
        Ok(answer) => Ok((answer != "ok").then_some(answer)),
        Err(error) if is_damage(&error) => Ok(Some(error.to_string())),
        Err(error) => Err(error),
    }
}

/// What is not said of the machine, or of who else uses the file, is said of the file.
fn is_damage(error: &rusqlite::Error) -> bool {
    !matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::OperationInterrupted
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::OutOfMemory
                | ErrorCode::DiskFull
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
        )
    )
}

/// Checks the rest on a thread of its own. A check that is cut short by a stop, or that cannot be made now, finds nothing:
/// what cannot be read shows wherever it is needed.
pub(super) fn check_beside(shared: Arc<Shared>) {
    let run = move || {
        let Ok(mut connection) = open(&shared.path) else { return };
        if !shared.begin_check(connection.get_interrupt_handle()) {
            return;
        }
        match damage(&mut connection) {
            Ok(Some(reason)) => shared.damaged(&reason),
            Ok(None) => tracing::debug!("the ledger's file is whole"),
            Err(error) => tracing::debug!(%error, "the ledger's file could not be checked as a whole"),
        }
    };
    if let Err(error) = std::thread::Builder::new().name("ledger check".to_owned()).spawn(run) {
        tracing::warn!(%error, "the ledger's file is not checked as a whole");
    }
}

/// From one frozen view of the file.
pub(super) fn damage(connection: &mut Connection) -> Result<Option<String>, LedgerError> {
    let frozen = connection.transaction()?;
    if let Some(problem) = problem(&frozen, None)? {
        return Ok(Some(problem));
    }
    for (promise, sql) in SUMS {
        match broken(&frozen, sql) {
            Ok(places) if places.is_empty() => {}
            Ok(places) => return Ok(Some(format!("it does not hold that {promise}: {}", places.join("; ")))),
            Err(LedgerError::Read(error)) if is_damage(&error) => return Ok(Some(error.to_string())),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
