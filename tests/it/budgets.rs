//! Money: never over the limit, never less than what fits, and always what the provider bills.

use crate::support::{
    CENT, Call, Daemon, Gate, LOCAL, Policy, Price, Sink, Upstream, Usage, cents, one_cent, run, upstream::answer,
};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread")]
async fn of_five_hundred_clients_at_once_exactly_the_hundred_that_fit_are_admitted() {
    let upstream = cents().await;
    let daemon = Daemon::start(&Policy::one(&upstream).budget("month", "limit: 1 USD, per: month")).await;
    let (to, barrier) = (daemon.address(), Arc::new(Barrier::new(500)));
    let mut calls = JoinSet::new();
    for _ in 0..500 {
        let barrier = barrier.clone();
        calls.spawn(async move {
            barrier.wait().await;
            Call::chat(&one_cent()).send(to).await.status
        });
    }
    let statuses = calls.join_all().await;
    let count = |status: u16| statuses.iter().filter(|&&seen| seen == status).count();
    assert_eq!((count(200), count(402)), (100, 400), "{statuses:?}");
    assert_eq!(upstream.count(), 100);
    let books = daemon.settled("month").await;
    assert_eq!(
        (books.posted, books.held, books.limit),
        (upstream.invoice(), 0, 100 * CENT)
    );
    assert_eq!(upstream.invoice(), 100 * CENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_reserved_and_not_used_is_there_for_others() {
    let upstream = Upstream::start("alpha", Price::OUTPUT_ONLY).await;
    upstream.answers("Short", Usage::new(10, 100));
    let daemon = Daemon::start(&Policy::one(&upstream).budget("month", "limit: 0.1 USD, per: month")).await;
    // Each reserves 0.01 and is billed 0.001: one after another, 91 fit before less than 0.01 is left.
    for number in 0..91 {
        assert_eq!(daemon.chat(&one_cent()).await.status, 200, "request {number} fits");
    }
    daemon.chat(&one_cent()).await.expect_error(402);
    assert_eq!(daemon.settled("month").await.posted, upstream.invoice());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_covering_budget_is_charged_and_the_tightest_decides() {
    let upstream = cents().await;
    let policy = Policy::one(&upstream)
        .budget("month", "limit: 1 USD, per: month")
        .budget("day", "limit: 0.03 USD, per: day")
        .budget("week", "limit: 0.5 USD, per: week")
        .budget("home", "limit: 1 USD, per: day, covers: 'model.supply == \"local\"'");
    let daemon = Daemon::start(&policy).await;
    for _ in 0..3 {
        daemon.chat(&one_cent()).await.expect(200);
    }
    daemon.chat(&one_cent()).await.expect_error(402);
    for name in ["month", "day", "week"] {
        assert_eq!(daemon.settled(name).await.spent(), 3 * CENT, "{name}");
    }
    assert_eq!(daemon.budget("home").await.spent(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_key_has_the_limit_to_itself() {
    let upstream = cents().await;
    let daemon =
        Daemon::start(&Policy::one(&upstream).budget("teams", "limit: 0.05 USD, per: day, each: tag.team")).await;
    let to = daemon.address();
    let mut calls = JoinSet::new();
    for number in 0..40 {
        let team = format!("team={}", ["search", "shop"][number % 2]);
        calls.spawn(async move {
            Call::chat(&one_cent())
                .header("x-planb-tags", &team)
                .send(to)
                .await
                .status
        });
    }
    let statuses = calls.join_all().await;
    assert_eq!(statuses.iter().filter(|&&status| status == 200).count(), 10);
    daemon.settled("teams").await;
    let budgets = daemon.json("/planb/budgets").await;
    let mut rows: Vec<_> = budgets["budgets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["key"].clone(), row["posted"].clone()))
        .collect();
    rows.sort_by_key(|row| row.0.to_string());
    assert_eq!(rows, [(json!("search"), json!("0.05")), (json!("shop"), json!("0.05"))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_soft_budget_counts_and_never_refuses() {
    let upstream = cents().await;
    let daemon =
        Daemon::start(&Policy::one(&upstream).budget("soft", "limit: 0.02 USD, per: day, enforce: soft")).await;
    for _ in 0..5 {
        daemon.chat(&one_cent()).await.expect(200);
    }
    assert_eq!(daemon.settled("soft").await.posted, 5 * CENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_model_goes_on_when_the_money_is_gone() {
    let (paid, home) = (cents().await, Upstream::start("home", Price::FREE).await);
    let policy = Policy::one(&paid)
        .provider(&home, "")
        .model("tiny", &home, LOCAL)
        .route("name: wide, try: [only, tiny]")
        .budget(
            "month",
            "limit: 0.02 USD, per: month, covers: 'model.supply != \"local\"'",
        );
    let daemon = Daemon::start(&policy).await;
    let mut request = one_cent();
    request["model"] = "wide".into();
    for expected in ["only", "only", "tiny", "tiny"] {
        let answer = daemon.chat(&request).await.expect(200);
        assert_eq!(answer.header("x-planb-model"), Some(expected));
    }
    assert_eq!(daemon.settled("month").await.posted, 2 * CENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unpriced_hosted_model_is_no_candidate_under_a_hard_budget() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let policy = Policy::new()
        .provider(&upstream, "")
        .model_line(
            "only",
            "provider: alpha, name: alpha-model, supply: licensed, quality: 80, context: 8k",
        )
        .route("name: chat, try: [only]")
        .budget("month", "limit: 10 USD, per: month");
    let daemon = Daemon::start(&policy).await;
    let answer = daemon.chat(&one_cent()).await;
    assert!(answer.status >= 400, "{}", answer.text());
    assert_eq!(upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_is_edited_counts_from_there_with_what_was_spent() {
    let upstream = cents().await;
    let limited = |limit: &str| Policy::one(&upstream).budget("month", &format!("limit: {limit} USD, per: month"));
    let daemon = Daemon::start(&limited("0.02")).await;
    for _ in 0..2 {
        daemon.chat(&one_cent()).await.expect(200);
    }
    daemon.chat(&one_cent()).await.expect_error(402);
    daemon.edit(&limited("0.04")).await;
    for _ in 0..2 {
        daemon.chat(&one_cent()).await.expect(200);
    }
    daemon.chat(&one_cent()).await.expect_error(402);
    daemon.edit(&limited("0.01")).await;
    daemon.chat(&one_cent()).await.expect_error(402);
    let books = daemon.settled("month").await;
    assert_eq!((books.posted, books.limit), (4 * CENT, CENT));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_budget_starts_from_what_was_already_spent() {
    let upstream = cents().await;
    let before = Policy::one(&upstream);
    let daemon = Daemon::start(&before).await;
    for _ in 0..3 {
        let answer = Call::chat(&one_cent())
            .header("x-planb-tags", "team=search")
            .send(daemon.address())
            .await
            .expect(200);
        daemon.decision(&answer).await;
    }
    let after = before
        .budget("month", "limit: 0.05 USD, per: month")
        .budget("teams", "limit: 1 USD, per: month, each: tag.team")
        .budget("home", "limit: 1 USD, per: month, covers: 'model.supply == \"local\"'");
    daemon.edit(&after).await;
    let starts = daemon.when("/planb/budgets", "the new budget knows the past", |value| {
        value["budgets"]
            .as_array()
            .unwrap()
            .iter()
            .any(|row| row["name"] == "month" && row["posted"] == "0.03")
    });
    starts.await;
    daemon.posted("teams", 3 * CENT).await;
    assert_eq!(daemon.budget("home").await.spent(), 0);
    for expected in [200, 200, 402] {
        daemon.chat(&one_cent()).await.expect(expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spend_survives_a_stop_in_order_exactly() {
    let upstream = cents().await;
    let mut daemon = Daemon::start(&Policy::one(&upstream).budget("month", "limit: 0.05 USD, per: month")).await;
    for _ in 0..3 {
        daemon.chat(&one_cent()).await.expect(200);
    }
    daemon.sigterm().await;
    daemon.restart().await;
    let books = daemon.settled("month").await;
    assert_eq!((books.posted, books.held), (3 * CENT, 0));
    for expected in [200, 200, 402] {
        daemon.chat(&one_cent()).await.expect(expected);
    }
    assert_eq!(daemon.settled("month").await.posted, upstream.invoice());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_is_plain_sqlite_and_sums_to_the_invoice() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    upstream.script(|seen| {
        let number = seen.json()["x_number"].as_i64().unwrap();
        answer(
            "Hello",
            Usage {
                input: 100 + number,
                cache_read: number,
                output: 7 * number,
            },
        )(seen)
    });
    let mut daemon = Daemon::start(&Policy::one(&upstream).budget("month", "limit: 10 USD, per: month")).await;
    for number in 0..40 {
        let mut request = one_cent();
        (request["x_number"], request["stream"]) = (number.into(), (number % 2 == 0).into());
        daemon.chat(&request).await.expect(200);
    }
    assert_eq!(daemon.settled("month").await.posted, upstream.invoice());
    daemon.sigterm().await;
    let ledger = daemon.ledger();
    let sum: i64 = ledger
        .query_row("SELECT SUM(amount) FROM attempts", [], |row| row.get(0))
        .unwrap();
    let count: i64 = ledger
        .query_row("SELECT COUNT(*) FROM attempts", [], |row| row.get(0))
        .unwrap();
    assert_eq!((sum, count), (upstream.invoice(), 40));
    let account: i64 = ledger
        .query_row("SELECT SUM(posted) FROM accounts", [], |row| row.get(0))
        .unwrap();
    assert_eq!(account, upstream.invoice());
}

#[tokio::test(flavor = "multi_thread")]
async fn planb_spend_agrees_with_the_invoice() {
    let upstream = cents().await;
    let daemon = Daemon::start(&Policy::one(&upstream).budget("month", "limit: 10 USD, per: month")).await;
    for _ in 0..7 {
        let answer = daemon.chat(&one_cent()).await.expect(200);
        daemon.decision(&answer).await;
    }
    daemon.settled("month").await;
    let output = daemon.cli(&["spend", "--format", "json"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let spend: Value = serde_json::from_str(&said).unwrap();
    assert!(spend.to_string().contains("\"0.07\""), "{spend}");
    let table = daemon.cli(&["spend"]);
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.contains("0.07") && table.contains("only"), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn thresholds_and_exhaustion_are_announced_once_even_over_restarts() {
    let upstream = cents().await;
    let sink = Sink::start().await;
    let policy = Policy::one(&upstream)
        .budget("month", "limit: 0.1 USD, per: month, alert_at: [50%, 80%]")
        .alert(&sink, "budget, policy");
    let mut daemon = Daemon::start(&policy).await;
    for _ in 0..6 {
        daemon.chat(&one_cent()).await.expect(200);
    }
    let half = sink.got("budget.threshold", 1).await;
    assert!(half.genuine);
    let data = half.body["data"].to_string();
    assert!(data.contains("month") && data.contains("0.1"), "{data}");
    daemon.sigterm().await;
    daemon.restart().await;
    for _ in 0..4 {
        daemon.chat(&one_cent()).await.expect(200);
    }
    daemon.chat(&one_cent()).await.expect_error(402);
    sink.got("budget.threshold", 2).await;
    assert!(sink.got("budget.exhausted", 1).await.genuine);
    daemon.kill9();
    daemon.restart().await;
    daemon.chat(&one_cent()).await.expect_error(402);
    // A reload makes an event of its own kind after anything the restart could have announced again.
    daemon.edit(&policy.clone().route("name: more, try: [only]")).await;
    sink.got("policy.reloaded", 1).await;
    let count = |event: &str| sink.accepted(event).len();
    assert_eq!((count("budget.threshold"), count("budget.exhausted")), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exhausted_budget_says_so_and_since_when() {
    let upstream = cents().await;
    let daemon = Daemon::start(&Policy::one(&upstream).budget("month", "limit: 0.02 USD, per: month")).await;
    for _ in 0..2 {
        daemon.chat(&one_cent()).await.expect(200);
    }
    let full = daemon.when("/planb/budgets", "the budget is exhausted", |value| {
        value["budgets"][0]["exhausted"] == true
    });
    let row = full.await["budgets"][0].clone();
    row["exhausted_at"]
        .as_str()
        .unwrap()
        .parse::<jiff::Timestamp>()
        .unwrap();
    assert_eq!((&row["remaining"], &row["used"]), (&json!("0"), &json!(1.0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn reservations_under_way_count_against_the_limit() {
    let upstream = Upstream::start("alpha", Price::OUTPUT_ONLY).await;
    let gate = Gate::new();
    let (held, whole) = (gate.clone(), answer("Late", Usage::new(10, 1_000)));
    upstream.script(move |seen| whole(seen).behind(&held));
    let daemon = Daemon::start(&Policy::one(&upstream).budget("month", "limit: 0.03 USD, per: month")).await;
    let to = daemon.address();
    let mut calls = JoinSet::new();
    for _ in 0..3 {
        calls.spawn(async move { Call::chat(&one_cent()).send(to).await.status });
    }
    upstream.reached(3).await;
    daemon.chat(&one_cent()).await.expect_error(402);
    assert_eq!(daemon.budget("month").await.reserved, 3 * CENT);
    gate.open();
    assert_eq!(calls.join_all().await, [200, 200, 200]);
    assert_eq!(daemon.settled("month").await.posted, upstream.invoice());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_raised_by_hand_admits_at_once_and_stays_raised_over_edits_and_restarts() {
    let upstream = cents().await;
    let policy = Policy::one(&upstream).budget("month", "limit: 0.02 USD, per: month");
    let mut daemon = Daemon::start(&policy).await;
    for _ in 0..2 {
        daemon.chat(&one_cent()).await.expect(200);
    }
    daemon.chat(&one_cent()).await.expect_error(402);
    let state = daemon.home.state();
    let raise = |more: &[&str]| {
        let words = ["budget", "raise", "month"];
        run(&[&words, more, &["--state", state.to_str().unwrap()]].concat())
    };
    assert!(
        !raise(&["+1EUR", "--for", "1h"]).status.success(),
        "not the policy's currency"
    );
    assert!(
        !raise(&["+1USD", "--until", "2020-01-01"]).status.success(),
        "the end has passed"
    );
    let raised = raise(&["+0.02USD", "--for", "1h"]);
    assert!(raised.status.success(), "{}", String::from_utf8_lossy(&raised.stderr));
    daemon.chat(&one_cent()).await.expect(200);
    daemon
        .edit(&policy.clone().budget("day", "limit: 1 USD, per: day"))
        .await;
    daemon.sigterm().await;
    daemon.restart().await;
    assert_eq!(daemon.budget("month").await.limit, 4 * CENT);
    daemon.chat(&one_cent()).await.expect(200);
    daemon.chat(&one_cent()).await.expect_error(402);
    assert!(raise(&["--none"]).status.success());
    assert_eq!(daemon.budget("month").await.limit, 2 * CENT);
    assert_eq!(upstream.count(), 4);
}
