//! Streams with a heartbeat: connections that stay alive while nobody answers yet, and all that can still become of them.

use crate::support::{Answer, COMPETITOR, Call, Daemon, Gate, LICENSED, Policy, Price, Reply, Upstream, Usage, sse};
use serde_json::{Value, json};

const BEAT: &str = ": heartbeat";

fn streamed() -> Value {
    json!({"model": "chat", "max_tokens": 50, "stream": true, "messages": [{"role": "user", "content": "Count."}]})
}

fn no() -> Reply {
    Reply::json(
        500,
        &json!({"error": {"message": "out of order", "type": "server_error"}}),
    )
}

fn beating(first: &Upstream, second: &Upstream, words: &str) -> Policy {
    Policy::new()
        .provider(first, "breaker: none, cooldown: none")
        .provider(second, "")
        .model("first", first, LICENSED)
        .model("second", second, COMPETITOR)
        .route(&format!("name: chat, {words}, heartbeat: 1s"))
        .budget("month", "limit: 1 USD, per: month")
}

async fn two() -> (Upstream, Upstream) {
    (
        Upstream::start("alpha", Price::LIST).await,
        Upstream::start("beta", Price::LIST).await,
    )
}

/// Nothing but an error event behind the beats.
fn assert_failed(answer: &Answer, code: &str) {
    let heard = answer.heard();
    assert!(
        answer.whole && !heard.done && heard.data.len() == 1,
        "{}",
        answer.text()
    );
    let error = &heard.events()[0]["error"];
    assert_eq!(error["code"], code, "{}", answer.text());
    assert!(error["message"].is_string() && error["type"].is_string(), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_beat_another_model_still_answers_and_what_the_head_could_not_say_comes_as_comments() {
    let ((first, second), gate) = (two().await, Gate::new());
    let held = gate.clone();
    first.script(move |_| no().behind(&held));
    second.answers("One two three", Usage::new(10, 5));
    let daemon = Daemon::start(&beating(&first, &second, "try: [first, second]")).await;
    let mut open = Call::chat(&streamed()).open(daemon.address()).await.unwrap();
    assert_eq!(open.status, 200);
    assert_eq!(open.headers["content-type"], "text/event-stream");
    assert!(open.headers.get("x-planb-model").is_none());
    open.until_heard(BEAT).await;
    assert_eq!(second.count(), 0, "the first one is still awaited");
    gate.open();
    let answer = open.rest().await;
    let heard = answer.heard();
    assert!(heard.done && heard.text() == "One two three", "{}", answer.text());
    for late in ["x-planb-model second", "x-planb-provider beta", "x-planb-attempts 2"] {
        assert!(
            heard.comments.iter().any(|comment| comment == late),
            "{late}: {:?}",
            heard.comments
        );
    }
    let decision = daemon.decision(&answer).await;
    assert_eq!(
        (&decision["chosen"], &decision["outcome"]),
        (&json!("second"), &json!("ok"))
    );
    assert_eq!(daemon.settled("month").await.posted, second.invoice());
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_beat_a_failure_is_an_event_and_the_record_has_the_status_that_was_seen() {
    let ((first, second), gate) = (two().await, Gate::new());
    let held = gate.clone();
    first.script(move |_| no().behind(&held));
    let daemon = Daemon::start(&beating(&first, &second, "try: [first], limits: {attempts: 1}")).await;
    let mut open = Call::chat(&streamed()).open(daemon.address()).await.unwrap();
    open.until_heard(BEAT).await;
    gate.open();
    let answer = open.rest().await;
    assert_failed(&answer, "upstream_error");
    let decision = daemon.decision(&answer).await;
    assert_eq!(
        (&decision["outcome"], &decision["status"]),
        (&json!("failed"), &json!(200))
    );
    // Before a beat it has a status of its own.
    first.always(no());
    daemon.chat(&streamed()).await.expect_error(502);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_in_a_queue_hears_beats_and_is_refused_in_an_event() {
    let ((first, second), gate) = (two().await, Gate::new());
    let (held, answer) = (
        gate.clone(),
        crate::support::upstream::answer("Late", Usage::new(10, 5)),
    );
    first.script(move |seen| answer(seen).behind(&held));
    let words = "try: [first], limits: {in_flight: 1, queue: 2, wait: 60s}";
    let daemon = Daemon::start(&beating(&first, &second, words)).await;
    let to = daemon.address();
    let before = tokio::spawn(async move { Call::chat(&streamed()).send(to).await });
    first.reached(1).await;
    let mut queued = Call::chat(&streamed()).open(to).await.unwrap();
    queued.until_heard(BEAT).await;
    let mut hasty = Call::chat(&streamed())
        .header("x-planb-deadline", "2s")
        .open(to)
        .await
        .unwrap();
    hasty.until_heard(BEAT).await;
    assert_failed(&hasty.rest().await, "rate_limit_exceeded");
    assert_eq!(first.count(), 1, "neither is let in yet");
    gate.open();
    assert_eq!(queued.rest().await.heard().text(), "Late");
    assert_eq!(before.await.unwrap().heard().text(), "Late");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_under_way_has_beats_in_its_pauses_and_ends_as_ever() {
    let ((first, second), gate) = (two().await, Gate::new());
    let held = gate.clone();
    first.script(move |_| {
        let events = sse::completion_events("m", "One two", Some(Usage::new(10, 5)));
        let begun = Reply::stream_head().chunk(events[..2].concat()).wait(&held);
        begun
            .chunk(events[2..].concat())
            .send("0\r\n\r\n")
            .billed(Usage::new(10, 5))
    });
    let daemon = Daemon::start(&beating(&first, &second, "try: [first]")).await;
    let mut open = Call::chat(&streamed()).open(daemon.address()).await.unwrap();
    open.until_heard("One").await;
    open.until_heard(BEAT).await;
    gate.open();
    let heard = open.rest().await.heard();
    assert!(
        heard.done && heard.text() == "One two" && !heard.has_error(),
        "{heard:?}"
    );
    assert_eq!(daemon.settled("month").await.posted, first.invoice());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_behind_a_beat_cancels_its_call() {
    let (first, second) = two().await;
    first.always(Reply::silence());
    let daemon = Daemon::start(&beating(&first, &second, "try: [first]")).await;
    let mut open = Call::chat(&streamed()).open(daemon.address()).await.unwrap();
    open.until_heard(BEAT).await;
    drop(open);
    first.left(1).await;
    daemon.settled_streams().await;
    let recorded = daemon.json("/planb/decisions").await["decisions"][0].clone();
    assert_eq!(
        (&recorded["outcome"], &recorded["status"]),
        (&json!("cancelled"), &json!(499))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_not_streamed_and_refusals_before_the_first_beat_are_as_without_it() {
    let (first, second) = two().await;
    let daemon = Daemon::start(&beating(&first, &second, "try: [first], need: {quality: 70}")).await;
    let mut plain = streamed();
    plain["stream"] = false.into();
    let answer = daemon.chat(&plain).await.expect(200);
    assert_eq!(answer.header("x-planb-model"), Some("first"));
    let prompt = daemon.chat(&streamed()).await.expect(200);
    assert_eq!(prompt.header("x-planb-model"), Some("first"));
    assert!(!prompt.text().contains(BEAT), "{}", prompt.text());
    Call::chat(&streamed())
        .header("x-planb-min-quality", "99")
        .send(daemon.address())
        .await
        .expect_error(400);
}
