//! What models cost a month ago: the policy that was in force then is found in the ledger and compiled again.

use crate::gateway::Gateway;
use crate::live::{BEFORE, PastPrices};
use crate::policy::{Sources, compile};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A month ago moves slowly.
const EACH: Duration = Duration::from_secs(3_600);

pub async fn follow(gateway: Arc<Gateway>, stop: CancellationToken) {
    loop {
        look(&gateway).await;
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EACH) => {}
        }
    }
}

async fn look(gateway: &Gateway) {
    let at = gateway.clock.now().checked_sub(BEFORE).unwrap_or_default();
    let found = match gateway.ledger.policy_at(at).await {
        Ok(Some(found)) => found,
        Ok(None) => return,
        Err(error) => {
            tracing::warn!(%error, "the policy of a month ago could not be read; price changes are as known");
            return;
        }
    };
    let since = found.since.max(at);
    // Off the async threads: it may be a large one.
    let compiled = tokio::task::spawn_blocking(move || {
        let sources = Sources::recorded(&found.origin, &found.text);
        compile(&sources, since)
    });
    match compiled.await {
        Ok(Ok(compiled)) => gateway.live.know_past_prices(PastPrices::of(&compiled.snapshot, since)),
        // An older planb may have taken what this one refuses.
        Ok(Err(_)) => tracing::debug!("the policy of a month ago does not compile any more"),
        Err(_) => {}
    }
}
