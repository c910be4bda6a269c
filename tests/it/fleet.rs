//! Several daemons and one PostgreSQL: one budget over all of them.

use crate::support::{
    CENT, Call, Daemon, Home, LOCAL, Policy, Postgres, Price, Sink, Upstream, Usage, cents, one_cent, run, until,
};
use std::net::SocketAddr;
use tokio::task::JoinSet;
use tokio_postgres::Client;

mod failures;
mod harness;
mod kinds;
mod sidecar;

const FLEET: &str = "shop";

async fn member(policy: &Policy, url: &str) -> Daemon {
    Daemon::start_in(Home::new(policy), &["--ledger", url, "--fleet", FLEET]).await
}

/// Sends so many requests to these daemons in turn, all at once; how many were served.
async fn burst(daemons: &[SocketAddr], count: usize) -> usize {
    let mut calls = JoinSet::new();
    for number in 0..count {
        let to = daemons[number % daemons.len()];
        calls.spawn(async move { Call::chat(&one_cent()).send(to).await.status });
    }
    let statuses = calls.join_all().await;
    statuses.iter().filter(|&&status| status == 200).count()
}

/// Posted and held, kept for the vanished, and leased, of one budget in the store.
async fn store(client: &Client, budget: &str) -> (i64, i64, i64) {
    let row = client
        .query_one(
            "SELECT sum(posted + held)::bigint, sum(kept)::bigint, sum(leased)::bigint
             FROM planb.accounts a JOIN planb.pools p ON p.id = a.pool WHERE p.budget = $1",
            &[&budget],
        )
        .await
        .unwrap();
    (row.get(0), row.get(1), row.get(2))
}

#[tokio::test(flavor = "multi_thread")]
async fn three_daemons_spend_one_budget_to_its_end_and_not_beyond() {
    let postgres = Postgres::start().await;
    let url = postgres.database("books").await;
    let upstream = cents().await;
    let policy = Policy::one(&upstream).budget("month", "limit: 0.9 USD, per: month");
    let mut daemons = vec![
        member(&policy, &url).await,
        member(&policy, &url).await,
        member(&policy, &url).await,
    ];
    let all: Vec<SocketAddr> = daemons.iter().map(Daemon::address).collect();
    let mut served = 0;
    for _ in 0..4 {
        served += burst(&all, 45).await;
    }
    assert_eq!(served, 90, "all that fits is served, whoever held its money");
    assert_eq!((upstream.count(), upstream.invoice()), (90, 90 * CENT), "and no more");
    for daemon in &mut daemons {
        daemon.sigterm().await;
    }
    let client = postgres.connect("books").await;
    assert_eq!(
        store(&client, "month").await,
        (90 * CENT, 0, 0),
        "left in order, nothing stays leased"
    );
    daemons[1].restart().await;
    daemons[1].chat(&one_cent()).await.expect_error(402);
    assert_eq!(
        daemons[1].settled("month").await.spent(),
        90 * CENT,
        "each knows what all have spent"
    );
}

/// Has a daemon hold more than it has spent.
async fn ahead(daemon: &Daemon, client: &Client) -> i64 {
    burst(&[daemon.address()], 10).await;
    until("a share ahead of need", || async {
        let (.., leased) = store(client, "month").await;
        if leased > 0 {
            Ok(leased)
        } else {
            Err("nothing leased".to_owned())
        }
    })
    .await
}

/// A cent for each answer, and a free model of one's own after it.
async fn with_plan_b() -> (Upstream, Upstream, Policy) {
    let (upstream, home) = (cents().await, Upstream::start("home", Price::FREE).await);
    home.answers("For nothing", Usage::new(10, 10));
    let policy = Policy::new()
        .provider(&upstream, "")
        .provider(&home, "")
        .model("only", &upstream, crate::support::LICENSED)
        .model("tiny", &home, LOCAL)
        .route("name: chat, try: [only, tiny]")
        .budget("month", "limit: 0.9 USD, per: month");
    (upstream, home, policy)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_database_a_daemon_spends_its_share_and_then_only_what_is_free() {
    let mut postgres = Postgres::start().await;
    let url = postgres.database("books").await;
    let (upstream, home, policy) = with_plan_b().await;
    let daemon = member(&policy, &url).await;
    let client = postgres.connect("books").await;
    let share = ahead(&daemon, &client).await;
    let before = upstream.invoice();
    postgres.stop();
    assert_eq!(burst(&[daemon.address()], 60).await, 60, "what is free goes on");
    let spent = upstream.invoice() - before;
    assert!(spent <= share, "{spent} spent on a share of {share}");
    assert!(home.count() > 0);
    let degraded = |status: &serde_json::Value| status["fleet"]["state"] == "degraded";
    let status = daemon.when("/planb/status", "the fleet is degraded", degraded).await;
    assert!(
        status["fleet"]["reason"]
            .as_str()
            .unwrap()
            .contains("cannot be reached"),
        "{status}"
    );
    postgres.launch().await;
    let ok = |status: &serde_json::Value| status["fleet"]["state"] == "ok";
    daemon.when("/planb/status", "the fleet is there again", ok).await;
    let paid = upstream.count();
    daemon.chat(&one_cent()).await.expect(200);
    assert_eq!(upstream.count(), paid + 1, "paid models are open again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hangs_keeps_no_request_waiting_and_is_used_again_when_it_answers() {
    let postgres = Postgres::start().await;
    let url = postgres.database("books").await;
    let (upstream, home, policy) = with_plan_b().await;
    let daemon = member(&policy, &url).await;
    postgres.freeze(true);
    assert_eq!(burst(&[daemon.address()], 5).await, 5, "what is free goes on");
    assert_eq!(
        (upstream.count(), home.count()),
        (0, 5),
        "and without a share nothing else"
    );
    postgres.freeze(false);
    until("paid models are open again", || async {
        daemon.chat(&one_cent()).await.expect(200);
        if upstream.count() > 0 {
            Ok(())
        } else {
            Err(daemon.status().await["fleet"].to_string())
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_daemon_had_left_is_held_in_its_name() {
    let postgres = Postgres::start().await;
    let url = postgres.database("books").await;
    let upstream = cents().await;
    let policy = Policy::one(&upstream).budget("month", "limit: 0.9 USD, per: month");
    let (mut dead, living) = (member(&policy, &url).await, member(&policy, &url).await);
    let client = postgres.connect("books").await;
    ahead(&dead, &client).await;
    dead.kill9();
    let before = upstream.invoice();
    // What it had told of, and the rest of its share, some of which it has spent untold.
    let (told, _, leased) = store(&client, "month").await;
    let its = told + leased;
    let (to, limit) = ([living.address()], 90 * CENT);
    until("the living one has spent what it can get", || async {
        let before = upstream.count();
        burst(&to, 30).await;
        if upstream.count() == before {
            Ok(())
        } else {
            Err(before.to_string())
        }
    })
    .await;
    let spent = upstream.invoice() - before;
    assert!(spent + its <= limit, "{spent} spent beside {its} of the killed one");
    assert!(
        spent + its > limit - 2 * CENT,
        "{spent} spent beside {its} of the killed one"
    );
    // It comes back and may be a copy: what it had left stays held for a while, what it spent is known.
    dead.restart().await;
    burst(&[dead.address()], 5).await;
    burst(&to, 5).await;
    assert!(upstream.invoice() <= limit);
    let (spent, kept, leased) = store(&client, "month").await;
    assert!(spent + kept + leased <= limit, "{spent} {kept} {leased}");
    assert!(spent >= upstream.invoice());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_edit_of_a_limit_counts_for_all() {
    let postgres = Postgres::start().await;
    let url = postgres.database("books").await;
    let upstream = cents().await;
    let limited = |limit: &str| Policy::one(&upstream).budget("month", &format!("limit: {limit} USD, per: month"));
    let (one, other) = (member(&limited("0.9"), &url).await, member(&limited("0.9"), &url).await);
    burst(&[one.address(), other.address()], 10).await;
    one.edit(&limited("0.2")).await;
    until("the newer limit stands in the store", || async {
        let client = postgres.connect("books").await;
        let row = client
            .query_one("SELECT limit_nanos FROM planb.limits", &[])
            .await
            .unwrap();
        let limit: i64 = row.get(0);
        if limit == 20 * CENT {
            Ok(())
        } else {
            Err(limit.to_string())
        }
    })
    .await;
    until("nothing more fits", || async {
        let before = upstream.count();
        burst(&[one.address(), other.address()], 20).await;
        if upstream.count() == before {
            Ok(())
        } else {
            Err(before.to_string())
        }
    })
    .await;
    assert!(upstream.invoice() <= 20 * CENT, "{}", upstream.invoice());
    assert!(upstream.invoice() > 18 * CENT, "{}", upstream.invoice());
    until("the other one says whose limit counts", || async {
        let said = other.said();
        if said.contains("by a newer edit the fleet's limit is 0.2") {
            Ok(())
        } else {
            Err(said)
        }
    })
    .await;
}

/// What `planb serve` says before it ends.
fn refused(home: &Home, more: &[&str]) -> String {
    let (policy, state) = (home.policy().display().to_string(), home.state().display().to_string());
    let fixed = [
        "serve",
        "--policy",
        &policy,
        "--state",
        &state,
        "--listen",
        "127.0.0.1:0",
    ];
    let output = run(&[&fixed, more].concat());
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_serve_is_told_at_the_start_and_no_password_with_it() {
    let mut postgres = Postgres::start().await;
    let url = postgres.database("books").await;
    let upstream = cents().await;
    let policy = Policy::one(&upstream).budget("month", "limit: 0.9 USD, per: month");
    let home = Home::new(&policy);
    let with = |url: &str| {
        let said = refused(&home, &["--ledger", url, "--fleet", FLEET]);
        assert!(!said.contains("s3cret"), "{said}");
        said
    };
    assert!(with("mysql://me:s3cret@db/books").contains("postgres://USER@HOST/DB"));
    assert!(with(&postgres.url("nowhere")).contains("createdb"));
    assert!(with(&url.replace("planb@", "nobody:s3cret@")).contains("PGPASSWORD"));
    assert!(refused(&home, &["--ledger", &url]).contains("--fleet"));
    let client = postgres.connect("books").await;
    client
        .batch_execute(
            "CREATE SCHEMA planb; CREATE TABLE planb.schema_version (version integer, since timestamptz);
            INSERT INTO planb.schema_version VALUES (99, now())",
        )
        .await
        .unwrap();
    assert!(with(&url).contains("newer planb (version 99"));
    client
        .batch_execute("DROP SCHEMA planb CASCADE; ALTER DATABASE books SET default_transaction_read_only = on")
        .await
        .unwrap();
    assert!(with(&url).contains("cannot be written"), "{}", with(&url));
    client
        .batch_execute("ALTER DATABASE books RESET default_transaction_read_only")
        .await
        .unwrap();
    let mut daemon = Daemon::start_in(home, &["--ledger", &url, "--fleet", FLEET]).await;
    daemon.sigterm().await;
    assert!(refused(&daemon.home, &["--ledger", &url, "--fleet", "other"]).contains("belongs to the fleet `shop`"));
    postgres.stop();
    assert!(refused(&Home::new(&policy), &["--ledger", &url, "--fleet", FLEET]).contains("is it running"));
    let ladder = "supply: licensed, price: {input: 0 USD/M, output: 10 USD/M, ladder: {per: year, steps: [{above: 2020, output: 5 USD/M}]}}";
    let metered = Policy::new()
        .provider(&upstream, "")
        .model_line("only", &format!("provider: alpha, {ladder}"))
        .route("name: chat, try: [only]");
    let said = refused(&Home::new(&metered), &["--ledger", &url, "--fleet", FLEET]);
    assert!(said.contains("has a ladder"), "{said}");
}
