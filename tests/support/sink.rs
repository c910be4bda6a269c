//! A webhook receiver that checks Standard Webhooks signatures by itself (HMAC-SHA256 by its definition) and keeps
//! every delivery.

use super::until_within;
use super::wire::{self, Reply, Seen};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// One delivery attempt.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub id: String,
    pub event: String,
    pub body: Value,
    /// The signature was right.
    pub genuine: bool,
    /// What the sink answered.
    pub status: u16,
}

#[derive(Default)]
struct State {
    deliveries: Vec<Delivery>,
    failures_left: usize,
    redirect: Option<String>,
}

pub struct Sink {
    pub secret: String,
    key: Vec<u8>,
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A retry may wait for its backoff.
const RETRY_PATIENCE: Duration = Duration::from_secs(120);

impl Sink {
    pub async fn start() -> Self {
        let key = b"a webhook secret of 32 bytes....".to_vec();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let (shared, checked) = (state.clone(), key.clone());
        let receive = move |seen: Seen| {
            let mut state = shared.lock().unwrap();
            let redirect = state.redirect.clone();
            let status = match redirect {
                Some(_) => 307,
                None if state.failures_left > 0 => 500,
                None => 200,
            };
            state.failures_left = state.failures_left.saturating_sub(1);
            let body: Value = seen.json();
            state.deliveries.push(Delivery {
                id: seen.header("webhook-id").unwrap_or_default().to_owned(),
                event: body["type"].as_str().unwrap_or_default().to_owned(),
                genuine: is_genuine(&checked, &seen),
                body,
                status,
            });
            let location = redirect.as_deref().map(|target| ("location", target));
            (Reply::http(status, location.as_slice(), ""), ())
        };
        let task = tokio::spawn(wire::serve(listener, receive, |(), _| ()));
        Self {
            secret: format!("whsec_{}", STANDARD.encode(&key)),
            key,
            address,
            state,
            task,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// The next `count` deliveries are answered with 500.
    pub fn fail(&self, count: usize) {
        self.state.lock().unwrap().failures_left = count;
    }

    /// Every later delivery is sent on to `target`.
    pub fn redirect(&self, target: &str) {
        self.state.lock().unwrap().redirect = Some(target.to_owned());
    }

    pub fn deliveries(&self) -> Vec<Delivery> {
        self.state.lock().unwrap().deliveries.clone()
    }

    /// Accepted deliveries of one event, each once: a daemon that was killed may send again what it could not yet record
    /// as delivered, under the same `webhook-id`, and a receiver knows it by that.
    pub fn accepted(&self, event: &str) -> Vec<Delivery> {
        let mut known = HashSet::new();
        let wanted = |delivery: &Delivery| delivery.event == event && delivery.status == 200;
        let first = |delivery: &Delivery| known.insert(delivery.id.clone());
        self.deliveries().into_iter().filter(wanted).filter(first).collect()
    }

    /// Waits for the `count`-th accepted delivery of `event`.
    pub async fn got(&self, event: &str, count: usize) -> Delivery {
        until_within(
            RETRY_PATIENCE,
            &format!("webhook {event} number {count}"),
            || async move {
                let events: Vec<_> = self
                    .deliveries()
                    .into_iter()
                    .map(|one| (one.event, one.status))
                    .collect();
                self.accepted(event)
                    .into_iter()
                    .nth(count - 1)
                    .ok_or(format!("{events:?}"))
            },
        )
        .await
    }

    pub fn signature(&self, id: &str, timestamp: &str, body: &str) -> String {
        sign(&self.key, id, timestamp, body.as_bytes())
    }
}

fn is_genuine(key: &[u8], seen: &Seen) -> bool {
    let (Some(id), Some(timestamp), Some(signatures)) = (
        seen.header("webhook-id"),
        seen.header("webhook-timestamp"),
        seen.header("webhook-signature"),
    ) else {
        return false;
    };
    let expected = format!("v1,{}", sign(key, id, timestamp, &seen.body));
    timestamp.parse::<i64>().is_ok() && signatures.split(' ').any(|signature| signature == expected)
}

fn sign(key: &[u8], id: &str, timestamp: &str, body: &[u8]) -> String {
    let message = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    STANDARD.encode(hmac_sha256(key, &message))
}

/// RFC 2104 for keys of at most one block.
fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let padded = |pad: u8| -> Vec<u8> { (0..64).map(|at| key.get(at).copied().unwrap_or(0) ^ pad).collect() };
    let inner = Sha256::digest([padded(0x36), message.to_vec()].concat());
    Sha256::digest([padded(0x5c), inner.to_vec()].concat()).to_vec()
}

mod tests {
    use super::*;
    use crate::support::Call;

    #[test]
    fn the_hmac_is_that_of_rfc_4231() {
        let tag = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
        let text: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(text, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[tokio::test]
    async fn a_signed_delivery_is_genuine_and_a_changed_one_is_not() {
        let sink = Sink::start().await;
        sink.fail(1);
        let body = r#"{"type":"plan.activated","timestamp":"2026-11-23T00:00:00Z","data":{}}"#;
        let signature = format!("v1,{}", sink.signature("msg_1", "1790000000", body));
        for sent in [body, body, &body.replace("activated", "released")] {
            Call::post("/hook", sent.to_owned())
                .header("webhook-id", "msg_1")
                .header("webhook-timestamp", "1790000000")
                .header("webhook-signature", &signature)
                .send(sink.address)
                .await;
        }
        let seen: Vec<_> = sink.deliveries().iter().map(|one| (one.genuine, one.status)).collect();
        assert_eq!(seen, [(true, 500), (true, 200), (false, 200)]);
        assert_eq!(sink.accepted("plan.activated").len(), 1);
    }
}
