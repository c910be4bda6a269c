//! Several keys of one provider: turns by weight, and a key that fails or rests alone.

use crate::support::daemon::named;
use crate::support::{COMPETITOR, Call, Daemon, LICENSED, Policy, Price, Reply, Seen, Upstream, Usage};
use serde_json::{Value, json};
use std::collections::HashMap;

const A: &str = "sk-first-0123456789";
const B: &str = "sk-second-0123456789";
const C: &str = "sk-third-0123456789";

fn hello() -> Value {
    json!({"model": "chat", "max_tokens": 50, "messages": [{"role": "user", "content": "Say hello."}]})
}

/// A provider with these `keys`, and a second one behind it.
fn policy(first: &Upstream, second: &Upstream, keys: &str) -> Policy {
    let line = format!(
        "vendor: openai-compatible, base_url: \"{}\", keys: [{keys}]",
        first.base_url()
    );
    Policy::new()
        .provider_line(&first.name, &line)
        .provider(second, "")
        .model("first", first, LICENSED)
        .model("second", second, COMPETITOR)
        .route("name: chat, try: [first, second]")
        .file("a.key", A)
        .file("b.key", B)
        .file("c.key", C)
}

async fn two() -> (Upstream, Upstream) {
    let first = Upstream::start("alpha", Price::LIST).await;
    first.take_any_key();
    (first, Upstream::start("beta", Price::LIST).await)
}

fn key_of(seen: &Seen) -> String {
    let value = seen.header("authorization").unwrap_or_default();
    value.trim_start_matches("Bearer ").to_owned()
}

fn used(upstream: &Upstream) -> Vec<String> {
    upstream.requests().iter().map(key_of).collect()
}

/// Refuses the first key so, and answers the others.
fn refuse_first(upstream: &Upstream, status: u16, body: &Value) {
    let plain = crate::support::upstream::answer("Hello", Usage::new(10, 5));
    let refusal = Reply::json(status, body);
    upstream.script(move |seen| {
        if key_of(seen) == A {
            refusal.clone()
        } else {
            plain(seen)
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_take_turns_by_weight() {
    let (first, second) = two().await;
    let keys = "file:a.key, {key: file:b.key, weight: 2, name: second}";
    let daemon = Daemon::start(&policy(&first, &second, keys)).await;
    let mut names = HashMap::<String, usize>::new();
    for _ in 0..12 {
        let answer = daemon.chat(&hello()).await.expect(200);
        let attempt = daemon.decision(&answer).await["attempts"][0].clone();
        *names.entry(attempt["key"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert_eq!(names, HashMap::from([("1".to_owned(), 4), ("second".to_owned(), 8)]));
    let used = used(&first);
    assert_eq!(used.iter().filter(|key| *key == A).count(), 4);
    assert!(
        used.windows(3).all(|three| three.contains(&A.to_owned())),
        "not smooth: {used:?}"
    );
    let metrics = daemon.get("/metrics").await.expect(200).text();
    assert!(metrics.contains("key=\"second\"") && !metrics.contains(B), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_out_of_quota_hands_over_to_the_next_and_rests_alone() {
    let (first, second) = two().await;
    let body =
        json!({"error": {"message": "out of money", "type": "insufficient_quota", "code": "insufficient_quota"}});
    refuse_first(&first, 429, &body);
    let daemon = Daemon::start(&policy(&first, &second, "file:a.key, file:b.key")).await;
    let answer = daemon.chat(&hello()).await.expect(200);
    assert_eq!(
        answer.header("x-planb-model"),
        Some("first"),
        "the other key of the same provider"
    );
    assert_eq!(answer.header("x-planb-attempts"), Some("2"));
    assert_eq!(used(&first), [A, B]);
    for _ in 0..4 {
        let answer = daemon.chat(&hello()).await.expect(200);
        assert_eq!(answer.header("x-planb-attempts"), Some("1"), "the spent key rests");
    }
    assert_eq!(used(&first)[2..], [B, B, B, B]);
    assert_eq!(second.count(), 0);
    let status = daemon.status().await;
    let provider = named(&status["providers"], "alpha");
    assert_eq!(provider["state"], "up");
    assert_eq!(
        (&provider["keys"][0]["state"], &provider["keys"][1]["state"]),
        (&json!("down"), &json!("up"))
    );
    assert!(!status.to_string().contains(A));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_keys_fault_moves_to_the_next_candidate() {
    let (first, second) = two().await;
    first.always(Reply::json(503, &json!({"error": {"message": "overloaded"}})));
    let daemon = Daemon::start(&policy(&first, &second, "file:a.key, file:b.key, file:c.key")).await;
    let answer = daemon.chat(&hello()).await.expect(200);
    assert_eq!(answer.header("x-planb-model"), Some("second"));
    assert_eq!(first.count(), 1, "another key of a provider that is down is no plan B");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_never_make_more_than_three_attempts() {
    let (first, second) = two().await;
    first.always(Reply::json(
        401,
        &json!({"error": {"message": "no", "code": "invalid_api_key"}}),
    ));
    let keys = "file:a.key, file:b.key, file:c.key, {key: file:d.key}";
    let policy = policy(&first, &second, keys).file("d.key", "sk-fourth-0123456789");
    let daemon = Daemon::start(&policy).await;
    daemon.chat(&hello()).await.expect_error(502);
    assert_eq!((first.count(), second.count()), (3, 0));
    // The refused keys rest: the next request asks the fourth, and then the next candidate.
    let answer = daemon.chat(&hello()).await.expect(200);
    assert_eq!((answer.header("x-planb-model"), first.count()), (Some("second"), 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_there_is_passed_over() {
    let (first, second) = two().await;
    let daemon = Daemon::start(&policy(&first, &second, "file:missing.key, file:b.key")).await;
    for _ in 0..3 {
        let answer = Call::chat(&hello()).send(daemon.address()).await.expect(200);
        assert_eq!(answer.header("x-planb-model"), Some("first"));
    }
    assert_eq!(used(&first), [B, B, B]);
}
