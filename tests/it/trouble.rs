//! The ledger in trouble and the money in a crowd: slow is waited for or told as "not now", never as "no money".

use crate::support::{
    CENT, Call, Daemon, Gate, LOCAL, Policy, Price, Reply, Sink, Upstream, Usage, cents, one_cent, sse, until,
    upstream::answer,
};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

fn file(daemon: &Daemon) -> PathBuf {
    daemon.home.state().join("ledger.sqlite")
}

/// Somebody's shell that keeps the ledger from being written.
fn shell(daemon: &Daemon) -> Connection {
    let shell = Connection::open(file(daemon)).unwrap();
    shell.busy_timeout(crate::support::PATIENCE).unwrap();
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    shell
}

async fn ledger_is(daemon: &Daemon, state: &str) {
    let holds = |status: &Value| status["ledger"]["state"] == state;
    daemon
        .when("/planb/status", &format!("the ledger is {state}"), holds)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_is_slow_is_waited_for_or_told_as_not_now_and_comes_back_by_itself() {
    let (paid, home) = (cents().await, Upstream::start("home", Price::FREE).await);
    let policy = Policy::one(&paid)
        .provider(&home, "")
        .model("tiny", &home, LOCAL)
        .route("name: free, try: [tiny]")
        .budget("month", "limit: 1 USD, per: month");
    let daemon = Daemon::start(&policy).await;
    let (shell, to) = (shell(&daemon), daemon.address());
    let mut calls = JoinSet::new();
    for _ in 0..100 {
        calls.spawn(async move { Call::chat(&one_cent()).send(to).await.status });
    }
    let statuses = calls.join_all().await;
    assert!(statuses.iter().all(|&status| status == 503), "{statuses:?}");
    ledger_is(&daemon, "degraded").await;
    let mut free = one_cent();
    free["model"] = "free".into();
    daemon.chat(&free).await.expect(200);
    daemon.chat(&one_cent()).await.expect_error(503);
    shell.execute_batch("ROLLBACK").unwrap();
    ledger_is(&daemon, "ok").await;
    let mut calls = JoinSet::new();
    for _ in 0..120 {
        calls.spawn(async move { Call::chat(&one_cent()).send(to).await.status });
    }
    let statuses = calls.join_all().await;
    let count = |status: u16| statuses.iter().filter(|&&seen| seen == status).count();
    assert_eq!((count(200), count(402)), (100, 20), "{statuses:?}");
    assert_eq!(daemon.settled("month").await.posted, paid.invoice());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_is_gone_closes_what_is_paid_until_it_is_back_and_both_are_told() {
    let (upstream, sink) = (cents().await, Sink::start().await);
    let policy = Policy::one(&upstream)
        .budget("month", "limit: 1 USD, per: month")
        .alert(&sink, "ledger");
    let daemon = Daemon::start(&policy).await;
    daemon.chat(&one_cent()).await.expect(200);
    daemon.settled("month").await;
    let away = file(&daemon).with_extension("away");
    std::fs::rename(file(&daemon), &away).unwrap();
    ledger_is(&daemon, "degraded").await;
    daemon.chat(&one_cent()).await.expect_error(503);
    until("the daemon has told it", || async {
        let said = daemon.said();
        if said.contains("the ledger cannot be relied on") {
            Ok(())
        } else {
            Err(said)
        }
    })
    .await;
    std::fs::rename(&away, file(&daemon)).unwrap();
    ledger_is(&daemon, "ok").await;
    daemon.chat(&one_cent()).await.expect(200);
    let told = sink.got("ledger.degraded", 1).await;
    assert_eq!(told.body["data"]["budget"], json!(null), "{told:?}");
    sink.got("ledger.recovered", 1).await;
    assert_eq!(daemon.settled("month").await.posted, upstream.invoice());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_without_bounds_gets_smaller_ones_before_anybody_is_refused() {
    let upstream = Upstream::start("alpha", Price::OUTPUT_ONLY).await;
    let gate = Gate::new();
    let (held, whole) = (gate.clone(), answer("Short", Usage::new(10, 10)));
    upstream.script(move |seen| whole(seen).behind(&held));
    let policy = Policy::new()
        .provider(&upstream, "")
        .model(
            "only",
            &upstream,
            "supply: licensed, quality: 80, context: 128k, max_output: 64k",
        )
        .route("name: chat, try: [only]")
        .budget("month", "limit: 8 USD, per: month");
    let daemon = Daemon::start(&policy).await;
    let (to, barrier) = (daemon.address(), Arc::new(Barrier::new(60)));
    let mut calls = JoinSet::new();
    for _ in 0..60 {
        let barrier = barrier.clone();
        calls.spawn(async move {
            barrier.wait().await;
            let request = json!({"model": "chat", "messages": [{"role": "user", "content": "Hi."}]});
            Call::chat(&request).send(to).await.status
        });
    }
    until("all but those in flight are answered", || async {
        let waiting = upstream.count();
        let open = daemon.budget("month").await;
        // An eighth of what is left buys less than the least answer.
        if open.limit - open.reserved < 8 * CENT {
            Ok(())
        } else {
            Err(format!("{waiting} {open:?}"))
        }
    })
    .await;
    gate.open();
    let statuses = calls.join_all().await;
    let served = statuses.iter().filter(|&&status| status == 200).count();
    // Twelve at 0.64 USD each, when all are decided at once; the 0.32 that are left are for smaller answers.
    assert!(served >= 16, "{served} served: {statuses:?}");
    assert!(
        statuses.iter().all(|status| [200, 402].contains(status)),
        "{statuses:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_budget_under_load_sends_nobody_elsewhere() {
    let (paid, home) = (cents().await, Upstream::start("home", Price::FREE).await);
    let policy = |budgets: usize| {
        let base = Policy::one(&paid)
            .provider(&home, "")
            .model("tiny", &home, LOCAL)
            .route("name: wide, try: [only, tiny]");
        (0..budgets).fold(base, |policy, number| {
            policy.budget(&format!("b{number}"), "limit: 1000 USD, per: month, each: tag.team")
        })
    };
    let daemon = Daemon::start(&policy(0)).await;
    let to = daemon.address();
    let mut load = JoinSet::new();
    for _ in 0..8 {
        load.spawn(async move {
            let mut models = BTreeMap::new();
            for _ in 0..60 {
                let mut request = one_cent();
                request["model"] = "wide".into();
                let answer = Call::chat(&request).send(to).await.expect(200);
                *models
                    .entry(answer.header("x-planb-model").unwrap().to_owned())
                    .or_insert(0) += 1;
            }
            models
        });
    }
    for budgets in 1..=6 {
        daemon.edit(&policy(budgets)).await;
    }
    for models in load.join_all().await {
        assert_eq!(models, BTreeMap::from([("only".to_owned(), 60)]));
    }
    for budgets in 0..6 {
        daemon.posted(&format!("b{budgets}"), paid.invoice()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_running_daemons_state_cannot_draw_its_lease_again() {
    let upstream = cents().await;
    let policy = Policy::one(&upstream).budget("month", "limit: 1 USD, per: month");
    let daemon = Daemon::start(&policy).await;
    for _ in 0..20 {
        daemon.chat(&one_cent()).await.expect(200);
    }
    daemon.settled("month").await;
    let (copy, lease) = (crate::support::Home::new(&policy), daemon.outstanding("month"));
    std::fs::create_dir_all(copy.state()).unwrap();
    for name in ["ledger.sqlite", "ledger.sqlite-wal"] {
        std::fs::copy(daemon.home.state().join(name), copy.state().join(name)).unwrap();
    }
    let second = Daemon::start_in(copy, &[]).await;
    let books = second.budget("month").await;
    assert!(
        books.spent() >= 20 * CENT && books.held <= lease.max(20 * CENT),
        "{books:?} {lease}"
    );
    assert!(books.held > 0, "what the first one may still draw is held: {books:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_goes_on_alone_is_settled_before_a_stop() {
    let upstream = Upstream::start("alpha", Price::OUTPUT_ONLY).await;
    upstream.script(|_| Reply::silence().billed(Usage::new(10, 1_000)));
    let policy = Policy::new()
        .provider(&upstream, "")
        .model("only", &upstream, crate::support::LICENSED)
        .route("name: chat, try: [only], on_disconnect: finish")
        .budget("month", "limit: 1 USD, per: month");
    let mut daemon = Daemon::start(&policy).await;
    let to = daemon.address();
    let client = tokio::spawn(async move { Call::chat(&one_cent()).try_send(to).await });
    upstream.reached(1).await;
    client.abort();
    daemon.sigterm().await;
    daemon.restart().await;
    let books = daemon.settled("month").await;
    assert_eq!(
        (books.posted, books.held),
        (0, upstream.invoice()),
        "it may be billed in full"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_left_is_billed_for_what_came_after_the_providers_last_figures() {
    let upstream = Upstream::start("alpha", Price::OUTPUT_ONLY).await;
    let early = sse::content_event("alpha-model", "One ").replace(
        "\"choices\"",
        "\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":1},\"choices\"",
    );
    let words = "a good many words ".repeat(20);
    upstream.script(move |_| {
        Reply::stream_head()
            .chunk(&early)
            .chunk(sse::content_event("alpha-model", &words))
            .chunk(sse::content_event("alpha-model", "last"))
            .stall()
    });
    let daemon = Daemon::start(&Policy::one(&upstream).budget("month", "limit: 1 USD, per: month")).await;
    let mut request = one_cent();
    request["stream"] = true.into();
    let mut open = Call::chat(&request).open(daemon.address()).await.unwrap();
    open.until_heard("last").await;
    drop(open);
    let books = daemon.settled("month").await;
    // 10,000 nano-units a token.
    assert!(books.posted >= 80 * 10_000, "{books:?}");
    let flagged: bool = until("the attempt is written", || async {
        let row = daemon
            .ledger()
            .query_row("SELECT estimated FROM attempts", [], |row| row.get(0));
        row.map_err(|error| error.to_string())
    })
    .await;
    assert!(flagged);
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_figures_leave_the_books_and_the_ledger_in_order() {
    let upstream = cents().await;
    let policy = Policy::new()
        .provider(&upstream, "")
        .model("only", &upstream, "supply: licensed, quality: 80")
        .route("name: chat, try: [only]")
        .budget("soft", "limit: 1 USD, per: month, enforce: soft");
    let mut daemon = Daemon::start(&policy).await;
    let mut request = one_cent();
    request["max_tokens"] = u64::MAX.into();
    assert_eq!(daemon.chat(&request).await.status, 400);
    // Stock calls on a model of which nobody knows how much it says, several at once.
    let to = daemon.address();
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let request = json!({"model": "chat", "messages": [{"role": "user", "content": "Hi."}]});
        calls.spawn(async move { Call::chat(&request).send(to).await.status });
    }
    assert!(calls.join_all().await.iter().all(|&status| status == 200));
    upstream.answers("Much", Usage::new(9_000_000_000_000_000, 9_000_000_000_000_000));
    for _ in 0..4 {
        daemon.chat(&one_cent()).await.expect(200);
    }
    upstream.answers("Little", Usage::new(10, 1));
    daemon.chat(&one_cent()).await.expect(200);
    daemon.settled("soft").await;
    ledger_is(&daemon, "ok").await;
    let output = daemon.cli(&["spend"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    daemon.sigterm().await;
    daemon.restart().await;
    daemon.chat(&one_cent()).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_too_small_for_an_open_end_is_exhausted_and_its_plan_takes_over() {
    let (paid, home) = (cents().await, Upstream::start("home", Price::FREE).await);
    // An eighth of it buys 625 tokens, less than the least answer that planb starts.
    let policy = Policy::one(&paid)
        .provider(&home, "")
        .model("tiny", &home, LOCAL)
        .route("name: wide, try: [only, tiny], need: {quality: 60}")
        .budget(
            "month",
            "limit: 0.05 USD, per: month, covers: 'model.supply != \"local\"'",
        )
        .plan("name: lights-out, when: 'budget(\"month\").exhausted', change: {wide: {need: {quality: 0}}}");
    let mut daemon = Daemon::start(&policy).await;
    let stock = json!({"model": "wide", "messages": [{"role": "user", "content": "Hi."}]});
    daemon.chat(&stock).await.expect_error(402);
    daemon.when_plan("lights-out", true).await;
    assert_eq!(
        daemon.chat(&stock).await.expect(200).header("x-planb-model"),
        Some("tiny")
    );
    until("it is written down", || async {
        let sql = "SELECT count(*) FROM accounts WHERE exhausted_at IS NOT NULL";
        let written: i64 = daemon.ledger().query_row(sql, [], |row| row.get(0)).unwrap();
        if written == 1 { Ok(()) } else { Err(written.to_string()) }
    })
    .await;
    daemon.kill9();
    daemon.restart().await;
    daemon.when_plan("lights-out", true).await;
    assert_eq!(
        daemon.chat(&stock).await.expect(200).header("x-planb-model"),
        Some("tiny"),
        "exhausted lasts over a restart"
    );
}
