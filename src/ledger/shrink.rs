//! One step of making the file smaller, short enough to stand between records.

use super::fold::{Folded, STEP, step};
use jiff::Timestamp;
use rusqlite::Connection;

/// Pages that a step gives back, and pages that are kept for what is written next.
const PAGES: i64 = 500;
const SPARE: i64 = 256;

/// Folds some rows; where there are none, gives some free pages back.
pub(super) fn shrink(connection: &Connection, before: Timestamp) -> rusqlite::Result<Option<Folded>> {
    if let Some(folded) = step(connection, before, STEP)? {
        return Ok(Some(folded));
    }
    Ok(give_back(connection)?.then(Folded::default))
}

/// True where there may be more. A file that was made before it could shrink keeps its pages for what is written next.
fn give_back(connection: &Connection) -> rusqlite::Result<bool> {
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    if number("auto_vacuum")? != 2 || number("freelist_count")? <= SPARE {
        return Ok(false);
    }
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(true)
}
