//! Vectors: requests for them go to models of one space alone, fail over within it, and are charged for their input.

use crate::support::{Answer, Call, Daemon, LOCAL, Policy, Price, Reply, Upstream, Usage};
use serde_json::{Value, json};

const SPACE: &str = "supply: competitor, space: small-v4";

fn vectors(input: i64) -> Reply {
    let usage = json!({"prompt_tokens": input, "total_tokens": input});
    let data = json!([{"object": "embedding", "index": 0, "embedding": [0.25, -1.0]}]);
    Reply::json(
        200,
        &json!({"object": "list", "data": data, "model": "m", "usage": usage}),
    )
    .billed(Usage::new(input, 0))
}

async fn ask(daemon: &Daemon, body: &Value) -> Answer {
    Call::post("/v1/embeddings", body.to_string())
        .send(daemon.address())
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_become_vectors_at_the_price_of_their_input_and_fail_over_within_one_space() {
    let first = Upstream::start("alpha", Price::LIST).await;
    let second = Upstream::start("beta", Price::CHEAP).await;
    first.always(Reply::json(500, &json!({"error": {"message": "busy"}})));
    second.always(vectors(1_000));
    let policy = Policy::new()
        .provider(&first, "")
        .provider(&second, "")
        .model("first", &first, SPACE)
        .model("second", &second, SPACE)
        .route("name: vectors, match: {dialect: [embeddings]}, try: [first, second]")
        .budget("month", "limit: 1 USD, per: month");
    let daemon = Daemon::start(&policy).await;
    let body = json!({"model": "vectors", "input": ["one text", "another text"], "dimensions": 256, "own": true});
    let answer = ask(&daemon, &body).await.expect(200);
    assert_eq!(answer.header("x-planb-model"), Some("second"));
    assert_eq!(answer.json()["data"][0]["embedding"], json!([0.25, -1.0]));
    let sent = second.last();
    assert!(sent.path.ends_with("/embeddings"), "{}", sent.path);
    assert_eq!(
        (sent.json()["dimensions"].clone(), sent.json()["own"].clone()),
        (json!(256), json!(true))
    );
    assert_eq!(daemon.settled("month").await.posted, second.invoice());
    let decision = daemon.decision(&answer).await;
    assert_eq!(decision["dialect"], "embeddings");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_of_vectors_answers_nobody_and_a_model_that_answers_makes_no_vectors() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let policy = Policy::new()
        .provider(&upstream, "")
        .model("vectors", &upstream, SPACE)
        .model("words", &upstream, LOCAL)
        .route("name: v, try: [vectors]")
        .route("name: w, try: [words]");
    let daemon = Daemon::start(&policy).await;
    let refused = ask(&daemon, &json!({"model": "w", "input": "x"}))
        .await
        .expect_error(400);
    assert!(refused.text().contains("vectors"), "{}", refused.text());
    let chat = json!({"model": "v", "messages": [{"role": "user", "content": "hi"}]});
    daemon.chat(&chat).await.expect_error(400);
    ask(&daemon, &json!({"model": "v", "input": []}))
        .await
        .expect_error(400);
    assert_eq!(upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_vectors_is_no_success() {
    let first = Upstream::start("alpha", Price::LIST).await;
    let second = Upstream::start("beta", Price::CHEAP).await;
    second.always(vectors(7));
    let policy = Policy::new()
        .provider(&first, "")
        .provider(&second, "")
        .model("first", &first, SPACE)
        .model("second", &second, SPACE)
        .route("name: vectors, try: [first, second]");
    let daemon = Daemon::start(&policy).await;
    for reply in [
        Reply::json(200, &json!({"object": "list", "data": []})),
        Reply::json(200, &json!({"error": {"message": "no"}})),
        Reply::http(200, &[("content-type", "text/html")], "<html>busy</html>"),
    ] {
        first.always(reply);
        let answer = ask(&daemon, &json!({"model": "vectors", "input": "x"}))
            .await
            .expect(200);
        assert_eq!(answer.header("x-planb-model"), Some("second"));
    }
}
