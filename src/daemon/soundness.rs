//! Whether the money can be trusted at this moment: the ledger can be written and the books add up. Told when it no longer
//! is, and when it is again.

use super::announce::Announcer;
use crate::alert::{AlertEvent, EventKind};
use crate::gateway::Gateway;
use parking_lot::Mutex;
use serde_json::json;
use std::sync::Arc;

/// The books prove themselves each time so many seconds have passed.
const PROVEN_EACH: u64 = 10;

/// What was told and is not over.
#[derive(Default)]
pub struct Told {
    ledger: Mutex<bool>,
    budgets: Mutex<Vec<Arc<str>>>,
    ticks: Mutex<u64>,
}

pub async fn tell(gateway: &Gateway, announcer: &Announcer, told: &Told) {
    tell_ledger(gateway, announcer, told).await;
    let proves = {
        let mut ticks = told.ticks.lock();
        *ticks += 1;
        ticks.is_multiple_of(PROVEN_EACH)
    };
    let (broken, closed) = {
        let mut books = gateway.live.books.lock();
        if proves {
            books.check();
        }
        (books.take_violations(), books.degraded())
    };
    for broken in broken {
        let reason = broken.violation.to_string();
        tracing::error!(dump = broken.dump, "the books do not add up: {reason}");
        let Some(budget) = broken.budget else { continue };
        let is_new = {
            let mut budgets = told.budgets.lock();
            let is_new = !budgets.contains(&budget);
            if is_new {
                budgets.push(budget.clone());
            }
            is_new
        };
        if is_new {
            announce(gateway, announcer, EventKind::LedgerDegraded, Some(&budget), &reason).await;
        }
    }
    let over: Vec<Arc<str>> = {
        let mut budgets = told.budgets.lock();
        let over = budgets
            .iter()
            .filter(|budget| !closed.contains(budget))
            .cloned()
            .collect();
        budgets.retain(|budget| closed.contains(budget));
        over
    };
    for budget in over {
        announce(
            gateway,
            announcer,
            EventKind::LedgerRecovered,
            Some(&budget),
            "it was read anew",
        )
        .await;
    }
}

/// The event itself is written once the ledger can be again: it waits in line like every record.
async fn tell_ledger(gateway: &Gateway, announcer: &Announcer, told: &Told) {
    let state = gateway.ledger.state();
    let degraded = state.state != "ok";
    if std::mem::replace(&mut *told.ledger.lock(), degraded) == degraded {
        return;
    }
    let kind = if degraded {
        EventKind::LedgerDegraded
    } else {
        EventKind::LedgerRecovered
    };
    let reason = state.reason.unwrap_or_else(|| "it can be written again".to_owned());
    announce(gateway, announcer, kind, None, &reason).await;
}

async fn announce(gateway: &Gateway, announcer: &Announcer, kind: EventKind, budget: Option<&str>, reason: &str) {
    let event = AlertEvent {
        kind,
        at: gateway.clock.now(),
        dedupe: None,
        data: json!({"budget": budget, "reason": reason}),
    };
    announcer.announce(event).await;
}
