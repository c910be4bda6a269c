use super::command::Command;
use super::record::*;
use super::schema::{MIGRATIONS, backup_path, migrate};
use super::spend::{By, Only, SpendQuery, spend};
use super::*;
use crate::budget::{Books, Charges, End, Facts, Refusal, ReservationId, UNACCOUNTED_KEY};
use crate::money::{Currency, Money};
use crate::period::{Period, Start};
use crate::policy::condition::ModelFacts;
use crate::policy::snapshot::{Budget, Cycle, Each, Enforce, Held};
use crate::request::{Caller, Tags};
use crate::usage::Usage;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

mod docs;
mod flips;
mod fold;
mod hours;
mod leases;
mod migrations;
mod mirrored;
mod model;
mod older;
mod reads;
mod selectors;
mod spent;
mod trouble;
mod walk;

fn usd(nanos: i64) -> Money {
    Money::from_nanos(nanos)
}

fn noon() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn budget(name: &str, limit: i64, each: Option<Each>, per: Period) -> Budget {
    let shape = format!("{name}/{each:?}/{per:?}").into();
    let (limit, enforce, alert_at) = (usd(limit), Enforce::Hard, vec![]);
    Budget {
        name: name.into(),
        limit,
        raises: Vec::new(),
        cycle: Cycle::Calendar(per, Start::default()),
        carry_over: None,
        held: Held::Keep,
        timezone: None,
        enforce,
        covers: None,
        each,
        alert_at,
        shadows: false,
        shape,
    }
}

fn facts(team: &str) -> Facts {
    Facts {
        model: Arc::new(ModelFacts::recorded("qwen-max", "qwen", "licensed")),
        currency: Currency::USD,
        caller: Arc::new(Caller {
            tags: Tags::new([("team", team)]),
            ..Caller::default()
        }),
    }
}

/// Books and ledger as a daemon drives them, one step at a time.
struct Daemon {
    books: Books,
    ledger: Ledger,
    now: Timestamp,
    sent: u64,
    /// What the store leased, by pool.
    granted: std::collections::HashMap<u64, Money>,
}

impl Daemon {
    async fn start(path: &Path, budgets: &[Budget], now: Timestamp) -> Self {
        let (ledger, _) = Ledger::open(path, now).unwrap();
        let mut daemon = Self {
            books: Books::new(),
            ledger,
            now,
            sent: 0,
            granted: Default::default(),
        };
        daemon.install(budgets).await;
        daemon
    }

    async fn install(&mut self, budgets: &[Budget]) {
        let requests = self.books.install(budgets, &TimeZone::UTC, Currency::USD, self.now);
        self.rebuild(requests).await;
    }

    async fn tick(&mut self, now: Timestamp) {
        self.now = now;
        let returns = self.books.returns();
        let requests = self.books.roll(now);
        for pool in returns {
            self.ledger.send(Record::Return(pool)).await.unwrap();
        }
        self.rebuild(requests).await;
        let wanted = self.books.wanted();
        self.lease(wanted).await;
    }

    async fn rebuild(&mut self, requests: Vec<crate::budget::RebuildRequest>) {
        for request in requests {
            let rebuilt = self.ledger.rebuild(request).await.unwrap();
            self.books.rebuilt(rebuilt);
        }
    }

    async fn lease(&mut self, requests: Vec<crate::budget::GrantRequest>) {
        for grant in self.ledger.grant(requests).await.unwrap() {
            self.granted.insert(grant.pool.life, grant.total);
            self.books.grant(&grant);
        }
    }

    async fn reserve(&mut self, worst: i64, team: &str) -> Result<ReservationId, Refusal> {
        for _ in 0..4 {
            let facts = facts(team);
            let charges: Charges = self.books.charges(facts.model(), &facts.caller, self.now);
            match self.books.reserve(usd(worst), &charges, facts, self.now) {
                Err(Refusal::Lease(requests)) => self.lease(requests).await,
                answer => return answer,
            }
        }
        panic!("the store leases less than fits");
    }

    fn end(&mut self, id: ReservationId, at: Timestamp, team: &str, worst: i64, end: End) {
        self.end_corrected(id, at, team, (worst, None), end);
    }

    /// The same, with what it corrects of the ends before it.
    fn end_corrected(
        &mut self,
        id: ReservationId,
        at: Timestamp,
        team: &str,
        (worst, correction): (i64, Option<Money>),
        end: End,
    ) {
        let permit = self.ledger.try_permit().unwrap();
        let (kind, amount) = match end {
            End::Post(actual) => (EndKind::Posted, actual),
            End::Hold => (EndKind::Held, usd(worst)),
            End::Void => (EndKind::Voided, Money::ZERO),
        };
        self.sent += 1;
        let mut record = attempt(&format!("d{}", self.sent), at, team, kind, amount);
        record.worst = usd(worst);
        record.estimate = (kind == EndKind::Held).then(|| usd(worst / 2));
        let ended = self.books.end_corrected(id, end, correction);
        record.postings = ended.postings;
        record.adjustment = correction.map(|amount| Adjustment {
            amount,
            postings: ended.corrections,
        });
        permit.send(Record::Attempt(Box::new(record)));
    }

    async fn spend(&mut self, worst: i64, team: &str, end: End) {
        let id = self.reserve(worst, team).await.unwrap();
        self.end(id, self.now, team, worst, end);
    }

    fn total(&self, budget: &str, key: &str) -> (Money, Money) {
        let views = self.books.views();
        let view = views
            .iter()
            .find(|view| view.budget.as_ref() == budget && view.key.as_ref() == key);
        view.map_or((Money::ZERO, Money::ZERO), |view| (view.posted, view.held))
    }
}

fn attempt(decision: &str, at: Timestamp, team: &str, end: EndKind, amount: Money) -> AttemptRecord {
    let facts = facts(team);
    AttemptRecord {
        decision: decision.into(),
        number: 1,
        at,
        model: facts.model.name.clone(),
        provider: facts.model.provider.clone(),
        supply: facts.model.supply,
        upstream: "qwen3.8-max".into(),
        key: "second".into(),
        caller: facts.caller.clone(),
        licenses: Vec::new(),
        user: None,
        end,
        outcome: "ok",
        class: "",
        status: 200,
        usage: Usage {
            input: 100,
            cache_read: 10,
            output: 20,
            reasoning: 5,
            ..Usage::default()
        },
        amount,
        worst: amount,
        currency: Currency::USD,
        bill: None,
        first_token_ms: Some(12),
        total_ms: 40,
        estimate: None,
        postings: Vec::new(),
        lines: Vec::new(),
        options: Vec::new(),
        policy: "".into(),
        meters: Vec::new(),
        adjustment: None,
    }
}

fn decision(id: &str, at: Timestamp) -> DecisionRecord {
    DecisionRecord {
        id: id.into(),
        retry_of: Arc::default(),
        at,
        route: "chat".into(),
        dialect: "chat",
        stream: true,
        grounds: None,
        chosen: Some("qwen-max".into()),
        first_choice: Some("qwen-max".into()),
        first_cost: usd(420_000),
        passed: vec![ExcludedRecord {
            model: "tiny".into(),
            reason: "quality",
            detail: "20 < 60".to_owned(),
        }],
        caller: Arc::new(Caller {
            tags: Tags::new([("team", "a")]),
            ..Caller::default()
        }),
        input: 100,
        needs: Arc::default(),
        cost: usd(420_000),
        currency: Currency::USD,
        outcome: "ok",
        status: 200,
        policy_hash: "abc".into(),
    }
}

fn event(id: &str, dedupe: Option<&str>) -> OutboxEvent {
    OutboxEvent {
        id: id.into(),
        kind: "budget.threshold".into(),
        at: noon(),
        dedupe: dedupe.map(Into::into),
        body: "{}".into(),
        targets: vec!["hook".into(), "other".into()],
    }
}

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE_NAME);
    (directory, path)
}

#[tokio::test]
async fn spend_survives_a_stop_in_order_with_nothing_unaccounted() {
    let (_directory, path) = place();
    let budgets = [budget("month", 1_000, None, Period::Month)];
    let mut daemon = Daemon::start(&path, &budgets, noon()).await;
    daemon.spend(100, "a", End::Post(usd(70))).await;
    daemon.spend(50, "a", End::Hold).await;
    daemon.ledger.close().await.unwrap();
    assert!(matches!(daemon.ledger.permit().await, Err(LedgerError::Closed)));
    let (_, opening) = Ledger::open(&path, noon()).unwrap();
    assert_eq!((opening.incarnation, opening.unaccounted), (2, vec![]));
    let again = Daemon::start(&path, &budgets, noon()).await;
    assert_eq!(again.total("month", ""), (usd(70), usd(50)));
}

#[tokio::test]
async fn after_a_crash_the_unrecorded_rest_of_a_lease_is_held() {
    let (_directory, path) = place();
    let budgets = [
        budget("month", 1_000, None, Period::Month),
        budget("teams", 500, Some(Each::Tag("team".into())), Period::Day),
    ];
    let mut daemon = Daemon::start(&path, &budgets, noon()).await;
    daemon.spend(100, "a", End::Post(usd(70))).await;
    daemon.ledger.flush().await.unwrap();
    let _lost = daemon.reserve(100, "a").await.unwrap();
    daemon.ledger.command(Command::Crash);
    while !matches!(daemon.ledger.permit().await, Err(LedgerError::Closed)) {
        tokio::task::yield_now().await;
    }
    let granted: i64 = daemon.granted[&1].nanos();
    let again = Daemon::start(&path, &budgets, noon()).await;
    assert_eq!(again.total("month", ""), (usd(70), usd(granted - 70)));
    assert_eq!(again.total("teams", "a").0, usd(70));
    assert!(again.total("teams", UNACCOUNTED_KEY).1 >= usd(100));
    let query = SpendQuery {
        by: By::Model,
        since: Timestamp::UNIX_EPOCH,
        until: Timestamp::MAX,
        only: Only::default(),
    };
    let rows = spend(&path, &query).unwrap().rows;
    assert!(
        rows.iter()
            .any(|row| row.name == "(unaccounted)" && row.held >= usd(100)),
        "{rows:?}"
    );
}

#[tokio::test]
async fn a_new_shape_starts_from_the_attempts_and_a_second_look_counts_nothing_twice() {
    let (_directory, path) = place();
    let mut daemon = Daemon::start(&path, &[], noon()).await;
    daemon.spend(100, "a", End::Post(usd(70))).await;
    daemon.spend(100, "b", End::Hold).await;
    daemon.spend(100, "b", End::Void).await;
    let teams = [budget("teams", 500, Some(Each::Tag("team".into())), Period::Day)];
    daemon.install(&teams).await;
    assert_eq!(
        (daemon.total("teams", "a"), daemon.total("teams", "b")),
        ((usd(70), usd(0)), (usd(0), usd(100)))
    );
    daemon.install(&[]).await;
    daemon.spend(10, "a", End::Post(usd(10))).await;
    daemon.install(&teams).await;
    assert_eq!(daemon.total("teams", "a").0, usd(80));
    daemon.ledger.close().await.unwrap();
    let again = Daemon::start(&path, &teams, noon()).await;
    assert_eq!(again.total("teams", "a").0, usd(80));
}

#[tokio::test]
async fn a_budget_that_comes_back_takes_the_lease_of_its_open_reservations_over() {
    let (_directory, path) = place();
    let budgets = [budget("month", 100, None, Period::Month)];
    let mut daemon = Daemon::start(&path, &budgets, noon()).await;
    let id = daemon.reserve(90, "a").await.unwrap();
    daemon.install(&[]).await;
    daemon.install(&budgets).await;
    let small = daemon.reserve(10, "a").await.unwrap();
    daemon.end(id, daemon.now, "a", 90, End::Post(usd(90)));
    daemon.end(small, daemon.now, "a", 10, End::Void);
    daemon.tick(noon()).await;
    assert!(matches!(daemon.reserve(11, "a").await, Err(Refusal::OverLimit { .. })));
    assert_eq!(daemon.total("month", "").0, usd(90));
}

#[tokio::test]
async fn an_older_daemon_is_refused_once_a_newer_one_has_opened() {
    let (_directory, path) = place();
    let budgets = [budget("month", 1_000, None, Period::Month)];
    let mut old = Daemon::start(&path, &budgets, noon()).await;
    let _new = Daemon::start(&path, &budgets, noon()).await;
    let facts = facts("a");
    let charges = old.books.charges(facts.model(), &facts.caller, old.now);
    let Err(Refusal::Lease(requests)) = old.books.reserve(usd(1), &charges, facts, old.now) else {
        panic!()
    };
    assert!(matches!(old.ledger.grant(requests).await, Err(LedgerError::Superseded)));
}

#[test]
fn a_ledger_is_private_and_one_from_a_newer_planb_is_refused() {
    let (_directory, path) = place();
    drop(Ledger::open(&path, noon()).unwrap());
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    assert!(matches!(
        Ledger::open(&path, noon()),
        Err(LedgerError::Newer { found: 99, .. })
    ));
}

#[test]
fn what_is_no_ledger_is_said_to_be_damaged_and_left_alone() {
    let (_directory, path) = place();
    let text = "this is not a database, but it is long enough to have a header of a hundred bytes ".repeat(20);
    std::fs::write(&path, &text).unwrap();
    assert!(matches!(Ledger::open(&path, noon()), Err(LedgerError::Damaged { .. })));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn a_migration_keeps_a_copy_of_what_was() {
    let (_directory, path) = place();
    let mut connection = Connection::open(&path).unwrap();
    migrate(&mut connection, &path, MIGRATIONS).unwrap();
    assert!(!backup_path(&path, 0).exists(), "a new file needs no copy");
    let known = MIGRATIONS.len() as i64;
    let more: Vec<&str> = MIGRATIONS
        .iter()
        .copied()
        .chain(["CREATE TABLE later (x INTEGER) STRICT;"])
        .collect();
    migrate(&mut connection, &path, &more).unwrap();
    connection.execute("INSERT INTO later VALUES (1)", []).unwrap();
    let copy = Connection::open(backup_path(&path, known)).unwrap();
    assert!(copy.prepare("SELECT * FROM later").is_err());
    assert!(copy.prepare("SELECT * FROM attempts").is_ok());
}

#[test]
fn times_are_cut_to_milliseconds_and_sort_as_text() {
    let at: Timestamp = "2026-11-23T23:59:59.999999999Z".parse().unwrap();
    assert_eq!(text::time(at), "2026-11-23T23:59:59.999Z");
}
