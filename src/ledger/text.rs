//! Rust values as the ledger's columns, and back.

use crate::request::{Caller, Tags};
use jiff::Timestamp;
use rusqlite::Row;
use serde_json::{Map, Value};
use std::sync::Arc;

/// RFC 3339 in UTC with exactly three decimals, so that text order is time order.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// `None` only for text that planb did not write.
pub(super) fn read_time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

pub(super) fn tags(tags: &Tags) -> String {
    let pairs: Map<String, Value> = tags
        .iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    Value::Object(pairs).to_string()
}

pub(super) fn names(names: &[Arc<str>]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    serde_json::to_string(&names).unwrap_or_else(|_| "[]".to_owned())
}

pub(super) fn read_names(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_default()
}

/// From the columns `client`, `tags`, `purpose`, `route` and `territory`, and `run` where that is there.
pub(super) fn read_caller(row: &Row<'_>) -> rusqlite::Result<Caller> {
    let tags: String = row.get("tags")?;
    let pairs: Map<String, Value> = serde_json::from_str(&tags).unwrap_or_default();
    let pairs = pairs
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
    Ok(Caller {
        client: row.get("client")?,
        tags: Tags::new(pairs),
        purpose: row.get("purpose")?,
        route: row.get("route")?,
        territory: row.get("territory")?,
        run: row.get("run").unwrap_or_default(),
    })
}

/// Token counts and milliseconds are far below this; a provider's nonsense is not worth a lost record.
pub(super) fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
