//! Live signals: what plans read is true of the running daemon, and what requests are told apart by is found once.

use crate::support::{
    COMPETITOR, Call, Daemon, Home, LICENSED, Policy, Price, Reply, Upstream, Usage, completion, fault, one_cent, until,
};
use serde_json::{Value, json};

/// The value of a metric's series whose labels contain all these words.
fn metric(text: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let line = text.lines().find(|line| {
        let named = line.starts_with(&format!("{name}{{")) || line.starts_with(&format!("{name} "));
        named && labels.iter().all(|label| line.contains(label))
    })?;
    line.rsplit(' ').next()?.parse().ok()
}

async fn evaluated(daemon: &Daemon, environment: &str) -> f64 {
    let text = daemon.get("/metrics").await.text();
    metric(&text, "planb_condition_evaluations_total", &[environment]).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_steady_state_evaluate_no_condition() {
    let (first, second) = (
        Upstream::start("alpha", Price::LIST).await,
        Upstream::start("beta", Price::CHEAP).await,
    );
    let policy = Policy::two(&first, &second)
        .budget(
            "gold",
            "limit: 5 USD, per: day, covers: 'tag.tier == \"gold\" && route == \"chat\"'",
        )
        .budget("hosted", "limit: 5 USD, per: day, covers: 'model.supply != \"local\"'")
        .plan("name: spare, when: 'hour < 24', avoid: 'model.name == \"first\" && tag.tier != \"gold\"'");
    let daemon = Daemon::start(&policy).await;
    daemon.when_plan("spare", true).await;
    let body = json!({"model": "chat", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5});
    let ask = |tier: &'static str| {
        let call = Call::chat(&body).header("x-planb-tags", &format!("tier={tier}"));
        let to = daemon.address();
        async move { call.send(to).await.expect(200) }
    };
    assert_eq!(ask("gold").await.header("x-planb-model"), Some("first"));
    assert_eq!(ask("tin").await.header("x-planb-model"), Some("second"));
    // What the daemon finds out at its start may come after its first requests.
    until("twenty requests of each evaluate nothing", || async {
        let before = evaluated(&daemon, "selector").await;
        for _ in 0..20 {
            assert_eq!(ask("gold").await.header("x-planb-model"), Some("first"));
            assert_eq!(ask("tin").await.header("x-planb-model"), Some("second"));
        }
        let more = evaluated(&daemon, "selector").await - before;
        if more == 0.0 { Ok(()) } else { Err(more.to_string()) }
    })
    .await;
    let before = evaluated(&daemon, "selector").await;
    ask("new").await;
    assert!(
        evaluated(&daemon, "selector").await > before,
        "a new caller is asked about"
    );
    assert!(evaluated(&daemon, "state").await > 0.0);
    let gold = daemon.settled("gold").await;
    assert!(gold.posted > 0 && gold.posted < daemon.settled("hosted").await.posted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_of_errors_activates_a_plan_and_shows_as_a_metric() {
    let (first, second) = (
        Upstream::start("alpha", Price::LIST).await,
        Upstream::start("beta", Price::CHEAP).await,
    );
    first.always(fault::error(500, "server_error", &[]));
    let policy = Policy::two_with(&first, &second, "breaker: none, cooldown: none")
        .plan("name: shaky, when: 'provider(\"alpha\").error_rate > 0.5', avoid: 'model.provider == \"alpha\"'");
    let daemon = Daemon::start(&policy).await;
    let before = daemon.plan("shaky").await;
    assert_eq!(before["why"], "provider(\"alpha\").error_rate is not known yet");
    for _ in 0..10 {
        daemon.chat(&one_cent()).await.expect(200);
    }
    let active = daemon.when_plan("shaky", true).await;
    assert_eq!(active["why"], "provider(\"alpha\").error_rate = 1");
    let calls = first.count();
    let answer = daemon.chat(&one_cent()).await.expect(200);
    assert_eq!((answer.header("x-planb-plan"), first.count()), (Some("shaky"), calls));
    let text = daemon.get("/metrics").await.text();
    let labels = ["of=\"provider\"", "name=\"alpha\"", "signal=\"error_rate\""];
    assert_eq!(metric(&text, "planb_signal", &labels), Some(1.0));
    assert_eq!(metric(&text, "planb_signal_stale", &labels), Some(0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_says_of_its_quota_is_a_signal() {
    let (first, second) = (
        Upstream::start("alpha", Price::LIST).await,
        Upstream::start("beta", Price::CHEAP).await,
    );
    let body = completion("m", "hi", Usage::new(10, 5)).to_string();
    let headers = [
        ("content-type", "application/json"),
        ("x-ratelimit-limit-tokens", "1000"),
        ("x-ratelimit-remaining-tokens", "40"),
        ("x-ratelimit-reset-tokens", "4m0s"),
    ];
    first.always(Reply::http(200, &headers, body));
    let policy = Policy::two(&first, &second)
        .plan("name: scarce, when: 'provider(\"alpha\").quota_left < 0.1', avoid: 'model.provider == \"alpha\"'");
    let daemon = Daemon::start(&policy).await;
    daemon.chat(&one_cent()).await.expect(200);
    let active = daemon.when_plan("scarce", true).await;
    assert_eq!(active["why"], "provider(\"alpha\").quota_left = 0.04");
    let answer = daemon.chat(&one_cent()).await.expect(200);
    assert_eq!(answer.header("x-planb-model"), Some("second"));
    assert_eq!(daemon.status().await["stale"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_is_left_and_the_time_are_signals() {
    let (first, second) = (
        Upstream::start("alpha", Price::OUTPUT_ONLY).await,
        Upstream::start("beta", Price::CHEAP).await,
    );
    first.answers("A whole cent of words", Usage::new(10, 1_000));
    let policy = Policy::two(&first, &second)
        .budget("day", "limit: 1 USD, per: day")
        .plan("name: low, when: 'budget(\"day\").remaining < 0.995', avoid: 'model.name == \"first\"'")
        .plan("name: never, when: 'date < \"2020-01-01\" || weekday == \"none\".contains(\"x\")', avoid: 'true'");
    let wrong = daemon_refuses(&policy.text());
    assert!(wrong.contains("cannot stand between"), "{wrong}");
    let policy = Policy::two(&first, &second)
        .budget("day", "limit: 1 USD, per: day")
        .plan("name: low, when: 'budget(\"day\").remaining < 0.995', avoid: 'model.name == \"first\"'")
        .plan("name: now, when: 'date > \"2020-01-01\" && hour >= 0', avoid: 'false'");
    let daemon = Daemon::start(&policy).await;
    daemon.when_plan("now", true).await;
    assert_eq!(daemon.plan("low").await["why"], "budget(\"day\").remaining = 1");
    daemon.chat(&one_cent()).await.expect(200);
    let low = daemon.when_plan("low", true).await;
    assert_eq!(low["why"], "budget(\"day\").remaining = 0.99");
}

fn daemon_refuses(text: &str) -> String {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let checked = crate::support::run(&["check", file.path().to_str().unwrap()]);
    assert!(!checked.status.success());
    format!(
        "{}{}",
        String::from_utf8_lossy(&checked.stdout),
        String::from_utf8_lossy(&checked.stderr)
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_over_a_route_finds_its_spend_again() {
    let (first, second) = (
        Upstream::start("alpha", Price::LIST).await,
        Upstream::start("beta", Price::CHEAP).await,
    );
    let policy = Policy::two(&first, &second).route("name: code, try: [second]");
    let daemon = Daemon::start(&policy).await;
    let ask = |route: &str| json!({"model": route, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5});
    daemon.chat(&ask("chat")).await.expect(200);
    daemon.chat(&ask("code")).await.expect(200);
    daemon
        .edit(&policy.budget("code", "limit: 1 USD, per: day, covers: 'route == \"code\"'"))
        .await;
    // Beta alone serves that route.
    daemon.posted("code", second.invoice()).await;
}

/// A model of a cent a request and one of a tenth of it.
async fn dear_and_cheap() -> (Upstream, Upstream) {
    let dear = Upstream::start("alpha", Price::OUTPUT_ONLY).await;
    let tenth = Price {
        output: Price::OUTPUT_ONLY.output / 10,
        ..Price::OUTPUT_ONLY
    };
    let cheap = Upstream::start("beta", tenth).await;
    for upstream in [&dear, &cheap] {
        upstream.answers("A thousand words", Usage::new(10, 1_000));
    }
    (dear, cheap)
}

async fn forecast(daemon: &Daemon) -> Value {
    daemon.json("/planb/budgets").await["budgets"][0]["forecast"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forecast_counts_what_the_first_choice_would_have_cost_and_stands_a_restart() {
    let (dear, cheap) = dear_and_cheap().await;
    let policy = Policy::two(&dear, &cheap)
        .budget("month", "limit: 1 USD, per: month, enforce: soft")
        .plan(
            "name: austerity, when: 'budget(\"month\").forecast > 0.9', until: 'budget(\"month\").forecast < 0.5', \
             at_least: 0s, avoid: 'model.name == \"first\"'",
        );
    let mut daemon = Daemon::start(&policy).await;
    for _ in 0..99 {
        daemon.chat(&one_cent()).await.expect(200);
    }
    assert_eq!(forecast(&daemon).await, Value::Null, "too little was seen");
    daemon.chat(&one_cent()).await.expect(200);
    daemon.when_plan("austerity", true).await;
    for _ in 0..50 {
        let answer = daemon.chat(&one_cent()).await.expect(200);
        assert_eq!(answer.header("x-planb-model"), Some("second"));
    }
    let spent = daemon.settled("month").await.posted;
    assert_eq!(spent, 100 * crate::support::CENT + 50 * crate::support::CENT / 10);
    let before = forecast(&daemon).await.as_f64().unwrap();
    assert!(before >= 1.5, "all 150 count as dear: {before}");
    assert_eq!(daemon.plan("austerity").await["active"], true);
    daemon.sigterm().await;
    daemon.restart().await;
    let after = daemon
        .when("/planb/budgets", "the forecast", |view| {
            view["budgets"][0]["forecast"].is_number()
        })
        .await;
    let after = after["budgets"][0]["forecast"].as_f64().unwrap();
    assert!((after / before - 1.0).abs() < 0.05, "{before} before, {after} after");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_a_budget_refuses_count_in_its_forecast() {
    let (dear, cheap) = dear_and_cheap().await;
    let policy = Policy::two(&dear, &cheap).budget("month", "limit: 0.1 USD, per: month");
    let daemon = Daemon::start(&policy).await;
    for _ in 0..120 {
        daemon.chat(&one_cent()).await;
    }
    assert!(daemon.settled("month").await.posted <= 10 * crate::support::CENT);
    let forecast = forecast(&daemon).await.as_f64().unwrap();
    assert!(forecast >= 11.0, "a cent each, twelve times the limit: {forecast}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_million_tokens_cost_and_how_that_changed_are_signals() {
    let (dear, cheap) = dear_and_cheap().await;
    let policy = Policy::two(&dear, &cheap)
        .budget("day", "limit: 10 USD, per: day")
        .plan("name: burning, when: 'budget(\"day\").burn > 0.009', avoid: 'false'")
        .plan("name: dearer, when: 'model(\"first\").unit_cost > 5 * model(\"second\").unit_cost', avoid: 'false'")
        .plan("name: shock, when: 'model(\"second\").price_change > 1.5', avoid: 'model.name == \"second\"'");
    let daemon = Daemon::start(&policy).await;
    let dearer = daemon.when_plan("dearer", true).await;
    assert_eq!(
        dearer["why"], "model(\"first\").unit_cost = 2.5, model(\"second\").unit_cost = 0.25",
        "a quarter of the tokens before any request is output"
    );
    daemon.chat(&one_cent()).await.expect(200);
    daemon.when_plan("burning", true).await;
    assert_eq!(daemon.plan("shock").await["active"], false);
    let text = policy
        .text()
        .replacen("output: 1.000000000 USD/M", "output: 2.000000000 USD/M", 1);
    assert_ne!(text, policy.text());
    std::fs::write(daemon.home.policy(), text).unwrap();
    let shock = daemon.when_plan("shock", true).await;
    assert_eq!(shock["why"], "model(\"second\").price_change = 2");
}

#[tokio::test(flavor = "multi_thread")]
async fn prepaid_money_is_asked_for_where_the_vendor_tells_it() {
    let bank = Upstream::start("bank", Price::LIST).await;
    let told = json!({"is_available": true, "balance_infos": [
        {"currency": "CNY", "total_balance": "50.00", "granted_balance": "0.00", "topped_up_balance": "50.00"},
        {"currency": "USD", "total_balance": "3.00", "granted_balance": "0.00", "topped_up_balance": "3.00"},
    ]});
    bank.tells_balance(told);
    let second = Upstream::start("beta", Price::CHEAP).await;
    let url = bank.base_url();
    let policy = Policy::new()
        .provider_line(
            "bank",
            &format!("vendor: deepseek, base_url: \"{url}\", api_key: file:bank.key"),
        )
        .file("bank.key", &bank.key)
        .provider(&second, "")
        .model("first", &bank, LICENSED)
        .model("second", &second, COMPETITOR)
        .route("name: chat, try: [first, second]")
        .budget("day", "limit: 10 USD, per: day")
        .plan("name: poor, when: 'provider(\"bank\").balance < 20', avoid: 'model.provider == \"bank\"'");
    let daemon = with("rates: {CNY: 0.14 USD}", &policy).await;
    let poor = daemon.when_plan("poor", true).await;
    assert_eq!(poor["why"], "provider(\"bank\").balance = 10");
    assert_eq!(
        daemon.chat(&one_cent()).await.expect(200).header("x-planb-model"),
        Some("second")
    );
}

/// A policy with one more line at its top.
async fn with(line: &str, policy: &Policy) -> Daemon {
    let home = Home::new(policy);
    std::fs::write(home.policy(), format!("{line}\n{}", policy.text())).unwrap();
    Daemon::start_in(home, &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_licence_that_nears_its_end_and_labels_decide_who_serves() {
    let (first, second) = (
        Upstream::start("alpha", Price::LIST).await,
        Upstream::start("beta", Price::CHEAP).await,
    );
    let policy = Policy::new()
        .provider(&first, "")
        .provider(&second, "")
        .model(
            "first",
            &first,
            &format!("{LICENSED}, license: deal, labels: [dear, ours]"),
        )
        .model("second", &second, COMPETITOR)
        .route("name: chat, try: [first, second]")
        .plan("name: ending, when: 'license(\"deal\").days_left < 100000', avoid: '\"dear\" in model.labels'")
        .plan("name: full, when: 'license(\"deal\").seats > 0.9', avoid: 'model.license == \"deal\"'");
    let daemon = with(
        "licenses: {deal: {expires: 2199-01-31, seats: {max: 10, declared: 5}}}",
        &policy,
    )
    .await;
    let ending = daemon.when_plan("ending", true).await;
    assert!(
        ending["why"]
            .as_str()
            .unwrap()
            .starts_with("license(\"deal\").days_left = ")
    );
    let full = daemon.plan("full").await;
    assert_eq!(
        (&full["active"], &full["why"]),
        (&json!(false), &json!("license(\"deal\").seats = 0.5"))
    );
    assert_eq!(
        daemon.chat(&one_cent()).await.expect(200).header("x-planb-model"),
        Some("second")
    );
}
