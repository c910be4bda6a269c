//! Rust values as the ledger's columns, and back.

use crate::request::{Caller, Tags};
use crate::usage::{ServiceTier, Usage};
use jiff::Timestamp;
use rusqlite::Row;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

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
        mirror: Arc::default(),
    })
}

/// The same of an attempt, which a mirror's budget may have paid for.
pub(super) fn read_payer(row: &Row<'_>) -> rusqlite::Result<Caller> {
    Ok(Caller {
        mirror: row.get("mirror")?,
        ..read_caller(row)?
    })
}

/// What an attempt's row says that it used, and the options that it was asked with.
pub(super) fn read_usage(row: &Row<'_>) -> rusqlite::Result<(Usage, Vec<Arc<str>>)> {
    let number = |column: &str| row.get::<_, i64>(column).map(|number| number.max(0).unsigned_abs());
    let options: Vec<String> = serde_json::from_str(row.get_ref("options")?.as_str()?).unwrap_or_default();
    let usage = Usage {
        input: number("input")?,
        cache_read: number("cache_read")?,
        cache_read_explicit: number("cache_read_explicit")?,
        cache_write: number("cache_write")?,
        cache_write_1h: number("cache_write_1h")?,
        cache_write_12h: number("cache_write_12h")?,
        input_audio: number("input_audio")?,
        input_image: number("input_image")?,
        output: number("output")?,
        reasoning: number("reasoning")?,
        output_audio: number("output_audio")?,
        web_searches: Some(number("web_searches")?),
        web_fetches: number("web_fetches")?,
        tool_calls: number("tool_calls")?,
        tier: ServiceTier::of(row.get_ref("service_tier")?.as_str()?),
        thinking: row.get("thinking")?,
        time: Duration::from_millis(number("machine_ms")?),
        estimated: row.get("estimated")?,
    };
    Ok((usage, options.into_iter().map(Into::into).collect()))
}

/// Token counts and milliseconds are far below this; a provider's nonsense is not worth a lost record.
pub(super) fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
