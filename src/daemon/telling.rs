//! A fleet's alerts: what every daemon sees of a shared budget is told people by one of them.
//!
//! Promises that an alert is lost by no daemon's end: it is told once it stands in an outbox, and whoever sees it too takes
//! it over from one that does not get to it. Without the database it is told all the same, perhaps twice.

use super::announce::Announcer;
use crate::alert::AlertEvent;
use crate::fleet::{Fleet, Telling};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_util::sync::CancellationToken;

/// Alerts that wait for the store; beyond, they are told by each daemon.
const PLACES: usize = 1_000;
/// How often it is looked whether somebody else has told what he took on.
const AGAIN: Duration = Duration::from_secs(2);

/// Where the ticker puts a fleet's alerts.
#[derive(Clone)]
pub struct Teller(Sender<AlertEvent>);

impl Teller {
    pub fn new() -> (Self, Receiver<AlertEvent>) {
        let (sender, receiver) = channel(PLACES);
        (Self(sender), receiver)
    }

    /// The event comes back where there is no place.
    pub fn tell(&self, event: AlertEvent) -> Result<(), AlertEvent> {
        self.0.try_send(event).map_err(|error| error.into_inner())
    }
}

pub async fn run(
    fleet: Arc<Fleet>,
    announcer: Arc<Announcer>,
    mut events: Receiver<AlertEvent>,
    stop: CancellationToken,
) {
    let mut waiting: Vec<AlertEvent> = Vec::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(event) = events.recv() => waiting.push(event),
            () = tokio::time::sleep(AGAIN), if !waiting.is_empty() => {}
        }
        let mut kept = Vec::new();
        for event in waiting {
            if let Some(event) = tell(&fleet, &announcer, event).await {
                kept.push(event);
            }
        }
        waiting = kept;
    }
    // Its own outbox knows what it has told already.
    for event in waiting {
        announcer.announce(event).await;
    }
}

/// The event where it must be looked at again.
async fn tell(fleet: &Fleet, announcer: &Announcer, event: AlertEvent) -> Option<AlertEvent> {
    let Some(what) = event.dedupe.clone().filter(|_| announcer.is_wanted(event.kind)) else {
        announcer.announce(event).await;
        return None;
    };
    match fleet.claim(&what).await {
        Ok(Telling::Done) => None,
        Ok(Telling::Others) => Some(event),
        Ok(Telling::Mine) => {
            announcer.announce(event).await;
            if let Err(error) = fleet.told(&what).await {
                tracing::debug!(%error, "another daemon may tell of it too");
            }
            None
        }
        Err(_) if fleet.is_good() => Some(event),
        Err(_) => {
            announcer.announce(event).await;
            None
        }
    }
}
