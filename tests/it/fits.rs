//! A bounded soak of the money: many requests that succeed, fail, are cut and are left, while the policy is edited and
//! the daemon killed. Nothing leaks, nothing is missing, and nothing that fits is refused.

use crate::support::{Call, Daemon, Policy, Price, Reply, Upstream, Usage, sse, upstream::answer};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

const REQUESTS: usize = 20_000;
const WORKERS: usize = 48;
const RELOADS: usize = 20;
const CRASHES: usize = 2;
/// What one request reserves with [`Price::OUTPUT_ONLY`], a tenth of which is billed.
const WORST: i64 = 10_000_000;
const USAGE: Usage = Usage::new(10, 100);

/// Every way an attempt can go, chosen by the request's own number.
async fn provider() -> Upstream {
    let upstream = Upstream::start("alpha", Price::OUTPUT_ONLY).await;
    let whole = answer("A tenth of a cent", USAGE);
    upstream.script(move |seen| {
        let request = seen.json();
        match (request["x_way"].as_u64().unwrap_or(0), request["stream"] == true) {
            (1, _) => Reply::json(500, &json!({"error": {"message": "no", "type": "server_error"}})),
            (2, _) => Reply::json(
                400,
                &json!({"error": {"message": "no", "type": "invalid_request_error"}}),
            ),
            // Cut after its first word, billed for what the whole would have cost at most.
            (3, true) => Reply::stream_head()
                .chunk(sse::content_event("alpha-model", "A word"))
                .close()
                .billed(Usage::new(10, 1)),
            // The client leaves before this is over.
            (4, true) => Reply::stream_head()
                .chunk(sse::content_event("alpha-model", "A word"))
                .stall()
                .billed(Usage::new(10, 1)),
            (4, false) => Reply::default().stall().billed(USAGE),
            _ => whole(seen),
        }
    });
    upstream
}

fn policy(upstream: &Upstream, reload: usize) -> Policy {
    let words = "breaker: none, cooldown: none";
    let policy = Policy::one_with(upstream, words)
        .budget("month", &format!("limit: {} USD, per: month", 100_000 + reload))
        .budget("teams", "limit: 50000 USD, per: day, each: tag.team");
    if reload % 3 == 1 {
        policy.budget(
            "week",
            "limit: 70000 USD, per: week, covers: 'model.supply == \"licensed\"'",
        )
    } else {
        policy
    }
}

fn request(number: usize) -> (Value, u64) {
    let way = match number % 40 {
        7 => 1,
        13 => 2,
        19 => 3,
        23 => 4,
        _ => 0,
    };
    let request = json!({"model": "chat", "max_tokens": 1_000, "stream": number % 2 == 1 || way == 3 || number % 80 == 23,
        "x_way": way, "messages": [{"role": "user", "content": "Hello."}]});
    (request, way)
}

/// What became of the requests.
#[derive(Default)]
struct Tally {
    next: AtomicUsize,
    answered: AtomicUsize,
    /// The daemon was gone.
    lost: AtomicUsize,
}

/// One request: `Err` when there was no daemon to ask.
async fn ask(to: SocketAddr, number: usize) -> Result<(), String> {
    let (body, way) = request(number);
    let team = format!("team={}", number % 5);
    let call = Call::chat(&body).header("x-planb-tags", &team);
    if way == 4 {
        let patience = Duration::from_millis(20 + (number % 7) as u64 * 5);
        // Dropped wherever it is by then.
        let _ = tokio::time::timeout(patience, call.try_send(to)).await;
        return Ok(());
    }
    let answer = call.try_send(to).await?;
    let expected: &[u16] = match way {
        0 => &[200],
        1 => &[502],
        2 => &[400],
        _ => &[200, 502],
    };
    if way != 3 && !answer.whole {
        return Err("cut off".to_owned());
    }
    assert!(
        expected.contains(&answer.status),
        "request {number}, way {way}: {} {}",
        answer.status,
        answer.text()
    );
    Ok(())
}

/// Asks until `upto` numbers are taken or the daemon is gone.
fn workers(to: SocketAddr, tally: &Arc<Tally>, upto: usize) -> JoinSet<()> {
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        let tally = tally.clone();
        workers.spawn(async move {
            loop {
                let number = tally.next.fetch_add(1, Ordering::Relaxed);
                if number >= upto {
                    return;
                }
                match ask(to, number).await {
                    Ok(()) => tally.answered.fetch_add(1, Ordering::Relaxed),
                    Err(_) => {
                        tally.lost.fetch_add(1, Ordering::Relaxed);
                        return;
                    }
                };
            }
        });
    }
    workers
}

async fn finished(mut workers: JoinSet<()>) {
    while let Some(ended) = workers.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_twenty_thousand_requests_nothing_leaks_nothing_is_missing_and_what_fits_is_served() {
    let upstream = provider().await;
    let mut daemon = Daemon::start(&policy(&upstream, 0)).await;
    let tally = Arc::new(Tally::default());
    let (mut reload, mut leased) = (0, 0);
    for part in 1..=CRASHES + 1 {
        let upto = REQUESTS * part / (CRASHES + 1);
        let load = workers(daemon.address(), &tally, upto);
        for _ in 0..RELOADS / (CRASHES + 1) {
            reload += 1;
            daemon.edit(&policy(&upstream, reload)).await;
        }
        if part > CRASHES {
            finished(load).await;
            break;
        }
        upstream.reached(upto * 9 / 10).await;
        daemon.kill9();
        leased += daemon.outstanding("month");
        load.join_all().await;
        daemon.restart().await;
    }
    assert_eq!(
        tally.lost.load(Ordering::Relaxed).min(CRASHES * WORKERS),
        tally.lost.load(Ordering::Relaxed)
    );
    let books = daemon.settled("month").await;
    for budget in ["month", "teams"] {
        assert_eq!(daemon.settled(budget).await.reserved, 0, "{budget}");
    }
    let invoice = upstream.invoice();
    assert!(books.spent() >= invoice, "{books:?} against {invoice} billed");
    let held: i64 = daemon
        .ledger()
        .query_row(
            "SELECT coalesce(sum(amount), 0) FROM attempts WHERE ended = 'held'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(held % WORST, 0, "an answer that was left is held in full");
    let estimated: i64 = daemon
        .ledger()
        .query_row(
            "SELECT coalesce(sum(amount), 0) FROM attempts WHERE estimated",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert!(
        books.spent() <= invoice + held + estimated + leased,
        "{books:?}: {invoice} billed, {held} held, {estimated} estimated, {leased} leased at the crashes"
    );
    let turned_away = "SELECT (SELECT count(*) FROM decisions WHERE outcome = 'refused')
                       + (SELECT coalesce(sum(requests), 0) FROM refusals)";
    let turned_away: i64 = daemon.ledger().query_row(turned_away, [], |row| row.get(0)).unwrap();
    assert_eq!(
        turned_away, 0,
        "there was room all the time: nobody is told no by any status"
    );
}
