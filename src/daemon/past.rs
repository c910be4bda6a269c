//! What the ledger knows of the time before, read beside the daemon's work: forecasts and the last hour's spend go on
//! over a restart and an edit.

use crate::budget::PastRequest;
use crate::gateway::Gateway;
use std::sync::Arc;

/// Reads the hours that forecasts lack, of weeks at the start and of the last ones as they end, and looks ahead.
pub fn learn(gateway: &Arc<Gateway>) {
    let now = gateway.clock.now();
    let wanted = {
        let mut prospects = gateway.live.prospects.lock();
        prospects.look_ahead(now);
        prospects.wanted(now)
    };
    for request in wanted {
        let (gateway, tasks) = (gateway.clone(), gateway.tasks.clone());
        let reading = async move {
            let found = gateway.ledger.hours(&request).await;
            let mut prospects = gateway.live.prospects.lock();
            match found {
                Ok(found) => prospects.found(&request, &found),
                Err(error) => {
                    tracing::warn!(%error, "the hours before could not be read; forecasts wait for them");
                    prospects.failed(&request);
                }
            }
            prospects.look_ahead(gateway.clock.now());
        };
        tasks.spawn(reading);
    }
}

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
