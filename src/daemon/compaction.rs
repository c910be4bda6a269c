//! Old attempts are folded while the daemon runs, if it was told how long to keep them: a step at a time, with a rest after
//! each, so that records and leases never wait for more than one.

use crate::gateway::Gateway;
use crate::ledger::compact::kept_since;
use crate::ledger::fold::Folded;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const EACH: Duration = Duration::from_secs(6 * 3_600);
const REST: Duration = Duration::from_millis(100);

pub async fn run(gateway: Arc<Gateway>, months: u32, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = fold(&gateway, months) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EACH) => {}
        }
    }
}

async fn fold(gateway: &Gateway, months: u32) {
    let Some(before) = kept_since(months, gateway.clock.now()) else {
        return;
    };
    let mut all = Folded::default();
    loop {
        match gateway.ledger.compact(before).await {
            Ok(Some(folded)) => all = all.plus(folded),
            Ok(None) => break,
            Err(error) => {
                tracing::warn!(%error, "old attempts are folded later");
                break;
            }
        }
        tokio::time::sleep(REST).await;
    }
    if all != Folded::default() {
        let Folded {
            attempts,
            remaining,
            decisions,
        } = all;
        tracing::info!(attempts, remaining, decisions, %before, "old attempts were folded");
    }
}
