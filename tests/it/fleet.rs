//! Several daemons and one PostgreSQL: one budget over all of them.

use crate::support::{CENT, Call, Daemon, Home, LOCAL, Policy, Postgres, Upstream, cents, one_cent, run, until};
use std::net::SocketAddr;
use tokio::task::JoinSet;
use tokio_postgres::Client;

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
    assert_eq!(served, 90, "all that fits is served");
    assert_eq!(upstream.invoice(), 90 * CENT, "and no more");
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
