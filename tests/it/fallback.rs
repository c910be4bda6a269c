//! Falling over: what fails before its first content is invisible, what is left when nothing is left, and how a
//! provider's failures are remembered.

use crate::support::daemon::named;
use crate::support::fault::{self, Fault};
use crate::support::{
    COMPETITOR, Call, Daemon, Gate, LICENSED, Policy, Price, Reply, Sink, Upstream, Usage, free_port, until_within,
};
use serde_json::{Value, json};
use std::time::Duration;

const NO_MEMORY: &str = "breaker: none, cooldown: none";
/// For silence, and nothing else: whatever comes may take as long as the machine needs. A plain answer has no first token
/// to wait for: there `total` bounds the attempt.
const HASTY: &str = "timeouts: {first_token: 1s, total: 2s}";
/// A kept-away provider is probed by its listing each 30 to 60 seconds.
const PROBED: Duration = Duration::from_secs(150);

fn hello() -> Value {
    json!({"model": "chat", "max_tokens": 50, "messages": [{"role": "user", "content": "Say hello."}]})
}

fn faulty(stream: bool, fault: &Fault) -> Value {
    let mut request = hello();
    (request["stream"], request["x_fault"]) = (stream.into(), fault.name.into());
    if fault.client == 504 {
        request["model"] = "hasty".into();
    }
    request
}

/// As [`Policy::two_with`], and a route `hasty` that does not wait for the first.
fn two_and_hasty(first: &Upstream, second: &Upstream) -> Policy {
    Policy::two_with(first, second, NO_MEMORY)
        .model("hurried", first, &format!("{LICENSED}, {HASTY}"))
        .route("name: hasty, try: [hurried, second]")
}

fn fails_as_asked(upstream: &Upstream, faults: &'static [Fault]) {
    upstream.script(move |seen| fault::asked_for(faults, seen).expect("a fault is asked for"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_of_a_plain_answer_moves_on_to_the_next_candidate() {
    let first = Upstream::start("alpha", Price::LIST).await;
    let second = Upstream::start("beta", Price::LIST).await;
    fails_as_asked(&first, fault::PLAIN);
    let policy = two_and_hasty(&first, &second).budget("all", "limit: 100 USD, per: month");
    let daemon = Daemon::start(&policy).await;
    for fault in fault::PLAIN {
        let answer = daemon.chat(&faulty(false, fault)).await;
        assert_eq!(answer.status, 200, "{}: {}", fault.name, answer.text());
        assert_eq!(answer.content(), "Hello from beta.", "{}", fault.name);
        assert_eq!(answer.header("x-planb-model"), Some("second"), "{}", fault.name);
        let attempts: u8 = answer.header("x-planb-attempts").unwrap().parse().unwrap();
        assert!((2..=3).contains(&attempts), "{}: {attempts}", fault.name);
        let decision = daemon.decision(&answer).await;
        let tried = if fault.client == 504 { "hurried" } else { "first" };
        assert_eq!(decision["attempts"][0]["model"], tried, "{}", fault.name);
        assert_eq!(
            decision["attempts"].as_array().unwrap().len(),
            usize::from(attempts),
            "{}",
            fault.name
        );
        assert_eq!(
            (&decision["chosen"], &decision["outcome"]),
            (&json!("second"), &json!("ok")),
            "{}",
            fault.name
        );
    }
    assert!(daemon.settled("all").await.spent() >= second.invoice());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_of_a_stream_before_content_moves_on() {
    let first = Upstream::start("alpha", Price::LIST).await;
    let second = Upstream::start("beta", Price::LIST).await;
    fails_as_asked(&first, fault::STREAMED);
    let daemon = Daemon::start(&two_and_hasty(&first, &second)).await;
    for fault in fault::STREAMED {
        let answer = daemon.chat(&faulty(true, fault)).await;
        assert_eq!(answer.status, 200, "{}: {}", fault.name, answer.text());
        let heard = answer.heard();
        assert_eq!(heard.text(), "Hello from beta.", "{}", fault.name);
        assert!(heard.done && !heard.has_error(), "{}", fault.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_was_the_last_resort_has_its_clients_form() {
    let only = Upstream::start("alpha", Price::LIST).await;
    let policy = Policy::new()
        .provider(&only, NO_MEMORY)
        .model("only", &only, LICENSED)
        .route("name: chat, try: [only], limits: {attempts: 1}")
        .route(&format!("name: hasty, try: [only], limits: {{attempts: 1}}, {HASTY}"));
    let daemon = Daemon::start(&policy).await;
    for (stream, faults) in [(false, fault::PLAIN), (true, fault::STREAMED)] {
        fails_as_asked(&only, faults);
        for fault in faults {
            let answer = daemon.chat(&faulty(stream, fault)).await;
            assert_eq!(answer.status, fault.client, "{}: {}", fault.name, answer.text());
            let error = &answer.json()["error"];
            assert!(
                error["message"].is_string() && error["type"].is_string(),
                "{}: {error}",
                fault.name
            );
            if [429, 503].contains(&answer.status) {
                let wait: u64 = answer.header("retry-after").expect("a Retry-After").parse().unwrap();
                assert!((1..=60).contains(&wait), "{}: {wait}", fault.name);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_refused_moves_on() {
    let second = Upstream::start("beta", Price::LIST).await;
    let dead = format!(
        "vendor: openai-compatible, base_url: \"http://127.0.0.1:{}/v1\", api_key: file:beta.key",
        free_port()
    );
    let policy = Policy::new()
        .provider_line("alpha", &dead)
        .provider(&second, "")
        .model_line(
            "first",
            &format!("provider: alpha, name: x, price: {{input: 1 USD/M, output: 1 USD/M}}, {LICENSED}"),
        )
        .model("second", &second, COMPETITOR)
        .route("name: chat, try: [first, second]")
        .route("name: dead, try: [first]")
        .budget("all", "limit: 10 USD, per: month");
    let daemon = Daemon::start(&policy).await;
    assert_eq!(daemon.chat(&hello()).await.expect(200).content(), "Hello from beta.");
    let books = daemon.settled("all").await;
    assert_eq!(
        (books.posted, books.held),
        (second.invoice(), 0),
        "a call that never left costs nothing"
    );
    let mut request = hello();
    request["model"] = "dead".into();
    let answer = daemon.chat(&request).await;
    assert!([502, 503].contains(&answer.status), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_request_itself_got_wrong_is_told_and_not_tried_elsewhere() {
    let first = Upstream::start("alpha", Price::LIST).await;
    let second = Upstream::start("beta", Price::LIST).await;
    first.always(fault::error(400, "invalid_value", &[]));
    let policy = Policy::two(&first, &second).budget("all", "limit: 10 USD, per: month");
    let daemon = Daemon::start(&policy).await;
    daemon.chat(&hello()).await.expect_error(400);
    assert_eq!((first.count(), second.count()), (1, 0));
    assert_eq!(daemon.settled("all").await.spent(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_are_bounded_by_the_route() {
    let first = Upstream::start("alpha", Price::LIST).await;
    let second = Upstream::start("beta", Price::LIST).await;
    let third = Upstream::start("gamma", Price::LIST).await;
    for upstream in [&first, &second] {
        upstream.always(fault::error(500, "server_error", &[]));
    }
    let policy = Policy::two_with(&first, &second, NO_MEMORY)
        .provider(&third, "")
        .model("third", &third, COMPETITOR)
        .route("name: short, try: [first, second, third], limits: {attempts: 2}");
    let daemon = Daemon::start(&policy).await;
    let mut request = hello();
    request["model"] = "short".into();
    daemon.chat(&request).await.expect_error(502);
    assert_eq!((first.count() + second.count(), third.count()), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_no_model_can_serve_is_a_400_that_says_why() {
    let first = Upstream::start("alpha", Price::LIST).await;
    let policy = Policy::new()
        .provider(&first, "")
        .model(
            "plain",
            &first,
            "supply: licensed, quality: 60, context: 4k, max_output: 1k, tools: false",
        )
        .route("name: chat, try: [plain]");
    let daemon = Daemon::start(&policy).await;
    let mut with_tools = hello();
    with_tools["tools"] = json!([{"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}}]);
    let mut too_long = hello();
    too_long["messages"][0]["content"] = "word ".repeat(20_000).into();
    let mut too_much = hello();
    too_much["max_tokens"] = 2_000.into();
    let calls = [
        ("tools", Call::chat(&with_tools)),
        ("context", Call::chat(&too_long)),
        ("output", Call::chat(&too_much)),
        ("quality", Call::chat(&hello()).header("x-planb-min-quality", "95")),
        ("cost", Call::chat(&hello()).header("x-planb-max-cost", "0.0000001")),
    ];
    for (what, call) in calls {
        let answer = call.send(daemon.address()).await;
        assert_eq!(answer.status, 400, "{what}: {}", answer.text());
        let answer = answer.expect_error(400);
        assert_eq!(answer.header("x-should-retry"), Some("false"), "{what}");
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("plain"), "{what} does not name the model: {message}");
    }
    assert_eq!(first.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_no_budget_can_pay_is_a_402() {
    let first = Upstream::start("alpha", Price::OUTPUT_ONLY).await;
    let policy = Policy::one(&first).budget("tiny", "limit: 0.001 USD, per: day");
    let daemon = Daemon::start(&policy).await;
    let mut request = hello();
    request["max_tokens"] = 1_000.into();
    let answer = daemon.chat(&request).await.expect_error(402);
    assert_eq!(answer.error_code(), "insufficient_quota");
    assert_eq!(
        (answer.header("x-should-retry"), answer.header("retry-after")),
        (Some("false"), None)
    );
    assert_eq!(first.count(), 0);
    let decisions = daemon.when("/planb/decisions", "the refusal is recorded", |value| {
        value["decisions"].as_array().is_some_and(|list| !list.is_empty())
    });
    let refused = decisions.await["decisions"][0].clone();
    assert_eq!(
        (&refused["outcome"], &refused["chosen"]),
        (&json!("refused"), &Value::Null)
    );
    assert_eq!(
        (&refused["excluded"][0]["model"], &refused["excluded"][0]["reason"]),
        (&json!("only"), &json!("budget"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_credential_is_a_502_until_its_file_is_there() {
    let first = Upstream::start("alpha", Price::LIST).await;
    let policy = Policy::one(&first);
    let home = crate::support::Home::new(&policy);
    std::fs::remove_file(home.folder().join("alpha.key")).unwrap();
    let daemon = Daemon::start_in(home, &[]).await;
    let answer = daemon.chat(&hello()).await.expect_error(502);
    assert_eq!(answer.header("x-should-retry"), Some("false"));
    std::fs::write(daemon.home.folder().join("alpha.key"), &first.key).unwrap();
    crate::support::until("the key is found", || async {
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
async fn a_plan_that_leaves_nothing_is_a_503_that_says_so() {
    let first = Upstream::start("alpha", Price::LIST).await;
    let policy = Policy::one(&first)
        .budget("month", "limit: 10 USD, per: month")
        .plan("name: lights-out, when: 'budget(\"month\").used >= 0.0', only: 'model.supply == \"local\"'");
    let daemon = Daemon::start(&policy).await;
    daemon.when_plan("lights-out", true).await;
    let answer = daemon.chat(&hello()).await.expect_error(503);
    assert_eq!(answer.header("x-should-retry"), Some("false"));
    assert!(
        answer.json()["error"]["message"]
            .as_str()
            .unwrap()
            .contains("lights-out"),
        "{}",
        answer.text()
    );
    assert_eq!(first.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limited_model_cools_and_is_not_asked_meanwhile() {
    let first = Upstream::start("alpha", Price::LIST).await;
    let second = Upstream::start("beta", Price::LIST).await;
    first.always(fault::error(429, "rate_limit_exceeded", &[("retry-after", "600")]));
    let policy = Policy::two(&first, &second).route("name: alone, try: [first]");
    let daemon = Daemon::start(&policy).await;
    assert_eq!(daemon.chat(&hello()).await.expect(200).content(), "Hello from beta.");
    let asked = first.count();
    for _ in 0..10 {
        let answer = daemon.chat(&hello()).await.expect(200);
        assert_eq!(
            (answer.header("x-planb-model"), answer.header("x-planb-attempts")),
            (Some("second"), Some("1"))
        );
    }
    assert_eq!(first.count(), asked);
    let mut request = hello();
    request["model"] = "alone".into();
    let answer = daemon.chat(&request).await.expect_error(503);
    let wait: u64 = answer.header("retry-after").expect("a Retry-After").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(first.count(), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cooled_model_comes_back_by_itself() {
    let first = Upstream::start("alpha", Price::LIST).await;
    let second = Upstream::start("beta", Price::LIST).await;
    first.always(fault::error(429, "rate_limit_exceeded", &[("retry-after", "2")]));
    let daemon = Daemon::start(&Policy::two(&first, &second)).await;
    daemon.chat(&hello()).await.expect(200);
    first.answers("Back again", Usage::new(10, 5));
    crate::support::until("the first model serves again", || async {
        let text = daemon.chat(&hello()).await.expect(200).content();
        if text == "Back again" { Ok(()) } else { Err(text) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breaker_opens_after_failures_announces_it_and_recovers_by_itself() {
    let first = Upstream::start("alpha", Price::LIST).await;
    let second = Upstream::start("beta", Price::LIST).await;
    let sink = Sink::start().await;
    first.always(fault::error(500, "server_error", &[]));
    first.listing(500);
    let daemon = Daemon::start(&Policy::two(&first, &second).alert(&sink, "provider")).await;
    crate::support::until("the breaker keeps requests from the failing model", || async {
        let before = first.count();
        daemon.chat(&hello()).await.expect(200);
        if first.count() == before {
            Ok(())
        } else {
            Err(format!("asked {before} times"))
        }
    })
    .await;
    let down = sink.got("provider.down", 1).await;
    assert!(down.genuine);
    assert!(down.body["data"].to_string().contains("alpha"), "{}", down.body);
    assert_ne!(named(&daemon.status().await["providers"], "alpha")["state"], "up");
    let (asked, began) = (first.count(), std::time::Instant::now());
    for _ in 0..20 {
        assert_eq!(
            daemon.chat(&hello()).await.expect(200).header("x-planb-model"),
            Some("second")
        );
    }
    // One probe each time its wait has passed; the wait doubles from two seconds on.
    let probes = 1 + (began.elapsed().as_secs() / 2 + 1).ilog2() as usize;
    assert!(
        first.count() <= asked + probes,
        "at most {probes} probes: {} of 20",
        first.count() - asked
    );
    first.answers("Back again", Usage::new(10, 5));
    first.listing(200);
    until_within(PROBED, "the first model serves again", || async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let text = daemon.chat(&hello()).await.expect(200).content();
        if text == "Back again" { Ok(()) } else { Err(text) }
    })
    .await;
    assert!(sink.got("provider.recovered", 1).await.genuine);
    let state = daemon.when("/planb/status", "the provider is up", |status| {
        named(&status["providers"], "alpha")["state"] == "up"
    });
    state.await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_refuses_our_key_is_left_at_once() {
    let first = Upstream::start("alpha", Price::LIST).await;
    let second = Upstream::start("beta", Price::LIST).await;
    first.always(fault::error(401, "invalid_api_key", &[]));
    let daemon = Daemon::start(&Policy::two(&first, &second)).await;
    for _ in 0..5 {
        daemon.chat(&hello()).await.expect(200);
    }
    assert_eq!(first.count(), 1);
    let away = |status: &Value| named(&status["providers"], "alpha")["state"] != "up";
    daemon.when("/planb/status", "the provider is not up", away).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_breaker_and_cooldown_each_failure_is_passed_on() {
    let only = Upstream::start("alpha", Price::LIST).await;
    let policy = Policy::new()
        .provider(&only, "breaker: none, cooldown: none")
        .model("only", &only, LICENSED)
        .route("name: chat, try: [only], limits: {attempts: 1}");
    let daemon = Daemon::start(&policy).await;
    for (reply, status) in [
        (fault::error(500, "server_error", &[]), 502),
        (fault::error(429, "rate_limit_exceeded", &[("retry-after", "30")]), 429),
        (fault::error(401, "invalid_api_key", &[]), 502),
    ] {
        only.always(reply);
        for _ in 0..30 {
            let before = only.count();
            daemon.chat(&hello()).await.expect_error(status);
            assert_eq!(only.count(), before + 1);
        }
    }
    only.answers("Fine", Usage::new(10, 5));
    daemon.chat(&hello()).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_attempts_deadline_is_kept_over_all_candidates() {
    let first = Upstream::start("alpha", Price::LIST).await;
    let second = Upstream::start("beta", Price::LIST).await;
    first.always(Reply::silence());
    second.always(Reply::silence());
    let policy = Policy::two_with(&first, &second, "breaker: none, cooldown: none")
        .route("name: quick, try: [first, second], timeouts: {first_token: 1s, total: 3s}");
    let daemon = Daemon::start(&policy).await;
    let mut request = hello();
    request["model"] = "quick".into();
    daemon.chat(&request).await.expect_error(504);
    assert!(first.count() >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fallback_that_lost_its_money_meanwhile_is_decided_anew_without_who_was_attempted() {
    let first = Upstream::start("alpha", Price::OUTPUT_ONLY).await;
    let second = Upstream::start("beta", Price::OUTPUT_ONLY).await;
    let gate = Gate::new();
    let held = gate.clone();
    // Whether it bills that, nobody knows: what was reserved is held.
    first.script(move |_| Reply::default().behind(&held).close());
    let policy = Policy::new()
        .provider(&first, "breaker: none, cooldown: none")
        .provider(&second, "")
        .model("first", &first, "supply: licensed, min_output: 1, max_output: 1M")
        .model("second", &second, "supply: competitor, min_output: 1, max_output: 1M")
        .route("name: chat, try: [first, second]")
        .route("name: dear, try: [second]")
        .budget("all", "limit: 1 USD, per: month");
    let daemon = Daemon::start(&policy).await;
    let to = daemon.address();
    let asked = json!({"model": "chat", "messages": [{"role": "user", "content": "Say hello."}]});
    let open = tokio::spawn(async move { Call::chat(&asked).send(to).await });
    first.reached(1).await;
    // An eighth is reserved; nearly all of the rest goes to another.
    second.answers("Long", Usage::new(10, 87_000));
    let dear = json!({"model": "dear", "max_tokens": 87_000, "messages": [{"role": "user", "content": "Write."}]});
    daemon.chat(&dear).await.expect(200);
    second.answers("Short", Usage::new(10, 5));
    gate.open();
    let answer = open.await.unwrap().expect(200);
    assert_eq!(answer.header("x-planb-model"), Some("second"));
    let cap: u64 = answer.header("x-planb-output-cap").unwrap().parse().unwrap();
    assert!(cap < 1_000, "{cap}: an eighth of what is left now");
    let decision = daemon.decision(&answer).await;
    let text = decision["explanation"]["text"].as_str().unwrap();
    assert!(text.contains("attempted: was attempted already"), "{text}");
    assert!(text.contains("second") && text.contains("chosen"), "{text}");
    assert_eq!(decision["excluded"][0]["reason"], "attempted", "{decision}");
}
