//! Copies out of the ledger: a whole file that can take its place, or the rows of one table for other tools.

use super::connection::open;
use super::error::LedgerError;
use super::private::create_private;
use super::text::time;
use crate::lasting::sync;
use crate::money::Money;
use jiff::Timestamp;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};
use serde_json::Value;
use std::path::Path;

/// What can be exported, with the column that dates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    Attempts,
    Decisions,
    Plans,
    Events,
    Refusals,
}

impl Rows {
    const fn table(self) -> &'static str {
        match self {
            Self::Attempts => "attempts",
            Self::Decisions => "decisions",
            Self::Plans => "plan_history",
            Self::Events => "outbox",
            Self::Refusals => "refusals",
        }
    }

    /// Nano-units in the file, decimals in an export.
    const fn money(self) -> &'static [&'static str] {
        match self {
            Self::Attempts => &["amount", "worst"],
            Self::Decisions => &["cost"],
            Self::Plans | Self::Events | Self::Refusals => &[],
        }
    }
}

/// A consistent copy of the whole ledger, taken beside a daemon that writes, readable by its owner alone. The target
/// must not exist.
pub fn back_up(ledger: &Path, target: &Path) -> Result<(), LedgerError> {
    let failed = |reason: String| LedgerError::Copy {
        path: target.to_owned(),
        reason,
    };
    if target.exists() {
        return Err(failed("it is there already".to_owned()));
    }
    let connection = open(ledger)?;
    create_private(target).map_err(|error| failed(error.to_string()))?;
    let copied = connection
        .execute("VACUUM INTO ?1", [target.to_string_lossy()])
        .map_err(|error| failed(error.to_string()))
        .and_then(|_| whole(target).map_err(failed))
        .and_then(|()| sync(target).map_err(|error| failed(error.to_string())));
    if copied.is_err() {
        // Half a backup is worse than none.
        let _ = std::fs::remove_file(target);
    }
    copied
}

fn whole(copy: &Path) -> Result<(), String> {
    let connection = open(copy).map_err(|error| error.to_string())?;
    let answer: String = connection
        .pragma_query_value(None, "integrity_check", |row| row.get(0))
        .map_err(|error| error.to_string())?;
    if answer == "ok" { Ok(()) } else { Err(answer) }
}

/// The rows from `since` to before `until`, oldest first: the columns' names and each row's values.
pub fn export(
    ledger: &Path,
    rows: Rows,
    since: Timestamp,
    until: Timestamp,
    mut each: impl FnMut(&[String], Vec<Value>),
) -> Result<(), LedgerError> {
    let connection: Connection = open(ledger)?;
    let sql = format!(
        "SELECT * FROM {} WHERE at >= ?1 AND at < ?2 ORDER BY at, rowid",
        rows.table()
    );
    let mut statement = connection.prepare(&sql)?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut found = statement.query(params![time(since), time(until)])?;
    while let Some(row) = found.next()? {
        let mut values = Vec::with_capacity(names.len());
        for (at, name) in names.iter().enumerate() {
            values.push(match row.get_ref(at)? {
                ValueRef::Integer(nanos) if rows.money().contains(&name.as_str()) => {
                    Money::from_nanos(nanos).to_string().into()
                }
                ValueRef::Integer(number) => number.into(),
                ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
                ValueRef::Null | ValueRef::Real(_) | ValueRef::Blob(_) => Value::Null,
            });
        }
        each(&names, values);
    }
    Ok(())
}
