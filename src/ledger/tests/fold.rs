//! Folding old attempts changes no sum: what was spent by any dimension and hour, FOCUS charges, accounts, budgets that come
//! later, licences' figures, and every promise of the file.

use super::*;
use crate::ledger::charges::charges;
use crate::ledger::fold::{Folded, step};
use crate::ledger::record::ReleaseRecord;
use crate::ledger::users::license_use;
use crate::ledger::verify::verify;
use proptest::prelude::*;

#[derive(Clone, Debug)]
struct Spent {
    /// Minutes after noon.
    minute: i64,
    team: usize,
    model: usize,
    worst: i64,
    how: u8,
    /// A retry of the attempt before it.
    again: bool,
    named: bool,
    decided: bool,
}

fn spent() -> impl Strategy<Value = Spent> {
    let first = (0..60 * 40_i64, 0..3_usize, 0..3_usize, 0..300_i64);
    (first, 0..6_u8, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(first, how, again, named, decided)| {
        let (minute, team, model, worst) = first;
        Spent {
            minute,
            team,
            model,
            worst,
            how,
            again,
            named,
            decided,
        }
    })
}

const TEAMS: [&str; 3] = ["a", "b", ""];
const MODELS: [&str; 3] = ["qwen-max", "deepseek", "tiny"];

fn budgets() -> [Budget; 2] {
    [
        budget("month", 1_000_000, None, Period::Month),
        budget("teams", 500_000, Some(Each::Tag("team".into())), Period::Hour),
    ]
}

/// What somebody brings later.
fn later() -> [Budget; 3] {
    let [month, teams] = budgets();
    [
        month,
        teams,
        budget("models", 1_000_000, Some(Each::Model), Period::Month),
    ]
}

async fn recorded(path: &Path, all: &[Spent]) {
    let mut daemon = Daemon::start(path, &budgets(), noon()).await;
    let mut all = all.to_vec();
    all.sort_by_key(|one| one.minute);
    for (number, one) in all.iter().enumerate() {
        daemon.tick(noon() + SignedDuration::from_mins(one.minute)).await;
        let (team, id) = (
            TEAMS[one.team],
            format!("d{}", if one.again { number.saturating_sub(1) } else { number }),
        );
        let reservation = daemon.reserve(one.worst, team).await.unwrap();
        let end = match one.how {
            0 => End::Void,
            1 | 2 => End::Hold,
            how => End::Post(usd(one.worst * i64::from(how) / 5)),
        };
        let (kind, amount) = match end {
            End::Post(actual) => (EndKind::Posted, actual),
            End::Hold => (EndKind::Held, usd(one.worst)),
            End::Void => (EndKind::Voided, Money::ZERO),
        };
        let mut record = attempt(&id, daemon.now, team, kind, amount);
        record.worst = usd(one.worst);
        record.number = if one.again { 2 } else { 1 };
        record.model = MODELS[one.model].into();
        record.outcome = if one.how == 0 { "failed" } else { "ok" };
        record.usage.estimated = one.how == 3;
        record.usage.output = one.minute.unsigned_abs();
        record.licenses = vec!["enterprise".into()];
        record.user = one.named.then_some(one.team as u64);
        record.estimate = (kind == EndKind::Held).then(|| usd(one.worst / 2));
        record.postings = daemon.books.end(reservation, end);
        daemon
            .ledger
            .try_permit()
            .unwrap()
            .send(Record::Attempt(Box::new(record)));
        if one.decided && !one.again {
            let decided = decision(&id, daemon.now);
            daemon
                .ledger
                .try_permit()
                .unwrap()
                .send(Record::Decision(Box::new(decided)));
        }
        // Some bills are told late, or never.
        if one.how == 1 {
            daemon.ledger.flush().await.unwrap();
            for held in daemon.ledger.holds(0, 1).await.unwrap() {
                daemon.books.release(&held);
                let release = ReleaseRecord {
                    attempt: held.id,
                    estimate: held.estimate,
                };
                daemon.ledger.try_permit().unwrap().send(Record::Release(release));
            }
        }
    }
    daemon.ledger.close().await.unwrap();
}

fn dimensions() -> [By; 11] {
    [
        By::Model,
        By::Provider,
        By::Supply,
        By::Route,
        By::Client,
        By::Tag("team".to_owned()),
        By::Use,
        By::Territory,
        By::Hour,
        By::Day,
        By::Month,
    ]
}

/// All that can be asked of whole hours, as text.
fn asked(path: &Path) -> Vec<String> {
    let mut answers = Vec::new();
    let hour = |hours: i64| noon() + SignedDuration::from_hours(hours);
    let spans = (0..42)
        .step_by(6)
        .map(|at| (hour(at), hour(at + 1)))
        .chain([(hour(-9), hour(90)), (hour(7), hour(31))]);
    for (since, until) in spans {
        for by in dimensions() {
            let query = SpendQuery {
                by,
                since,
                until,
                only: Only::default(),
            };
            answers.push(format!("{since} {:?}", spend(path, &query).unwrap()));
            if matches!(query.by, By::Hour | By::Day) {
                answers.push(format!("{since} {:?}", charges(path, &query).unwrap()));
            }
        }
    }
    answers.push(format!("{:?}", license_use(path, noon()).unwrap().0));
    let connection = Connection::open(path).unwrap();
    for sql in [
        "SELECT group_concat(pool || ' ' || key || ' ' || posted || ' ' || held || ' ' || unaccounted) FROM accounts",
        "SELECT group_concat(requests || ' ' || attempts || ' ' || posted || ' ' || held) FROM spend_by_model",
        "SELECT group_concat(attempt || ' ' || estimate) FROM holds",
    ] {
        answers.push(
            connection
                .query_row(sql, [], |row| row.get::<_, Option<String>>(0))
                .unwrap()
                .unwrap_or_default(),
        );
    }
    answers
}

/// What the books are when the daemon starts with these, in the middle of what was spent.
async fn books(path: &Path, budgets: &[Budget]) -> Vec<String> {
    let copy = path.with_extension("copy");
    let _ = std::fs::remove_file(&copy);
    crate::ledger::copy::back_up(path, &copy).unwrap();
    let daemon = Daemon::start(&copy, budgets, noon() + SignedDuration::from_hours(20)).await;
    let mut views: Vec<String> = daemon.books.views().iter().map(|view| format!("{view:?}")).collect();
    views.sort();
    daemon.ledger.close().await.unwrap();
    views
}

fn fold(path: &Path, before: Timestamp, most: usize) -> Folded {
    let connection = Connection::open(path).unwrap();
    let mut folded = Folded::default();
    while let Some(some) = step(&connection, before, most).unwrap() {
        folded = folded.plus(some);
        for proof in verify(path).unwrap() {
            assert!(proof.broken.is_empty(), "{proof:?}");
        }
    }
    folded
}

async fn changes_no_sum(all: Vec<Spent>, hours: i64, most: usize) -> Result<(), TestCaseError> {
    let (_directory, path) = place();
    recorded(&path, &all).await;
    let (sums, before) = (asked(&path), books(&path, &later()).await);
    let folded = fold(&path, noon() + SignedDuration::from_hours(hours), most);
    prop_assert!(folded.remaining <= folded.attempts);
    prop_assert_eq!(sums, asked(&path));
    prop_assert_eq!(&before, &books(&path, &later()).await);
    // In two runs, and a third that finds nothing to do.
    fold(&path, noon() + SignedDuration::from_hours(hours + 9), most);
    prop_assert_eq!(
        fold(&path, noon() + SignedDuration::from_hours(hours + 9), most),
        Folded::default()
    );
    prop_assert_eq!(before, books(&path, &later()).await);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn folding_changes_no_sum(
        all in proptest::collection::vec(spent(), 1..60), hours in 1..45_i64, most in prop_oneof![1..9_usize, Just(2_000)],
    ) {
        super::model::run(changes_no_sum(all, hours, most))?;
    }
}

#[tokio::test]
async fn what_is_alike_becomes_one_row_and_space_is_given_back_between_the_records() {
    let (_directory, path) = place();
    let mut daemon = Daemon::start(&path, &budgets(), noon()).await;
    for _ in 0..6_000 {
        let id = daemon.reserve(1, "a").await.unwrap();
        daemon.end(id, daemon.now, "a", 1, End::Post(usd(1)));
        if daemon.sent % 1_000 == 0 {
            daemon.ledger.flush().await.unwrap();
        }
    }
    daemon.ledger.flush().await.unwrap();
    let pages = |name: &str| -> i64 {
        let connection = Connection::open(&path).unwrap();
        connection.pragma_query_value(None, name, |row| row.get(0)).unwrap()
    };
    let (was, mut all) = (pages("page_count"), Folded::default());
    while let Some(some) = daemon
        .ledger
        .compact(noon() + SignedDuration::from_hours(1))
        .await
        .unwrap()
    {
        all = all.plus(some);
        daemon.spend(1, "a", End::Post(usd(1))).await;
    }
    assert_eq!((all.attempts, all.remaining), (6_000, 1));
    daemon.ledger.flush().await.unwrap();
    assert!(
        pages("page_count") < was && pages("freelist_count") <= 256,
        "{was} pages before"
    );
    let posted = daemon.total("month", "").0;
    daemon.ledger.close().await.unwrap();
    for proof in verify(&path).unwrap() {
        assert!(proof.broken.is_empty(), "{proof:?}");
    }
    let again = Daemon::start(&path, &budgets(), noon()).await;
    assert_eq!(again.total("month", "").0, posted);
}
