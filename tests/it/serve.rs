//! The inference API: what passes untouched, what must change, what never crosses.

use crate::support::upstream::completion;
use crate::support::{Call, Daemon, LICENSED, Policy, Price, Reply, Upstream, Usage, nanos, sse};
use serde_json::{Value, json};

fn hello() -> Value {
    json!({"model": "chat", "max_tokens": 50, "messages": [{"role": "user", "content": "Say hello."}]})
}

fn hello_streamed() -> Value {
    json!({"model": "chat", "max_tokens": 50, "stream": true, "messages": [{"role": "user", "content": "Say hello."}]})
}

/// A stream without the comments in it, which the protocol lets anyone add.
fn without_comments(stream: &str) -> String {
    let blocks = stream.split_inclusive("\n\n");
    blocks.filter(|block| !block.starts_with(':')).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_answer_passes_byte_for_byte() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let odd = concat!(
        "{ \"id\":\"x\" ,\n\t\"object\":\"chat.completion\",\"created\":1,\"model\":\"alpha-model\", \"x_new\":{\"b\":1,\"a\":[1.0,1e2]},",
        "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"h\\u00e9llo \\ud83d\\ude00\"},",
        "\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,",
        "\"total_tokens\":3},\"big\":12345678901234567890123 }\n"
    );
    upstream.always(Reply::http(200, &[("content-type", "application/json")], odd));
    let daemon = Daemon::start(&Policy::one(&upstream)).await;
    let answer = daemon.chat(&hello()).await.expect(200);
    assert_eq!(answer.text(), odd);
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_passes_byte_for_byte_but_for_its_model() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let daemon = Daemon::start(&Policy::one(&upstream)).await;
    let sent = concat!(
        "{ \"x_first\" : [ 1.0, 1e2, {\"model\":\"inner\"} ],\n \"model\" :  \"chat\" , \"max_tokens\":50,",
        "\"messages\":[{\"role\":\"user\",\"content\":\"caf\\u00e9 \\\"model\\\": \\\"chat\\\"\"}],\t",
        "\"big\":12345678901234567890123,\"seed\":7, \"x_last\":null }"
    );
    Call::chat_bytes(sent).send(daemon.address()).await.expect(200);
    let expected = sent.replacen("\"chat\" ,", "\"alpha-model\" ,", 1);
    assert_eq!(upstream.last().text(), expected);
    assert_eq!(upstream.last().path, "/v1/chat/completions");
    assert_eq!(upstream.last().header("content-type"), Some("application/json"));
    assert_eq!(upstream.last().header("accept-encoding"), Some("identity"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_streamed_answer_passes_event_for_event() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let events = [
        "data: { \"id\":\"x\",\"object\":\"chat.completion.chunk\", \"x_new\":[1.0], \"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"h\\u00e9\"}}]}\n\n".to_owned(),
        sse::content_event("alpha-model", "llo"),
        sse::finish_event("alpha-model"),
        sse::usage_event("alpha-model", Usage::new(10, 5)),
        "data: [DONE]\n\n".to_owned(),
    ];
    upstream.always(Reply::stream(&events));
    let daemon = Daemon::start(&Policy::one(&upstream)).await;
    let mut request = hello_streamed();
    request["stream_options"] = json!({"include_usage": true});
    let answer = daemon.chat(&request).await.expect(200);
    assert!(answer.whole);
    assert_eq!(without_comments(&answer.text()), events.concat());
    assert!(answer.header("content-type").unwrap().starts_with("text/event-stream"));
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_asked_for_and_hidden_from_a_client_that_did_not_ask() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    upstream.answers("Hello you", Usage::new(1_000, 200));
    let daemon = Daemon::start(&Policy::one(&upstream).budget("all", "limit: 100 USD, per: month")).await;
    let answer = daemon.chat(&hello_streamed()).await.expect(200);
    assert_eq!(upstream.last().json()["stream_options"]["include_usage"], true);
    let heard = answer.heard();
    assert_eq!(heard.text(), "Hello you");
    assert!(
        heard.done && heard.has_finish() && !heard.has_usage(),
        "{}",
        answer.text()
    );
    assert_eq!(
        without_comments(&answer.text()),
        sse::completion_events("alpha-model", "Hello you", None).concat()
    );
    assert_eq!(daemon.settled("all").await.posted, upstream.invoice());
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_shown_to_a_client_that_asked() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let daemon = Daemon::start(&Policy::one(&upstream)).await;
    let mut request = hello_streamed();
    request["stream_options"] = json!({"include_usage": true, "x_other": [1]});
    let heard = daemon.chat(&request).await.expect(200).heard();
    assert!(heard.has_usage() && heard.done);
    assert_eq!(upstream.last().json()["stream_options"], request["stream_options"]);
    request["stream_options"] = json!({"x_other": [1], "include_usage": false});
    let heard = daemon.chat(&request).await.expect(200).heard();
    assert!(!heard.has_usage() && heard.done);
    assert_eq!(
        upstream.last().json()["stream_options"],
        json!({"x_other": [1], "include_usage": true})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_books_are_what_the_provider_bills_streamed_or_not() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let usage = Usage {
        input: 1_001,
        cache_read: 900,
        output: 37,
    };
    upstream.answers("Hello you", usage);
    let daemon = Daemon::start(&Policy::one(&upstream).budget("all", "limit: 100 USD, per: month")).await;
    for request in [hello(), hello_streamed()] {
        daemon.chat(&request).await.expect(200);
    }
    assert_eq!(upstream.invoice(), 2 * (101 * 2_000 + 900 * 250 + 37 * 6_000));
    assert_eq!(daemon.settled("all").await.posted, upstream.invoice());
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_the_routes_and_their_literal_names() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let policy = Policy::new()
        .provider(&upstream, "")
        .model("only", &upstream, LICENSED)
        .route("name: chat, match: {model: [chat, gpt-6, \"gpt-*\"]}, try: [only]")
        .route("name: code, try: [only]");
    let daemon = Daemon::start(&policy).await;
    let list = daemon.json("/v1/models").await;
    assert_eq!(list["object"], "list");
    let mut ids: Vec<_> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, ["chat", "code", "gpt-6"]);
    assert!(
        list["data"]
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["object"] == "model")
    );
    assert_eq!(daemon.json("/v1/models/gpt-6").await["id"], "gpt-6");
    let unknown = daemon.get("/v1/models/nope").await.expect_error(404);
    assert_eq!(unknown.error_code(), "model_not_found");
    assert!(unknown.header("x-request-id").is_some(), "there is an id to ask about");
    for model in ["gpt-6", "gpt-9-mini", "code"] {
        let mut request = hello();
        request["model"] = model.into();
        daemon.chat(&request).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_no_route_matches_is_not_found() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let daemon = Daemon::start(&Policy::one(&upstream)).await;
    for model in ["chatty", "only", ""] {
        let mut request = hello();
        request["model"] = model.into();
        let answer = daemon.chat(&request).await;
        assert!(
            answer.status == 404 || (model.is_empty() && answer.status == 400),
            "{model:?}: {}",
            answer.text()
        );
        assert!(answer.json()["error"]["message"].is_string());
    }
    let mut request = hello();
    request["model"] = "chatty".into();
    assert_eq!(
        daemon.chat(&request).await.expect_error(404).error_code(),
        "model_not_found"
    );
    assert_eq!(upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_model_of_the_policy_can_be_asked_for_by_name() {
    let first = Upstream::start("alpha", Price::LIST).await;
    let second = Upstream::start("beta", Price::LIST).await;
    let daemon = Daemon::start(&Policy::two(&first, &second)).await;
    let mut request = hello();
    request["model"] = "planb/second".into();
    let answer = daemon.chat(&request).await.expect(200);
    assert_eq!(answer.header("x-planb-model"), Some("second"));
    assert_eq!(second.last().json()["model"], "beta-model");
    assert_eq!(first.count(), 0);
    request["model"] = "planb/nope".into();
    assert_eq!(
        daemon.chat(&request).await.expect_error(404).error_code(),
        "model_not_found"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_key_never_goes_up_and_the_providers_never_comes_back() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let daemon = Daemon::start(&Policy::one_with(&upstream, "breaker: none, cooldown: none")).await;
    let key = upstream.key.clone();
    let leak = format!("Incorrect API key provided: {key}. Find yours in the console.");
    let error = json!({"error": {"message": leak, "type": "invalid_request_error", "param": null, "code": "x"}});
    for status in [200_u16, 400, 401, 403, 422, 429, 500] {
        let (body, leak) = (
            if status == 200 {
                completion("m", "hi", Usage::new(1, 1))
            } else {
                error.clone()
            },
            key.clone(),
        );
        upstream.script(move |_| {
            let headers = [
                ("content-type", "application/json"),
                ("x-echo", leak.as_str()),
                ("set-cookie", leak.as_str()),
            ];
            Reply::http(status, &headers, body.to_string())
        });
        let sent = Call::chat(&hello())
            .bearer("sk-client-secret")
            .header("x-api-key", "sk-client-secret");
        let answer = sent
            .header("cookie", "session=sk-client-secret")
            .send(daemon.address())
            .await;
        assert!(!answer.text().contains(&key), "{status}: {}", answer.text());
        assert!(
            answer
                .headers
                .values()
                .all(|value| !value.to_str().unwrap_or("").contains(&key)),
            "{status}"
        );
    }
    for seen in upstream.requests() {
        let sent = format!("{:?} {}", seen.headers, seen.text());
        assert!(!sent.contains("sk-client-secret"), "{sent}");
    }
    for path in ["/planb/status", "/planb/decisions", "/planb/policy", "/metrics"] {
        assert!(!daemon.get(path).await.text().contains(&key), "{path}");
    }
    assert!(!daemon.said().contains(&key));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_response_says_who_answered_and_what_it_cost() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    upstream.answers("Hello", Usage::new(1_000, 100));
    let daemon = Daemon::start(&Policy::one(&upstream).budget("all", "limit: 10 USD, per: month")).await;
    let answer = daemon.chat(&hello()).await.expect(200);
    assert_eq!(answer.header("x-planb-model"), Some("only"));
    assert_eq!(answer.header("x-planb-provider"), Some("alpha"));
    assert_eq!(answer.header("x-planb-attempts"), Some("1"));
    let cost = answer.header("x-planb-cost").unwrap();
    assert_eq!(nanos(cost.split(' ').next().unwrap()), upstream.invoice());
    let left: f64 = answer.header("x-planb-budget-remaining").unwrap().parse().unwrap();
    assert!((0.9..=1.0).contains(&left), "{left}");
    assert!(answer.header("x-request-id").is_some());
    let decision = daemon.decision(&answer).await;
    assert_eq!(decision["id"], answer.header("x-planb-decision").unwrap());
    assert_eq!(decision["chosen"], "only");
    assert_eq!(nanos(decision["cost"].as_str().unwrap()), upstream.invoice());
    let streamed = daemon.chat(&hello_streamed()).await.expect(200);
    let comments = streamed.heard().comments.join(" ");
    assert!(comments.contains("0.0026"), "no cost in the comments: {comments:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_with_prior_knowledge_is_served() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let daemon = Daemon::start(&Policy::one(&upstream)).await;
    let answer = Call::chat(&hello())
        .open_h2(daemon.address())
        .await
        .unwrap()
        .rest()
        .await
        .expect(200);
    assert_eq!(answer.content(), "Hello from alpha.");
    let heard = Call::chat(&hello_streamed())
        .open_h2(daemon.address())
        .await
        .unwrap()
        .rest()
        .await
        .heard();
    assert!(heard.done);
    assert_eq!(heard.text(), "Hello from alpha.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_request_is_refused() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let daemon = Daemon::start(&Policy::one(&upstream)).await;
    for body in [
        "",
        "{",
        "[]",
        "{\"model\": 5, \"messages\": []}",
        "{\"messages\": []}",
        "not json",
        "{\"model\": \"chat\"} x",
    ] {
        Call::chat_bytes(body).send(daemon.address()).await.expect_error(400);
    }
    assert_eq!(upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_path_or_method_gets_an_error_in_the_same_shape() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let daemon = Daemon::start(&Policy::one(&upstream)).await;
    daemon.get("/v1/nope").await.expect_error(404);
    let wrong_method = daemon.get("/v1/chat/completions").await;
    assert!([404, 405].contains(&wrong_method.status), "{}", wrong_method.status);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_call_on_a_small_budget_gets_a_bound_that_leaves_room_for_others() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let policy = Policy::one(&upstream).budget("all", "limit: 0.08 USD, per: day");
    let daemon = Daemon::start(&policy).await;
    let request = json!({"model": "chat", "messages": [{"role": "user", "content": "Say hello."}]});
    let answer = daemon.chat(&request).await.expect(200);
    let sent = upstream.last().json();
    let bound = sent["max_tokens"]
        .as_u64()
        .or(sent["max_completion_tokens"].as_u64())
        .expect("a bound is sent");
    assert!(
        (1_000..=1_667).contains(&bound),
        "an eighth of 0.08 USD buys at most 1,666 tokens: {bound}"
    );
    assert_eq!(answer.header("x-planb-output-cap"), Some(bound.to_string().as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_call_is_not_cut_while_money_is_ample() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let policy = Policy::one(&upstream).budget("all", "limit: 2000 USD, per: month");
    let daemon = Daemon::start(&policy).await;
    let sent = "{\"model\":\"chat\",\"messages\":[{\"role\":\"user\",\"content\":\"Say hello.\"}]}";
    let answer = Call::chat_bytes(sent).send(daemon.address()).await.expect(200);
    assert_eq!(upstream.last().text(), sent.replace("chat", "alpha-model"));
    assert_eq!(answer.header("x-planb-output-cap"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explanation_names_every_model_and_calls_none() {
    let first = Upstream::start("alpha", Price::LIST).await;
    let second = Upstream::start("beta", Price::LIST).await;
    let policy = Policy::two(&first, &second)
        .model_line(
            "keyless",
            "provider: gamma, name: g, price: {input: 1 USD/M, output: 1 USD/M}, supply: competitor, quality: 90",
        )
        .provider_line(
            "gamma",
            "vendor: openai-compatible, base_url: \"http://127.0.0.1:9/v1\", api_key: file:absent.key",
        )
        .route("name: wide, try: [keyless, first, second]");
    let daemon = Daemon::start(&policy).await;
    let mut request = hello();
    request["model"] = "wide".into();
    let answer = Call::chat(&request)
        .header("x-planb-explain", "1")
        .send(daemon.address())
        .await
        .expect(200);
    for word in ["first", "second", "keyless"] {
        assert!(answer.text().contains(word), "{word} is missing: {}", answer.text());
    }
    assert_eq!((first.count(), second.count()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cheaper_model_is_picked_where_the_route_says_so() {
    let dear = Upstream::start("alpha", Price::LIST).await;
    let cheap = Upstream::start("beta", Price::CHEAP).await;
    let policy = Policy::two(&dear, &cheap).route("name: thrift, try: [first, second], pick: cheapest");
    let daemon = Daemon::start(&policy).await;
    assert_eq!(
        daemon.chat(&hello()).await.expect(200).header("x-planb-model"),
        Some("first")
    );
    let mut request = hello();
    request["model"] = "thrift".into();
    let answer = daemon.chat(&request).await.expect(200);
    assert_eq!(answer.header("x-planb-model"), Some("second"));
    let decision = daemon.decision(&answer).await;
    assert_eq!(
        (&decision["route"], &decision["chosen"]),
        (&json!("thrift"), &json!("second"))
    );
}
