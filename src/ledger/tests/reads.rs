//! What is read back: decisions, the outbox, plans, sums.

use super::*;
use crate::ledger::read::DecisionQuery;

#[tokio::test]
async fn a_decision_reads_back_at_once_with_its_attempts() {
    let (_directory, path) = place();
    let (ledger, _) = Ledger::open(&path, noon()).unwrap();
    ledger
        .send(Record::Attempt(Box::new(attempt(
            "d1",
            noon(),
            "a",
            EndKind::Posted,
            usd(420_000),
        ))))
        .await
        .unwrap();
    ledger
        .send(Record::Decision(Box::new(decision("d1", noon()))))
        .await
        .unwrap();
    ledger
        .send(Record::Decision(Box::new(decision(
            "d2",
            noon() + SignedDuration::from_secs(1),
        ))))
        .await
        .unwrap();
    let one = ledger.decision("d1".to_owned()).await.unwrap().unwrap();
    assert_eq!(
        (one.cost.as_str(), one.at.as_str(), one.attempts.len()),
        ("0.00042", "2026-11-23T12:00:00.000Z", 1)
    );
    assert_eq!(one.excluded[0]["reason"], "quality");
    let newest = ledger
        .decisions(DecisionQuery {
            limit: 10,
            ..Default::default()
        })
        .await
        .unwrap();
    assert_eq!(newest.iter().map(|d| d.id.as_str()).collect::<Vec<_>>(), ["d2", "d1"]);
    let other = DecisionQuery {
        limit: 10,
        route: Some("other".to_owned()),
        ..Default::default()
    };
    assert!(ledger.decisions(other).await.unwrap().is_empty());
    let since = DecisionQuery {
        limit: 10,
        since: Some(noon() + SignedDuration::from_millis(500)),
        ..Default::default()
    };
    assert_eq!(ledger.decisions(since).await.unwrap().len(), 1);
    assert_eq!(ledger.decision("none".to_owned()).await.unwrap(), None);
}

#[tokio::test]
async fn an_event_is_kept_once_and_delivered_to_each_target_by_itself() {
    let (_directory, path) = place();
    let (ledger, _) = Ledger::open(&path, noon()).unwrap();
    ledger.event(event("e1", Some("month/5000/2026-11"))).await.unwrap();
    ledger.event(event("e2", Some("month/5000/2026-11"))).await.unwrap();
    let due = ledger.due(noon(), 10).await.unwrap();
    assert_eq!(due.len(), 2, "one event, two targets");
    let delivery = |target: &str, delivery| Record::Delivery {
        event: "e1".into(),
        target: target.into(),
        delivery,
    };
    let later = noon() + SignedDuration::from_secs(60);
    ledger
        .send(delivery("hook", Delivery::Delivered { at: noon() }))
        .await
        .unwrap();
    let failed = Delivery::Failed {
        next_at: later,
        error: "503".to_owned(),
    };
    ledger.send(delivery("other", failed)).await.unwrap();
    assert!(ledger.due(noon(), 10).await.unwrap().is_empty());
    assert_eq!(ledger.next_due().await.unwrap(), Some(later));
    assert_eq!(ledger.due(later, 10).await.unwrap()[0].tries, 1);
    ledger
        .send(delivery(
            "other",
            Delivery::Dead {
                at: later,
                error: "410".to_owned(),
            },
        ))
        .await
        .unwrap();
    assert_eq!(ledger.next_due().await.unwrap(), None);
    ledger.close().await.unwrap();
    let (again, _) = Ledger::open(&path, noon()).unwrap();
    again.event(event("e3", Some("month/5000/2026-11"))).await.unwrap();
    assert!(
        again.due(later, 10).await.unwrap().is_empty(),
        "once, over restarts too"
    );
}

#[tokio::test]
async fn the_last_state_of_a_plan_is_restored() {
    let (_directory, path) = place();
    let (ledger, _) = Ledger::open(&path, noon()).unwrap();
    let plan = |active, manual| PlanRecord {
        plan: "austerity".into(),
        at: noon(),
        active,
        since: active.then(noon),
        why: "used = 0.83".to_owned(),
        manual,
        cause: "condition".into(),
        latched: false,
    };
    ledger.plan_changed(plan(false, None)).await.unwrap();
    let last = plan(
        true,
        Some(ManualRecord {
            active: true,
            until: Some(noon()),
        }),
    );
    ledger.plan_changed(last.clone()).await.unwrap();
    assert_eq!(ledger.plan_states().await.unwrap(), [last]);
}

#[tokio::test]
async fn toggles_count_since_a_latch_or_a_hand_and_the_history_has_them_all() {
    let (_directory, path) = place();
    let (ledger, _) = Ledger::open(&path, noon()).unwrap();
    let minute = |minute| noon() + jiff::SignedDuration::from_mins(minute);
    let at = |when, cause: &str, latched| PlanRecord {
        plan: "austerity".into(),
        at: when,
        active: true,
        since: Some(when),
        why: "why".to_owned(),
        manual: None,
        cause: cause.into(),
        latched,
    };
    for (when, cause, latched) in [
        (minute(1), "condition", false),
        (minute(2), "condition", true),
        (minute(3), "condition", false),
        (minute(4), "hand", false),
        (minute(5), "condition", false),
        (minute(6), "", false),
        (minute(7), "condition", false),
    ] {
        ledger.plan_changed(at(when, cause, latched)).await.unwrap();
    }
    let found = ledger.plan_toggles(noon()).await.unwrap();
    assert_eq!(
        found,
        [("austerity".into(), minute(5)), ("austerity".into(), minute(7))]
    );
    assert_eq!(
        ledger.plan_toggles(minute(5)).await.unwrap().len(),
        1,
        "older ones are over"
    );
    let history = ledger.plan_history("austerity".to_owned(), 6).await.unwrap();
    let causes: Vec<_> = history
        .iter()
        .map(|event| (event.cause.as_str(), event.flapping))
        .collect();
    assert_eq!(
        causes,
        [
            ("condition", false),
            ("", false),
            ("condition", false),
            ("hand", false),
            ("condition", false),
            ("condition", true)
        ]
    );
}

#[tokio::test]
async fn spend_adds_up_by_every_question() {
    let (_directory, path) = place();
    let (ledger, _) = Ledger::open(&path, noon()).unwrap();
    ledger
        .send(Record::Attempt(Box::new(attempt(
            "d1",
            noon(),
            "a",
            EndKind::Posted,
            usd(7),
        ))))
        .await
        .unwrap();
    ledger
        .send(Record::Attempt(Box::new(AttemptRecord {
            number: 2,
            ..attempt("d1", noon(), "a", EndKind::Held, usd(5))
        })))
        .await
        .unwrap();
    ledger
        .send(Record::Attempt(Box::new(attempt(
            "d2",
            noon(),
            "b",
            EndKind::Posted,
            usd(2),
        ))))
        .await
        .unwrap();
    ledger
        .send(Record::Decision(Box::new(decision("d1", noon()))))
        .await
        .unwrap();
    ledger.close().await.unwrap();
    let ask = |by| {
        let query = SpendQuery {
            by,
            since: noon(),
            until: noon() + SignedDuration::from_secs(1),
            only: Only::default(),
        };
        spend(&path, &query).unwrap()
    };
    for (by, names) in [
        (By::Model, vec!["qwen-max"]),
        (By::Provider, vec!["qwen"]),
        (By::Supply, vec!["licensed"]),
        (By::Route, vec!["(none)", "chat"]),
        (By::Client, vec!["(none)"]),
        (By::Tag("team".to_owned()), vec!["a", "b"]),
        (By::Tag("te'am\"".to_owned()), vec!["(none)"]),
        (By::Day, vec!["2026-11-23"]),
    ] {
        let spend = ask(by.clone());
        assert_eq!(
            spend.rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(),
            names,
            "{by:?}"
        );
        let total = &spend.totals[0];
        assert_eq!(
            (total.requests, total.attempts, total.posted, total.held),
            (2, 3, usd(9), usd(5)),
            "{by:?}"
        );
    }
}

#[tokio::test]
async fn a_sample_is_taken_evenly_and_says_how_many_it_stands_for() {
    let (_directory, path) = place();
    let (ledger, _) = Ledger::open(&path, noon()).unwrap();
    let none = ledger.sample(noon(), 3, || true).await.unwrap();
    assert_eq!((none.decided.len(), none.of), (0, 0));
    for at in 0..12 {
        let record = decision(&format!("d{at}"), noon() + SignedDuration::from_mins(at));
        ledger.send(Record::Decision(Box::new(record))).await.unwrap();
    }
    let since = noon() + SignedDuration::from_mins(2);
    let sample = ledger.sample(since, 4, || true).await.unwrap();
    let minutes = sample.decided.iter().map(|one| one.at.duration_since(noon()).as_mins());
    assert_eq!((minutes.collect::<Vec<_>>(), sample.of), (vec![2, 5, 8, 11], 10));
    let all = ledger.sample(since, 10, || true).await.unwrap();
    assert_eq!((all.decided.len(), all.of), (10, 10));
    let mut wanted = 3;
    let cut = move || {
        wanted -= 1;
        wanted >= 0
    };
    assert_eq!(ledger.sample(since, 10, cut).await.unwrap().decided.len(), 3);
}
