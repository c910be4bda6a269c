//! Requests shaped for the model that serves them: what is sent, what is reserved, and what is said of it.

use crate::support::{COMPETITOR, Call, Daemon, LICENSED, Policy, Price, Reply, Upstream};
use serde_json::{Value, json};

fn hello() -> Value {
    json!({"model": "chat", "max_tokens": 50, "messages": [{"role": "user", "content": "Say hello."}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn each_candidate_gets_the_request_in_its_own_shape() {
    let first = Upstream::start("alpha", Price::LIST).await;
    let second = Upstream::start("beta", Price::LIST).await;
    first.always(Reply::json(500, &json!({"error": {"message": "down"}})));
    let policy = Policy::new()
        .provider(&first, "set: {seed: 3}, rename: {max_tokens: max_completion_tokens}")
        .provider(&second, "strip: [logit_bias], clamp: {temperature: {min: 0, max: 1}}")
        .model(
            "first",
            &first,
            &format!("{LICENSED}, set: {{seed: 2}}, default: {{top_p: 0.5}}"),
        )
        .model("second", &second, COMPETITOR)
        .route("name: chat, try: [first, second], set: {seed: 1, extra.deep: [1, \"yes\"]}");
    let daemon = Daemon::start(&policy).await;
    let bytes = r#"{ "model": "chat","temperature" : 1.5, "logit_bias":{"7":-1}, "unknown": {"kept" : [1 ,2]},"max_tokens":50,"messages":[{"role":"user","content":"Say hello."}] }"#;
    Call::chat_bytes(bytes).send(daemon.address()).await.expect(200);
    let (to_first, to_second) = (first.last().json(), second.last().json());
    assert_eq!(
        (&to_first["seed"], &to_second["seed"]),
        (&json!(3), &json!(1)),
        "route, then model, then provider"
    );
    assert_eq!((&to_first["top_p"], &to_second["top_p"]), (&json!(0.5), &Value::Null));
    assert_eq!(
        (&to_first["max_completion_tokens"], &to_first["max_tokens"]),
        (&json!(50), &Value::Null)
    );
    assert_eq!(
        (&to_first["temperature"], &to_second["temperature"]),
        (&json!(1.5), &json!(1))
    );
    assert!(to_second.get("logit_bias").is_none() && to_first.get("logit_bias").is_some());
    assert_eq!(to_second["extra"], json!({"deep": [1, "yes"]}));
    let sent = second.last().text();
    assert!(
        sent.contains(r#""unknown": {"kept" : [1 ,2]}"#),
        "all other bytes stay: {sent}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_falls_back_goes_on_in_the_other_models_shape() {
    let first = Upstream::start("alpha", Price::LIST).await;
    let second = Upstream::start("beta", Price::LIST).await;
    let policy = Policy::new()
        .provider(
            &first,
            "rename: {max_tokens: max_completion_tokens}, strip: [logit_bias]",
        )
        .provider(&second, "default: {top_p: 0.5}, clamp: {temperature: {min: 0, max: 1}}")
        .model("first", &first, LICENSED)
        .model("second", &second, &format!("{COMPETITOR}, strip: [seed]"))
        .route("name: chat, try: [first, second]")
        .budget("day", "limit: 1000 USD, per: day");
    let daemon = Daemon::start(&policy).await;
    let mut asks = hello();
    for (name, value) in [
        ("stream", json!(true)),
        ("seed", json!(7)),
        ("temperature", json!(1.5)),
        ("logit_bias", json!({"7": -1})),
    ] {
        asks[name] = value;
    }
    // Refused before its head, and cut behind its head before anything was said.
    for failure in [
        Reply::json(500, &json!({"error": {"message": "down"}})),
        Reply::stream_head().close(),
    ] {
        let before = (first.count(), second.count());
        first.always(failure);
        let answer = daemon.chat(&asks).await.expect(200);
        let heard = answer.heard();
        assert!(
            heard.done && !heard.has_error() && heard.text() == "Hello from beta.",
            "{}",
            answer.text()
        );
        assert_eq!(answer.header("x-planb-model"), Some("second"));
        assert_eq!((first.count(), second.count()), (before.0 + 1, before.1 + 1));
        let (to_first, to_second) = (first.last().json(), second.last().json());
        assert_eq!(
            (
                &to_first["max_completion_tokens"],
                &to_first["max_tokens"],
                &to_first["seed"],
                &to_first["temperature"]
            ),
            (&json!(50), &Value::Null, &json!(7), &json!(1.5))
        );
        assert!(to_first.get("logit_bias").is_none() && to_first.get("top_p").is_none());
        assert_eq!(
            (
                &to_second["max_tokens"],
                &to_second["max_completion_tokens"],
                &to_second["top_p"],
                &to_second["temperature"]
            ),
            (&json!(50), &Value::Null, &json!(0.5), &json!(1))
        );
        assert!(to_second.get("seed").is_none() && to_second["logit_bias"] == json!({"7": -1}));
        assert!(to_first["stream"] == true && to_second["stream"] == true);
    }
    daemon.settled("day").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_reserved_is_what_is_sent() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let policy = |words: &str| Policy::one_with(&upstream, words).budget("day", "limit: 1000 USD, per: day");
    let worst = |answer: Value| -> f64 { answer["candidates"][0]["worst_cost"].as_str().unwrap().parse().unwrap() };
    let daemon = Daemon::start(&policy("")).await;
    let ask = |n: u64| {
        let mut body = hello();
        body["max_tokens"] = 4_000.into();
        body["n"] = n.into();
        let to = daemon.address();
        async move {
            Call::chat(&body)
                .header("x-planb-explain", "1")
                .send(to)
                .await
                .expect(200)
                .json()
        }
    };
    let plain = worst(ask(1).await);
    daemon.edit(&policy("clamp: {max_tokens: {max: 400}}")).await;
    let clamped = worst(ask(1).await);
    assert!(clamped < plain / 5.0, "{clamped} of {plain}");
    daemon.edit(&policy("set: {n: 3}")).await;
    let tripled = worst(ask(1).await);
    assert!(tripled > plain * 2.5, "{tripled} of {plain}");
    daemon.chat(&hello()).await.expect(200);
    assert_eq!(upstream.last().json()["n"], 3);
    daemon.edit(&policy("strip: [n]")).await;
    assert!((worst(ask(8).await) - plain).abs() < plain / 10.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_refuses_what_is_left_of_a_request_and_not_what_the_policy_takes_out() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let policy = |route: &str| {
        let url = upstream.base_url();
        let line = format!("vendor: groq, base_url: \"{url}\", api_key: file:alpha.key");
        Policy::new()
            .provider_line("alpha", &line)
            .file("alpha.key", &upstream.key)
            .model("only", &upstream, LICENSED)
            .route(&format!("name: chat, try: [only]{route}"))
    };
    let mut asks = hello();
    asks["logprobs"] = true.into();
    let daemon = Daemon::start(&policy("")).await;
    daemon.chat(&asks).await.expect_error(400);
    daemon.edit(&policy(", strip: [logprobs]")).await;
    daemon.chat(&asks).await.expect(200);
    daemon.edit(&policy(", set: {logprobs: true}")).await;
    daemon.chat(&hello()).await.expect_error(400);
    daemon
        .edit(&policy(", set: {logprobs: true}, on_unsupported: drop"))
        .await;
    let answer = daemon.chat(&hello()).await.expect(200);
    assert_eq!(answer.header("x-planb-dropped"), Some("logprobs"));
    assert!(upstream.last().json().get("logprobs").is_none());
}
