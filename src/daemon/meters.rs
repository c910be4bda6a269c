//! Meters of prices that are new or changed within their period: what they would have counted is found in the attempts.

use crate::gateway::Gateway;
use crate::ledger::LedgerError;
use crate::ledger::record::Record;
use crate::price::MeterRow;
use std::sync::Arc;

/// Finds the use of meters that came into force within their period. Until then what their prices depend on is reserved
/// and billed at its dearest.
pub async fn find(gateway: &Gateway) {
    gateway.live.roll_meters(gateway.clock.now());
    let left = gateway.live.counters.lock().take_left();
    if !left.is_empty()
        && let Err(error) = gateway.ledger.send(Record::MetersLeft(left)).await
    {
        tracing::error!(%error, "meters that are not in force any more could not be marked");
    }
    let snapshot = gateway.live.policy().snapshot.clone();
    let (asked, begun) = {
        // Attempts that ended before are in line before this; those that end later count by themselves.
        let _books = gateway.live.books.lock();
        let asked = gateway.live.counters.lock().ask();
        if asked.is_empty() {
            return;
        }
        (asked.clone(), gateway.ledger.begin_meters(asked))
    };
    let found = async {
        let upto = begun.await?;
        gateway.ledger.replay(asked.clone(), upto, snapshot).await
    };
    match found.await {
        Ok(rows) => take_over(gateway, rows).await,
        Err(error) => {
            tracing::error!(%error, "what a meter of a price has counted could not be found; its price stays at its dearest");
            gateway.live.counters.lock().not_found(&asked);
        }
    }
}

async fn take_over(gateway: &Gateway, rows: Vec<MeterRow>) {
    for row in rows.iter().filter(|row| row.used > 0) {
        tracing::info!(
            meter = &*row.key.name,
            used = row.used,
            unit = row.unit.word(),
            since = %row.key.start,
            "found in the attempts"
        );
    }
    gateway.live.counters.lock().found(&rows);
    if let Err(error) = gateway.ledger.send(Record::MetersFound(rows)).await {
        let error: LedgerError = error;
        tracing::error!(%error, "what meters had counted could not be recorded; it is found again at the next start");
    }
}

/// Once a second: periods begin, and what could not be found is asked for again.
pub fn follow(gateway: &Arc<Gateway>) {
    gateway.live.roll_meters(gateway.clock.now());
    if !gateway.live.counters.lock().has_news() {
        return;
    }
    let finding = gateway.clone();
    gateway.tasks.spawn(async move { find(&finding).await });
}
