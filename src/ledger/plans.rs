//! What the ledger knows of plans: how each stands, what conditions did to it lately, its history for people.

use super::error::LedgerError;
use super::handle::Ledger;
use super::record::{ManualRecord, PlanRecord};
use super::text::{read_time, time};
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use serde::Serialize;
use std::sync::Arc;

/// One change of a plan, for people.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct PlanEvent {
    pub at: String,
    pub active: bool,
    pub why: String,
    /// `condition`, `window`, `hand` or `policy`; empty where it stands as it stood.
    pub cause: String,
    /// `active` or `released` where a hand holds it so.
    pub r#override: Option<String>,
    pub override_until: Option<String>,
    /// The flap latch holds it on from then.
    pub flapping: bool,
}

impl Ledger {
    /// The last state of every plan that ever changed.
    pub async fn plan_states(&self) -> Result<Vec<PlanRecord>, LedgerError> {
        self.read(states).await
    }

    /// When conditions turned each plan after `since`, oldest first; what a latch or a hand has settled is left out.
    pub async fn plan_toggles(&self, since: Timestamp) -> Result<Vec<(Arc<str>, Timestamp)>, LedgerError> {
        self.read(move |connection| toggles(connection, since)).await
    }

    /// A plan's changes, newest first.
    pub async fn plan_history(&self, plan: String, limit: u32) -> Result<Vec<PlanEvent>, LedgerError> {
        self.read(move |connection| history(connection, &plan, limit)).await
    }
}

fn states(connection: &Connection) -> rusqlite::Result<Vec<PlanRecord>> {
    let mut statement = connection
        .prepare("SELECT * FROM plan_history WHERE id IN (SELECT max(id) FROM plan_history GROUP BY plan)")?;
    let rows = statement.query_map([], |row| {
        let at = |column| -> rusqlite::Result<Option<Timestamp>> {
            Ok(row.get::<_, Option<String>>(column)?.as_deref().and_then(read_time))
        };
        let manual: Option<String> = row.get("override")?;
        let until = at("override_until")?;
        Ok(PlanRecord {
            plan: row.get("plan")?,
            at: at("at")?.unwrap_or(Timestamp::UNIX_EPOCH),
            active: row.get("active")?,
            since: at("since")?,
            why: row.get("why")?,
            manual: manual.map(|word| ManualRecord {
                active: word == "active",
                until,
            }),
            cause: row.get("cause")?,
            latched: row.get("latched")?,
        })
    })?;
    rows.collect()
}

fn toggles(connection: &Connection, since: Timestamp) -> rusqlite::Result<Vec<(Arc<str>, Timestamp)>> {
    let mut statement = connection.prepare(
        "SELECT plan, at FROM plan_history h WHERE cause = 'condition' AND at > ?1 AND NOT latched
         AND id > coalesce((SELECT max(id) FROM plan_history l
             WHERE l.plan = h.plan AND (l.latched OR l.cause IN ('window', 'hand'))), 0)
         ORDER BY id",
    )?;
    let rows = statement.query_map([time(since)], |row| {
        let (plan, at): (Arc<str>, String) = (row.get("plan")?, row.get("at")?);
        Ok(read_time(&at).map(|at| (plan, at)))
    })?;
    let found: Vec<Option<_>> = rows.collect::<rusqlite::Result<_>>()?;
    Ok(found.into_iter().flatten().collect())
}

fn history(connection: &Connection, plan: &str, limit: u32) -> rusqlite::Result<Vec<PlanEvent>> {
    let mut statement = connection.prepare("SELECT * FROM plan_history WHERE plan = ?1 ORDER BY id DESC LIMIT ?2")?;
    let event = |row: &Row<'_>| {
        Ok(PlanEvent {
            at: row.get("at")?,
            active: row.get("active")?,
            why: row.get("why")?,
            cause: row.get("cause")?,
            r#override: row.get("override")?,
            override_until: row.get("override_until")?,
            flapping: row.get("latched")?,
        })
    };
    statement.query_map(params![plan, limit], event)?.collect()
}
