//! What the ledger knows of the time before a budget's books were opened, read beside the daemon's work: forecasts and
//! the last hour's spend go on over a restart and an edit.

use crate::budget::PastRequest;
use crate::gateway::Gateway;
use std::sync::Arc;

/// Reads for every budget that lacks its past. Nothing waits for it; until it is there the signals keep their last value.
pub fn find(gateway: &Arc<Gateway>) {
    let wanted = gateway.live.books.lock().past_wanted();
    for request in wanted {
        let gateway = gateway.clone();
        gateway
            .tasks
            .clone()
            .spawn(async move { read(&gateway, &request).await });
    }
}

async fn read(gateway: &Gateway, request: &PastRequest) {
    let currency = gateway.live.policy().snapshot.currency;
    match gateway.ledger.past(request, currency).await {
        Ok(found) => gateway.live.books.lock().past_found(request, &found),
        Err(error) => {
            tracing::warn!(%error, "the records of earlier requests could not be read; forecasts wait for them");
            gateway.live.books.lock().past_failed(request);
        }
    }
}
