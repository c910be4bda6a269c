//! Puts requests that were turned away before there was a decision into the ledger and the log, a line a stretch.

use crate::ledger::Ledger;
use crate::ledger::record::Record;
use crate::live::RefusedStretch;

pub async fn tell(ledger: &Ledger, refused: Vec<RefusedStretch>) {
    if refused.is_empty() {
        return;
    }
    for one in &refused {
        let (client, route, code) = (&*one.client, &*one.route, one.code);
        let (requests, status, first) = (one.requests, one.status, &*one.request);
        tracing::warn!(
            client,
            route,
            code,
            status,
            requests,
            first,
            "turned away: {}",
            one.detail
        );
    }
    if let Err(error) = ledger.send(Record::Refused(refused)).await {
        tracing::error!(%error, "the ledger could not keep what was turned away");
    }
}
