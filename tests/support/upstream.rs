//! A scripted OpenAI-compatible provider: checks its key, records every request, and keeps an invoice of what it
//! billed, in whole nano-units, that the daemon's ledger must agree with.

use super::wire::{self, Ended, Reply, Seen};
use super::{sse, until};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Tokens of one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub input: i64,
    pub cache_read: i64,
    pub output: i64,
}

impl Usage {
    pub const fn new(input: i64, output: i64) -> Self {
        Self {
            input,
            cache_read: 0,
            output,
        }
    }

    pub fn json(self) -> Value {
        json!({
            "prompt_tokens": self.input,
            "completion_tokens": self.output,
            "total_tokens": self.input + self.output,
            "prompt_tokens_details": {"cached_tokens": self.cache_read},
        })
    }
}

/// Nano-units per million tokens.
#[derive(Clone, Copy, Debug)]
pub struct Price {
    pub input: i64,
    pub cache_read: i64,
    pub output: i64,
}

impl Price {
    /// 2, 0.25 and 6 USD per million tokens.
    pub const LIST: Self = Self {
        input: 2_000_000_000,
        cache_read: 250_000_000,
        output: 6_000_000_000,
    };
    /// A tenth of it.
    pub const CHEAP: Self = Self {
        input: 200_000_000,
        cache_read: 200_000_000,
        output: 600_000_000,
    };
    /// Output alone costs, 10 USD per million: a bound of 1,000 tokens is exactly 0.01 USD.
    pub const OUTPUT_ONLY: Self = Self {
        input: 0,
        cache_read: 0,
        output: 10_000_000_000,
    };
    pub const FREE: Self = Self {
        input: 0,
        cache_read: 0,
        output: 0,
    };

    pub fn yaml(self) -> String {
        let [input, cache_read, output] = [self.input, self.cache_read, self.output]
            .map(|rate| format!("{}.{:09} USD/M", rate / 1_000_000_000, rate % 1_000_000_000));
        format!("price: {{input: {input}, cache_read: {cache_read}, output: {output}}}")
    }

    /// What the provider bills, rounded half to even.
    pub fn bill(self, usage: Usage) -> i64 {
        let exact = i128::from(usage.input - usage.cache_read) * i128::from(self.input)
            + i128::from(usage.cache_read) * i128::from(self.cache_read)
            + i128::from(usage.output) * i128::from(self.output);
        let (whole, rest) = (exact / 1_000_000, exact % 1_000_000);
        let up = rest > 500_000 || (rest == 500_000 && whole % 2 == 1);
        (whole + i128::from(up)) as i64
    }
}

type Script = Arc<dyn Fn(&Seen) -> Reply + Send + Sync>;

struct State {
    script: Script,
    listing: u16,
    balance: Option<Value>,
    /// Any key is as good as its own.
    any_key: bool,
    requests: Vec<Seen>,
    invoice: Vec<i64>,
    left: usize,
}

pub struct Upstream {
    pub name: String,
    pub key: String,
    pub price: Price,
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    task: Option<JoinHandle<()>>,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.close();
    }
}

impl Upstream {
    /// Answers every chat call with `Hello from NAME.`, ten tokens in and five out, until told otherwise.
    pub async fn start(name: &str, price: Price) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut upstream = Self {
            name: name.to_owned(),
            key: format!("sk-upstream-{name}-0123456789abcdef"),
            price,
            address: listener.local_addr().unwrap(),
            state: Arc::new(Mutex::new(State {
                script: Arc::new(answer(&format!("Hello from {name}."), Usage::new(10, 5))),
                listing: 200,
                balance: None,
                any_key: false,
                requests: Vec::new(),
                invoice: Vec::new(),
                left: 0,
            })),
            task: None,
        };
        upstream.task = Some(upstream.serve(listener));
        upstream
    }

    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The provider's name for its one model.
    pub fn model(&self) -> String {
        format!("{}-model", self.name)
    }

    /// What every later chat call gets.
    pub fn script(&self, script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) {
        self.state.lock().unwrap().script = Arc::new(script);
    }

    pub fn always(&self, reply: Reply) {
        self.script(move |_| reply.clone());
    }

    pub fn answers(&self, text: &str, usage: Usage) {
        self.script(answer(text, usage));
    }

    /// What `GET /user/balance` answers whoever has the key.
    pub fn tells_balance(&self, told: Value) {
        self.state.lock().unwrap().balance = Some(told);
    }

    /// Takes whatever key it is given; its script may judge them.
    pub fn take_any_key(&self) {
        self.state.lock().unwrap().any_key = true;
    }

    /// The status of `GET /v1/models` and `/health`.
    pub fn listing(&self, status: u16) {
        self.state.lock().unwrap().listing = status;
    }

    /// Stops listening and drops every connection: later connects are refused.
    pub fn close(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }

    /// Every chat call that carried the right key, in order of arrival.
    pub fn requests(&self) -> Vec<Seen> {
        self.state.lock().unwrap().requests.clone()
    }

    pub fn count(&self) -> usize {
        self.state.lock().unwrap().requests.len()
    }

    pub fn last(&self) -> Seen {
        self.state
            .lock()
            .unwrap()
            .requests
            .last()
            .expect("no request came")
            .clone()
    }

    pub async fn reached(&self, count: usize) {
        until(&format!("{} got {count} requests", self.name), || async move {
            let seen = self.count();
            if seen >= count { Ok(()) } else { Err(seen.to_string()) }
        })
        .await;
    }

    /// How many times the daemon hung up while a reply was under way.
    pub fn abandoned(&self) -> usize {
        self.state.lock().unwrap().left
    }

    /// Waits until the daemon has hung up on `count` replies.
    pub async fn left(&self, count: usize) {
        until(&format!("{} is left {count} times", self.name), || async move {
            let left = self.abandoned();
            if left >= count { Ok(()) } else { Err(left.to_string()) }
        })
        .await;
    }

    /// The sum of everything billed so far, in nano-units.
    pub fn invoice(&self) -> i64 {
        self.state.lock().unwrap().invoice.iter().sum()
    }

    fn serve(&self, listener: TcpListener) -> JoinHandle<()> {
        let (state, ends) = (self.state.clone(), self.state.clone());
        let (price, bearer, model) = (self.price, format!("Bearer {}", self.key), self.model());
        let respond = move |seen: Seen| {
            let mut state = state.lock().unwrap();
            if let (Some(told), true) = (&state.balance, seen.path == "/user/balance") {
                let reply = match seen.header("authorization") == Some(&bearer) {
                    true => Reply::json(200, told),
                    false => wrong_key(),
                };
                return (reply, ());
            }
            if seen.method == "GET" {
                return (list(state.listing, &model), ());
            }
            if !state.any_key && seen.header("authorization") != Some(&bearer) {
                return (wrong_key(), ());
            }
            let script = state.script.clone();
            state.requests.push(seen.clone());
            let reply = script(&seen);
            if let Some(usage) = reply.billed {
                state.invoice.push(price.bill(usage));
            }
            (reply, ())
        };
        let note_end = move |(), end| {
            if end == Ended::Left {
                ends.lock().unwrap().left += 1;
            }
        };
        tokio::spawn(wire::serve(listener, respond, note_end))
    }
}

/// A script that answers in the form the request asks for and bills it.
pub fn answer(text: &str, usage: Usage) -> impl Fn(&Seen) -> Reply + Send + Sync + 'static {
    let text = text.to_owned();
    move |seen| {
        let request = seen.json();
        let model = request["model"].as_str().unwrap_or("").to_owned();
        let reply = if request["stream"] == true {
            let shown = (request["stream_options"]["include_usage"] == true).then_some(usage);
            Reply::stream(sse::completion_events(&model, &text, shown))
        } else {
            Reply::json(200, &completion(&model, &text, usage))
        };
        reply.billed(usage)
    }
}

pub fn completion(model: &str, text: &str, usage: Usage) -> Value {
    json!({
        "id": "chatcmpl-test",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": usage.json(),
    })
}

fn list(status: u16, model: &str) -> Reply {
    let list = json!({"object": "list", "data": [{"id": model, "object": "model", "owned_by": "test"}]});
    Reply::json(status, &list)
}

fn wrong_key() -> Reply {
    let error = json!({"message": "Incorrect API key provided.", "type": "invalid_request_error", "param": null,
        "code": "invalid_api_key"});
    Reply::json(401, &json!({ "error": error }))
}

mod tests {
    use super::*;
    use crate::support::{Call, Gate};

    fn call(upstream: &Upstream, stream: bool) -> Call {
        let request = json!({"model": "m", "stream": stream, "stream_options": {"include_usage": true}});
        Call::post("/v1/chat/completions", request.to_string()).bearer(&upstream.key)
    }

    #[tokio::test]
    async fn answers_come_in_the_form_that_was_asked_for_and_are_billed() {
        let upstream = Upstream::start("self", Price::LIST).await;
        upstream.answers(
            "Good day to you",
            Usage {
                input: 1_001,
                cache_read: 1_000,
                output: 3,
            },
        );
        assert_eq!(
            call(&upstream, false).send(upstream.address).await.content(),
            "Good day to you"
        );
        let heard = call(&upstream, true).send(upstream.address).await.heard();
        assert_eq!(heard.text(), "Good day to you");
        assert!(heard.done && heard.has_usage());
        assert_eq!(upstream.invoice(), 2 * (2_000 + 250_000 + 18_000));
        assert_eq!(
            Price {
                input: 500_000,
                cache_read: 0,
                output: 0
            }
            .bill(Usage::new(1, 0)),
            0
        );
        assert_eq!(
            Price {
                input: 500_000,
                cache_read: 0,
                output: 0
            }
            .bill(Usage::new(3, 0)),
            2
        );
    }

    #[tokio::test]
    async fn a_call_without_the_key_is_turned_away_and_not_counted() {
        let upstream = Upstream::start("self", Price::LIST).await;
        Call::chat(&json!({}))
            .bearer("wrong")
            .send(upstream.address)
            .await
            .expect(401);
        assert_eq!((upstream.count(), upstream.invoice()), (0, 0));
    }

    #[tokio::test]
    async fn a_cut_shows_and_so_does_a_caller_that_leaves() {
        let upstream = Upstream::start("self", Price::LIST).await;
        upstream.always(Reply::stream_head().chunk(sse::content_event("m", "One ")).close());
        let answer = call(&upstream, true).send(upstream.address).await;
        assert!(!answer.whole);
        assert_eq!(answer.heard().text(), "One ");
        upstream.always(Reply::hang_up());
        assert!(call(&upstream, true).try_send(upstream.address).await.is_err());
        let gate = Gate::new();
        upstream.always(Reply::stream_head().chunk("data: {}\n\n").wait(&gate).send("0\r\n\r\n"));
        let mut left = call(&upstream, true).open(upstream.address).await.unwrap();
        let mut stays = call(&upstream, true).open(upstream.address).await.unwrap();
        left.until_heard("data").await;
        stays.until_heard("data").await;
        drop(left);
        upstream.left(1).await;
        gate.open();
        assert!(stays.rest().await.whole);
        assert_eq!(upstream.abandoned(), 1);
    }
}
