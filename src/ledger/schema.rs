//! The schema as numbered migrations, and how an older file becomes a newer one.

use super::error::LedgerError;
use crate::lasting::sync;
use rusqlite::Connection;
use std::path::{Path, PathBuf};

/// In order; the n-th brings `PRAGMA user_version` to n. Never edited once released.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("schema/001_ledger.sql"),
    include_str!("schema/002_raises.sql"),
    include_str!("schema/003_plan_latch.sql"),
    include_str!("schema/004_route.sql"),
    include_str!("schema/005_access.sql"),
    include_str!("schema/006_first_choice.sql"),
    include_str!("schema/007_prices.sql"),
    include_str!("schema/008_needs.sql"),
    include_str!("schema/009_refusals.sql"),
    include_str!("schema/010_hours.sql"),
    include_str!("schema/011_books.sql"),
    include_str!("schema/012_explanation.sql"),
    include_str!("schema/013_meters.sql"),
    include_str!("schema/014_users.sql"),
    include_str!("schema/015_fleet.sql"),
    include_str!("schema/016_mirrors.sql"),
    include_str!("schema/017_folds.sql"),
    include_str!("schema/019_prepaid.sql"),
    include_str!("schema/020_reconciliations.sql"),
    include_str!("schema/021_output_ratios.sql"),
];

/// Brings the file up to the last migration. One that holds data is copied first, beside itself.
pub(super) fn migrate(connection: &mut Connection, path: &Path, migrations: &[&str]) -> Result<(), LedgerError> {
    let failed = |error: rusqlite::Error| LedgerError::Open {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let found: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(failed)?;
    let known = migrations.len() as i64;
    if found > known {
        let path = path.to_owned();
        return Err(LedgerError::Newer { path, found, known });
    }
    if found > 0 && found < known {
        back_up(connection, path, found).map_err(failed)?;
    }
    for (number, migration) in (1_i64..).zip(migrations).filter(|(number, _)| *number > found) {
        let transaction = connection.transaction().map_err(failed)?;
        transaction.execute_batch(migration).map_err(failed)?;
        transaction
            .pragma_update(None, "user_version", number)
            .map_err(failed)?;
        transaction.commit().map_err(failed)?;
    }
    Ok(())
}

/// The copy that [`migrate`] makes of a file with this schema.
pub(super) fn backup_path(path: &Path, version: i64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".v{version}.backup"));
    PathBuf::from(name)
}

/// An unfinished copy of an earlier try is replaced: the original is still whole then.
fn back_up(connection: &Connection, path: &Path, version: i64) -> rusqlite::Result<()> {
    let copy = backup_path(path, version);
    let _ = std::fs::remove_file(&copy);
    super::private::create_private(&copy).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    connection.execute("VACUUM INTO ?1", [copy.to_string_lossy()])?;
    // On the disk before anything is changed.
    sync(&copy).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}
