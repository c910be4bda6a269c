//! Routes as clients meet them: which requests each takes, in which order it tries its models, and how it keeps
//! conversations together.

use crate::support::{COMPETITOR, Call, Daemon, LICENSED, LOCAL, Policy, Price, Upstream, Usage};
use serde_json::{Value, json};

/// Two hosted models and a free one.
struct Three {
    alpha: Upstream,
    beta: Upstream,
    home: Upstream,
}

impl Three {
    async fn start() -> Self {
        Self {
            alpha: Upstream::start("alpha", Price::LIST).await,
            beta: Upstream::start("beta", Price::CHEAP).await,
            home: Upstream::start("home", Price::FREE).await,
        }
    }

    fn policy(&self) -> Policy {
        Policy::new()
            .provider(&self.alpha, "")
            .provider(&self.beta, "")
            .provider(&self.home, "")
            .model("dear", &self.alpha, LICENSED)
            .model("cheap", &self.beta, COMPETITOR)
            .model("tiny", &self.home, LOCAL)
    }
}

fn ask(model: &str, extra: &Value) -> Call {
    let mut body = json!({"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 50});
    if let (Some(body), Some(extra)) = (body.as_object_mut(), extra.as_object()) {
        body.extend(extra.clone());
    }
    Call::chat(&body)
}

async fn served_by(daemon: &Daemon, call: Call) -> String {
    let answer = call.send(daemon.address()).await.expect(200);
    answer.header("x-planb-model").unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_goes_to_the_first_route_whose_every_criterion_holds() {
    let three = Three::start().await;
    let policy = three
        .policy()
        .route("name: tools, match: {model: [shared], tools: true}, try: [dear]")
        .route("name: canary, match: {model: [shared], header: {x-env: \"canary*\"}, tag: {team: [search, ads]}}, try: [cheap]")
        .route("name: long, match: {model: [shared, \"s*\"], size: {above: 1k}, dialect: chat}, try: [dear]")
        .route("name: rest, match: {model: [shared]}, try: ['model.supply == \"local\"', cheap]");
    let daemon = Daemon::start(&policy).await;
    let nothing = json!({});
    let tools = json!({"tools": [{"type": "function", "function": {"name": "f"}}]});
    assert_eq!(served_by(&daemon, ask("shared", &tools)).await, "dear");
    let canary = |team| {
        ask("shared", &nothing)
            .header("x-env", "canary-2")
            .header("x-planb-tags", team)
    };
    assert_eq!(served_by(&daemon, canary("team=ads")).await, "cheap");
    assert_eq!(
        served_by(&daemon, canary("team=other")).await,
        "tiny",
        "a selector in `try`"
    );
    let long = json!({"messages": [{"role": "user", "content": "one two three ".repeat(2_000)}]});
    assert_eq!(served_by(&daemon, ask("shared", &long)).await, "dear");
    assert_eq!(served_by(&daemon, ask("shared", &nothing)).await, "tiny");

    let told = ask("long", &nothing).send(daemon.address()).await.expect_error(404);
    let message = told.json()["error"]["message"].to_string();
    assert!(
        message.contains("route `long`, which takes prompts above 1000 tokens"),
        "{message}"
    );
    let told = ask("canary", &nothing).send(daemon.address()).await.expect_error(404);
    let message = told.json()["error"]["message"].to_string();
    assert!(message.contains("route `canary`, which asks for another"), "{message}");
    for kept in ["x-env", "canary*", "team", "search"] {
        assert!(!message.contains(kept), "{kept} is nobody else's business: {message}");
    }
    let told = ask("nobody", &nothing).send(daemon.address()).await.expect_error(404);
    assert!(
        told.text().contains("no route serves the model `nobody`"),
        "{}",
        told.text()
    );
    let listed = Call::get("/v1/models").send(daemon.address()).await.json();
    let names: Vec<&str> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["id"].as_str())
        .collect();
    assert_eq!(
        names,
        ["tools", "shared", "canary", "long", "rest"],
        "globs are not listed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_has_its_own_route_under_a_shared_name() {
    let three = Three::start().await;
    let policy = three
        .policy()
        .client("search", "key-of-search", "")
        .client("batch", "key-of-batch", "")
        .route("name: night, match: {model: [chat-1], client: batch}, try: [tiny]")
        .route("name: day, match: {model: [chat-1]}, try: [cheap]");
    let daemon = Daemon::start(&policy).await;
    let call = |key| ask("chat-1", &json!({})).bearer(key);
    assert_eq!(served_by(&daemon, call("key-of-batch")).await, "tiny");
    assert_eq!(served_by(&daemon, call("key-of-search")).await, "cheap");
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_share_the_requests_and_who_is_out_leaves_its_share_to_the_next() {
    let three = Three::start().await;
    let policy = three
        .policy()
        .route("name: chat, try: [tiny, dear, cheap], pick: weighted, weights: {dear: 1, cheap: 1}");
    let daemon = Daemon::start(&policy).await;
    let (mut dear, mut cheap) = (0, 0);
    for _ in 0..40 {
        match served_by(&daemon, ask("chat", &json!({}))).await.as_str() {
            "dear" => dear += 1,
            "cheap" => cheap += 1,
            other => panic!("{other} has no weight"),
        }
    }
    assert!(dear > 5 && cheap > 5, "{dear} and {cheap}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_answer_is_for_decides_on_its_route_and_who_does_not_say_is_commercial() {
    let three = Three::start().await;
    let policy = three
        .policy()
        .route("name: lab, match: {model: [shared], use: research}, try: [tiny]")
        .route("name: office, match: {model: [shared], use: [internal, commercial]}, try: [dear]");
    let daemon = Daemon::start(&policy).await;
    let asks = || ask("shared", &json!({}));
    let research = asks().header("x-planb-use", "research");
    assert_eq!(served_by(&daemon, research).await, "tiny");
    assert_eq!(
        served_by(&daemon, asks().header("x-planb-use", "internal")).await,
        "dear"
    );
    assert_eq!(served_by(&daemon, asks()).await, "dear");
    let told = ask("lab", &json!({})).send(daemon.address()).await.expect_error(404);
    assert!(told.text().contains("which is for research use"), "{}", told.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_slower_than_the_route_needs_is_left_out_once_it_is_measured() {
    let three = Three::start().await;
    // Nothing that comes over a socket is that fast.
    let policy = three
        .policy()
        .route("name: chat, try: [dear, cheap], need: {speed: 1000000}");
    let daemon = Daemon::start(&policy).await;
    let mut served = Vec::new();
    for _ in 0..6 {
        served.push(served_by(&daemon, ask("chat", &json!({}))).await);
    }
    assert_eq!(served, ["dear", "dear", "dear", "cheap", "cheap", "cheap"]);
    let told = ask("chat", &json!({})).send(daemon.address()).await.expect_error(503);
    assert!(told.text().contains("tokens a second lately"), "{}", told.text());
    assert_eq!(daemon.decision(&told).await["excluded"][0]["reason"], "slow");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fastest_is_found_by_asking_each_now_and_then() {
    let three = Three::start().await;
    let policy = three
        .policy()
        .route("name: chat, try: [dear, cheap, tiny], pick: fastest, stick: none");
    let daemon = Daemon::start(&policy).await;
    let asked = || [three.alpha.count(), three.beta.count(), three.home.count()];
    for _ in 0..1_000 {
        if asked().iter().all(|count| *count > 2) {
            return;
        }
        served_by(&daemon, ask("chat", &json!({}))).await;
    }
    panic!("not each was tried: {:?}", asked());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_may_lower_the_clients_bound_and_says_so() {
    let three = Three::start().await;
    let policy = three
        .policy()
        .route("name: strict, try: [dear], limits: {output: 100}")
        .route("name: chat, try: [dear], limits: {output: 100}, cap_output: true, min_output: 10");
    let daemon = Daemon::start(&policy).await;
    let asks = json!({"max_tokens": 4_000});
    ask("strict", &asks).send(daemon.address()).await.expect_error(400);
    let answer = ask("chat", &asks).send(daemon.address()).await.expect(200);
    assert_eq!(answer.header("x-planb-output-cap"), Some("100"));
    assert_eq!(three.alpha.last().json()["max_tokens"], 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_need_of_the_route_leaves_out_what_lacks_it() {
    let three = Three::start().await;
    let policy = three
        .policy()
        .model("blind", &three.beta, &format!("{COMPETITOR}, tools: false"))
        .route("name: chat, try: [blind, dear], need: {tools: true, context: 100k, quality: 60}");
    let daemon = Daemon::start(&policy).await;
    assert_eq!(served_by(&daemon, ask("chat", &json!({}))).await, "dear");
}

/// Turn by turn, what a client sends.
fn turn(said: &[(&str, &str)]) -> Value {
    let messages: Vec<Value> = said
        .iter()
        .map(|(role, content)| match *role {
            "tool" => json!({"role": "tool", "tool_call_id": "c1", "content": content}),
            role => json!({"role": role, "content": content}),
        })
        .collect();
    json!({"messages": messages})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_stays_where_its_cache_is_and_leaves_when_its_model_is_out() {
    let three = Three::start().await;
    let policy = three
        .policy()
        .route("name: chat, try: [dear, cheap], pick: weighted, weights: {dear: 1, cheap: 1}, stick: conversation");
    let daemon = Daemon::start(&policy).await;
    let first = turn(&[("user", "What is 6 times 7?")]);
    let home = served_by(&daemon, ask("chat", &first)).await;
    for number in 0..8 {
        let question = format!("and {number}?");
        let next = turn(&[("user", "What is 6 times 7?"), ("assistant", "42"), ("user", &question)]);
        assert_eq!(served_by(&daemon, ask("chat", &next)).await, home);
        let explained = ask("chat", &next).header("x-planb-explain", "1");
        let told = explained.send(daemon.address()).await.expect(200).json();
        assert_eq!(told["conversation"]["model"], home.as_str());
        assert_eq!(told["conversation"]["stay"], "kept");
    }
    let by_name = |id: &str| ask("chat", &turn(&[("user", id)])).header("x-session-id", "s-1");
    let home = served_by(&daemon, by_name("a")).await;
    for text in ["b", "c", "d", "e", "f", "g"] {
        assert_eq!(served_by(&daemon, by_name(text)).await, home, "named by its header");
    }
    let (own, other) = if home == "dear" {
        ("dear", "cheap")
    } else {
        ("cheap", "dear")
    };
    let plan = format!("name: out, when: 'true', avoid: 'model.name == \"{own}\"'");
    daemon.edit(&policy.clone().plan(&plan)).await;
    daemon.when_plan("out", true).await;
    let answer = by_name("h").send(daemon.address()).await.expect(200);
    assert_eq!(answer.header("x-planb-model"), Some(other));
    let decision = daemon.decision(&answer).await;
    let excluded = decision["excluded"].to_string();
    assert!(excluded.contains("the conversation leaves it"), "{excluded}");
    daemon.edit(&policy).await;
    for text in ["i", "j", "k"] {
        assert_eq!(
            served_by(&daemon, by_name(text)).await,
            other,
            "nothing moves back while its cache is warm"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_tool_loop_is_answered_by_the_model_that_made_the_call() {
    let three = Three::start().await;
    // The first question is long, so that the free model, whose context is small, is out.
    let policy = three
        .policy()
        .model_line(
            "small",
            "provider: home, name: tiny-2, supply: local, context: 3k, max_output: 1k",
        )
        .route("name: chat, try: [dear, small], pick: cheapest");
    let daemon = Daemon::start(&policy).await;
    let long = "word ".repeat(4_000);
    let named = |messages: &Value| ask("chat", messages).header("x-session-id", "loop");
    assert_eq!(served_by(&daemon, named(&turn(&[("user", &long)]))).await, "dear");
    let calls = json!({"messages": [{"role": "user", "content": "short"},
        {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "7"}]});
    assert_eq!(served_by(&daemon, named(&calls)).await, "dear");
    let over = turn(&[("user", "short"), ("assistant", "7"), ("user", "thanks")]);
    assert_eq!(
        served_by(&daemon, named(&over)).await,
        "small",
        "a loop that is closed holds nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cheapest_is_reckoned_with_the_cache_that_moving_would_lose() {
    let three = Three::start().await;
    three.alpha.answers("42", Usage::new(4_000, 20));
    let policy = three
        .policy()
        .model_line("cached", "provider: alpha, name: m-1, supply: licensed, context: 128k, price: {input: 2 USD/M, cache_read: 0.1 USD/M, output: 1 USD/M}")
        .model_line("plain", "provider: beta, name: m-2, supply: competitor, context: 3k, max_output: 1k, price: {input: 1 USD/M, output: 1 USD/M}")
        .route("name: chat, try: [cached, plain], pick: cheapest");
    let daemon = Daemon::start(&policy).await;
    let (long, short) = ("word ".repeat(4_000), "word ".repeat(800));
    let named = |text: &str, id: &str| ask("chat", &turn(&[("user", text)])).header("x-session-id", id);
    assert_eq!(
        served_by(&daemon, named(&long, "c-1")).await,
        "cached",
        "too long for the other"
    );
    assert_eq!(
        served_by(&daemon, named(&short, "c-1")).await,
        "cached",
        "its prompt is there"
    );
    assert_eq!(
        served_by(&daemon, named(&short, "c-2")).await,
        "plain",
        "nothing is cached yet"
    );
}
