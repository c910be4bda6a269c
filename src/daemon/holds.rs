//! Money whose bill nobody told: after a while it is posted as estimated, still to be reconciled.

use crate::budget::HeldAttempt;
use crate::gateway::Gateway;
use crate::ledger::LedgerError;
use crate::ledger::record::{Record, ReleaseRecord};
use crate::policy::defaults;
use crate::policy::snapshot::{Held, Snapshot};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between two looks, where budgets have no shorter patience.
const APART: Duration = Duration::from_secs(15);
const LEAST_APART: Duration = Duration::from_millis(250);
/// Read at a time.
const PAGE: usize = 500;

pub async fn release(gateway: Arc<Gateway>, stop: CancellationToken) {
    loop {
        let apart = apart(&gateway.live.policy().snapshot);
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(apart) => {}
        }
        if let Err(error) = look(&gateway).await {
            tracing::debug!(%error, "what is held could not be read; it is tried again");
        }
    }
}

/// Nobody notices a quarter of the time more.
fn apart(snapshot: &Snapshot) -> Duration {
    let budgets = snapshot.budgets.iter().filter_map(|budget| match budget.held {
        Held::After(after) => Some(after / 4),
        Held::Keep => None,
    });
    budgets.min().map_or(APART, |least| least.clamp(LEAST_APART, APART))
}

async fn look(gateway: &Gateway) -> Result<(), LedgerError> {
    let mut after = 0;
    loop {
        let now = gateway.clock.now();
        let page = gateway.ledger.holds(now, after, PAGE).await?;
        let full = page.len() == PAGE;
        for held in &page {
            after = held.id;
            post(gateway, held).await?;
        }
        if !full {
            return Ok(());
        }
    }
}

/// The books and the ledger's channel are in one order, as for every end of an attempt.
async fn post(gateway: &Gateway, held: &HeldAttempt) -> Result<(), LedgerError> {
    let now = gateway.clock.now();
    if !gateway.live.books.lock().may_release(held, defaults::HELD, now) {
        return Ok(());
    }
    let permit = gateway.ledger.permit().await?;
    let mut books = gateway.live.books.lock();
    if !books.may_release(held, defaults::HELD, now) {
        return Ok(());
    }
    books.release(held);
    permit.send(Record::Release(ReleaseRecord {
        attempt: held.id,
        estimate: held.estimate,
    }));
    drop(books);
    tracing::info!(
        attempt = held.id,
        held = %held.amount,
        estimate = %held.estimate,
        "nobody told the bill of a held attempt; it is posted as estimated"
    );
    Ok(())
}
