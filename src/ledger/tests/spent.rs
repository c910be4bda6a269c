//! Where the money went: what the hours say is what the rows say, over any span and any filter.

use super::*;
use crate::ledger::verify::verify;
use crate::money::Rate;
use crate::price::{Bill, Drawn, Kind, Kinds, Moment, Price, Quote};
use proptest::prelude::*;

fn caller(team: &str, route: &str) -> Arc<Caller> {
    Arc::new(Caller {
        client: "app".into(),
        tags: Tags::new([("team", team)]),
        route: route.into(),
        ..Caller::default()
    })
}

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
}

fn in_order(path: &Path) {
    for proof in verify(path).unwrap() {
        assert!(proof.broken.is_empty(), "{}: {:?}", proof.promise, proof.broken);
    }
}

/// A request that failed at one model, was tried there again, and was answered by another.
fn fallen_back() -> Vec<Record> {
    let one = |number, model: &str, outcome, amount| AttemptRecord {
        number,
        model: model.into(),
        outcome,
        caller: caller("search", "chat"),
        ..attempt("d1", noon(), "search", EndKind::Posted, usd(amount))
    };
    let attempts = [
        one(1, "qwen-max", "failed", 3),
        one(2, "qwen-max", "failed", 4),
        one(3, "deepseek", "ok", 20),
    ];
    let mut records: Vec<Record> = attempts.into_iter().map(|a| Record::Attempt(Box::new(a))).collect();
    records.push(Record::Decision(Box::new(DecisionRecord {
        caller: caller("search", "chat"),
        chosen: Some("deepseek".into()),
        first_choice: Some("qwen-max".into()),
        first_cost: usd(50),
        cost: usd(27),
        outcome: "ok",
        ..decision("d1", noon())
    })));
    records
}

#[test]
fn retries_fallbacks_failures_and_what_was_saved_are_told_apart() {
    let (_directory, path) = place();
    write(&path, fallen_back());
    in_order(&path);
    let spend = spend(&path, &everything(By::Model)).unwrap();
    let row = |name: &str| spend.rows.iter().find(|row| row.name == name).unwrap();
    let (qwen, deepseek) = (row("qwen-max"), row("deepseek"));
    assert_eq!(
        (qwen.requests, qwen.attempts, qwen.retries, qwen.failed),
        (1, 2, usd(4), usd(7))
    );
    assert_eq!(
        (deepseek.requests, deepseek.fallbacks, deepseek.failed),
        (1, usd(20), usd(0))
    );
    assert_eq!((deepseek.compared, deepseek.saved), (1, usd(23)));
    let total = &spend.totals[0];
    assert_eq!((total.requests, total.attempts, total.posted), (1, 3, usd(27)));
    assert_eq!(
        (total.retries, total.fallbacks, total.saved),
        (usd(4), usd(20), usd(23))
    );
}

#[test]
fn a_prompt_cache_saves_what_plain_input_costs_more_and_writing_to_it_takes_some_back() {
    let (_directory, path) = place();
    let price = Price::of(vec![crate::price::Sheet {
        kinds: Kinds::default()
            .with(Kind::Input, Rate::per_million(usd(1_000_000)))
            .with(Kind::CacheRead, Rate::per_million(usd(100_000)))
            .with(Kind::CacheWrite, Rate::per_million(usd(1_250_000)))
            .with(Kind::Output, Rate::per_million(usd(2_000_000))),
        ..crate::price::Sheet::default()
    }]);
    let usage = Usage {
        input: 1_000,
        cache_read: 400,
        cache_write: 200,
        output: 10,
        ..Usage::default()
    };
    let needs = crate::request::Requirements::default();
    let quote: Quote<'_> = price.quote(&Moment::of(&needs, noon(), std::time::Duration::ZERO));
    let bill: Bill = quote.bill(&usage);
    assert_eq!(bill.drawn, Drawn::default());
    let mut record = attempt("d1", noon(), "a", EndKind::Posted, bill.amount);
    (record.usage, record.bill) = (usage, Some(bill));
    write(&path, vec![Record::Attempt(Box::new(record))]);
    let total = &spend(&path, &everything(By::Model)).unwrap().totals[0];
    assert_eq!(total.cache_saved, usd(400 * 9 / 10 - 200 / 4));
}

#[test]
fn filters_leave_out_what_they_do_not_name() {
    let (_directory, path) = place();
    let mut records = fallen_back();
    let other = AttemptRecord {
        caller: caller("ads", "draft"),
        ..attempt("d2", noon(), "ads", EndKind::Posted, usd(100))
    };
    records.push(Record::Attempt(Box::new(other)));
    write(&path, records);
    let of = |only: Only| {
        let query = SpendQuery {
            only,
            ..everything(By::Route)
        };
        spend(&path, &query)
            .unwrap()
            .totals
            .first()
            .map_or(usd(0), |total| total.posted)
    };
    let tag = |name: &str, value: &str| Only {
        tags: vec![(name.to_owned(), value.to_owned())],
        ..Only::default()
    };
    let route = |name: &str| Only {
        route: Some(name.to_owned()),
        ..Only::default()
    };
    let client = |name: &str| Only {
        client: Some(name.to_owned()),
        ..Only::default()
    };
    assert_eq!(of(Only::default()), usd(127));
    assert_eq!(
        (of(route("chat")), of(route("draft")), of(route("no"))),
        (usd(27), usd(100), usd(0))
    );
    assert_eq!((of(client("app")), of(client(""))), (usd(127), usd(0)));
    assert_eq!(
        (of(tag("team", "ads")), of(tag("team", "")), of(tag("app", ""))),
        (usd(100), usd(0), usd(127))
    );
    assert_eq!(of(tag("te'am", "x\" OR 1=1 --")), usd(0));
}

#[test]
fn an_older_ledger_is_brought_up_to_date_with_the_same_sums() {
    let (_directory, path) = place();
    let before: Vec<&str> = MIGRATIONS.iter().copied().take(8).collect();
    let mut connection = Connection::open(&path).unwrap();
    migrate(&mut connection, &path, &before).unwrap();
    for (decision, number, model, outcome, amount) in [
        ("d1", 1, "a", "failed", 3),
        ("d1", 2, "a", "failed", 4),
        ("d1", 3, "b", "ok", 20),
        ("d2", 1, "a", "ok", 5),
    ] {
        connection
            .execute(
                "INSERT INTO attempts (incarnation, decision, number, at, model, provider, supply, upstream, client, tags,
                 purpose, ended, outcome, class, status, input, cache_read, output, reasoning, estimated, amount, worst,
                 currency, total_ms, rate_input, rate_cache_read)
                 VALUES (1, ?1, ?2, '2026-11-23T12:00:00.000Z', ?3, ?3, 'licensed', '', '', '{}', '', 'posted', ?4, '', 200,
                 1000000, 1000000, 7, 0, 0, ?5, 9, 'USD', 1, 10, 4)",
                rusqlite::params![decision, number, model, outcome, amount],
            )
            .unwrap();
    }
    drop(connection);
    assert!(matches!(
        spend(&path, &everything(By::Model)),
        Err(LedgerError::Older { .. })
    ));
    drop(Ledger::open(&path, noon()).unwrap());
    in_order(&path);
    let spend = spend(&path, &everything(By::Model)).unwrap();
    let total = &spend.totals[0];
    assert_eq!((total.requests, total.attempts, total.posted), (2, 4, usd(32)));
    assert_eq!(
        (total.retries, total.fallbacks, total.failed),
        (usd(4), usd(20), usd(7))
    );
    assert_eq!(total.cache_saved, usd(4 * 6));
    assert_eq!(spend.rows.iter().map(|row| row.requests).collect::<Vec<_>>(), [1, 2]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn over_any_span_the_hours_and_the_rows_at_its_edges_are_the_sum_of_the_rows(
        attempts in prop::collection::vec((0_i64..40_000, 0_i64..3, 1_i64..100, 0_usize..3), 1..40),
        since in 0_i64..40_000, length in 0_i64..40_000,
    ) {
        let (_directory, path) = place();
        let second = |second: i64| noon() + SignedDuration::from_secs(second);
        let end = [EndKind::Posted, EndKind::Held, EndKind::Voided];
        let records = attempts.iter().enumerate().map(|(at, (when, team, amount, ended))| {
            let ended = end[*ended];
            let amount = if ended == EndKind::Voided { 0 } else { *amount };
            let team = format!("t{team}");
            let one = AttemptRecord {
                caller: caller(&team, "chat"),
                ..attempt(&format!("d{at}"), second(*when), &team, ended, usd(amount))
            };
            Record::Attempt(Box::new(one))
        });
        write(&path, records.collect());
        let query = SpendQuery { since: second(since), until: second(since + length), ..everything(By::Tag("team".into())) };
        let spend = spend(&path, &query).unwrap();
        for team in 0..3 {
            let mine = || attempts.iter().filter(|(when, of, ..)| *of == team && (since..since + length).contains(when));
            let sum = |wanted: usize| mine().filter(|one| one.3 == wanted).map(|one| one.2).sum::<i64>();
            let row = spend.rows.iter().find(|row| row.name == format!("t{team}")).cloned().unwrap_or_default();
            prop_assert_eq!((row.posted, row.held), (usd(sum(0)), usd(sum(1))));
            prop_assert_eq!(row.requests, mine().count() as i64);
        }
        in_order(&path);
    }
}

#[tokio::test]
async fn what_failed_costs_what_it_is_taken_for_once_its_hold_is_released() {
    let (_directory, path) = place();
    let (ledger, _) = Ledger::open(&path, noon()).unwrap();
    let failed = AttemptRecord {
        outcome: "failed",
        estimate: Some(usd(3)),
        worst: usd(10),
        ..attempt("d1", noon(), "a", EndKind::Held, usd(10))
    };
    ledger.send(Record::Attempt(Box::new(failed))).await.unwrap();
    let held = ledger.holds(0, 10).await.unwrap();
    let release = |held: &crate::budget::HeldAttempt| {
        Record::Release(ReleaseRecord {
            attempt: held.id,
            estimate: held.estimate,
        })
    };
    ledger.send(release(&held[0])).await.unwrap();
    ledger.flush().await.unwrap();
    assert!(ledger.holds(0, 10).await.unwrap().is_empty());
    let hour = SignedDuration::from_hours(1);
    let minute = SignedDuration::from_mins(10);
    // By the hour's sum, and by the rows.
    for (since, until) in [(noon() - hour, noon() + hour), (noon() - minute, noon() + minute)] {
        let query = SpendQuery {
            by: By::Model,
            since,
            until,
            only: Only::default(),
        };
        let row = spend(&path, &query).unwrap().rows.remove(0);
        assert_eq!((row.posted, row.held, row.failed), (usd(3), usd(0), usd(3)), "{since}");
    }
}
