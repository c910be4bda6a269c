//! A ledger of a million attempts: how long `planb spend` takes for their month, and how long it takes to open.
//! `cargo bench --bench ledger`; `--smoke` makes a small one to see that it works.

use jiff::Timestamp;
use planb::ledger::Ledger;
use planb::ledger::charges::charges;
use planb::ledger::spend::{By, Only, SpendQuery, spend};
use rusqlite::Connection;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

const TURNS: usize = 9;

fn main() {
    let smoke = std::env::args().any(|arg| arg == "--smoke") || std::env::var_os("PLANB_BENCH_SMOKE").is_some();
    let rows = if smoke { 2_000 } else { 1_000_000 };
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("ledger.sqlite");
    let now: Timestamp = "2026-11-30T12:00:00Z".parse().expect("a time");
    drop(open(&path, now));
    fill(&path, rows);
    let size = std::fs::metadata(&path).map_or(0, |found| found.len()) / 1_000_000;
    println!("{rows} attempts with their decisions, {size} MB");
    for (name, by) in [
        ("spend of the month by model", By::Model),
        ("spend of the month by tag", By::Tag("team".to_owned())),
        ("spend of the month by hour", By::Hour),
    ] {
        report(name, || drop(black_box(spend(&path, &month(by.clone(), 0)))));
    }
    report("spend of a span with odd ends", || {
        drop(black_box(spend(&path, &month(By::Model, 1_234))));
    });
    report("charges of the month (FOCUS)", || {
        drop(black_box(charges(&path, &month(By::Day, 0))))
    });
    report("open the ledger", || drop(black_box(open(&path, now))));
}

fn report(name: &str, mut run: impl FnMut()) {
    let mut times: Vec<u128> = (0..TURNS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_millis()
        })
        .collect();
    times.sort_unstable();
    println!("{name:32} {:6} ms (most {} ms)", times[TURNS / 2], times[TURNS - 1]);
}

/// In order, as a daemon that was stopped leaves it.
fn open(path: &Path, now: Timestamp) -> Ledger {
    let (ledger, _) = Ledger::open(path, now).expect("a ledger");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(ledger.close()).expect("it closes");
    ledger
}

fn month(by: By, seconds: i64) -> SpendQuery {
    let at = |text: &str| text.parse::<Timestamp>().expect("a time");
    let odd = jiff::SignedDuration::from_secs(seconds);
    SpendQuery {
        by,
        since: at("2026-11-01T00:00:00Z") + odd,
        until: at("2026-12-01T00:00:00Z") - odd,
        only: Only::default(),
    }
}

/// Three models, two routes, ten teams, spread over November; one posting each, to one budget.
fn fill(path: &Path, rows: i64) {
    let connection = Connection::open(path).expect("the file");
    let sql = format!(
        "PRAGMA synchronous = OFF;
         BEGIN;
         INSERT INTO pools (budget, shape, period_start, period_end, currency, keyed)
             VALUES ('month', 'month', '2026-11-01T00:00:00.000Z', '2026-12-01T00:00:00.000Z', 'USD', 0);
         INSERT INTO attempts (incarnation, decision, number, at, model, provider, supply, upstream, client, tags, purpose,
             ended, outcome, class, status, input, cache_read, output, reasoning, estimated, amount, worst, currency,
             total_ms, route, firsts)
         SELECT 1, printf('%032x', n * 2654435761), 1, strftime('%Y-%m-%dT%H:%M:%f', 1793491200 + n * 2592000.0 / {rows}, 'unixepoch') || 'Z',
             'model' || n % 3, 'provider' || n % 3, 'licensed', 'upstream', '', json_object('team', 'team' || n % 10), '',
             'posted', 'ok', '', 200, 1000, 100, 200, 0, 0, 1000000 + n % 1000, 2000000, 'USD', 700, 'route' || n % 2, 15
         FROM (WITH RECURSIVE c (n) AS (VALUES (0) UNION ALL SELECT n + 1 FROM c WHERE n + 1 < {rows}) SELECT n FROM c);
         INSERT INTO decisions (id, at, route, dialect, stream, plans, chosen, excluded, client, tags, purpose, input, cost,
             currency, outcome, status, policy, first_choice, first_cost, needs)
         SELECT decision, at, route, 'chat', 1, '[]', model, '[{{\"model\":\"other\",\"reason\":\"quality\",\"detail\":\"52 < 60\"}}]',
             client, tags, purpose, input, amount, currency, 'ok', 200, 'abcdef0123456789', model, amount, '{{\"output\":500}}'
         FROM attempts;
         INSERT INTO postings SELECT 1, id, '', amount, 0, 0, 0 FROM attempts;
         INSERT INTO accounts (pool, key, posted) SELECT 1, '', sum(amount) FROM attempts;
         INSERT INTO spend_hours
         SELECT substr(at, 1, 13), model, provider, supply, route, client, tags, purpose, territory, licenses, currency,
             count(*), count(*), count(*), count(*), count(*), sum(input), sum(cache_read), sum(output), sum(amount),
             0, 0, 0, 0, 0, 0, 0, 0
         FROM attempts GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11;
         INSERT INTO request_hours
         SELECT substr(at, 1, 13), route, client, tags, purpose, territory, first_choice, chosen, '', '', currency,
             count(*), sum(first_cost), count(*), 0
         FROM decisions GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11;
         COMMIT;
         PRAGMA wal_checkpoint(TRUNCATE);"
    );
    connection.execute_batch(&sql).expect("rows");
}
