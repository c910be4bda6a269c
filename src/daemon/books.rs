//! What the budget books need of the ledger, off the request's way: spend found again, leases ahead of need, leases
//! given back.

use crate::budget::RebuildRequest;
use crate::gateway::Gateway;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Leases are looked after at least this often, whether anybody rings or not.
const AT_LEAST: Duration = Duration::from_secs(1);

/// Finds the spend of budgets that are new, changed, or at the start of a period.
pub async fn rebuild(gateway: &Gateway, requests: Vec<RebuildRequest>) {
    for request in requests {
        let pool = request.pool.clone();
        match gateway.ledger.rebuild(request).await {
            Ok(rebuilt) => gateway.live.books.lock().rebuilt(rebuilt),
            Err(error) => {
                tracing::error!(%error, "a budget's spend could not be found; it stays closed and is tried again");
                gateway.live.books.lock().rebuild_failed(&pool);
            }
        }
    }
}

/// Extends leases before a request has to wait for one.
pub async fn lease_ahead(gateway: Arc<Gateway>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = gateway.lease_ahead.notified() => {}
            () = tokio::time::sleep(AT_LEAST) => {}
        }
        let wanted = gateway.live.books.lock().wanted();
        if wanted.is_empty() {
            continue;
        }
        let _turn = gateway.leasing.lock().await;
        match gateway.ledger.grant(wanted).await {
            Ok(grants) => {
                let mut books = gateway.live.books.lock();
                grants.iter().for_each(|grant| books.grant(grant));
            }
            Err(error) => tracing::warn!(%error, "no lease ahead of need"),
        }
    }
}
