//! Alerts: signed, at least once with the same id, and only what the policy asks for.

use crate::support::{Call, Daemon, Policy, Price, Reply, Sink, Upstream, Usage, cents, one_cent};
use serde_json::json;

fn policy(upstream: &Upstream) -> Policy {
    Policy::one(upstream)
        .budget("month", "limit: 0.1 USD, per: month, alert_at: [50%]")
        .plan("name: austerity, when: 'budget(\"month\").used > 0.5', change: {chat: {pick: cheapest}}")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_a_signed_standard_webhook() {
    let upstream = cents().await;
    let sink = Sink::start().await;
    let daemon = Daemon::start(&policy(&upstream).alert(&sink, "budget")).await;
    for _ in 0..5 {
        daemon.chat(&one_cent()).await.expect(200);
    }
    let delivery = sink.got("budget.threshold", 1).await;
    assert!(delivery.genuine);
    assert!(!delivery.id.is_empty() && !delivery.id.contains('.'), "{}", delivery.id);
    delivery.body["timestamp"]
        .as_str()
        .unwrap()
        .parse::<jiff::Timestamp>()
        .unwrap();
    assert!(delivery.body["data"].is_object());
    let body = delivery.body.to_string();
    assert!(!body.contains(&upstream.key) && !body.contains(&sink.secret));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_fails_is_repeated_with_the_same_id_and_body() {
    let upstream = cents().await;
    let sink = Sink::start().await;
    sink.fail(1);
    let daemon = Daemon::start(&policy(&upstream).alert(&sink, "budget.threshold")).await;
    for _ in 0..5 {
        daemon.chat(&one_cent()).await.expect(200);
    }
    let accepted = sink.got("budget.threshold", 1).await;
    let tries = sink.deliveries();
    let statuses: Vec<_> = tries.iter().map(|one| one.status).collect();
    assert!(statuses.starts_with(&[500, 200]), "{statuses:?}");
    for one in &tries {
        assert!(one.genuine, "each try is signed anew");
        assert_eq!((&one.id, &one.body), (&accepted.id, &accepted.body));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_target_gets_the_events_it_asked_for_and_no_others() {
    let upstream = cents().await;
    let (budgets, activated, all) = (Sink::start().await, Sink::start().await, Sink::start().await);
    let policy = policy(&upstream)
        .alert(&budgets, "budget")
        .alert(&activated, "plan.activated")
        .alert(&all, "\"*\"");
    let daemon = Daemon::start(&policy).await;
    for _ in 0..6 {
        daemon.chat(&one_cent()).await.expect(200);
    }
    daemon.when_plan("austerity", true).await;
    activated.got("plan.activated", 1).await;
    budgets.got("budget.threshold", 1).await;
    daemon.edit(&policy.clone().route("name: more, try: [only]")).await;
    for event in ["budget.threshold", "plan.activated", "policy.reloaded"] {
        assert!(all.got(event, 1).await.genuine);
    }
    assert!(budgets.deliveries().iter().all(|one| one.event.starts_with("budget.")));
    assert!(activated.deliveries().iter().all(|one| one.event == "plan.activated"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_has_one_id_for_one_target() {
    let upstream = cents().await;
    let sink = Sink::start().await;
    let daemon = Daemon::start(&policy(&upstream).alert(&sink, "\"*\"")).await;
    for _ in 0..10 {
        daemon.chat(&one_cent()).await.expect(200);
    }
    sink.got("budget.exhausted", 1).await;
    sink.got("plan.activated", 1).await;
    let mut ids: Vec<_> = sink.deliveries().into_iter().map(|one| (one.event, one.id)).collect();
    ids.sort();
    // Whose answer came too late is sent again, under its own id.
    ids.dedup();
    let all = ids.len();
    ids.dedup_by(|a, b| a.1 == b.1);
    assert_eq!(ids.len(), all, "every event its own id: {ids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed_and_counts_as_a_failure() {
    let upstream = cents().await;
    let (trap, target) = (Sink::start().await, Sink::start().await);
    trap.redirect(&target.url());
    let daemon = Daemon::start(&policy(&upstream).alert(&trap, "budget.threshold")).await;
    for _ in 0..5 {
        daemon.chat(&one_cent()).await.expect(200);
    }
    // A second try means that the first one is over.
    crate::support::until("the delivery is tried again", || async {
        let tries = trap.deliveries().len();
        if tries >= 2 { Ok(()) } else { Err(tries.to_string()) }
    })
    .await;
    assert!(target.deliveries().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn much_that_is_held_is_told_once_a_period_also_over_a_restart() {
    let upstream = Upstream::start("alpha", Price::OUTPUT_ONLY).await;
    upstream.script(|seen| match seen.json()["x_breaks_off"] == true {
        true => Reply::default()
            .send("HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{")
            .close(),
        false => crate::support::upstream::answer("Hello", Usage::new(10, 100))(seen),
    });
    let sink = Sink::start().await;
    let policy = Policy::one_with(&upstream, "breaker: none, cooldown: none")
        .route("name: once, try: [only], limits: {attempts: 1}")
        .budget("month", "limit: 0.2 USD, per: month, held: keep")
        .alert(&sink, "budget.held");
    let mut daemon = Daemon::start(&policy).await;
    daemon.chat(&one_cent()).await.expect(200);
    let mut broken = one_cent();
    (broken["x_breaks_off"], broken["model"]) = (true.into(), "once".into());
    daemon.chat(&broken).await;
    let told = sink.got("budget.held", 1).await;
    let data = &told.body["data"];
    assert_eq!(
        (&data["budget"], &data["held"]),
        (&json!("month"), &json!("0.01")),
        "{data}"
    );
    assert_eq!(data["held_share"], 0.05);
    daemon.sigterm().await;
    daemon.restart().await;
    daemon.chat(&broken).await;
    let held = |budgets: &serde_json::Value| budgets["budgets"][0]["held"] == "0.02";
    daemon.when("/planb/budgets", "more is held", held).await;
    daemon.gauge("planb_budget_held_ratio{name=\"month\"}", 0.1).await;
    assert_eq!(sink.accepted("budget.held").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_has_all_its_keys_says_so_once() {
    let upstream = cents().await;
    let sink = Sink::start().await;
    let policy = Policy::one(&upstream)
        .budget("teams", "limit: 1 USD, per: month, each: tag.team")
        .alert(&sink, "budget.keys_full");
    let mut daemon = Daemon::start(&policy).await;
    let to = daemon.address();
    let ask = |team: &str| Call::chat(&one_cent()).header("x-planb-tags", &format!("team={team}"));
    ask("first").send(to).await.expect(200);
    daemon.sigterm().await;
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9998)
                INSERT INTO accounts (pool, key, posted, held, overdraft) SELECT p.id, 'team' || n.i, 0, 0, 0 FROM n, pools p";
    let ledger = rusqlite::Connection::open(daemon.ledger().path().unwrap()).unwrap();
    assert_eq!(ledger.execute(fill, []).unwrap(), 9_998);
    drop(ledger);
    daemon.restart().await;
    let to = daemon.address();
    ask("first").send(to).await.expect(200);
    daemon.gauge("planb_budget_keys{name=\"teams\"}", 9_999).await;
    for team in ["last", "stranger", "another"] {
        ask(team).send(to).await.expect(200);
    }
    let told = sink.got("budget.keys_full", 1).await;
    let data = &told.body["data"];
    assert_eq!(
        (&data["budget"], &data["key"]),
        (&json!("teams"), &json!(null)),
        "{data}"
    );
    let budgets = daemon.json("/planb/budgets").await;
    let other = budgets["budgets"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["key"] == "(other)");
    assert_eq!(other.unwrap()["posted"], "0.02", "strangers share one");
    assert_eq!(sink.accepted("budget.keys_full").len(), 1);
}
