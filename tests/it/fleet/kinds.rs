//! Budgets of every kind, shared: with a limit for each key, over a window that slides, with what the period before left.

use super::*;

/// As [`burst`], with these tags.
async fn tagged(daemons: &[SocketAddr], count: usize, tags: &str) -> usize {
    let mut calls = JoinSet::new();
    for number in 0..count {
        let (to, tags) = (daemons[number % daemons.len()], tags.to_owned());
        calls.spawn(async move {
            Call::chat(&one_cent())
                .header("x-planb-tags", &tags)
                .send(to)
                .await
                .status
        });
    }
    let statuses = calls.join_all().await;
    statuses.iter().filter(|&&status| status == 200).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_key_has_its_limit_over_all_daemons() {
    let postgres = Postgres::start().await;
    let url = postgres.database("books").await;
    let upstream = cents().await;
    let policy = Policy::one(&upstream)
        .budget("teams", "limit: 0.2 USD, per: month, each: tag.team")
        .budget("all", "limit: 0.5 USD, per: month");
    let daemons = [member(&policy, &url).await, member(&policy, &url).await];
    let all = [daemons[0].address(), daemons[1].address()];
    let (one, two) = tokio::join!(tagged(&all, 30, "team=one"), tagged(&all, 30, "team=two"));
    assert_eq!((one, two), (20, 20));
    assert_eq!(
        tagged(&all, 30, "team=three").await,
        10,
        "what the budget over all has left"
    );
    assert_eq!(upstream.invoice(), 50 * CENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_slides_is_one_window_for_all() {
    let postgres = Postgres::start().await;
    let url = postgres.database("books").await;
    let upstream = cents().await;
    let policy = Policy::one(&upstream).budget("window", "limit: 0.3 USD, per: 31d rolling");
    let mut daemons = [member(&policy, &url).await, member(&policy, &url).await];
    let all = [daemons[0].address(), daemons[1].address()];
    assert_eq!(burst(&all[..1], 20).await, 20);
    assert_eq!(burst(&all, 30).await, 10);
    assert_eq!(upstream.invoice(), 30 * CENT, "and no more");
    daemons[0].sigterm().await;
    // What the first one spent comes to lie outside.
    let client = postgres.connect("books").await;
    let holder = daemons[1].status().await["fleet"]["holder"]
        .as_str()
        .unwrap()
        .to_owned();
    let moved = client
        .query(
            "UPDATE planb.buckets SET bucket = bucket - 60 WHERE holder <> $1 RETURNING posted",
            &[&holder],
        )
        .await
        .unwrap();
    let gone: i64 = moved.iter().map(|row| row.get::<_, i64>(0)).sum();
    assert!(gone >= 20 * CENT, "{gone}");
    until("there is room again", || async {
        burst(&all[1..], 5).await;
        if upstream.invoice() == 30 * CENT + gone {
            Ok(())
        } else {
            Err(upstream.invoice().to_string())
        }
    })
    .await;
    burst(&all[1..], 20).await;
    assert_eq!(upstream.invoice(), 30 * CENT + gone, "and no more than that");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_fleet_left_of_a_period_is_carried_over_once() {
    let postgres = Postgres::start().await;
    let url = postgres.database("books").await;
    let upstream = cents().await;
    let policy = Policy::one(&upstream).budget("month", "limit: 0.4 USD, per: month, carry_over: 50%");
    let daemons = [member(&policy, &url).await, member(&policy, &url).await];
    let all = [daemons[0].address(), daemons[1].address()];
    assert_eq!(burst(&all, 10).await, 10, "nobody was there in the month before");
    // The fleet was, and spent 25 of 40 cents.
    let client = postgres.connect("books").await;
    client
        .batch_execute(&format!(
            "INSERT INTO planb.pools (fleet, budget, shape, period_start, period_end, currency, opened_at)
                 SELECT fleet, budget, shape, period_start - interval '1 month', period_start, currency, now() FROM planb.pools
                 WHERE period_start <= now() AND period_end > now();
             INSERT INTO planb.accounts (pool, key, posted, held)
                 SELECT id, '', {posted}, {held} FROM planb.pools WHERE period_end <= now()",
            posted = 20 * CENT,
            held = 5 * CENT
        ))
        .await
        .unwrap();
    let mut served = 10;
    until("what is left is there besides", || async {
        burst(&all, 8).await;
        if upstream.count() >= 55 {
            Ok(())
        } else {
            Err(upstream.count().to_string())
        }
    })
    .await;
    served += burst(&all, 20).await;
    assert_eq!((served, upstream.count()), (10, 55), "and no more");
    let row = client
        .query_one(
            "SELECT (carried * 100)::bigint, (\"limit\" * 100)::bigint FROM planb.budget_now",
            &[],
        )
        .await
        .unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (15, 55));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_tells_of_a_threshold_once_and_each_daemon_sees_the_sum() {
    let postgres = Postgres::start().await;
    let url = postgres.database("books").await;
    let (upstream, sink) = (cents().await, Sink::start().await);
    let policy = Policy::one(&upstream)
        .budget("month", "limit: 0.2 USD, per: month, alert_at: [50%]")
        .plan("name: frugal, when: 'budget(\"month\").used > 0.7', change: {\"*\": {thinking: off}}")
        .alert(&sink, "budget");
    let daemons = [
        member(&policy, &url).await,
        member(&policy, &url).await,
        member(&policy, &url).await,
    ];
    let all: Vec<SocketAddr> = daemons.iter().map(Daemon::address).collect();
    // Nobody crosses the half alone.
    assert_eq!(burst(&all, 12).await, 12);
    until("somebody tells of the half", || async {
        let told = sink.accepted("budget.threshold").len();
        if told == 1 { Ok(()) } else { Err(told.to_string()) }
    })
    .await;
    assert_eq!(burst(&all, 12).await, 8);
    for daemon in &daemons {
        daemon.when_plan("frugal", true).await;
        assert_eq!(daemon.posted("month", 20 * CENT).await.spent(), 20 * CENT);
    }
    until("somebody tells that it is exhausted", || async {
        let told = sink.accepted("budget.exhausted").len();
        if told == 1 { Ok(()) } else { Err(told.to_string()) }
    })
    .await;
    let client = postgres.connect("books").await;
    until("all that was to be told is", || async {
        let row = client
            .query_one("SELECT count(*), count(done_at) FROM planb.told", &[])
            .await
            .unwrap();
        let (claimed, done): (i64, i64) = (row.get(0), row.get(1));
        if (claimed, done) == (2, 2) {
            Ok(())
        } else {
            Err(format!("{claimed} {done}"))
        }
    })
    .await;
    assert_eq!(
        (
            sink.accepted("budget.threshold").len(),
            sink.accepted("budget.exhausted").len()
        ),
        (1, 1)
    );
    let said = String::from_utf8(daemons[0].cli(&["spend", "--fleet"]).stdout).unwrap();
    assert!(said.contains("fleet shop of 3 daemons"), "{said}");
    let sums = said.lines().find(|line| line.contains(" all ")).unwrap();
    assert!(sums.contains("month") && sums.contains("0.2"), "{said}");
    let status = String::from_utf8(daemons[0].cli(&["status"]).stdout).unwrap();
    assert!(status.contains("budgets show what the whole fleet spent"), "{status}");
}
