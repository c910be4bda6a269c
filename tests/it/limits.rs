//! Rates, tokens and requests in flight: exact in a crowd, fair in a queue, free again whatever happens.

use crate::support::{COMPETITOR, Call, Daemon, Gate, LICENSED, Policy, Price, Upstream, Usage, until};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Barrier;

const KEY: &str = "sk-client-search-0123";

fn hello() -> Value {
    json!({"model": "chat", "max_tokens": 50, "messages": [{"role": "user", "content": "Say hello."}]})
}

fn streamed() -> Value {
    let mut body = hello();
    body["stream"] = true.into();
    body
}

async fn two() -> (Upstream, Upstream) {
    let first = Upstream::start("alpha", Price::LIST).await;
    first.take_any_key();
    (first, Upstream::start("beta", Price::LIST).await)
}

fn limited(first: &Upstream, second: &Upstream, words: &str) -> Policy {
    Policy::new()
        .provider(first, &format!("limits: {{{words}}}"))
        .provider(second, "")
        .model("first", first, LICENSED)
        .model("second", second, COMPETITOR)
        .route("name: chat, try: [first, second]")
}

/// Statuses of a crowd that asks at one instant.
async fn crowd(daemon: &Daemon, call: &Call, size: usize) -> HashMap<u16, usize> {
    let (to, barrier) = (daemon.address(), Arc::new(Barrier::new(size)));
    let asking = (0..size).map(|_| {
        let (call, barrier) = (call.clone(), barrier.clone());
        tokio::spawn(async move {
            barrier.wait().await;
            call.send(to).await.status
        })
    });
    let asking: Vec<_> = asking.collect();
    let mut counts = HashMap::new();
    for one in asking {
        *counts.entry(one.await.unwrap()).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn of_five_hundred_at_once_a_client_gets_what_its_rate_allows() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let policy = Policy::one(&upstream).client_with("search", KEY, "limits: {requests: 100/day}");
    let daemon = Daemon::start(&policy).await;
    let counts = crowd(&daemon, &Call::chat(&hello()).bearer(KEY), 500).await;
    assert_eq!(counts, HashMap::from([(200, 100), (429, 400)]));
    assert_eq!(upstream.count(), 100);
    let refused = Call::chat(&hello())
        .bearer(KEY)
        .send(daemon.address())
        .await
        .expect_error(429);
    assert_eq!(refused.error_code(), "rate_limit_exceeded");
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
    assert_eq!(refused.header("x-ratelimit-limit-requests"), Some("100"));
    assert_eq!(refused.header("x-ratelimit-remaining-requests"), Some("0"));
    assert!(refused.header("x-ratelimit-reset-requests").unwrap().ends_with('s'));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_at_its_limit_is_passed_over_and_without_another_it_is_429() {
    let (first, second) = two().await;
    let daemon = Daemon::start(&limited(&first, &second, "requests: 2/day")).await;
    let mut models = Vec::new();
    for _ in 0..4 {
        let answer = daemon.chat(&hello()).await.expect(200);
        models.push(answer.header("x-planb-model").unwrap().to_owned());
    }
    assert_eq!(models, ["first", "first", "second", "second"]);
    let answer = daemon.chat(&hello()).await.expect(200);
    assert_eq!(daemon.decision(&answer).await["excluded"][0]["reason"], "rate_limit");
    let alone = Policy::one_with(&first, "limits: {requests: 2/day}");
    daemon.edit(&alone).await;
    let told = daemon.chat(&hello()).await.expect_error(429);
    assert_eq!(told.error_code(), "rate_limit_exceeded");
    assert!(
        told.header("retry-after").is_some(),
        "a reload keeps the count, and says when"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_count_as_reserved_and_then_as_used() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    upstream.answers("Short", Usage::new(10, 5));
    let daemon = Daemon::start(&Policy::one_with(&upstream, "limits: {tokens: 10k/day}")).await;
    let mut large = hello();
    large["max_tokens"] = 4_000.into();
    // Each reserves 4,000 of 10,000 and uses 15.
    for _ in 0..20 {
        daemon.chat(&large).await.expect(200);
    }
    upstream.answers("Long", Usage::new(5_000, 4_000));
    daemon.chat(&large).await.expect(200);
    daemon.chat(&large).await.expect_error(429);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_in_flight_is_bounded_and_its_places_come_back() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let gate = Gate::new();
    let held = gate.clone();
    let plain = crate::support::upstream::answer("Hello", Usage::new(10, 5));
    upstream.script(move |seen| plain(seen).behind(&held));
    let policy = Policy::one(&upstream).client_with("search", KEY, "limits: {in_flight: 3}");
    let daemon = Daemon::start(&policy).await;
    let call = Call::chat(&hello()).bearer(KEY);
    let to = daemon.address();
    let three: Vec<_> = (0..3)
        .map(|_| {
            let call = call.clone();
            tokio::spawn(async move { call.send(to).await.status })
        })
        .collect();
    upstream.reached(3).await;
    call.send(to).await.expect_error(429);
    // A client that leaves frees its place.
    three[0].abort();
    until("its place is free", || {
        let (call, upstream) = (call.clone(), &upstream);
        async move {
            // It waits at the gate: it was let in.
            tokio::select! {
                answer = call.send(to) => Err(answer.text()),
                () = upstream.reached(4) => Ok(()),
            }
        }
    })
    .await;
    gate.open();
    for one in three.into_iter().skip(1) {
        assert_eq!(one.await.unwrap(), 200);
    }
    until("all places are free", || {
        let (call, daemon) = (call.clone(), &daemon);
        async move {
            let counts = crowd(daemon, &call, 3).await;
            if counts == HashMap::from([(200, 3)]) {
                Ok(())
            } else {
                Err(format!("{counts:?}"))
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_keeps_its_place_until_it_ends() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let daemon = Daemon::start(&Policy::one_with(&upstream, "limits: {in_flight: 1}")).await;
    for _ in 0..5 {
        Call::chat(&streamed()).send(daemon.address()).await.expect(200);
        daemon.settled_streams().await;
    }
    let open = Call::chat(&streamed()).open(daemon.address()).await.unwrap();
    drop(open);
    until("the place of a client that left is free", || async {
        let answer = daemon.chat(&hello()).await;
        if answer.status == 200 {
            Ok(())
        } else {
            Err(answer.text())
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_in_the_queue_is_served_in_turn_and_nobody_else_waits() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let gate = Gate::new();
    let held = gate.clone();
    let plain = crate::support::upstream::answer("Hello", Usage::new(10, 5));
    upstream.script(move |seen| plain(seen).behind(&held));
    let words = "limits: {in_flight: 1, queue: 2, wait: 60s}";
    let daemon = Daemon::start(&Policy::one_with(&upstream, words)).await;
    let to = daemon.address();
    let ask = |text: &str| {
        let body = json!({"model": "chat", "max_tokens": 50, "messages": [{"role": "user", "content": text}]});
        tokio::spawn(async move { Call::chat(&body).send(to).await.status })
    };
    let first = ask("one");
    upstream.reached(1).await;
    let mut waiting = Vec::new();
    for (number, text) in ["two", "three"].into_iter().enumerate() {
        waiting.push(ask(text));
        daemon.gauge("planb_queued", number + 1).await;
    }
    daemon.chat(&hello()).await.expect_error(429);
    gate.open();
    assert_eq!(first.await.unwrap(), 200);
    for one in waiting {
        assert_eq!(one.await.unwrap(), 200);
    }
    let texts: Vec<_> = upstream
        .requests()
        .iter()
        .map(|seen| seen.json()["messages"][0]["content"].clone())
        .collect();
    assert_eq!(texts, ["one", "two", "three"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_while_requests_queue_lose_none_and_let_in_as_many_as_they_allow() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let gate = Gate::new();
    let (held, plain) = (
        gate.clone(),
        crate::support::upstream::answer("Hello", Usage::new(10, 5)),
    );
    upstream.script(move |seen| plain(seen).behind(&held));
    let with = |words: &str| Policy::one_with(&upstream, words);
    let daemon = Daemon::start(&with("limits: {in_flight: 1, queue: 4, wait: 60s}")).await;
    let to = daemon.address();
    let ask = || tokio::spawn(async move { Call::chat(&hello()).send(to).await.status });
    let mut asked = vec![ask()];
    upstream.reached(1).await;
    asked.extend((0..4).map(|_| ask()));
    daemon.gauge("planb_queued", 4).await;
    // Who sits in the queue keeps the seat, also where there are fewer of them now.
    daemon.edit(&with("limits: {in_flight: 1, queue: 1, wait: 60s}")).await;
    daemon.gauge("planb_queued", 4).await;
    daemon.chat(&hello()).await.expect_error(429);
    daemon.edit(&with("limits: {in_flight: 3, queue: 4, wait: 60s}")).await;
    upstream.reached(3).await;
    daemon.gauge("planb_queued", 2).await;
    assert_eq!(upstream.count(), 3, "and no more than that");
    daemon.edit(&with("")).await;
    upstream.reached(5).await;
    daemon.gauge("planb_queued", 0).await;
    gate.open();
    for one in asked {
        assert_eq!(one.await.unwrap(), 200);
    }
    // What was let in without a limit is not counted against the one that comes.
    daemon.edit(&with("limits: {in_flight: 1}")).await;
    daemon.chat(&hello()).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_key_has_limits_of_its_own() {
    let (first, second) = two().await;
    let line = format!(
        "vendor: openai-compatible, base_url: \"{}\", keys: [{{key: file:a.key, limits: {{requests: 2/day}}}}, {{key: file:b.key, limits: {{requests: 3/day}}}}]",
        first.base_url()
    );
    let policy = Policy::new()
        .provider_line("alpha", &line)
        .provider(&second, "")
        .model("first", &first, LICENSED)
        .model("second", &second, COMPETITOR)
        .route("name: chat, try: [first, second]")
        .file("a.key", "sk-a-0123456789")
        .file("b.key", "sk-b-0123456789");
    let daemon = Daemon::start(&policy).await;
    for _ in 0..7 {
        daemon.chat(&hello()).await.expect(200);
    }
    let with = |key: &str| {
        let bearer = format!("Bearer {key}");
        first
            .requests()
            .iter()
            .filter(|seen| seen.header("authorization") == Some(&bearer))
            .count()
    };
    assert_eq!(
        (with("sk-a-0123456789"), with("sk-b-0123456789"), second.count()),
        (2, 3, 2)
    );
}
