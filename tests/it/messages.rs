//! Applications that speak OpenAI's dialect, served by a provider that speaks Anthropic's: what they see, what goes out, what
//! it costs, and how it fails over to a model of their own dialect and back.

use crate::support::{Answer, COMPETITOR, Call, Daemon, Policy, Price, Reply, Seen, Upstream, until};
use serde_json::{Value, json};

/// USD per million tokens: 3 in, 0.3 read, 4 and 6 written, 15 out.
const CLAUDE: &str = "provider: claude, name: claude-sonnet-4-6, supply: competitor, quality: 80, context: 128k, max_output: 4k, \
    price: {input: 3 USD/M, cache_read: 0.3 USD/M, cache_write: 4 USD/M, cache_write_1h: 6 USD/M, output: 15 USD/M}";
/// Of an answer with [`usage`]: 10 in, 200 read, 40 and 20 written, 7 out.
const BILLED: i64 = 10 * 3_000 + 200 * 300 + 40 * 4_000 + 20 * 6_000 + 7 * 15_000;

fn usage(output: u64) -> Value {
    json!({"input_tokens": 10, "cache_read_input_tokens": 200, "cache_creation_input_tokens": 60,
        "cache_creation": {"ephemeral_5m_input_tokens": 40, "ephemeral_1h_input_tokens": 20}, "output_tokens": output})
}

fn event(event: &Value) -> String {
    format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())
}

fn begins() -> Vec<String> {
    let message = json!({"id": "msg_01", "type": "message", "role": "assistant", "model": "claude-sonnet-4-6",
        "content": [], "stop_reason": null, "usage": usage(1)});
    vec![
        event(&json!({"type": "message_start", "message": message})),
        event(&json!({"type": "ping"})),
        event(&json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})),
        event(&json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello "}})),
    ]
}

fn ends(reason: &str) -> Vec<String> {
    vec![
        event(&json!({"type": "content_block_stop", "index": 0})),
        event(&json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 7}})),
        event(&json!({"type": "message_stop"})),
    ]
}

fn streamed() -> Reply {
    Reply::stream([begins(), ends("end_turn")].concat())
}

fn whole(content: &Value, reason: &str) -> Reply {
    Reply::json(
        200,
        &json!({"id": "msg_01", "type": "message", "role": "assistant", "model": "claude-sonnet-4-6",
            "content": content, "stop_reason": reason, "usage": usage(7)}),
    )
}

fn text(text: &str) -> Value {
    json!([{"type": "text", "text": text}])
}

fn error(status: u16, kind: &str, message: &str) -> Reply {
    Reply::json(
        status,
        &json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_0"}),
    )
}

async fn claude() -> Upstream {
    let upstream = Upstream::start("claude", Price::FREE).await;
    upstream.take_any_key();
    upstream.script(|seen| match seen.json()["stream"] == true {
        true => streamed(),
        false => whole(&text("Hello there"), "end_turn"),
    });
    upstream
}

fn policy(upstream: &Upstream, words: &str) -> Policy {
    let line = format!(
        "vendor: anthropic-compatible, base_url: \"http://{}\", api_key: file:claude.key{words}",
        upstream.address
    );
    Policy::new()
        .provider_line("claude", &line)
        .file("claude.key", &format!("{}\n", upstream.key))
        .model_line("claude", CLAUDE)
        .budget("month", "limit: 10 USD, per: month")
}

fn alone(upstream: &Upstream) -> Policy {
    policy(upstream, "").route("name: chat, try: [claude]")
}

fn hello(stream: bool) -> Value {
    json!({"model": "chat", "stream": stream, "max_tokens": 50,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello."}]})
}

fn is_asked_as_claude(seen: &Seen, key: &str) {
    assert_eq!(seen.path, "/v1/messages");
    assert_eq!(seen.header("x-api-key"), Some(key));
    assert_eq!(seen.header("anthropic-version"), Some("2023-06-01"));
    assert_eq!(seen.header("authorization"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_answer_is_a_chat_completion_at_claudes_price() {
    let upstream = claude().await;
    let daemon = Daemon::start(&alone(&upstream)).await;
    let answer = daemon.chat(&hello(false)).await.expect(200);
    let body = answer.json();
    assert_eq!(
        (answer.content().as_str(), &body["object"]),
        ("Hello there", &json!("chat.completion"))
    );
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    assert_eq!(body["model"], "claude-sonnet-4-6");
    assert_eq!(body["usage"]["prompt_tokens"], 270);
    assert_eq!(body["usage"]["prompt_tokens_details"]["cached_tokens"], 200);
    is_asked_as_claude(&upstream.last(), &upstream.key);
    assert_eq!(
        upstream.last().json(),
        json!({"model": "claude-sonnet-4-6", "max_tokens": 50, "system": [{"type": "text", "text": "Be brief."}],
            "messages": [{"role": "user", "content": [{"type": "text", "text": "Say hello."}]}]})
    );
    daemon.posted("month", BILLED).await;
    let usage = &daemon.decision(&answer).await["attempts"][0]["usage"];
    assert_eq!(
        (&usage["input"], &usage["cache_read"], &usage["output"]),
        (&json!(270), &json!(200), &json!(7))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_chunks_that_end_with_done_and_its_usage_is_shown_to_who_asks() {
    let upstream = claude().await;
    let daemon = Daemon::start(&alone(&upstream)).await;
    let heard = daemon.chat(&hello(true)).await.expect(200).heard();
    assert_eq!(
        (heard.text().as_str(), heard.done, heard.has_usage()),
        ("Hello ", true, false)
    );
    daemon.posted("month", BILLED).await;
    let mut asking = hello(true);
    asking["stream_options"] = json!({"include_usage": true});
    let heard = daemon.chat(&asking).await.expect(200).heard();
    assert!(heard.done && heard.has_usage());
    let last: Value = serde_json::from_str(heard.data.last().unwrap()).unwrap();
    assert_eq!(
        (&last["usage"]["prompt_tokens"], &last["usage"]["completion_tokens"]),
        (&json!(270), &json!(7))
    );
    daemon.posted("month", 2 * BILLED).await;
    assert_eq!(upstream.last().json()["stream"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_are_called_and_answered() {
    let upstream = claude().await;
    upstream.always(whole(
        &json!([{"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}}]),
        "tool_use",
    ));
    let daemon = Daemon::start(&alone(&upstream)).await;
    let mut asked = hello(false);
    asked["tools"] = json!([{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]);
    let body = daemon.chat(&asked).await.expect(200).json();
    let message = body["choices"][0]["message"].clone();
    assert_eq!(body["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(message["tool_calls"][0]["function"]["arguments"], r#"{"city":"Oslo"}"#);
    let sent = upstream.last().json();
    assert_eq!(
        sent["tools"],
        json!([{"name": "weather", "input_schema": {"type": "object"}}])
    );
    let messages = asked["messages"].as_array_mut().unwrap();
    messages.push(message);
    messages.push(json!({"role": "tool", "tool_call_id": "toolu_1", "content": "Rain"}));
    daemon.chat(&asked).await.expect(200);
    let sent = upstream.last().json();
    assert_eq!(sent["messages"][1]["content"][0]["input"], json!({"city": "Oslo"}));
    assert_eq!(
        sent["messages"][2]["content"],
        json!([{"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "Rain"}]}])
    );
}

async fn asked_for(daemon: &Daemon, stream: bool, model: &str) -> Answer {
    let answer = daemon.chat(&hello(stream)).await.expect(200);
    assert_eq!(answer.header("x-planb-model"), Some(model));
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overload_moves_on_to_the_other_dialect_and_back() {
    let (upstream, second) = (claude().await, Upstream::start("beta", Price::CHEAP).await);
    let policy = policy(&upstream, ", breaker: none, cooldown: none")
        .provider(&second, "breaker: none, cooldown: none")
        .model("second", &second, COMPETITOR)
        .route("name: chat, try: [claude, second]")
        .route("name: other, try: [second, claude]");
    let daemon = Daemon::start(&policy).await;
    for stream in [false, true] {
        upstream.always(error(529, "overloaded_error", "Overloaded"));
        asked_for(&daemon, stream, "second").await;
        let event = event(&json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}));
        upstream.always(match stream {
            true => Reply::stream([vec![begins().remove(0)], vec![event]].concat()),
            false => error(429, "rate_limit_error", "Slow down"),
        });
        let answer = asked_for(&daemon, stream, "second").await;
        assert!(answer.text().contains("beta"), "{}", answer.text());
    }
    upstream.script(|_| streamed());
    asked_for(&daemon, true, "claude").await;
    second.always(Reply::json(503, &json!({"error": {"message": "busy"}})));
    let mut other = hello(true);
    other["model"] = "other".into();
    let answer = daemon.chat(&other).await.expect(200);
    assert_eq!(answer.heard().text(), "Hello ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_stream_ends_with_an_error_and_is_charged_for_what_came() {
    let upstream = claude().await;
    let daemon = Daemon::start(&alone(&upstream)).await;
    let cuts = [
        Reply::stream(begins()),
        begins().into_iter().fold(Reply::stream_head(), Reply::chunk).close(),
        // All but the last word: an end that nobody has said is none.
        Reply::stream([begins(), ends("end_turn")].concat().into_iter().take(6)),
    ];
    for cut in cuts {
        upstream.always(cut);
        let answer = daemon.chat(&hello(true)).await.expect(200);
        let heard = answer.heard();
        assert!(heard.text().starts_with("Hello ") && !heard.done, "{}", answer.text());
        assert!(answer.text().contains("\"error\""), "{}", answer.text());
    }
    upstream.always(Reply::stream(
        [
            begins(),
            vec![event(
                &json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
            )],
        ]
        .concat(),
    ));
    let answer = daemon.chat(&hello(true)).await.expect(200);
    assert!(
        !answer.heard().done && answer.text().contains("overloaded"),
        "{}",
        answer.text()
    );
    assert!(daemon.settled("month").await.spent() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_have_the_clients_shape() {
    let upstream = claude().await;
    let daemon =
        Daemon::start(&policy(&upstream, ", breaker: none, cooldown: none").route("name: chat, try: [claude]")).await;
    for (reply, status, code) in [
        (
            error(400, "invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"),
            400,
            "context_length_exceeded",
        ),
        (
            error(400, "invalid_request_error", "messages: odd"),
            400,
            "invalid_request_error",
        ),
        (
            error(401, "authentication_error", "invalid x-api-key"),
            502,
            "upstream_credential",
        ),
        (error(404, "not_found_error", "model: claude-x"), 404, "model_not_found"),
    ] {
        upstream.always(reply);
        let answer = daemon.chat(&hello(false)).await.expect_error(status);
        assert_eq!(answer.error_code(), code, "{}", answer.text());
    }
    upstream.always(error(
        400,
        "invalid_request_error",
        "Your credit balance is too low to access the API.",
    ));
    let answer = daemon.chat(&hello(false)).await.expect_error(402);
    assert_eq!(answer.error_code(), "insufficient_quota");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_claude_cannot_be_asked_goes_to_who_can_and_explain_says_why() {
    let (upstream, second) = (claude().await, Upstream::start("beta", Price::CHEAP).await);
    let policy = policy(&upstream, "")
        .provider(&second, "")
        .model("second", &second, COMPETITOR)
        .route("name: chat, try: [claude, second]")
        .route("name: lenient, try: [claude], on_unsupported: drop");
    let daemon = Daemon::start(&policy).await;
    let mut asked = hello(false);
    asked["seed"] = 7.into();
    let answer = daemon.chat(&asked).await.expect(200);
    assert_eq!(answer.header("x-planb-model"), Some("second"));
    let decision = daemon.decision(&answer).await;
    let excluded = &decision["excluded"][0];
    assert_eq!(
        (&excluded["model"], &excluded["reason"]),
        (&json!("claude"), &json!("capability"))
    );
    assert!(excluded["detail"].as_str().unwrap().contains("`seed`"), "{excluded}");
    let explained = Call::chat(&asked)
        .header("x-planb-explain", "1")
        .send(daemon.address())
        .await;
    assert!(explained.text().contains("`seed`"), "{}", explained.text());
    asked["model"] = "lenient".into();
    let answer = daemon.chat(&asked).await.expect(200);
    assert_eq!(answer.header("x-planb-model"), Some("claude"));
    assert_eq!(upstream.last().json()["seed"], Value::Null);
    assert_eq!(answer.header("x-planb-dropped"), Some("seed"));
    asked["messages"][1]["name"] = "ann".into();
    let answer = daemon.chat(&asked).await.expect(200);
    assert_eq!(answer.header("x-planb-dropped"), Some("seed, messages[].name"));
    asked["n"] = 2.into();
    let refused = daemon.chat(&asked).await.expect_error(400);
    assert!(refused.text().contains("`n`"), "{}", refused.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bearer_token_goes_where_the_policy_says_so_and_status_and_check_name_the_address() {
    let upstream = claude().await;
    let policy = policy(&upstream, ", key_header: bearer").route("name: chat, try: [claude]");
    let daemon = Daemon::start(&policy).await;
    daemon.chat(&hello(false)).await.expect(200);
    let bearer = format!("Bearer {}", upstream.key);
    assert_eq!(upstream.last().header("authorization"), Some(bearer.as_str()));
    assert_eq!(upstream.last().header("x-api-key"), None);
    let url = format!("http://{}/v1/messages", upstream.address);
    let status = daemon.status().await;
    assert_eq!(
        (&status["providers"][0]["url"], &status["models"][0]["url"]),
        (&json!(url), &json!(url))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn vertex_and_bedrock_call_claude_and_others_by_their_own_apis() {
    let upstream = claude().await;
    let at = format!("http://{}", upstream.address);
    let free = "supply: competitor, max_output: 4k, price: {input: 0 USD/M, output: 0 USD/M}";
    let policy = Policy::new()
        .provider_line(
            "google",
            &format!("vendor: vertex, base_url: \"{at}/v1/projects/p/locations/eu\", api_key: file:claude.key"),
        )
        .provider_line(
            "amazon",
            &format!("vendor: bedrock, base_url: \"{at}/anthropic\", api_key: file:claude.key"),
        )
        .file("claude.key", "ya29.token\n")
        .model_line("v-claude", &format!("provider: google, name: claude-sonnet-5, {free}"))
        .model_line(
            "v-gemini",
            &format!("provider: google, name: google/gemini-3-pro, {free}"),
        )
        .model_line(
            "b-claude",
            &format!("provider: amazon, name: eu.anthropic.claude-sonnet-5, {free}"),
        )
        .route("name: chat, try: [v-claude, v-gemini, b-claude]");
    let daemon = Daemon::start(&policy).await;
    let ask = async |model: &str, stream: bool| {
        let mut asked = hello(stream);
        asked["model"] = format!("planb/{model}").into();
        let answer = daemon.chat(&asked).await;
        let seen = upstream.last();
        assert_eq!(seen.header("authorization"), Some("Bearer ya29.token"));
        (answer, seen)
    };
    let location = "/v1/projects/p/locations/eu";
    for (stream, verb) in [(false, "rawPredict"), (true, "streamRawPredict")] {
        let (answer, seen) = ask("v-claude", stream).await;
        answer.expect(200);
        assert_eq!(
            seen.path,
            format!("{location}/publishers/anthropic/models/claude-sonnet-5:{verb}")
        );
        assert_eq!(seen.json()["anthropic_version"], "vertex-2023-10-16");
        assert_eq!(
            (&seen.json()["model"], seen.header("anthropic-version")),
            (&Value::Null, None)
        );
    }
    let (_, seen) = ask("v-gemini", false).await;
    assert_eq!(seen.path, format!("{location}/endpoints/openapi/chat/completions"));
    assert_eq!(seen.json()["model"], "google/gemini-3-pro");
    let (answer, seen) = ask("b-claude", false).await;
    assert_eq!(answer.expect(200).content(), "Hello there");
    assert_eq!(
        (seen.path.as_str(), &seen.json()["model"]),
        ("/anthropic/v1/messages", &json!("eu.anthropic.claude-sonnet-5"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ends_is_read_again_from_its_file() {
    let upstream = claude().await;
    let policy = alone(&upstream).file("claude.key", "first\n");
    let daemon = Daemon::start(&policy).await;
    daemon.chat(&hello(false)).await.expect(200);
    assert_eq!(upstream.last().header("x-api-key"), Some("first"));
    daemon.home.write_files(&policy.file("claude.key", "second\n"));
    until("the new key is used", || async {
        daemon.chat(&hello(false)).await.expect(200);
        let used = upstream.last().header("x-api-key").map(str::to_owned);
        if used.as_deref() == Some("second") {
            Ok(())
        } else {
            Err(format!("{used:?}"))
        }
    })
    .await;
}
