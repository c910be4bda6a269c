//! Budgets without a calendar: windows that slide, credits that are topped up, runs that stop by themselves; and money
//! whose bill nobody tells.

use crate::support::{CENT, Call, Daemon, Policy, Price, Reply, Sink, Upstream, cents, named, one_cent};
use serde_json::json;

const HELD: &str = "limit: 1 USD, per: month, held: {after: 1s}";

#[tokio::test(flavor = "multi_thread")]
async fn a_sliding_window_refuses_what_its_last_minutes_do_not_leave_over_a_crash_too() {
    let upstream = cents().await;
    let policy = Policy::one(&upstream).budget("window", "limit: 0.03 USD, per: 31d rolling");
    let mut daemon = Daemon::start(&policy).await;
    for _ in 0..3 {
        daemon.chat(&one_cent()).await.expect(200);
    }
    daemon.chat(&one_cent()).await.expect_error(402);
    daemon.settled("window").await;
    let view = named(&daemon.json("/planb/budgets").await["budgets"], "window");
    assert_eq!(
        (&view["posted"], &view["forecast"]),
        (&json!("0.03"), &json!(null)),
        "{view}"
    );
    daemon.kill9();
    daemon.restart().await;
    let books = daemon.budget("window").await;
    assert_eq!(books.spent(), 3 * CENT, "found again by the minute: {books:?}");
    daemon.chat(&one_cent()).await.expect_error(402);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credit_is_spent_once_and_serves_again_when_it_is_topped_up() {
    let upstream = cents().await;
    let with = |credit: &str| Policy::one(&upstream).budget("paid", &format!("credit: [{credit}]"));
    let first = "{amount: 0.02 USD, on: 2026-01-01}";
    let daemon = Daemon::start(&with(&format!("{first}, {{amount: 5 USD, on: 2199-01-01}}"))).await;
    for _ in 0..2 {
        daemon.chat(&one_cent()).await.expect(200);
    }
    daemon.chat(&one_cent()).await.expect_error(402);
    assert_eq!(
        daemon.budget("paid").await.limit,
        2 * CENT,
        "what is to come is not there yet"
    );
    daemon
        .edit(&with(&format!("{first}, {{amount: 0.01 USD, on: 2026-02-01}}")))
        .await;
    daemon.chat(&one_cent()).await.expect(200);
    daemon.chat(&one_cent()).await.expect_error(402);
    assert_eq!(daemon.settled("paid").await.posted, upstream.invoice());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_loops_stops_by_itself_and_another_run_goes_on() {
    let upstream = cents().await;
    let policy = Policy::one(&upstream).budget("runs", "limit: 0.02 USD, per: day, each: run");
    let mut daemon = Daemon::start(&policy).await;
    let to = daemon.address();
    let call = |run: &str| Call::chat(&one_cent()).header("x-planb-run", run);
    for _ in 0..2 {
        call("one").send(to).await.expect(200);
    }
    call("one").send(to).await.expect_error(402);
    call("two").send(to).await.expect(200);
    // Without a name the conversation is the run: the same beginning is the same run, over a restart too.
    for _ in 0..2 {
        Call::chat(&one_cent()).send(to).await.expect(200);
    }
    daemon.sigterm().await;
    daemon.restart().await;
    let to = daemon.address();
    Call::chat(&one_cent()).send(to).await.expect_error(402);
    call("one").send(to).await.expect_error(402);
    let other =
        json!({"model": "chat", "max_tokens": 1_000, "messages": [{"role": "user", "content": "Something else"}]});
    Call::chat(&other).send(to).await.expect(200);
}

/// A provider that never answers: its client leaves.
async fn left_alone() -> Upstream {
    let upstream = Upstream::start("alpha", Price::OUTPUT_ONLY).await;
    upstream.always(Reply::silence());
    upstream
}

async fn leave(daemon: &Daemon, upstream: &Upstream) {
    let to = daemon.address();
    let call = tokio::spawn(async move { Call::chat(&one_cent()).try_send(to).await });
    upstream.reached(1).await;
    call.abort();
    upstream.left(1).await;
    daemon.settled("month").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_whose_bill_nobody_tells_becomes_an_estimate_and_the_rest_is_free_again() {
    let upstream = left_alone().await;
    let mut daemon = Daemon::start(&Policy::one(&upstream).budget("month", HELD)).await;
    leave(&daemon, &upstream).await;
    let after = daemon
        .when("/planb/budgets", "an estimate", |all| {
            let view = named(&all["budgets"], "month");
            view["held"] == "0" && view["posted"] != "0"
        })
        .await;
    let view = named(&after["budgets"], "month");
    let posted: f64 = view["posted"].as_str().unwrap().parse().unwrap();
    assert!(posted <= 0.01, "never more than was reserved: {view}");
    daemon.sigterm().await;
    let proven = daemon.cli(&["ledger", "check"]);
    assert!(proven.status.success(), "{}", String::from_utf8_lossy(&proven.stderr));
    let rows: i64 = daemon
        .ledger()
        .query_row(
            "SELECT count(*) FROM attempts WHERE corrects = 1 AND outcome IN ('release', 'estimate')",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(rows, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_keeps_what_is_held_keeps_it_in_all_budgets_and_over_a_restart() {
    let upstream = left_alone().await;
    let policy = Policy::one(&upstream)
        .budget("month", HELD)
        .budget("strict", "limit: 1 USD, per: month, held: keep");
    let mut daemon = Daemon::start(&policy).await;
    leave(&daemon, &upstream).await;
    daemon.sigterm().await;
    daemon.restart().await;
    for name in ["month", "strict"] {
        assert_eq!(daemon.budget(name).await.held, CENT, "{name}");
    }
    let lax = Policy::one(&upstream).budget("month", HELD).budget("strict", HELD);
    daemon.edit(&lax).await;
    for name in ["month", "strict"] {
        daemon
            .when("/planb/budgets", "no more held", |all| {
                named(&all["budgets"], name)["held"] == "0"
            })
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_credit_tells_it_tells_again_when_it_was_topped_up() {
    let (upstream, sink) = (cents().await, Sink::start().await);
    let with = |credit: &str| {
        Policy::one(&upstream)
            .budget("paid", &format!("credit: [{credit}]"))
            .alert(&sink, "budget")
    };
    let first = "{amount: 0.01 USD, on: 2026-01-01}";
    let daemon = Daemon::start(&with(first)).await;
    daemon.chat(&one_cent()).await.expect(200);
    sink.got("budget.exhausted", 1).await;
    daemon
        .edit(&with(&format!("{first}, {{amount: 0.01 USD, on: 2026-02-01}}")))
        .await;
    daemon.chat(&one_cent()).await.expect(200);
    sink.got("budget.exhausted", 2).await;
}
