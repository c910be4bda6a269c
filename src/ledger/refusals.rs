//! Requests that were turned away before there was a decision: written by stretches of time, read back by people.

use super::error::LedgerError;
use super::handle::Ledger;
use super::text::{count, time};
use super::write::Write;
use crate::live::RefusedStretch;
use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde::Serialize;

/// Which of them. Newest first.
#[derive(Clone, Debug, Default)]
pub struct RefusalQuery {
    pub limit: u32,
    pub since: Option<Timestamp>,
    pub client: Option<String>,
    pub code: Option<String>,
}

#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct RefusalView {
    /// Of the first and of the last.
    pub at: String,
    pub until: String,
    pub client: Option<String>,
    pub route: Option<String>,
    pub code: String,
    pub status: i64,
    pub requests: i64,
    /// Of the first.
    pub detail: String,
    pub request: String,
}

impl Ledger {
    pub async fn refusals(&self, query: RefusalQuery) -> Result<Vec<RefusalView>, LedgerError> {
        self.read(move |connection| refusals(connection, &query)).await
    }
}

impl Write<'_> {
    pub(super) fn refused(&self, refused: &RefusedStretch) -> rusqlite::Result<()> {
        self.run(
            "INSERT INTO refusals (at, until, client, route, code, status, requests, detail, request)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                time(refused.at),
                time(refused.until),
                refused.client,
                refused.route,
                refused.code,
                refused.status,
                count(refused.requests),
                refused.detail,
                refused.request,
            ],
        )
    }
}

fn refusals(connection: &Connection, query: &RefusalQuery) -> rusqlite::Result<Vec<RefusalView>> {
    let mut statement = connection.prepare(
        "SELECT * FROM refusals WHERE (?2 IS NULL OR until >= ?2) AND (?3 IS NULL OR client = ?3)
         AND (?4 IS NULL OR code = ?4) ORDER BY at DESC, id DESC LIMIT ?1",
    )?;
    let params = params![query.limit, query.since.map(time), query.client, query.code];
    let rows = statement.query_map(params, |row| {
        let named = |column| -> rusqlite::Result<Option<String>> {
            let name: String = row.get(column)?;
            Ok((!name.is_empty()).then_some(name))
        };
        Ok(RefusalView {
            at: row.get("at")?,
            until: row.get("until")?,
            client: named("client")?,
            route: named("route")?,
            code: row.get("code")?,
            status: row.get("status")?,
            requests: row.get("requests")?,
            detail: row.get("detail")?,
            request: row.get("request")?,
        })
    })?;
    rows.collect()
}
