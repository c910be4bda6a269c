//! Recorded decisions as questions that can be asked again: what was needed, by whom, when, and what it used.

use super::connection::open_current;
use super::error::LedgerError;
use super::handle::Ledger;
use super::needs::read_needs;
use super::read::{DecisionView, decision};
use super::text::{read_caller, read_names, read_time, time};
use crate::request::Requirements;
use crate::usage::Usage;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::path::Path;
use std::sync::Arc;

/// A request that was decided once.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    pub at: Timestamp,
    pub route: Arc<str>,
    pub dialect: Arc<str>,
    /// The plans that touched it.
    pub plans: Vec<Arc<str>>,
    pub needs: Requirements,
    /// Of the attempt whose answer the client got.
    pub usage: Option<Usage>,
}

/// Recorded requests of a stretch of time: all, or so many taken evenly.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    pub decided: Vec<Decided>,
    /// How many they stand for.
    pub of: u64,
}

impl Ledger {
    /// At most `most` of the requests since an instant, the oldest first; fewer once `go_on` says no.
    pub async fn sample(
        &self,
        since: Timestamp,
        most: u32,
        mut go_on: impl FnMut() -> bool + Send + 'static,
    ) -> Result<Sample, LedgerError> {
        self.read(move |connection| sample(connection, since, most, &mut go_on))
            .await
    }
}

/// The same of a ledger's file, while a daemon writes to it and when none runs.
pub fn sample_in(path: &Path, since: Timestamp, most: u32) -> Result<Sample, LedgerError> {
    Ok(sample(&open_current(path)?, since, most, &mut || true)?)
}

/// What the file has of one decision.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub view: DecisionView,
    pub again: Option<Decided>,
    /// The text of the policy that made it.
    pub policy: Option<String>,
}

/// A decision and the text of the policy that made it, as far as the file has them.
pub fn decision_in(path: &Path, id: &str) -> Result<Option<Recorded>, LedgerError> {
    let connection = open_current(path)?;
    let Some(found) = decision(&connection, id)? else {
        return Ok(None);
    };
    let text = connection
        .query_row(
            "SELECT text FROM policies WHERE hash = ?1 ORDER BY id DESC LIMIT 1",
            [&found.policy],
            |row| row.get(0),
        )
        .optional()?;
    let sql = format!("{SELECT} WHERE d.id = ?1");
    let again = connection.query_row(&sql, [id], read).optional()?.flatten();
    Ok(Some(Recorded {
        view: found,
        again,
        policy: text,
    }))
}

const SELECT: &str = "SELECT d.*, a.input AS used_input, a.cache_read AS used_cached, a.output AS used_output,
     a.reasoning AS used_reasoning
     FROM decisions d LEFT JOIN attempts a ON a.decision = d.id AND a.outcome = 'ok' AND a.mirror = ''";

/// Rows are numbered as they are recorded, so that neither the count nor any of them needs a look at the others: it costs
/// the same in a ledger of any size.
fn sample(
    connection: &Connection,
    since: Timestamp,
    most: u32,
    go_on: &mut dyn FnMut() -> bool,
) -> rusqlite::Result<Sample> {
    let since = time(since);
    let ends =
        "SELECT (SELECT rowid FROM decisions WHERE at >= ?1 ORDER BY at LIMIT 1), (SELECT max(rowid) FROM decisions)";
    let ends: (Option<i64>, Option<i64>) =
        connection.query_row(ends, [&since], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (Some(first), Some(last)) = ends else {
        return Ok(Sample::default());
    };
    let of = last.abs_diff(first).saturating_add(1);
    let step = usize::try_from(of.div_ceil(u64::from(most.max(1)))).unwrap_or(usize::MAX);
    let mut statement = connection.prepare(&format!("{SELECT} WHERE d.rowid = ?1 AND d.at >= ?2"))?;
    let mut found = Sample {
        decided: Vec::new(),
        of,
    };
    for row in (first..=last).step_by(step) {
        if !go_on() {
            break;
        }
        let one = statement.query_row(params![row, since], read).optional()?;
        found.decided.extend(one.flatten());
    }
    Ok(found)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Option<Decided>> {
    let at: String = row.get("at")?;
    let Some(at) = read_time(&at) else { return Ok(None) };
    let needs: String = row.get("needs")?;
    let input: i64 = row.get("input")?;
    let dialect: String = row.get("dialect")?;
    let route: String = row.get("route")?;
    let plans = read_names(row.get_ref("plans")?.as_str()?);
    let tokens = |column: &str| -> rusqlite::Result<Option<u64>> {
        let found: Option<i64> = row.get(column)?;
        Ok(found.and_then(|tokens| u64::try_from(tokens).ok()))
    };
    let usage = match tokens("used_input")? {
        None => None,
        Some(input) => Some(Usage {
            input,
            cache_read: tokens("used_cached")?.unwrap_or(0),
            output: tokens("used_output")?.unwrap_or(0),
            reasoning: tokens("used_reasoning")?.unwrap_or(0),
            ..Usage::NONE
        }),
    };
    Ok(Some(Decided {
        at,
        plans: plans.into_iter().map(Into::into).collect(),
        needs: Requirements {
            caller: Arc::new(read_caller(row)?),
            input: u64::try_from(input).unwrap_or(0),
            stream: row.get("stream")?,
            embeds: dialect == "embeddings",
            ..read_needs(&needs)
        },
        route: route.into(),
        dialect: dialect.into(),
        usage,
    }))
}
