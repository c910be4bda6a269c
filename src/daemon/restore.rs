//! What a start takes from the ledger.

use super::{DaemonError, plans};
use crate::budget::RebuildRequest;
use crate::clock::Clock;
use crate::ledger::Ledger;
use crate::live::Live;
use crate::policy::snapshot::{Raise, Snapshot};
use std::sync::Arc;

/// As the ledger remembers it: plans, raises, meters and what outputs came to. Budgets are asked for with the rebuilds.
pub(super) async fn restored(
    ledger: &Ledger,
    snapshot: Snapshot,
    clock: Clock,
) -> Result<(Arc<Live>, Vec<RebuildRequest>), DaemonError> {
    let plans = plans::restored(ledger, &snapshot, clock).await?;
    let (live, rebuilds) = Live::new(snapshot, plans, clock.now());
    let live = Arc::new(live);
    restore_raises(ledger, &live, clock).await?;
    let meters = ledger.meters(clock.now()).await?;
    live.counters.lock().restore(meters);
    let ratios = ledger.output_ratios().await?;
    live.output_ratios.lock().restore(ratios);
    Ok((live, rebuilds))
}

/// Limits that people raised stay raised.
async fn restore_raises(ledger: &Ledger, live: &Live, clock: Clock) -> Result<(), DaemonError> {
    let (now, currency) = (clock.now(), live.policy().snapshot.currency);
    let records = ledger.raises(now).await?;
    let mut books = live.books.lock();
    for record in records.into_iter().filter(|record| record.currency == currency) {
        let Some(by) = record.by else { continue };
        let raise = Raise {
            by,
            from: None,
            until: record.until,
        };
        let raises = books.raises(&record.budget, now).into_iter().chain([raise]).collect();
        books.raise(&record.budget, raises, now);
    }
    Ok(())
}
