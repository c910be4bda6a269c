//! Shadow traffic: copies that another model gets, and of which no client meets anything.

use crate::support::{COMPETITOR, Call, Daemon, Gate, LICENSED, Policy, Price, Reply, Upstream, Usage, sse, until};
use serde_json::{Value, json};

fn hello(stream: bool) -> Value {
    json!({"model": "chat", "max_tokens": 50, "stream": stream, "temperature": 0.3,
           "messages": [{"role": "user", "content": "Say hello."}]})
}

struct Pair {
    served: Upstream,
    shadow: Upstream,
}

impl Pair {
    async fn start() -> Self {
        Self {
            served: Upstream::start("alpha", Price::LIST).await,
            shadow: Upstream::start("beta", Price::LIST).await,
        }
    }

    /// `mirror` are the words of the route's, but for its model.
    fn policy(&self, mirror: &str, budget: &str) -> Policy {
        self.with(mirror, budget, "", "")
    }

    fn with(&self, mirror: &str, budget: &str, provider: &str, model: &str) -> Policy {
        Policy::new()
            .provider(&self.served, "")
            .provider(&self.shadow, provider)
            .model("first", &self.served, LICENSED)
            .model("second", &self.shadow, &format!("{COMPETITOR}{model}"))
            .route(&format!(
                "name: chat, try: [first], need: {{quality: 75}}, mirror: {{model: second, {mirror}, budget: shadow}}"
            ))
            .budget("all", "limit: 100 USD, per: day")
            .budget("shadow", budget)
    }
}

const ALL: &str = "share: 100%";
const AMPLE: &str = "limit: 100 USD, per: day";

/// Waits until so many copies had this outcome.
async fn mirrored(daemon: &Daemon, outcome: &str, count: usize) {
    let line = format!("planb_mirrors_total{{route=\"chat\",model=\"second\",outcome=\"{outcome}\"}} {count}");
    until(&line, || async {
        let text = daemon.get("/metrics").await.text();
        let seen = || {
            text.lines()
                .filter(|known| known.contains("planb_mirrors_total{"))
                .collect()
        };
        if text.lines().any(|known| known == line) {
            Ok(())
        } else {
            Err(seen())
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_goes_to_the_mirror_on_its_own_budget_and_the_client_meets_nothing_of_it() {
    let pair = Pair::start().await;
    let shape = ", clamp: {temperature: {max: 0.1}}, strip: [seed]";
    let daemon = Daemon::start(&pair.with(ALL, AMPLE, "", shape)).await;
    for (number, stream) in [false, true].into_iter().enumerate() {
        let answer = daemon.chat(&hello(stream)).await.expect(200);
        let heard = if stream {
            sse::hear(&answer.body).text()
        } else {
            answer.content()
        };
        assert_eq!(heard, "Hello from alpha.");
        assert_eq!(answer.header("x-planb-attempts"), Some("1"));
        assert_eq!(answer.header("x-planb-model"), Some("first"));
        mirrored(&daemon, "ok", number + 1).await;
        let copy = pair.shadow.last().json();
        assert_eq!(
            (&copy["model"], &copy["stream"]),
            (&json!("beta-model"), &json!(stream))
        );
        assert_eq!(copy["temperature"], 0.1, "shaped for the mirror's model");
        assert_eq!(pair.served.last().json()["temperature"], 0.3);
        let decision = daemon.decision(&answer).await;
        assert_eq!(
            (&decision["chosen"], &decision["outcome"]),
            (&json!("first"), &json!("ok"))
        );
        let path = format!("/planb/decisions/{}", decision["id"].as_str().unwrap());
        let both = daemon
            .when(&path, "both are recorded", |told| {
                told["attempts"].as_array().unwrap().len() == 2
            })
            .await;
        let (served, shadow) = (&both["attempts"][0], &both["attempts"][1]);
        assert_eq!((&served["mirror"], &served["number"]), (&Value::Null, &json!(1)));
        assert_eq!((&shadow["mirror"], &shadow["number"]), (&json!("shadow"), &json!(0)));
        assert_eq!(both["cost"], served["cost"], "the client's cost is that of its answer");
    }
    assert_eq!(daemon.settled("all").await.posted, pair.served.invoice());
    assert_eq!(daemon.settled("shadow").await.posted, pair.shadow.invoice());
    let spend = daemon.cli(&["spend", "--by", "model", "--format", "json"]);
    let spend: Value = serde_json::from_slice(&spend.stdout).unwrap();
    let row = |name| crate::support::daemon::named(&spend["rows"], name);
    let counted = |row: Value| (row["requests"].as_i64(), row["attempts"].as_i64());
    assert_eq!(counted(row("first")), (Some(2), Some(2)));
    assert_eq!(counted(row("second")), (Some(0), Some(2)), "copies are no requests");
    let metrics = daemon.get("/metrics").await.text();
    assert!(
        metrics.contains("planb_requests_total{route=\"chat\",outcome=\"ok\"} 2"),
        "copies are no requests"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_mirrored_when_its_budget_is_spent_and_clients_go_on() {
    let pair = Pair::start().await;
    pair.shadow.answers("Hello.", Usage::new(10, 50));
    let daemon = Daemon::start(&pair.policy(ALL, "limit: 0.0006 USD, per: day")).await;
    daemon.chat(&hello(false)).await.expect(200);
    mirrored(&daemon, "ok", 1).await;
    daemon.chat(&hello(false)).await.expect(200);
    mirrored(&daemon, "budget", 1).await;
    assert_eq!((pair.served.count(), pair.shadow.count()), (2, 1));
    let explained = Call::chat(&hello(false))
        .header("x-planb-explain", "1")
        .send(daemon.address())
        .await
        .json();
    assert_eq!(
        (&explained["mirror"]["share"], &explained["mirror"]["reason"]),
        (&json!(1.0), &json!("budget"))
    );
    assert_eq!(daemon.settled("shadow").await.posted, pair.shadow.invoice());
    assert_eq!(daemon.settled("all").await.posted, pair.served.invoice());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_or_failing_mirror_delays_and_fails_nobody() {
    let pair = Pair::start().await;
    let gate = Gate::new();
    let held = gate.clone();
    let whole = crate::support::completion("beta-model", "Late.", Usage::new(10, 5));
    pair.shadow
        .script(move |_| Reply::json(200, &whole).behind(&held).billed(Usage::new(10, 5)));
    let daemon = Daemon::start(&pair.policy(ALL, AMPLE)).await;
    for _ in 0..3 {
        daemon.chat(&hello(false)).await.expect(200);
    }
    pair.shadow.reached(3).await;
    daemon.in_flight(0).await;
    gate.open();
    mirrored(&daemon, "ok", 3).await;
    pair.shadow
        .always(Reply::json(500, &json!({"error": {"message": "down"}})));
    for stream in [false, true] {
        daemon.chat(&hello(stream)).await.expect(200);
    }
    mirrored(&daemon, "failed", 2).await;
    assert_eq!(daemon.settled("shadow").await.posted, pair.shadow.invoice());
    assert_eq!(daemon.settled("all").await.posted, pair.served.invoice());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_copies_are_under_way_and_a_stop_settles_them() {
    let pair = Pair::start().await;
    pair.shadow.always(Reply::silence());
    let mut daemon = Daemon::start(&pair.policy(ALL, AMPLE)).await;
    for _ in 0..34 {
        daemon.chat(&hello(false)).await.expect(200);
    }
    mirrored(&daemon, "busy", 2).await;
    pair.shadow.reached(32).await;
    daemon.sigterm().await;
    let ledger = daemon.ledger();
    let count = |sql: &str| -> i64 { ledger.query_row(sql, [], |row| row.get(0)).unwrap() };
    assert_eq!(
        count("SELECT count(*) FROM attempts WHERE mirror = 'shadow' AND outcome = 'cancelled' AND ended = 'held'"),
        32
    );
    assert_eq!(
        count("SELECT count(*) FROM attempts WHERE mirror = '' AND outcome = 'ok'"),
        34
    );
    assert_eq!(daemon.outstanding("shadow"), 0, "what was leased went back in order");
    assert!(!daemon.said().contains("could not be settled"), "{}", daemon.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_licences_and_a_share_stop_copies_too() {
    let pair = Pair::start().await;
    let policy = pair
        .policy(ALL, AMPLE)
        .plan("name: no-rival, when: 'hour >= 0', avoid: 'model.name == \"second\"'");
    let daemon = Daemon::start(&policy).await;
    daemon.when_plan("no-rival", true).await;
    daemon.chat(&hello(false)).await.expect(200);
    mirrored(&daemon, "plan", 1).await;
    let licensed = pair
        .with(ALL, AMPLE, "", ", license: lab")
        .license("lab", "uses: [research]");
    daemon.edit(&licensed).await;
    daemon.chat(&hello(false)).await.expect(200);
    mirrored(&daemon, "license", 1).await;
    let research = Call::chat(&hello(false)).header("x-planb-use", "research");
    research.send(daemon.address()).await.expect(200);
    mirrored(&daemon, "ok", 1).await;
    daemon.edit(&pair.policy("share: 20%", AMPLE)).await;
    for _ in 0..60 {
        daemon.chat(&hello(false)).await.expect(200);
    }
    daemon.settled("shadow").await;
    let copies = pair.shadow.count() - 1;
    assert!((1..45).contains(&copies), "{copies} of 60 at 20 %");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_budget_finds_requests_and_a_mirrors_finds_copies() {
    let pair = Pair::start().await;
    let daemon = Daemon::start(&pair.policy(ALL, AMPLE)).await;
    daemon.chat(&hello(false)).await.expect(200);
    mirrored(&daemon, "ok", 1).await;
    let edited = pair
        .policy(ALL, "limit: 100 USD, per: month")
        .budget("fresh", "limit: 100 USD, per: day");
    daemon.edit(&edited).await;
    assert_eq!(daemon.settled("fresh").await.posted, pair.served.invoice());
    assert_eq!(daemon.settled("shadow").await.posted, pair.shadow.invoice());
    daemon
        .edit(&pair.policy(ALL, AMPLE).budget("fresh", "limit: 50 USD, per: month"))
        .await;
    assert_eq!(daemon.settled("fresh").await.posted, pair.served.invoice());
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_leave_half_of_a_limit_and_what_was_served_there_is_not_copied() {
    let pair = Pair::start().await;
    let daemon = Daemon::start(&pair.with(ALL, AMPLE, "limits: {requests: 4/day}", "")).await;
    for _ in 0..4 {
        daemon.chat(&hello(false)).await.expect(200);
    }
    mirrored(&daemon, "ok", 2).await;
    mirrored(&daemon, "limited", 2).await;
    let both = Policy::two(&pair.served, &pair.shadow)
        .route("name: back, try: [second, first], mirror: {model: second, share: 100%, budget: shadow}")
        .budget("shadow", AMPLE);
    daemon.edit(&both).await;
    let mut body = hello(false);
    body["model"] = "back".into();
    let answer = daemon.chat(&body).await.expect(200);
    assert_eq!(answer.header("x-planb-model"), Some("second"));
    assert_eq!(daemon.settled("shadow").await.posted, pair.shadow.invoice() / 3 * 2);
}
