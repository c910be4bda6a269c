//! Rows that earlier versions wrote: what they do not say is told as not said, and what can be found is found.

use super::*;
use crate::ledger::bill::month_bill;
use crate::ledger::charges::charges;
use crate::ledger::verify::verify;
use crate::policy::snapshot::Snapshot;
use crate::policy::{Sources, compile};
use crate::price::{MeterKey, MeterRow, Price, Unit};

/// The version that wrote meters without shapes and bills without their explanation.
const BEFORE_METERS: usize = 12;

const POLICY: &str = "providers:
  qwen: {vendor: openai-compatible, base_url: http://127.0.0.1:9/v1, allow_private: true}
models:
  MODEL: {provider: qwen, name: qwen3.8-max, supply: licensed, price: PRICE}
routes:
  - {name: chat, try: [MODEL]}
";

fn policy(model: &str, price: &str) -> String {
    POLICY.replace("MODEL", model).replace("PRICE", price)
}

fn snapshot(text: &str) -> Arc<Snapshot> {
    let sources = Sources::joined_text("policy.yaml", PathBuf::from("."), text);
    Arc::new(compile(&sources, noon()).unwrap_or_else(|_| panic!("{text}")).snapshot)
}

fn month() -> (Timestamp, Timestamp) {
    let at = |text: &str| text.parse().unwrap();
    (at("2026-11-01T00:00:00Z"), at("2026-12-01T00:00:00Z"))
}

async fn send(ledger: &Ledger, record: AttemptRecord) {
    ledger.send(Record::Attempt(Box::new(record))).await.unwrap();
}

/// The meter of a model's price, as a daemon asks for it.
fn asked(price: &Price) -> MeterRow {
    let meter = price.meters().next().unwrap();
    MeterRow {
        key: meter.key(noon()),
        unit: meter.unit,
        end: meter.span(noon()).end,
        used: 0,
        steps: Vec::new(),
    }
}

async fn replayed(ledger: &Ledger, snapshot: Arc<Snapshot>) -> MeterRow {
    let asked = vec![asked(snapshot.models[0].price.as_ref().unwrap())];
    let upto = ledger.begin_meters(asked.clone()).await.unwrap();
    ledger.replay(asked, upto, snapshot).await.unwrap().remove(0)
}

#[tokio::test]
async fn a_row_that_does_not_say_how_it_came_about_is_not_explained_and_no_difference() {
    let (_directory, path) = place();
    let (ledger, _) = Ledger::open(&path, noon()).unwrap();
    send(&ledger, attempt("d1", noon(), "a", EndKind::Posted, usd(70))).await;
    send(&ledger, attempt("d2", noon(), "a", EndKind::Posted, usd(0))).await;
    ledger.close().await.unwrap();
    let sql = "UPDATE attempts SET billed = 40, amount = 40, bill = '' WHERE decision = 'd2'";
    Connection::open(&path).unwrap().execute(sql, []).unwrap();
    let bill = month_bill(&path, month().0, month().1).unwrap();
    assert_eq!(bill.differences, []);
    let one = &bill.models[0];
    assert_eq!(
        (one.attempts, one.unexplained, one.unexplained_amount, one.posted),
        (2, 2, usd(110), usd(0))
    );
}

#[tokio::test]
async fn a_replay_counts_attempts_under_an_earlier_name_and_what_held_ones_drew_of_a_quota() {
    let (_directory, path) = place();
    let (ledger, _) = Ledger::open(&path, noon()).unwrap();
    // 120 tokens each, at a model that has another name by now; and one of another model there.
    for decision in ["d1", "d2"] {
        send(&ledger, attempt(decision, noon(), "a", EndKind::Posted, usd(1))).await;
    }
    let other = AttemptRecord {
        model: "plus".into(),
        upstream: "qwen3.8-plus".into(),
        ..attempt("d3", noon(), "a", EndKind::Posted, usd(1))
    };
    send(&ledger, other).await;
    let ladder = "{input: 2 USD/M, output: 6 USD/M, ladder: {per: year, steps: [{above: 1M, output: 5 USD/M}]}}";
    let found = replayed(&ledger, snapshot(&policy("max", ladder))).await;
    assert_eq!((&*found.key.name, found.used), ("ladder/model/max", 240));

    let quota = MeterKey {
        name: "free/model/max".into(),
        shape: "any".into(),
        start: noon(),
    };
    let held = AttemptRecord {
        meters: vec![crate::price::MeterChange {
            key: quota,
            unit: Unit::Tokens,
            end: noon(),
            added: 500,
            steps: Vec::new(),
        }],
        usage: Usage::NONE,
        ..attempt("d4", noon(), "a", EndKind::Held, usd(9))
    };
    send(&ledger, held).await;
    let free = "{input: 2 USD/M, output: 6 USD/M, free: {tokens: 10000, per: year}}";
    let found = replayed(&ledger, snapshot(&policy("max", free))).await;
    assert_eq!((&*found.key.name, found.used), ("free/model/max", 740));
}

/// A file of an earlier version, with a meter that has counted more than the attempts of it tell.
fn with_a_meter(path: &Path, name: &str, month: &str, used: i64) {
    let mut connection = Connection::open(path).unwrap();
    migrate(&mut connection, path, &MIGRATIONS[..BEFORE_METERS]).unwrap();
    let unit = if name.starts_with("commit/") { "money" } else { "tokens" };
    connection
        .execute(
            "INSERT INTO meters VALUES (?1, ?2, ?4 || '-01T00:00:00.000Z', ?4 || '-31T00:00:00.000Z', ?3)",
            rusqlite::params![name, unit, used, month],
        )
        .unwrap();
    connection
        .execute(
            "INSERT INTO meter_steps VALUES (?1, ?2 || '-01T00:00:00.000Z', 0, 77)",
            [name, month],
        )
        .unwrap();
}

#[tokio::test]
async fn a_meter_of_an_earlier_version_has_counted_at_least_what_it_had() {
    let (_directory, path) = place();
    with_a_meter(&path, "ladder/model/max", "2026-11", 900);
    let (ledger, _) = Ledger::open(&path, noon()).unwrap();
    send(&ledger, attempt("d1", noon(), "a", EndKind::Posted, usd(1))).await;
    let ladder = "{input: 2 USD/M, output: 6 USD/M, ladder: {per: month, steps: [{above: 1M, output: 5 USD/M}]}}";
    let found = replayed(&ledger, snapshot(&policy("max", ladder))).await;
    assert_eq!(found.used, 900, "120 tokens are told by the attempts");
}

#[tokio::test]
async fn what_a_commitment_left_unused_is_less_what_an_earlier_version_counted() {
    let (_directory, path) = place();
    with_a_meter(&path, "commit/model/max", "2026-10", 60_000_000_000);
    let (ledger, _) = Ledger::open(&path, noon()).unwrap();
    let commitment = "{input: 2 USD/M, output: 6 USD/M, commit: {amount: 100 USD, per: month}}";
    let october = (
        "2026-10-01T00:00:00Z".parse().unwrap(),
        "2026-11-01T00:00:00Z".parse().unwrap(),
    );
    let record = PolicyRecord {
        hash: "h".into(),
        text: policy("max", commitment).into(),
        origin: "policy.yaml".into(),
        since: october.0,
    };
    ledger.send(Record::Policy(record)).await.unwrap();
    ledger.close().await.unwrap();
    let query = SpendQuery {
        by: By::Model,
        since: october.0,
        until: october.1,
        only: Only::default(),
    };
    let spent = spend(&path, &query).unwrap();
    let fee = spent.rows.iter().find(|row| row.name == "max (fee)");
    assert_eq!(fee.map(|row| row.posted.to_string()), Some("40".to_owned()));
}

#[test]
fn what_a_commitment_paid_for_before_its_worth_was_kept_is_found() {
    let (_directory, path) = place();
    let mut connection = Connection::open(&path).unwrap();
    migrate(&mut connection, &path, &MIGRATIONS[..9]).unwrap();
    let row = "INSERT INTO attempts (incarnation, decision, number, at, model, provider, supply, upstream, client, tags,
         purpose, ended, outcome, class, status, input, cache_read, output, reasoning, estimated, amount, worst, currency,
         total_ms, prepaid, exchange) VALUES (1, ?1, 1, '2026-11-23T12:00:00.000Z', 'max', 'qwen', 'licensed', 'm', '', '{}',
         '', 'posted', 'ok', '', 200, 10, 0, 5, 0, 0, ?2, 0, 'USD', 5, ?3, ?4)";
    for (decision, amount, prepaid, exchange) in [
        ("d1", 300, 200, "1/1"),
        (
            "d2",
            14_000_000_000_000_i64,
            100_000_000_000_000_i64,
            "138888889/1000000000",
        ),
        ("d3", 50, 0, "1/1"),
    ] {
        connection
            .execute(row, rusqlite::params![decision, amount, prepaid, exchange])
            .unwrap();
    }
    migrate(&mut connection, &path, MIGRATIONS).unwrap();
    drop(connection);
    let query = SpendQuery {
        by: By::Day,
        since: month().0,
        until: month().1,
        only: Only::default(),
    };
    let charged = charges(&path, &query).unwrap();
    assert_eq!(charged[0].prepaid, usd(200 + 13_888_888_900_000));
    let broken: Vec<_> = verify(&path)
        .unwrap()
        .into_iter()
        .filter(|proof| !proof.broken.is_empty())
        .collect();
    assert_eq!(broken, []);
}
