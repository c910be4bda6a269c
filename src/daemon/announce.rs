//! What happened, put into the outbox for every alert target that asked for it.

use crate::alert::AlertEvent;
use crate::clock::Clock;
use crate::ledger::Ledger;
use crate::ledger::record::OutboxEvent;
use crate::live::Live;
use std::sync::Arc;
use uuid::Uuid;

pub struct Announcer {
    pub live: Arc<Live>,
    pub ledger: Ledger,
    pub clock: Clock,
}

impl Announcer {
    /// Durable with the ledger's next transaction. An event that nobody asked for is only logged.
    pub async fn announce(&self, event: AlertEvent) {
        let policy = self.live.policy();
        let kind = event.kind.name();
        tracing::info!(event = kind, data = %event.data, "event");
        let wants = |target: &&crate::policy::snapshot::AlertTarget| target.events.iter().any(|pattern| pattern.matches(kind));
        let targets: Vec<Arc<str>> = policy.snapshot.alerts.iter().filter(wants).map(|target| target.id.clone()).collect();
        if targets.is_empty() {
            return;
        }
        let row = OutboxEvent {
            id: format!("msg_{}", Uuid::now_v7().simple()).into(),
            kind: kind.into(),
            at: event.at,
            dedupe: event.dedupe.as_deref().map(Arc::from),
            body: event.body().into(),
            targets,
        };
        if let Err(error) = self.ledger.event(row).await {
            tracing::error!(%error, event = kind, "the event could not be kept for delivery");
        }
    }
}
