//! Deliveries over real sockets, from an outbox in memory.

use super::*;
use crate::policy::snapshot::{CredentialRef, EventPattern};
use std::net::SocketAddr;
use std::sync::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

#[derive(Clone, Debug, PartialEq)]
enum Fate {
    Pending,
    Delivered,
    Dead(String),
}

#[derive(Clone, Debug)]
struct Entry {
    delivery: Delivery,
    fate: Fate,
    next_at: Timestamp,
    last_error: String,
}

/// Forgets nothing; where it is `impatient`, what failed is due again at once.
#[derive(Default)]
struct Memory {
    entries: Mutex<Vec<Entry>>,
    impatient: bool,
    changed: watch::Sender<u64>,
}

impl Memory {
    fn with(impatient: bool, deliveries: impl IntoIterator<Item = Delivery>) -> Arc<Self> {
        let entry = |delivery| Entry {
            delivery,
            fate: Fate::Pending,
            next_at: Timestamp::UNIX_EPOCH,
            last_error: String::new(),
        };
        let entries = Mutex::new(deliveries.into_iter().map(entry).collect());
        Arc::new(Self {
            entries,
            impatient,
            changed: watch::Sender::default(),
        })
    }

    fn change(&self, id: &str, how: impl FnOnce(&mut Entry)) -> Result<(), OutboxError> {
        let mut entries = self.entries.lock().unwrap();
        how(entries
            .iter_mut()
            .find(|entry| entry.delivery.id.as_ref() == id)
            .unwrap());
        self.changed.send_modify(|count| *count += 1);
        Ok(())
    }

    fn entry(&self, id: &str) -> Entry {
        let entries = self.entries.lock().unwrap();
        entries
            .iter()
            .find(|entry| entry.delivery.id.as_ref() == id)
            .unwrap()
            .clone()
    }

    async fn until(&self, id: &str, holds: impl Fn(&Entry) -> bool) -> Entry {
        let mut changed = self.changed.subscribe();
        let wait = async { changed.wait_for(|_| holds(&self.entry(id))).await.map(drop) };
        tokio::time::timeout(Duration::from_secs(60), wait)
            .await
            .expect("it never happened")
            .unwrap();
        self.entry(id)
    }
}

impl Outbox for Memory {
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Delivery>, OutboxError> {
        let entries = self.entries.lock().unwrap();
        let due = entries
            .iter()
            .filter(|entry| entry.fate == Fate::Pending && entry.next_at <= now);
        Ok(due.take(limit).map(|entry| entry.delivery.clone()).collect())
    }

    async fn delivered(&self, id: &str, _: Timestamp) -> Result<(), OutboxError> {
        self.change(id, |entry| entry.fate = Fate::Delivered)
    }

    async fn failed(&self, id: &str, next_at: Timestamp, error: &str) -> Result<(), OutboxError> {
        self.change(id, |entry| {
            entry.delivery.attempts += 1;
            entry.last_error = error.to_owned();
            entry.next_at = if self.impatient { Timestamp::UNIX_EPOCH } else { next_at };
        })
    }

    async fn dead(&self, id: &str, error: &str) -> Result<(), OutboxError> {
        self.change(id, |entry| entry.fate = Fate::Dead(error.to_owned()))
    }
}

/// A receiver that answers its requests with these heads in turn, then with 200; tells what it was sent.
async fn receiver(heads: &'static [&'static str]) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut heads = heads.iter();
        while let Ok((mut socket, _)) = listener.accept().await {
            let _ = tell.send(read_request(&mut socket).await);
            let head = heads.next().unwrap_or(&"200 OK\r\n");
            let answer = format!("HTTP/1.1 {head}content-length: 0\r\nconnection: close\r\n\r\n");
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    (address, told)
}

async fn read_request(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let read = socket.read_buf(&mut bytes).await.unwrap_or(0);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let length = header(&text, "content-length").and_then(|value| value.parse::<usize>().ok());
        let whole = text
            .split_once("\r\n\r\n")
            .is_some_and(|(_, body)| body.len() >= length.unwrap_or(0));
        if read == 0 || whole {
            return text;
        }
    }
}

fn header(request: &str, name: &str) -> Option<String> {
    let line = request
        .lines()
        .find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")))?;
    line.split_once(':').map(|(_, value)| value.trim().to_owned())
}

fn delivery(id: &str, target: &str) -> Delivery {
    let body = format!(r#"{{"type":"plan.activated","id":"{id}"}}"#);
    let (id, target, event) = (id.into(), target.into(), "plan.activated".into());
    Delivery {
        id,
        target,
        event,
        body: body.into(),
        attempts: 0,
        created_at: Timestamp::UNIX_EPOCH,
    }
}

fn target(id: &str, url: AlertUrl) -> AlertTarget {
    let events = vec![EventPattern("*".into())];
    AlertTarget {
        url,
        secret: CredentialRef::Env("HOOK_KEY".into()),
        events,
        allow_private: false,
        id: id.into(),
    }
}

fn literal(address: SocketAddr) -> AlertUrl {
    AlertUrl::Literal(format!("http://{address}/hook?token=hidden").into())
}

struct Running {
    outbox: Arc<Memory>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn start(outbox: Arc<Memory>, targets: Vec<AlertTarget>, environment: Vec<(&'static str, String)>) -> Self {
        let names: Vec<_> = environment
            .iter()
            .map(|(name, _)| CredentialRef::Env((*name).into()))
            .collect();
        let credentials = Credentials::with_environment(move |name| {
            environment
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value.into())
        });
        credentials.track(names);
        let find: Targets = Arc::new(move |id| targets.iter().find(|target| target.id.as_ref() == id).cloned());
        let connections = Arc::new(Connections::new().unwrap());
        let deliverer = Deliverer::new(outbox.clone(), find, Arc::new(credentials), connections);
        let stop = CancellationToken::new();
        let task = tokio::spawn(deliverer.run(stop.clone()));
        Self { outbox, stop, task }
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

fn with_key() -> Vec<(&'static str, String)> {
    vec![("HOOK_KEY", SECRET.to_owned())]
}

#[tokio::test]
async fn a_delivery_is_signed_so_that_the_receiver_can_check_it() {
    let (address, mut told) = receiver(&[]).await;
    let outbox = Memory::with(false, [delivery("msg_1", "t")]);
    let running = Running::start(outbox, vec![target("t", literal(address))], with_key());
    let request = told.recv().await.unwrap();
    running
        .outbox
        .until("msg_1", |entry| entry.fate == Fate::Delivered)
        .await;

    assert!(request.starts_with("POST /hook?token=hidden HTTP/1.1\r\n"), "{request}");
    assert_eq!(header(&request, "content-type").as_deref(), Some("application/json"));
    let mut headers = http::HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, header(&request, name).unwrap().parse().unwrap());
    }
    let body = request.split_once("\r\n\r\n").unwrap().1;
    standardwebhooks::Webhook::new(SECRET)
        .unwrap()
        .verify(body.as_bytes(), &headers)
        .unwrap();
    assert_eq!(headers["webhook-id"], "msg_1");
    running.end().await;
}

#[tokio::test]
async fn what_failed_is_sent_again_with_the_same_id_and_body() {
    let heads = &[
        "500 Internal Server Error\r\n",
        "302 Found\r\nlocation: http://127.0.0.1:1/\r\n",
        "400 Bad Request\r\n",
    ];
    let (address, mut told) = receiver(heads).await;
    let outbox = Memory::with(true, [delivery("msg_1", "t")]);
    let running = Running::start(outbox, vec![target("t", literal(address))], with_key());
    let delivered = running
        .outbox
        .until("msg_1", |entry| entry.fate == Fate::Delivered)
        .await;
    assert_eq!(
        (delivered.delivery.attempts, delivered.last_error.as_str()),
        (3, "the receiver answered 400")
    );
    for _ in 0..4 {
        let request = told.recv().await.unwrap();
        assert_eq!(header(&request, "webhook-id").as_deref(), Some("msg_1"));
        assert!(request.ends_with(delivered.delivery.body.as_ref()));
    }
    running.end().await;
}

#[tokio::test]
async fn a_receiver_that_is_gone_for_good_is_not_asked_again() {
    let (address, _told) = receiver(&["410 Gone\r\n"]).await;
    let outbox = Memory::with(true, [delivery("msg_1", "t"), delivery("msg_2", "unknown")]);
    let running = Running::start(outbox, vec![target("t", literal(address))], with_key());
    let dead = |entry: &Entry| matches!(entry.fate, Fate::Dead(_));
    running.outbox.until("msg_1", dead).await;
    let dropped = running.outbox.until("msg_2", dead).await;
    assert_eq!(
        dropped.fate,
        Fate::Dead("no alert of the policy in force has this target".into())
    );
    running.end().await;
}

#[tokio::test]
async fn after_ten_tries_it_is_given_up() {
    let outbox = Memory::with(true, [delivery("msg_1", "t")]);
    let nobody = literal("127.0.0.1:1".parse().unwrap());
    let running = Running::start(outbox, vec![target("t", nobody)], with_key());
    let dead = running.outbox.until("msg_1", |entry| entry.fate != Fate::Pending).await;
    assert_eq!(
        dead.delivery.attempts, 9,
        "nine were counted as failed, the tenth ended it"
    );
    assert!(
        matches!(&dead.fate, Fate::Dead(why) if why.contains("refused") && !why.contains("hidden")),
        "{dead:?}"
    );
    running.end().await;
}

#[tokio::test]
async fn a_receiver_may_ask_for_a_longer_wait() {
    let (address, _told) = receiver(&["429 Too Many Requests\r\nretry-after: 600\r\n"]).await;
    let outbox = Memory::with(false, [delivery("msg_1", "t")]);
    let running = Running::start(outbox, vec![target("t", literal(address))], with_key());
    let failed = running
        .outbox
        .until("msg_1", |entry| entry.delivery.attempts == 1)
        .await;
    let wait = failed.next_at.duration_since(Timestamp::now()).as_secs();
    assert!((590..=600).contains(&wait), "{wait}");
    running.end().await;
}

#[tokio::test]
async fn targets_that_never_answer_do_not_hold_up_another() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, _told) = receiver(&[]).await;
    let outbox = Memory::with(
        false,
        [
            delivery("msg_1", "s1"),
            delivery("msg_2", "s1"),
            delivery("msg_3", "s2"),
            delivery("msg_4", "t"),
            delivery("msg_5", "t"),
        ],
    );
    let url = literal(silent.local_addr().unwrap());
    let targets = vec![
        target("s1", url.clone()),
        target("s2", url),
        target("t", literal(address)),
    ];
    let running = Running::start(outbox, targets, with_key());
    running
        .outbox
        .until("msg_5", |entry| entry.fate == Fate::Delivered)
        .await;
    assert_eq!(running.outbox.entry("msg_4").fate, Fate::Delivered, "in order");
    assert_eq!(
        running.outbox.entry("msg_1").delivery.attempts,
        0,
        "still waiting for its answer"
    );
    running.end().await;
}

#[tokio::test]
async fn an_address_may_be_a_reference_and_a_missing_secret_waits() {
    let (address, mut told) = receiver(&[]).await;
    let reference = || AlertUrl::Reference(CredentialRef::Env("HOOK_URL".into()));
    let environment = vec![
        ("HOOK_URL", format!("http://{address}/by-reference")),
        ("HOOK_KEY", "raw".to_owned()),
    ];
    let outbox = Memory::with(false, [delivery("msg_1", "t")]);
    let running = Running::start(outbox, vec![target("t", reference())], environment.clone());
    running
        .outbox
        .until("msg_1", |entry| entry.fate == Fate::Delivered)
        .await;
    assert!(
        told.recv()
            .await
            .unwrap()
            .starts_with("POST /by-reference HTTP/1.1\r\n")
    );
    running.end().await;

    let outbox = Memory::with(false, [delivery("msg_1", "t")]);
    let running = Running::start(outbox, vec![target("t", reference())], environment[..1].to_vec());
    let failed = running
        .outbox
        .until("msg_1", |entry| entry.delivery.attempts == 1)
        .await;
    assert!(
        failed.last_error.starts_with("env:HOOK_KEY is not"),
        "{}",
        failed.last_error
    );
    running.end().await;
}

#[tokio::test]
async fn the_egress_rule_holds_for_webhooks() {
    let outbox = Memory::with(false, [delivery("msg_1", "m"), delivery("msg_2", "p")]);
    let metadata = target("m", AlertUrl::Literal("http://169.254.169.254/latest".into()));
    let plain = target("p", AlertUrl::Literal("http://hooks.example.com/".into()));
    let running = Running::start(outbox, vec![metadata, plain], with_key());
    let failed = running
        .outbox
        .until("msg_1", |entry| entry.delivery.attempts == 1)
        .await;
    assert!(failed.last_error.contains("metadata service"), "{}", failed.last_error);
    let failed = running
        .outbox
        .until("msg_2", |entry| entry.delivery.attempts == 1)
        .await;
    assert!(failed.last_error.starts_with("plain http"), "{}", failed.last_error);
    running.end().await;
}

#[tokio::test]
async fn news_of_an_alert_is_heard_at_once() {
    let (address, mut told) = receiver(&[]).await;
    let outbox = Memory::with(false, []);
    let find: Targets = Arc::new(move |_| Some(target("t", literal(address))));
    let credentials = Credentials::with_environment(|_| Some(SECRET.into()));
    credentials.track([CredentialRef::Env("HOOK_KEY".into())]);
    let connections = Arc::new(Connections::new().unwrap());
    let deliverer = Deliverer::new(outbox.clone(), find, Arc::new(credentials), connections);
    let (news, stop) = (deliverer.news(), CancellationToken::new());
    let task = tokio::spawn(deliverer.run(stop.clone()));
    outbox
        .entries
        .lock()
        .unwrap()
        .push(Memory::with(false, [delivery("msg_1", "t")]).entry("msg_1"));
    news.notify_one();
    assert!(told.recv().await.unwrap().contains("msg_1"));
    stop.cancel();
    task.await.unwrap();
}
