//! Alerts: signed, at least once with the same id, and only what the policy asks for.

use crate::support::{Daemon, Policy, Sink, Upstream, cents, one_cent};

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
