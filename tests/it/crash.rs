//! kill -9 under load: nothing that a provider billed is missing afterwards, and nothing goes over a limit.

use crate::support::{CENT, Call, Daemon, Policy, Sink, cents};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::task::JoinSet;

/// `PLANB_KILLS=2000` plays as many.
const KILLS: usize = 50;
const WORKERS: usize = 8;
fn one_cent(stream: bool) -> Value {
    json!({"model": "chat", "max_tokens": 1_000, "stream": stream, "messages": [{"role": "user", "content": "Hello."}]})
}

/// Clients that call one after another until the daemon is gone or refuses.
fn load(to: SocketAddr) -> JoinSet<()> {
    let mut load = JoinSet::new();
    for worker in 0..WORKERS {
        load.spawn(async move {
            while let Ok(answer) = Call::chat(&one_cent(worker % 2 == 0)).try_send(to).await {
                if answer.status != 200 {
                    return;
                }
            }
        });
    }
    load
}

#[tokio::test(flavor = "multi_thread")]
async fn after_many_kills_under_load_nothing_billed_is_missing() {
    let told = std::env::var("PLANB_KILLS").ok().and_then(|text| text.parse().ok());
    let kills = told.unwrap_or(KILLS);
    let upstream = cents().await;
    let mut daemon = Daemon::start(&Policy::one(&upstream).budget("month", "limit: 100000 USD, per: month")).await;
    let (mut held_before, mut over) = (0, 0);
    for round in 1..=kills {
        let (billed, spent) = (upstream.invoice(), daemon.budget("month").await.spent());
        assert!(spent >= billed, "round {round}: {spent} booked, {billed} billed");
        let load = load(daemon.address());
        upstream.reached(upstream.count() + 20 + round % 50).await;
        daemon.kill9();
        load.join_all().await;
        let lease = daemon.outstanding("month");
        daemon.restart().await;
        let books = daemon.settled("month").await;
        let (invoice, held) = (upstream.invoice(), books.held - held_before);
        assert!(
            books.spent() >= invoice,
            "round {round}: {books:?} against {invoice} billed"
        );
        assert_eq!(
            held, lease,
            "round {round}: the rest of the one lease is held, and nothing else"
        );
        assert!(
            books.spent() - invoice - over <= lease,
            "round {round}: more over-counted than one lease"
        );
        over = books.spent() - invoice;
        // A daemon's first second: a lease doubles while it is short, and covers what burned so far and all who wait.
        let most = 3 * (invoice - billed) + 4 * WORKERS as i64 * CENT;
        assert!(lease <= most, "round {round}: {lease} outstanding, {most} at most");
        held_before = books.held;
    }
    let last = daemon.chat(&one_cent(false)).await.expect(200);
    daemon.decision(&last).await;
    let books = daemon.settled("month").await;
    assert!(books.spent() >= upstream.invoice());
    let output = daemon.cli(&["spend", "--format", "json"]);
    let spend: Value = serde_json::from_slice(&output.stdout).unwrap();
    let total = |column: &str| crate::support::nanos(spend["totals"][0][column].as_str().unwrap());
    assert_eq!(
        (total("posted"), total("held")),
        (books.posted, books.held),
        "`planb spend` and the books agree, what crashes left included"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_never_let_a_budget_go_over_its_limit() {
    let upstream = cents().await;
    let mut daemon = Daemon::start(&Policy::one(&upstream).budget("month", "limit: 1 USD, per: month")).await;
    for round in 1..=8 {
        let (reached, load) = (upstream.count() + 6, load(daemon.address()));
        let gone = crate::support::until("some requests came, or the money is gone", || async {
            let answer = Call::get("/planb/budgets").send(daemon.address()).await.json();
            let exhausted = answer["budgets"][0]["exhausted"] == true;
            if exhausted || upstream.count() >= reached {
                Ok(exhausted)
            } else {
                Err(answer.to_string())
            }
        })
        .await;
        daemon.kill9();
        load.join_all().await;
        daemon.restart().await;
        let books = daemon.settled("month").await;
        assert!(books.spent() <= books.limit, "round {round}: {books:?}");
        assert!(
            books.spent() >= upstream.invoice(),
            "round {round}: {books:?} against {}",
            upstream.invoice()
        );
        if gone {
            break;
        }
    }
    load(daemon.address()).join_all().await;
    assert!(upstream.invoice() <= 100 * CENT, "billed {}", upstream.invoice());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_was_not_accepted_before_a_kill_comes_with_the_same_id() {
    let upstream = cents().await;
    let sink = Sink::start().await;
    sink.fail(1);
    let policy = Policy::one(&upstream)
        .budget("month", "limit: 1 USD, per: month, alert_at: [1%]")
        .alert(&sink, "budget.threshold");
    let mut daemon = Daemon::start(&policy).await;
    for _ in 0..2 {
        daemon.chat(&one_cent(false)).await.expect(200);
    }
    let first = crate::support::until("a first delivery is tried", || async {
        sink.deliveries().first().cloned().ok_or("none".to_owned())
    })
    .await;
    assert_eq!((first.status, first.event.as_str()), (500, "budget.threshold"));
    daemon.kill9();
    daemon.restart().await;
    let again = sink.got("budget.threshold", 1).await;
    assert_eq!(again.id, first.id);
    assert_eq!(again.body, first.body);
    assert!(again.genuine);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_is_there_after_a_kill() {
    let upstream = cents().await;
    let mut daemon = Daemon::start(&Policy::one(&upstream).budget("month", "limit: 10 USD, per: month")).await;
    for _ in 0..5 {
        daemon.chat(&one_cent(false)).await.expect(200);
    }
    crate::support::until("the decisions are written", || async {
        let count: i64 = daemon
            .ledger()
            .query_row("SELECT COUNT(*) FROM decisions", [], |row| row.get(0))
            .unwrap();
        if count == 5 { Ok(()) } else { Err(count.to_string()) }
    })
    .await;
    let (hash, ids) = (daemon.policy_hash().await, decisions(&daemon).await);
    assert_eq!(ids.len(), 5);
    daemon.kill9();
    daemon.restart().await;
    assert_eq!(daemon.policy_hash().await, hash);
    assert_eq!(decisions(&daemon).await, ids);
    assert!(daemon.settled("month").await.spent() >= upstream.invoice());
}

async fn decisions(daemon: &Daemon) -> Vec<String> {
    let list = daemon.json("/planb/decisions").await;
    list["decisions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap().to_owned())
        .collect()
}
