//! The alerts' outbox over the ledger, and the task that empties it.

use crate::alert::outbox::OutboxError;
use crate::alert::{Deliverer, Delivery, Outbox};
use crate::gateway::Gateway;
use crate::ledger::Ledger;
use crate::ledger::record::{self, Record};
use crate::telemetry::Metrics;
use jiff::Timestamp;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

struct LedgerOutbox {
    ledger: Ledger,
    metrics: Arc<Metrics>,
}

impl LedgerOutbox {
    async fn record(
        &self,
        delivery: &Delivery,
        came: record::Delivery,
        result: &'static str,
    ) -> Result<(), OutboxError> {
        self.metrics.count_delivery(result);
        let (event, target) = (delivery.id.clone(), delivery.target.clone());
        Ok(self
            .ledger
            .send(Record::Delivery {
                event,
                target,
                delivery: came,
            })
            .await?)
    }
}

impl Outbox for LedgerOutbox {
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Delivery>, OutboxError> {
        let due = self.ledger.due(now, u32::try_from(limit).unwrap_or(u32::MAX)).await?;
        let deliveries = due.into_iter().map(|due| Delivery {
            id: due.event,
            target: due.target,
            event: due.kind.into(),
            body: due.body.into(),
            attempts: due.tries,
            created_at: due.at,
        });
        Ok(deliveries.collect())
    }

    async fn delivered(&self, delivery: &Delivery, at: Timestamp) -> Result<(), OutboxError> {
        self.record(delivery, record::Delivery::Delivered { at }, "delivered")
            .await
    }

    async fn failed(&self, delivery: &Delivery, next_at: Timestamp, error: &str) -> Result<(), OutboxError> {
        self.record(
            delivery,
            record::Delivery::Failed {
                next_at,
                error: error.to_owned(),
            },
            "failed",
        )
        .await
    }

    async fn dead(&self, delivery: &Delivery, error: &str) -> Result<(), OutboxError> {
        let at = Timestamp::now();
        self.record(
            delivery,
            record::Delivery::Dead {
                at,
                error: error.to_owned(),
            },
            "dead",
        )
        .await
    }
}

/// Delivers until `stop`.
pub async fn run(gateway: Arc<Gateway>, stop: CancellationToken) {
    let outbox = LedgerOutbox {
        ledger: gateway.ledger.clone(),
        metrics: gateway.metrics.clone(),
    };
    let live = gateway.live.clone();
    let targets = Arc::new(move |id: &str| {
        let policy = live.policy();
        policy
            .snapshot
            .alerts
            .iter()
            .find(|target| target.id.as_ref() == id)
            .cloned()
    });
    let deliverer = Deliverer::new(
        Arc::new(outbox),
        targets,
        gateway.credentials.clone(),
        gateway.connections.clone(),
    );
    let (news, rings) = (deliverer.news(), gateway.ledger.outbox_rings());
    let stopped = stop.clone();
    let forward = async move {
        loop {
            tokio::select! {
                () = stopped.cancelled() => return,
                () = rings.notified() => news.notify_one(),
            }
        }
    };
    tokio::join!(deliverer.run(stop), forward);
}
