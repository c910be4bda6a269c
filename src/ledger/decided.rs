//! Recorded decisions as questions that can be asked again: what was needed, by whom, when, and what it used.

use super::error::LedgerError;
use super::handle::Ledger;
use super::needs::read_needs;
use super::read::{DecisionView, decision, open};
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

impl Ledger {
    /// Decisions since an instant, the newest first.
    pub async fn decided(&self, since: Timestamp, most: u32) -> Result<Vec<Decided>, LedgerError> {
        self.read(move |connection| decided(connection, since, most)).await
    }
}

/// The same of a ledger's file, while a daemon writes to it and when none runs.
pub fn decided_in(path: &Path, since: Timestamp, most: u32) -> Result<Vec<Decided>, LedgerError> {
    Ok(decided(&open(path)?, since, most)?)
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
    let connection = open(path)?;
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
     FROM decisions d LEFT JOIN attempts a ON a.decision = d.id AND a.outcome = 'ok'";

fn decided(connection: &Connection, since: Timestamp, most: u32) -> rusqlite::Result<Vec<Decided>> {
    let sql = format!("{SELECT} WHERE d.at >= ?1 ORDER BY d.at DESC LIMIT ?2");
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map(params![time(since), most], read)?;
    let found: Vec<Option<Decided>> = rows.collect::<rusqlite::Result<_>>()?;
    Ok(found.into_iter().flatten().collect())
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
