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

fn said_in(conversation: &str) -> Call {
    Call::chat(&hello()).header("x-session-id", conversation)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_keeps_its_key_while_that_may_be_used_and_others_take_turns() {
    let (first, second) = two().await;
    let policy = policy(&first, &second, "file:a.key, file:b.key")
        .route("name: sticky, match: {model: [chat-sticky]}, try: [first, second], stick: conversation");
    let daemon = Daemon::start(&policy).await;
    let ask = |conversation: &str| {
        let mut body = hello();
        body["model"] = json!("chat-sticky");
        let call = Call::chat(&body).header("x-session-id", conversation);
        let to = daemon.address();
        async move { call.send(to).await.expect(200) }
    };
    for _ in 0..3 {
        ask("one").await;
        ask("two").await;
        ask("two").await;
    }
    let keys = used(&first);
    let (one, two) = (&keys[0], &keys[1]);
    assert_ne!(one, two, "the second conversation takes the other key's turn");
    let expected: Vec<_> = [one, two, two].into_iter().cycle().take(9).cloned().collect();
    assert_eq!(keys, expected);
    // Where the route keeps no conversations, all take turns.
    for _ in 0..4 {
        said_in("one").send(daemon.address()).await.expect(200);
    }
    let turns: std::collections::HashSet<_> = used(&first)[9..].iter().cloned().collect();
    assert_eq!(turns.len(), 2);
    // Its key is spent: it goes to the other, and stays there.
    let body =
        json!({"error": {"message": "out of money", "type": "insufficient_quota", "code": "insufficient_quota"}});
    refuse_first(&first, 429, &body);
    let of_a = if one == A { "one" } else { "two" };
    for _ in 0..3 {
        ask(of_a).await;
    }
    let last = used(&first);
    assert_eq!(last[last.len() - 4..], [A, B, B, B]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_tool_loop_is_held_though_its_provider_tells_no_usage() {
    let (first, second) = two().await;
    let (words, quiet) = ("breaker: none, cooldown: none", Usage::new(10, 5));
    let mut answer = crate::support::completion("m", "Asking", quiet);
    answer.as_object_mut().unwrap().remove("usage");
    second.always(Reply::json(200, &answer));
    first.always(Reply::json(500, &json!({"error": {"message": "no"}})));
    let policy = Policy::new()
        .provider(&first, words)
        .provider(&second, words)
        .model("first", &first, LICENSED)
        .model("second", &second, COMPETITOR)
        .route("name: chat, try: [first, second], stick: conversation");
    let daemon = Daemon::start(&policy).await;
    let by = |answer: crate::support::Answer| answer.header("x-planb-model").unwrap().to_owned();
    assert_eq!(by(daemon.chat(&hello()).await.expect(200)), "second");
    first.answers("Hello", Usage::new(10, 5));
    let mut on = hello();
    let call = json!({"role": "assistant", "content": null, "tool_calls":
        [{"id": "1", "type": "function", "function": {"name": "now", "arguments": "{}"}}]});
    let told = json!({"role": "tool", "tool_call_id": "1", "content": "noon"});
    on["messages"].as_array_mut().unwrap().extend([call, told]);
    assert_eq!(by(daemon.chat(&on).await.expect(200)), "second", "it asked the tool");
}
