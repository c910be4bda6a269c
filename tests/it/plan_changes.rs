//! What an active plan changes of a route, as the client and the provider see it.

use crate::support::{COMPETITOR, Daemon, LICENSED, LOCAL, Policy, Price, Upstream, Usage, one_cent};
use serde_json::{Value, json};

struct Models {
    first: Upstream,
    second: Upstream,
    home: Upstream,
}

impl Models {
    async fn start() -> Self {
        let first = Upstream::start("alpha", Price::OUTPUT_ONLY).await;
        first.answers("A whole cent of words", Usage::new(10, 1_000));
        Self {
            first,
            second: Upstream::start("beta", Price::CHEAP).await,
            home: Upstream::start("home", Price::FREE).await,
        }
    }

    /// Two routes over three models, and a plan that is switched by hand.
    fn policy(&self, change: &str) -> Policy {
        Policy::new()
            .provider(&self.first, "")
            .provider(&self.second, "")
            .provider(&self.home, "")
            .model("dear", &self.first, LICENSED)
            .model("cheap", &self.second, COMPETITOR)
            .model("tiny", &self.home, LOCAL)
            .route("name: chat, try: [dear, cheap, tiny]")
            .route("name: paid, try: [dear, cheap]")
            .budget("month", "limit: 100 USD, per: month")
            .plan(&format!("name: change, when: 'budget(\"month\").used > 5.0', {change}"))
    }

    async fn active(&self, change: &str) -> Daemon {
        let daemon = Daemon::start(&self.policy(change)).await;
        assert!(daemon.cli(&["plan", "activate", "change"]).status.success());
        daemon
    }
}

fn to(route: &str) -> Value {
    let mut request = one_cent();
    request["model"] = json!(route);
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_tries_other_models_first_and_keeps_the_rest() {
    let models = Models::start().await;
    let change = "change: {chat: {try: ['model.supply == \"local\"', cheap]}}";
    let daemon = models.active(change).await;
    let answer = daemon.chat(&to("chat")).await.expect(200);
    assert_eq!(answer.header("x-planb-model"), Some("tiny"));
    assert_eq!(
        (answer.header("x-planb-plan"), answer.header("x-planb-degraded")),
        (Some("change"), Some("true"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_all_routes_comes_before_what_is_said_of_one() {
    let models = Models::start().await;
    let change = "change: {paid: {shed: The paid queue is closed.}, \"*\": {try: [cheap], limits: {attempts: 1}}}";
    let daemon = models.active(change).await;
    assert_eq!(
        daemon.chat(&to("chat")).await.expect(200).header("x-planb-model"),
        Some("cheap")
    );
    let refused = daemon.chat(&to("paid")).await.expect(503);
    assert_eq!(refused.json()["error"]["message"], "The paid queue is closed.");
    // One attempt is all there is.
    models
        .second
        .always(crate::support::fault::error(500, "server_error", &[]));
    let before = models.first.count() + models.home.count();
    daemon.chat(&to("chat")).await.expect(502);
    assert_eq!(models.first.count() + models.home.count(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_caps_output_and_cost() {
    let models = Models::start().await;
    let daemon = models
        .active("change: {chat: {limits: {output: 100}, cap_output: true}, paid: {limits: {cost: 0.001 USD}}}")
        .await;
    let answer = daemon.chat(&to("chat")).await.expect(200);
    assert_eq!(answer.header("x-planb-output-cap"), Some("100"));
    assert_eq!(models.first.last().json()["max_tokens"], 100);
    let answer = daemon.chat(&to("paid")).await.expect(200);
    assert_eq!(
        answer.header("x-planb-model"),
        Some("cheap"),
        "a whole cent is too much"
    );
    let excluded = daemon.decision(&answer).await["excluded"].clone();
    assert_eq!(
        (excluded[0]["model"].clone(), excluded[0]["reason"].clone()),
        (json!("dear"), json!("cost_cap"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_switches_thinking_off_where_the_model_can_and_says_where_it_cannot() {
    let local = Upstream::start("local", Price::FREE).await;
    let other = Upstream::start("other", Price::FREE).await;
    let line = |upstream: &Upstream, vendor: &str| {
        let (url, name) = (upstream.base_url(), &upstream.name);
        format!("vendor: {vendor}, base_url: \"{url}\", api_key: file:{name}.key")
    };
    let policy = Policy::new()
        .provider_line("local", &line(&local, "llama.cpp"))
        .provider_line("other", &line(&other, "openai-compatible"))
        .model_line(
            "thinker",
            &format!("provider: local, name: {}, supply: local", local.model()),
        )
        .model_line(
            "unknown",
            &format!("provider: other, name: {}, supply: local", other.model()),
        )
        .route("name: chat, try: [thinker, unknown]")
        .file("local.key", &local.key)
        .file("other.key", &other.key)
        .budget("month", "limit: 1 USD, per: month")
        .plan("name: calm, when: 'budget(\"month\").used > 5.0', change: {\"*\": {thinking: off}}");
    let daemon = Daemon::start(&policy).await;
    let mut request = one_cent();
    request["reasoning_effort"] = json!("high");
    request["chat_template_kwargs"] = json!({"enable_thinking": true, "style": "plain"});
    daemon.chat(&request).await.expect(200);
    assert_eq!(
        local.last().json()["reasoning_effort"],
        "high",
        "the client's own words, without the plan"
    );
    assert!(daemon.cli(&["plan", "activate", "calm"]).status.success());
    let answer = daemon.chat(&request).await.expect(200);
    assert_eq!(
        (answer.header("x-planb-plan"), answer.header("x-planb-degraded")),
        (Some("calm"), Some("true"))
    );
    let sent = local.last().json();
    assert_eq!(
        sent["chat_template_kwargs"],
        json!({"enable_thinking": false, "style": "plain"})
    );
    assert!(sent.get("reasoning_effort").is_none(), "{sent}");
    let explained = crate::support::Call::chat(&request)
        .header("x-planb-explain", "1")
        .send(daemon.address())
        .await
        .json();
    let said = |at: usize| explained["candidates"][at]["thinking"].clone();
    assert_eq!(
        (said(0), said(1)),
        (json!("switched off"), json!("cannot be switched off")),
        "{explained}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_lowers_a_need_and_picks_by_other_weights() {
    let models = Models::start().await;
    let policy = models
        .policy("avoid: 'model.supply != \"local\"', change: {good: {need: {quality: 0}}, shared: {pick: weighted, weights: {cheap: 1}}}")
        .route("name: good, try: [dear, tiny], need: {quality: 60}")
        .route("name: shared, try: [dear, cheap, tiny]");
    let daemon = Daemon::start(&policy).await;
    assert_eq!(
        daemon.chat(&to("good")).await.expect(200).header("x-planb-model"),
        Some("dear")
    );
    assert!(daemon.cli(&["plan", "activate", "change"]).status.success());
    assert_eq!(
        daemon.chat(&to("good")).await.expect(200).header("x-planb-model"),
        Some("tiny")
    );
    let explained = daemon.decision(&daemon.chat(&to("shared")).await.expect(200)).await;
    assert_eq!(explained["chosen"], "tiny");
    assert_eq!(explained["plans"], json!(["change"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_from_what_length_on_an_answer_is_worth_starting() {
    let models = Models::start().await;
    let policy = models
        .policy("change: {short: {min_output: 10}, long: {min_output: 3k}}")
        .route("name: short, try: [dear], limits: {cost: 0.001 USD}")
        .route("name: long, try: [dear], limits: {cost: 0.02 USD}");
    let daemon = Daemon::start(&policy).await;
    let stock = |route: &str| json!({"model": route, "messages": [{"role": "user", "content": "Hi."}]});
    let refused = daemon.chat(&stock("short")).await.expect_error(400);
    assert!(refused.text().contains("dear"), "{}", refused.text());
    daemon.chat(&stock("long")).await.expect(200);
    assert!(daemon.cli(&["plan", "activate", "change"]).status.success());
    let answer = daemon.chat(&stock("short")).await.expect(200);
    assert_eq!(answer.header("x-planb-output-cap"), Some("100"));
    assert_eq!(models.first.last().json()["max_tokens"], 100);
    let asked = models.first.count();
    let refused = daemon.chat(&stock("long")).await;
    assert!([400, 503].contains(&refused.status), "{}", refused.text());
    assert_eq!(models.first.count(), asked, "two cents buy 2k, which is less than 3k");
}
