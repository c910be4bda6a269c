//! Brings the outbox's alerts to their targets: at least once, in order for each target as far as it answers.
//!
//! Each target has a lane of its own with one request at a time, and four requests go out at once over all: a target
//! that is slow or gone delays itself. What is stored of a failure names no URL and no secret.

use super::outbox::{Delivery, Outbox, OutboxError};
use super::schedule::{next_try, retry_after, seed_of};
use super::standard;
use crate::policy::snapshot::{AlertTarget, AlertUrl};
use crate::upstream::connect::{Connections, describe};
use crate::upstream::credentials::Credentials;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use jiff::Timestamp;
use reqwest::{Method, StatusCode, Url};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, Semaphore};
use tokio::task::{self, JoinSet};
use tokio_util::sync::CancellationToken;

/// A receiver that takes longer is told again.
const TIMEOUT: Duration = Duration::from_secs(15);
const AT_ONCE: usize = 4;
/// Read from the outbox at a time, so that a backlog for one target does not hide the others.
const BATCH: usize = 1000;
/// The longest sleep: due times that an earlier run of the daemon left are found within it.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);

/// Finds a target of the policy in force by its id.
pub type Targets = Arc<dyn Fn(&str) -> Option<AlertTarget> + Send + Sync>;

/// Everything that a delivery needs; clones share it.
pub struct Deliverer<O> {
    outbox: Arc<O>,
    targets: Targets,
    credentials: Arc<Credentials>,
    connections: Arc<Connections>,
    slots: Arc<Semaphore>,
    news: Arc<Notify>,
}

impl<O> Clone for Deliverer<O> {
    fn clone(&self) -> Self {
        Self {
            outbox: self.outbox.clone(),
            targets: self.targets.clone(),
            credentials: self.credentials.clone(),
            connections: self.connections.clone(),
            slots: self.slots.clone(),
            news: self.news.clone(),
        }
    }
}

/// How a try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Delivered,
    /// `wait`: the receiver asked for it.
    Retry {
        why: String,
        wait: Option<Duration>,
    },
    Dead {
        why: String,
    },
}

impl<O: Outbox> Deliverer<O> {
    pub fn new(outbox: Arc<O>, targets: Targets, credentials: Arc<Credentials>, connections: Arc<Connections>) -> Self {
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        Self {
            outbox,
            targets,
            credentials,
            connections,
            slots,
            news: Arc::default(),
        }
    }

    /// To be notified when an alert was put into the outbox.
    pub fn news(&self) -> Arc<Notify> {
        self.news.clone()
    }

    /// Delivers until told to stop. What is under way then is repeated by the next run.
    pub async fn run(self, stop: CancellationToken) {
        let mut lanes = JoinSet::new();
        let mut busy: HashMap<task::Id, Arc<str>> = HashMap::new();
        loop {
            match self.outbox.due(Timestamp::now(), BATCH).await {
                Ok(due) => {
                    for (target, deliveries) in by_target(due, &busy) {
                        let lane = lanes.spawn(self.clone().drive(deliveries));
                        busy.insert(lane.id(), target);
                    }
                }
                Err(error) => tracing::error!(%error, "the outbox cannot be read; alerts wait"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.news.notified() => {}
                () = tokio::time::sleep(LONGEST_SLEEP) => {}
                Some(ended) = lanes.join_next_with_id() => {
                    let lane = ended.as_ref().map_or_else(|error| error.id(), |(id, ())| *id);
                    busy.remove(&lane);
                    if let Err(error) = ended {
                        tracing::error!(%error, "a lane of alerts ended badly");
                    }
                }
            }
        }
    }

    /// One target's deliveries, one after another.
    async fn drive(self, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            let outcome = match self.slots.acquire().await {
                Ok(_slot) => self.attempt(&delivery).await,
                Err(_) => return,
            };
            if let Err(error) = self.record(&delivery, outcome).await {
                tracing::error!(%error, id = %delivery.id, "an alert's delivery cannot be recorded; it will be repeated");
                // Not at once: the loop would send the same alert as fast as it can.
                return tokio::time::sleep(LONGEST_SLEEP).await;
            }
        }
    }

    async fn attempt(&self, delivery: &Delivery) -> Outcome {
        let Some(target) = (self.targets)(&delivery.target) else {
            return dead("no alert of the policy in force has this target");
        };
        let url = match self.url(&target) {
            Ok(url) => url,
            Err(outcome) => return outcome,
        };
        let secret = match self.credentials.get(&target.secret) {
            Ok(credential) => credential,
            Err(missing) => return retry(missing),
        };
        let headers = match standard::sign(&secret.secret, &delivery.id, Timestamp::now(), &delivery.body) {
            Ok(headers) => headers,
            Err(error) => return retry(error),
        };
        let mut request = match self.connections.web(target.allow_private).request(Method::POST, url) {
            Ok(request) => request.timeout(TIMEOUT).header(CONTENT_TYPE, "application/json"),
            Err(denied) => return retry(denied),
        };
        for (name, value) in headers {
            request = request.header(name, value);
        }
        match request.body(delivery.body.to_string()).send().await {
            Ok(answer) => read_answer(&answer),
            Err(error) => retry(describe(error)),
        }
    }

    fn url(&self, target: &AlertTarget) -> Result<Url, Outcome> {
        match &target.url {
            AlertUrl::Literal(text) => text.parse().map_err(|_| dead("the target's address is not a URL")),
            AlertUrl::Reference(reference) => {
                let found = self.credentials.get(reference).map_err(retry)?;
                let text = secrecy::ExposeSecret::expose_secret(&found.secret);
                text.parse().map_err(|_| retry("the referenced address is not a URL"))
            }
        }
    }

    async fn record(&self, delivery: &Delivery, outcome: Outcome) -> Result<(), OutboxError> {
        let now = Timestamp::now();
        let (id, event) = (&delivery.id, &delivery.event);
        match outcome {
            Outcome::Delivered => self.outbox.delivered(id, now).await,
            Outcome::Dead { why } => {
                tracing::warn!(%id, %event, why, "an alert cannot be delivered");
                self.outbox.dead(id, &why).await
            }
            Outcome::Retry { why, wait } => match next_try(delivery.attempts + 1, seed_of(id)) {
                Some(next) => {
                    let next = next.max(wait.unwrap_or_default());
                    tracing::warn!(%id, %event, why, ?next, "an alert was not taken; it is sent again");
                    self.outbox
                        .failed(id, now.saturating_add(next).unwrap_or(Timestamp::MAX), &why)
                        .await
                }
                None => {
                    tracing::error!(%id, %event, why, "an alert was given up after its last try");
                    self.outbox.dead(id, &why).await
                }
            },
        }
    }
}

/// In the outbox's order for each target; targets with a lane under way have their turn later.
fn by_target(due: Vec<Delivery>, busy: &HashMap<task::Id, Arc<str>>) -> HashMap<Arc<str>, Vec<Delivery>> {
    let mut lanes: HashMap<Arc<str>, Vec<Delivery>> = HashMap::new();
    for delivery in due {
        if !busy.values().any(|target| *target == delivery.target) {
            lanes.entry(delivery.target.clone()).or_default().push(delivery);
        }
    }
    lanes
}

fn read_answer(answer: &reqwest::Response) -> Outcome {
    let status = answer.status();
    if status.is_success() {
        return Outcome::Delivered;
    }
    if status == StatusCode::GONE {
        return dead("the receiver answered 410: it wants no more");
    }
    let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let wait = asked.and_then(|value| retry_after(value, SystemTime::now()));
    Outcome::Retry {
        why: format!("the receiver answered {}", status.as_u16()),
        wait,
    }
}

fn retry(why: impl ToString) -> Outcome {
    Outcome::Retry {
        why: why.to_string(),
        wait: None,
    }
}

fn dead(why: &str) -> Outcome {
    Outcome::Dead { why: why.to_owned() }
}

#[cfg(test)]
mod tests;
