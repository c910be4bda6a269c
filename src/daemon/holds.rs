//! Money whose bill nobody told: after a while it is posted as estimated, still to be reconciled.
//!
//! Promises that each held attempt is read once for as long as the budgets stay the same, so that what is kept for good
//! costs nothing, and that none is released by a list of its accounts that a rebuild may have made longer meanwhile.

use crate::budget::{HeldAttempt, HeldIn};
use crate::gateway::Gateway;
use crate::ledger::LedgerError;
use crate::ledger::record::{Record, ReleaseRecord};
use crate::policy::defaults;
use crate::policy::snapshot::{Held, Snapshot};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between two looks, where budgets have no shorter patience.
const APART: Duration = Duration::from_secs(15);
const LEAST_APART: Duration = Duration::from_millis(250);
/// Read at a time.
const PAGE: usize = 500;
/// Remembered until they are due; those behind them are read when there is room again.
const MOST: usize = 10_000;

/// What was read and is not due yet.
#[derive(Default)]
struct Watched {
    /// Under which budgets it was read.
    mark: Option<u64>,
    /// Up to which attempt.
    upto: i64,
    due: BTreeMap<(Timestamp, i64), HeldAttempt>,
}

pub async fn release(gateway: Arc<Gateway>, stop: CancellationToken) {
    let mut watched = Watched::default();
    loop {
        let apart = apart(&gateway.live.policy().snapshot);
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(apart) => {}
        }
        if let Err(error) = watched.look(&gateway).await {
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

impl Watched {
    async fn look(&mut self, gateway: &Gateway) -> Result<(), LedgerError> {
        let Some(mark) = gateway.live.books.lock().holds_mark() else {
            return Ok(());
        };
        if self.mark != Some(mark) {
            *self = Self {
                mark: Some(mark),
                ..Self::default()
            };
        }
        self.read(gateway).await?;
        let now = gateway.clock.now();
        while let Some(first) = self.due.first_entry().filter(|first| first.key().0 <= now) {
            let held = first.remove();
            if let Err(error) = post(gateway, &held, mark).await {
                // It is read again with all the others.
                self.mark = None;
                return Err(error);
            }
        }
        Ok(())
    }

    /// What has come since the last look. What is kept for good is passed over for good.
    async fn read(&mut self, gateway: &Gateway) -> Result<(), LedgerError> {
        while self.due.len() < MOST {
            let page = gateway.ledger.holds(self.upto, PAGE).await?;
            let full = page.len() == PAGE;
            let books = gateway.live.books.lock();
            for held in page {
                self.upto = held.id;
                if let Some(due) = books.due(&held, defaults::HELD) {
                    self.due.insert((due, held.id), held);
                }
            }
            if !full {
                break;
            }
        }
        Ok(())
    }
}

/// The books and the ledger's channel are in one order, as for every end of an attempt.
async fn post(gateway: &Gateway, held: &HeldAttempt, mark: u64) -> Result<(), LedgerError> {
    let permit = gateway.ledger.permit().await?;
    {
        let mut books = gateway.live.books.lock();
        if books.holds_mark() != Some(mark) {
            return Ok(());
        }
        books.release(held);
        permit.send(Record::Release(ReleaseRecord {
            attempt: held.id,
            estimate: held.estimate,
        }));
    }
    let account = |held: &HeldIn| (held.budget.clone(), held.key.clone());
    gateway.lines.ring(held.accounts.iter().map(account));
    tracing::info!(
        attempt = held.id,
        held = %held.amount,
        estimate = %held.estimate,
        "nobody told the bill of a held attempt; it is posted as estimated"
    );
    Ok(())
}
