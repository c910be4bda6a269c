//! Shadow traffic apart from what served clients: over any span, in sums and in the export, and nothing lost or doubled.

use super::*;
use crate::ledger::charges::charges;
use proptest::prelude::*;

fn everything(by: By) -> SpendQuery {
    SpendQuery {
        by,
        since: Timestamp::UNIX_EPOCH,
        until: Timestamp::MAX,
        only: Only::default(),
    }
}

fn write(path: &Path, records: Vec<Record>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (ledger, _) = Ledger::open(path, noon()).unwrap();
        for record in records {
            ledger.send(record).await.unwrap();
        }
        ledger.close().await.unwrap();
    });
    // What a posting to the mirror's budget would leave.
    let connection = rusqlite::Connection::open(path).unwrap();
    let pool = "INSERT INTO pools (budget, shape, period_start, period_end, currency, keyed)
        VALUES ('shadow', 'shadow|||day in UTC|USD|shadows', '', '', 'USD', 0)";
    connection.execute(pool, []).unwrap();
}

/// Served a client, or a copy that the budget `shadow` paid for.
fn one(at: usize, when: Timestamp, amount: i64, mirrored: bool) -> Record {
    let mirror = if mirrored { "shadow" } else { "" };
    let caller = Caller {
        mirror: mirror.into(),
        tags: Tags::new([("team", "search")]),
        ..Caller::default()
    };
    Record::Attempt(Box::new(AttemptRecord {
        number: u8::from(!mirrored),
        caller: Arc::new(caller),
        ..attempt(&format!("d{at}"), when, "search", EndKind::Posted, usd(amount))
    }))
}

#[test]
fn shadow_traffic_is_a_line_of_its_own_and_the_rest_is_none() {
    let (_directory, path) = place();
    write(
        &path,
        vec![
            one(1, noon(), 5, false),
            one(1, noon(), 3, true),
            one(2, noon(), 7, false),
        ],
    );
    let spend = spend(&path, &everything(By::Mirror)).unwrap();
    let lines: Vec<_> = spend
        .rows
        .iter()
        .map(|row| (row.name.as_str(), row.requests, row.attempts, row.posted))
        .collect();
    assert_eq!(lines, [("(none)", 2, 2, usd(12)), ("shadow", 0, 1, usd(3))]);
    assert_eq!(spend.totals[0].posted, usd(15));
    let listed = charges(&path, &everything(By::Model)).unwrap();
    let listed: Vec<_> = listed
        .iter()
        .map(|charge| (charge.mirror.as_str(), charge.attempts, charge.posted))
        .collect();
    assert_eq!(listed, [("", 2, usd(12)), ("shadow", 1, usd(3))]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn over_any_span_both_are_the_sums_of_their_rows(
        attempts in prop::collection::vec((0_i64..40_000, 1_i64..100, any::<bool>()), 1..30),
        since in 0_i64..40_000, length in 0_i64..40_000,
    ) {
        let (_directory, path) = place();
        let second = |second: i64| noon() + SignedDuration::from_secs(second);
        let records = attempts.iter().enumerate();
        write(&path, records.map(|(at, (when, amount, mirrored))| one(at, second(*when), *amount, *mirrored)).collect());
        let query = SpendQuery { since: second(since), until: second(since + length), ..everything(By::Mirror) };
        let (spend, listed) = (spend(&path, &query).unwrap(), charges(&path, &query).unwrap());
        for (name, mirror, mirrored) in [("(none)", "", false), ("shadow", "shadow", true)] {
            let mine = attempts.iter().filter(|one| one.2 == mirrored && (since..since + length).contains(&one.0));
            let sum = usd(mine.map(|one| one.1).sum());
            let row = spend.rows.iter().find(|row| row.name == name).cloned().unwrap_or_default();
            prop_assert_eq!(row.posted, sum);
            let exported = listed.iter().filter(|charge| charge.mirror == mirror).map(|charge| charge.posted);
            prop_assert_eq!(exported.sum::<Money>(), sum);
        }
    }
}
