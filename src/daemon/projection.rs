//! What an edit that has come into force means for the traffic of the last days: decided again beside the requests, and
//! told with the edit.

use crate::gateway::Gateway;
use crate::ledger::decided::Decided;
use crate::policy::cases::Ask;
use crate::policy::snapshot::Snapshot;
use crate::rehearse::{Projection, Traffic, project};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// Traffic older than that says little of the next month.
const DAYS: i64 = 7;
/// More requests make it slower, and hardly another figure.
const MOST: u32 = 10_000;
/// An edit is told by then, with figures or without.
const WITHIN: Duration = Duration::from_secs(20);

/// One at a time: of edits that follow one another closely, those that find another being reckoned go without figures.
static TURN: Mutex<()> = Mutex::const_new(());

/// `None` where there is nothing to reckon with, or no time for it.
pub async fn of(gateway: &Gateway, old: Arc<Snapshot>, new: Arc<Snapshot>) -> Option<Projection> {
    let _turn = TURN.try_lock().ok()?;
    let now = gateway.clock.now();
    let since = now.saturating_sub(SignedDuration::from_hours(24 * DAYS)).ok()?;
    let reckoned = async {
        let decided = gateway.ledger.decided(since, MOST).await.ok()?;
        let work = move || project(&old, &new, &traffic(decided), now);
        tokio::task::spawn_blocking(work).await.ok().flatten()
    };
    tokio::time::timeout(WITHIN, reckoned).await.ok().flatten()
}

/// Recorded decisions as questions.
pub fn traffic(decided: Vec<Decided>) -> Vec<Traffic> {
    let one = |decided: Decided| Traffic {
        at: decided.at,
        ask: Ask {
            model: decided.route,
            dialect: decided.dialect,
            headers: Vec::new(),
            needs: decided.needs,
        },
        plans: decided.plans,
        usage: decided.usage,
    };
    decided.into_iter().map(one).collect()
}

/// For the event and the control API.
pub fn shown(projection: &Projection, currency: &str) -> Value {
    json!({
        "requests": projection.requests,
        "moved_share": projection.moved_share(),
        "monthly_change": projection.monthly_change.to_string(),
        "currency": currency,
    })
}
