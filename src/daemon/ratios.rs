//! Keeps how planb's own counts of output stand to providers' reports: in the ledger once a minute where anything was
//! learned, and at the end.

use crate::gateway::Gateway;
use crate::ledger::record::Record;
use parking_lot::Mutex;

/// The minute in which it was kept last.
#[derive(Debug, Default)]
pub struct Kept(Mutex<i64>);

pub async fn keep_each_minute(gateway: &Gateway, kept: &Kept) {
    let minute = gateway.clock.now().as_second().div_euclid(60);
    if std::mem::replace(&mut *kept.0.lock(), minute) != minute {
        keep(gateway).await;
    }
}

pub async fn keep(gateway: &Gateway) {
    let rows = gateway.live.output_ratios.lock().take_changed();
    if rows.is_empty() {
        return;
    }
    if let Err(error) = gateway.ledger.send(Record::OutputRatios(rows)).await {
        tracing::warn!(%error, "how output is counted could not be kept; it is learned again after a restart");
    }
}
