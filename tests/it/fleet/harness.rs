//! Many daemons on one budget and one PostgreSQL: a few real ones, the rest sidecars in this process over the same books
//! and the same exchange. `PLANB_FLEET_LONG=1` has 20 and 1,000 of them, and says what docs/fleet.md quotes.

use super::sidecar::{Sidecar, Tally};
use super::*;
use planb::policy::compile;
use planb::watch::read_sources;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

struct Size {
    daemons: usize,
    sidecars: usize,
    /// How long it is watched with nearly all spent.
    steady: Duration,
    /// Mean time between two requests of a sidecar, then and in the rush to the end.
    pause: Duration,
    rush: Duration,
    /// How long the rush goes on at most.
    end: Duration,
}

impl Size {
    fn asked_for() -> Self {
        if std::env::var_os("PLANB_FLEET_LONG").is_some() {
            return Self {
                daemons: 20,
                sidecars: 1_000,
                steady: Duration::from_secs(95),
                pause: Duration::from_secs(200),
                rush: Duration::from_secs(60),
                end: Duration::from_secs(100),
            };
        }
        Self {
            daemons: 3,
            sidecars: 100,
            steady: Duration::from_secs(6),
            pause: Duration::from_secs(20),
            rush: Duration::from_secs(3),
            end: Duration::from_secs(600),
        }
    }

    /// A hundred worst cases for each.
    fn limit(&self) -> i64 {
        100 * (self.daemons + self.sidecars) as i64 * CENT
    }
}

/// Exchanges that daemons made: each is one transaction.
async fn transactions(client: &Client) -> i64 {
    let row = client
        .query_one("SELECT sum(exchange)::bigint FROM planb.members", &[])
        .await
        .unwrap();
    row.get(0)
}

/// All that the database counts, with what it does for itself: each notification wakes every connection that listens.
async fn counted(client: &Client) -> i64 {
    let row = client
        .query_one(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = 'books'",
            &[],
        )
        .await
        .unwrap();
    row.get(0)
}

struct Fleet {
    daemons: Vec<Daemon>,
    upstream: Upstream,
    tally: Arc<Tally>,
    client: Client,
}

impl Fleet {
    /// By their own word, not the store's.
    fn spent(&self) -> i64 {
        self.tally.counts.load(Ordering::SeqCst) + self.upstream.invoice()
    }

    /// What shares have beyond what is spent and reserved.
    async fn idle(&self) -> i64 {
        let row = self
            .client
            .query_one("SELECT sum(total)::bigint FROM planb.leases", &[])
            .await
            .unwrap();
        row.get::<_, i64>(0) - self.spent()
    }

    /// One of the real daemons gets a request a second, in a rush each; the sidecars go on by themselves; transactions a second, in all and in
    /// the busiest ten.
    async fn watch(&self, is_rush: bool, during: Duration, mut is_over: impl FnMut(usize) -> bool) -> (f64, f64) {
        let (began, mut at) = (Instant::now(), transactions(&self.client).await);
        let first = at;
        let (mut tens, mut since) = (Vec::new(), Instant::now());
        let addresses: Vec<SocketAddr> = self.daemons.iter().map(Daemon::address).collect();
        loop {
            let turn = (began.elapsed().as_secs() as usize) % addresses.len();
            let to = if is_rush {
                &addresses[..]
            } else {
                &addresses[turn..=turn]
            };
            let served = burst(to, to.len()).await;
            tokio::time::sleep(Duration::from_millis(900)).await;
            if since.elapsed() >= Duration::from_secs(10) {
                let now = transactions(&self.client).await;
                tens.push((now - at) as f64 / since.elapsed().as_secs_f64());
                (at, since) = (now, Instant::now());
            }
            if began.elapsed() >= during || is_over(served) {
                break;
            }
        }
        let all = (transactions(&self.client).await - first) as f64 / began.elapsed().as_secs_f64();
        (all, tens.into_iter().fold(all, f64::max))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_daemons_spend_one_budget_to_its_end_and_not_beyond() {
    let size = Size::asked_for();
    let limit = size.limit();
    let mut postgres = Postgres::start().await;
    postgres.stop();
    postgres
        .launch_with(&["max_connections=1200", "shared_buffers=128MB"])
        .await;
    let url = postgres.database("books").await;
    let upstream = cents().await;
    let policy = Policy::one(&upstream).budget("month", &format!("limit: {} USD, per: month", limit / 1_000_000_000));
    let home = Home::new(&policy);
    let compiled = compile(&read_sources(Some(&home.policy())).unwrap(), jiff::Timestamp::now()).unwrap();
    let (tally, stop) = (Arc::new(Tally::default()), CancellationToken::new());
    tally.pause.store(size.pause.as_millis() as u64, Ordering::Relaxed);
    // Nearly all is spent when the others come.
    let mut first = Sidecar::join(1, &url, &compiled, tally.clone()).await;
    assert!(first.request(limit / 1_000 * 947, limit / 1_000 * 947).await);
    first.end_due(tokio::time::Instant::now() + Duration::from_secs(10));
    let mut daemons = Vec::new();
    for _ in 0..size.daemons {
        daemons.push(member(&policy, &url).await);
    }
    let (mut joining, gate, compiled) = (JoinSet::new(), Arc::new(Semaphore::new(8)), Arc::new(compiled));
    for number in 2..=size.sidecars as u64 {
        let (url, tally, gate, compiled) = (url.clone(), tally.clone(), gate.clone(), compiled.clone());
        joining.spawn(async move {
            let _turn = gate.acquire().await.unwrap();
            Sidecar::join(number, &url, &compiled, tally).await
        });
    }
    let mut sidecars = joining.join_all().await;
    sidecars.push(first);
    let mut running = JoinSet::new();
    for sidecar in sidecars {
        running.spawn(sidecar.run(stop.clone()));
    }
    let fleet = Fleet {
        daemons,
        upstream,
        tally: tally.clone(),
        client: postgres.connect("books").await,
    };
    // What joining took is not counted.
    fleet.watch(false, Duration::from_secs(2), |_| false).await;
    let (before, began) = (counted(&fleet.client).await, Instant::now());
    let (steady, busiest) = fleet.watch(false, size.steady, |_| false).await;
    let all = (counted(&fleet.client).await - before) as f64 / began.elapsed().as_secs_f64();
    let (used, idle) = (fleet.spent(), fleet.idle().await);
    let share = |amount: i64| 100.0 * amount as f64 / limit as f64;
    eprintln!(
        "{} daemons and {} sidecars, steady: {steady:.1} transactions a second, {busiest:.1} in the busiest ten ({all:.1} with the database's own); at {:.2} % used {:.2} % of the limit idle in shares",
        size.daemons,
        size.sidecars,
        share(used),
        share(idle)
    );
    // All but the last hundredth goes at once, and that in a rush.
    let mut last = Sidecar::join(size.sidecars as u64 + 1, &url, &compiled, tally.clone()).await;
    assert!(last.request(limit / 100 * 4, limit / 100 * 4).await);
    last.end_due(tokio::time::Instant::now() + Duration::from_secs(10));
    tally.pause.store(size.rush.as_millis() as u64, Ordering::Relaxed);
    let mut unspent_at_first_no = None;
    let refused = tally.refused.load(Ordering::Relaxed);
    let (rush, busiest) = fleet
        .watch(true, size.end, |served| {
            let no = served < size.daemons || tally.refused.load(Ordering::Relaxed) > refused;
            if no && unspent_at_first_no.is_none() {
                unspent_at_first_no = Some(limit - fleet.spent());
            }
            served == 0 && limit - fleet.spent() < CENT
        })
        .await;
    stop.cancel();
    let mut leaving = JoinSet::new();
    for sidecar in running.join_all().await {
        let gate = gate.clone();
        leaving.spawn(async move {
            let _turn = gate.acquire().await.unwrap();
            sidecar.leave().await;
        });
    }
    leaving.join_all().await;
    let (first_no, left) = (unspent_at_first_no.unwrap_or_default(), limit - fleet.spent());
    eprintln!(
        "rush: {rush:.1} transactions a second, {busiest:.1} in the busiest ten; at the first no {:.2} % of the limit were unspent, at the end {:.4} %; {} served, {} refused",
        share(first_no),
        share(left),
        tally.served.load(Ordering::Relaxed),
        tally.refused.load(Ordering::Relaxed)
    );
    assert!(left >= 0, "{left} beyond the limit");
    assert!(tally.highest.load(Ordering::SeqCst) <= limit);
    assert!(share(idle) < 1.0, "stranded: {:.2} %", share(idle));
    assert!(share(left) < 1.0, "left over: {:.2} %", share(left));
    let (spent, kept, leased) = store(&fleet.client, "month").await;
    assert!(spent + kept + leased <= limit, "{spent} {kept} {leased}");
}
