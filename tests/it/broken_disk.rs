//! A disk that is full, that fails, or that hangs, at any call of the ledger: what is paid stops, what is free goes on,
//! nothing is lost, it is told, and when the disk is well again so is the ledger, without a restart. And no disk is waited
//! for on a request's way.
//!
//! `PLANB_DISK_FAULTS=200` fails the first to the 200th call, full and failing each; a dozen otherwise.

use crate::support::disk::{Done, EVERY_CALL, FOR_EVER};
use crate::support::{
    CENT, Call, Daemon, Disk, Home, LOCAL, Policy, Price, Sink, Upstream, cents, named, one_cent, until,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Which calls fail where nobody asks for more.
const SHORT: [i64; 12] = [1, 2, 4, 7, 12, 20, 33, 54, 80, 110, 150, 200];
const AT_ONCE: usize = 4;
const ERRORS: [i32; 2] = [libc::ENOSPC, libc::EIO];

fn env<'a>(variables: &'a [(&'static str, String); 4]) -> Vec<(&'a str, &'a str)> {
    variables.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

async fn ledger_is(daemon: &Daemon, state: &str) {
    let holds = |status: &Value| status["ledger"]["state"] == state;
    let what = format!("the ledger is {state}");
    daemon.when("/planb/status", &what, holds).await;
}

fn free() -> Value {
    let mut free = one_cent();
    free["model"] = "free".into();
    free
}

struct World {
    paid: Upstream,
    sink: Sink,
    policy: Policy,
    _home: Upstream,
}

async fn world() -> World {
    let (paid, home, sink) = (
        cents().await,
        Upstream::start("home", Price::FREE).await,
        Sink::start().await,
    );
    let policy = Policy::one(&paid)
        .provider(&home, "")
        .model("tiny", &home, LOCAL)
        .route("name: free, try: [tiny]")
        .budget("month", "limit: 100 USD, per: month")
        .alert(&sink, "ledger");
    World {
        paid,
        sink,
        policy,
        _home: home,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// Calls are counted since the process began, on an empty state directory.
    FirstStart,
    /// Since it has begun to serve.
    Served,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    n: i64,
    errno: i32,
    for_good: bool,
    from: From,
}

/// Where the disk failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Met {
    /// Nothing was started.
    AtTheStart,
    /// Until it was healed, while requests came.
    UnderWay,
    /// Once, while a daemon ran.
    Once,
    Never,
}

/// The `n`-th call fails, and all after it until the disk is healed, or that one alone.
async fn lives_through(case: Case) -> Met {
    let Case {
        n,
        errno,
        for_good,
        from,
    } = case;
    let world = world().await;
    let home = Home::new(&world.policy);
    let disk = Disk::under(&home);
    let variables = disk.variables();
    let fail = || disk.fail(EVERY_CALL, n, if for_good { FOR_EVER } else { n + 1 }, errno);
    if from == From::FirstStart {
        fail();
    }
    let mut met = Met::Never;
    let mut daemon = match Daemon::try_start_with(home, &env(&variables)).await {
        Ok(daemon) => daemon,
        Err((home, said)) => {
            assert!(said.contains("planb: ") && said.contains("ledger"), "call {n}: {said}");
            assert!(!said.contains("panicked"), "call {n}: {said}");
            disk.heal();
            met = Met::AtTheStart;
            Daemon::start_with(home, &env(&variables)).await
        }
    };
    if from == From::Served {
        fail();
    }
    // Free work goes on whatever happens to the ledger; what is paid is answered, or told that it must wait.
    for _ in 0..60 {
        let status = daemon.chat(&one_cent()).await.status;
        assert!([200, 503].contains(&status), "call {n}: {status}");
        daemon.chat(&free()).await.expect(200);
        if disk.failed() > 0 {
            break;
        }
    }
    if disk.is_failing() && disk.failed() > 0 {
        met = if for_good { Met::UnderWay } else { Met::Once };
        if for_good {
            closes_and_opens(&daemon, &disk, &world).await;
        }
    }
    disk.heal();
    ledger_is(&daemon, "ok").await;
    until("what is paid is served again", || async {
        let answer = daemon.chat(&one_cent()).await;
        if answer.status == 200 {
            Ok(())
        } else {
            Err(answer.text())
        }
    })
    .await;
    let books = daemon.settled("month").await;
    assert!(books.spent() >= world.paid.invoice(), "call {n}: {books:?}");
    assert!(!daemon.said().contains("panicked"), "call {n}");
    if n % 2 == 0 {
        daemon.kill9();
    } else {
        daemon.sigterm().await;
    }
    daemon.restart().await;
    let books = daemon.settled("month").await;
    assert!(
        books.spent() >= world.paid.invoice(),
        "call {n}, after a restart: {books:?}"
    );
    let checked = daemon.cli(&["ledger", "check"]);
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success(), "call {n}: {said}");
    met
}

async fn closes_and_opens(daemon: &Daemon, disk: &Disk, world: &World) {
    until("what is paid stops", || async {
        let answer = daemon.chat(&one_cent()).await;
        if answer.status == 503 {
            Ok(())
        } else {
            Err(answer.text())
        }
    })
    .await;
    ledger_is(daemon, "degraded").await;
    until("it is told", || async {
        let said = daemon.said();
        if said.contains("the ledger cannot be relied on") {
            Ok(())
        } else {
            Err(said)
        }
    })
    .await;
    let billed = world.paid.invoice();
    daemon.chat(&one_cent()).await.expect_error(503);
    daemon.chat(&free()).await.expect(200);
    assert_eq!(world.paid.invoice(), billed, "nothing paid is sent");
    disk.heal();
    ledger_is(daemon, "ok").await;
    world.sink.got("ledger.degraded", 1).await;
    world.sink.got("ledger.recovered", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_call_of_the_ledger_fails_money_stops_the_rest_goes_on_and_all_recovers_by_itself() {
    let asked = std::env::var("PLANB_DISK_FAULTS")
        .ok()
        .and_then(|text| text.parse::<i64>().ok());
    let case = |n, at: usize, from| Case {
        n,
        errno: ERRORS[at % 2],
        for_good: n % 3 != 0,
        from,
    };
    let cases: Vec<Case> = match asked {
        Some(last) => {
            let both = |n| [0, 1].map(|at| [From::FirstStart, From::Served].map(|from| case(n, at, from)));
            (1..=last).flat_map(both).flatten().collect()
        }
        None => {
            let from = |at: usize| if at % 4 == 3 { From::FirstStart } else { From::Served };
            (0..).zip(SHORT).map(|(at, n)| case(n, at, from(at))).collect()
        }
    };
    let (slots, mut running) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for case in cases {
        let slots = slots.clone();
        running.spawn(async move {
            let _slot = slots.acquire_owned().await.unwrap();
            lives_through(case).await
        });
    }
    let mut met: BTreeMap<Met, usize> = BTreeMap::new();
    for one in running.join_all().await {
        *met.entry(one).or_default() += 1;
    }
    eprintln!("where disks failed: {met:?}");
    for least in [Met::AtTheStart, Met::UnderWay, Met::Once] {
        assert!(met.contains_key(&least), "{met:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_answered_while_every_sync_hangs_and_only_the_ledgers_thread_syncs() {
    let upstream = cents().await;
    let policy = Policy::one(&upstream)
        .budget("month", "limit: 100 USD, per: month")
        .budget("teams", "limit: 50 USD, per: day, each: tag.team");
    let home = Home::new(&policy);
    let disk = Disk::under(&home);
    let variables = disk.variables();
    let daemon = Daemon::start_with(home, &env(&variables)).await;
    let since = crate::support::disk::nanos_now();
    let body = one_cent();
    let ask = || async {
        Call::chat(&body)
            .header("x-planb-tags", "team=search")
            .send(daemon.address())
            .await
    };
    let lease = || ["month", "teams"].map(|budget| daemon.outstanding(budget) / CENT);
    until("a lease of fifty cents is there beforehand", || async {
        ask().await.expect(200);
        daemon.settled("month").await;
        let lease = lease();
        if lease.iter().all(|cents| *cents >= 50) {
            Ok(())
        } else {
            Err(format!("{lease:?}"))
        }
    })
    .await;
    disk.hang_syncs();
    ask().await.expect(200);
    until("a sync hangs", || async {
        if disk.hanging() > 0 {
            Ok(())
        } else {
            Err("none".to_owned())
        }
    })
    .await;
    for _ in 0..20 {
        ask().await.expect(200);
    }
    disk.go_on();
    let spent = daemon.posted("month", upstream.invoice()).await;
    assert_eq!(spent.posted, upstream.invoice());
    let trace = disk.trace();
    let syncs = trace
        .iter()
        .filter(|entry| entry.nanos > since && matches!(entry.done, Done::Sync));
    let (own, others): (Vec<_>, Vec<_>) = syncs.partition(|entry| entry.by_ledger);
    assert!(
        !own.is_empty() && others.is_empty(),
        "{} by the ledger, {others:?}",
        own.len()
    );
    let status = daemon.status().await;
    assert_eq!(named(&status["models"], "only")["available"], true);
}
