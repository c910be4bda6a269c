//! Requests that wait for what others have reserved, and requests that an SDK sends again.

use crate::support::{Call, Daemon, Gate, LICENSED, Policy, Price, Reply, Upstream, Usage, one_cent, upstream::answer};
use serde_json::json;
use tokio::task::JoinSet;

/// A tenth of a cent each, once the gate is open; a cent is reserved.
async fn behind(gate: &Gate) -> Upstream {
    let upstream = Upstream::start("alpha", Price::OUTPUT_ONLY).await;
    let (held, whole) = (gate.clone(), answer("Late", Usage::new(10, 100)));
    upstream.script(move |seen| whole(seen).behind(&held));
    upstream
}

fn waits(upstream: &Upstream, wait: &str) -> Policy {
    Policy::new()
        .provider(upstream, "")
        .model("only", upstream, LICENSED)
        .route(&format!("name: chat, try: [only], limits: {{wait: {wait}}}"))
        .budget("month", "limit: 0.015 USD, per: month")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_waits_for_money_that_others_may_not_need_and_everybody_is_served() {
    let gate = Gate::new();
    let upstream = behind(&gate).await;
    let daemon = Daemon::start(&waits(&upstream, "60s")).await;
    let to = daemon.address();
    let mut calls = JoinSet::new();
    for _ in 0..5 {
        calls.spawn(async move { Call::chat(&one_cent()).send(to).await.status });
    }
    upstream.reached(1).await;
    daemon.in_flight(5).await;
    assert_eq!(upstream.count(), 1, "one at a time is let in");
    gate.open();
    assert_eq!(calls.join_all().await, [200; 5]);
    assert_eq!(daemon.settled("month").await.posted, upstream.invoice());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_longer_than_the_route_or_the_request_allows_nor_for_what_is_spent() {
    let gate = Gate::new();
    let upstream = behind(&gate).await;
    let daemon = Daemon::start(&waits(&upstream, "1s")).await;
    let to = daemon.address();
    let first = tokio::spawn(async move { Call::chat(&one_cent()).send(to).await.status });
    upstream.reached(1).await;
    daemon.chat(&one_cent()).await.expect_error(402);
    daemon.edit(&waits(&upstream, "60s")).await;
    Call::chat(&one_cent())
        .header("x-planb-deadline", "500ms")
        .send(to)
        .await
        .expect_error(402);
    let more = json!({"model": "chat", "max_tokens": 4_000, "messages": [{"role": "user", "content": "Say hello."}]});
    // No end of a reservation makes room for it: it is refused at once, while the first one still holds its money.
    daemon.chat(&more).await.expect_error(402);
    gate.open();
    assert_eq!(first.await.unwrap(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_told_while_the_first_is_under_way_and_is_a_request_of_its_own_afterwards() {
    let gate = Gate::new();
    let upstream = behind(&gate).await;
    let daemon = Daemon::start(&Policy::one(&upstream).budget("month", "limit: 1 USD, per: month")).await;
    let to = daemon.address();
    let call = |body: serde_json::Value| Call::chat(&body).header("idempotency-key", "once");
    let first = tokio::spawn({
        let call = call(one_cent());
        async move { call.send(to).await }
    });
    upstream.reached(1).await;
    let told = call(one_cent()).send(to).await.expect_error(409);
    assert_eq!(told.error_code(), "request_in_progress");
    assert!(told.header("retry-after").is_some());
    let other = json!({"model": "chat", "max_tokens": 1_000, "messages": [{"role": "user", "content": "Another"}]});
    let another = tokio::spawn({
        let call = call(other);
        async move { call.send(to).await.status }
    });
    upstream.reached(2).await;
    gate.open();
    let first = first.await.unwrap().expect(200);
    assert_eq!(another.await.unwrap(), 200, "another body is another request");
    let again = call(one_cent()).send(to).await.expect(200);
    assert_eq!(upstream.count(), 3, "nothing is joined or replayed");
    let id = first.header("x-planb-decision").unwrap().to_owned();
    assert_eq!(daemon.decision(&again).await["retry_of"], json!(id));
    assert_eq!(daemon.decision(&first).await["retry_of"], json!(null));
    assert_eq!(daemon.settled("month").await.posted, upstream.invoice());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_tries_last_what_failed_the_first() {
    let (first, second) = (
        Upstream::start("alpha", Price::OUTPUT_ONLY).await,
        Upstream::start("beta", Price::OUTPUT_ONLY).await,
    );
    first.always(Reply::json(
        500,
        &json!({"error": {"message": "no", "type": "server_error"}}),
    ));
    second.answers("Here", Usage::new(10, 100));
    let daemon = Daemon::start(&Policy::two_with(&first, &second, "breaker: none, cooldown: none")).await;
    let call = || Call::chat(&one_cent()).header("idempotency-key", "again");
    let to = daemon.address();
    assert_eq!(
        call().send(to).await.expect(200).header("x-planb-model"),
        Some("second")
    );
    let asked = first.count();
    let again = call().send(to).await.expect(200);
    assert_eq!((again.header("x-planb-model"), first.count()), (Some("second"), asked));
    daemon.chat(&one_cent()).await.expect(200);
    assert!(first.count() > asked, "without the key the order is the policy's");
}
