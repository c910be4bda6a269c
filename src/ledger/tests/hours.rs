//! What budgets would have spent by the hour, for forecasts: the same as their attempts say, whoever asks when.

use super::*;
use crate::budget::{HoursRequest, covers};
use crate::forecast::hour_of;
use crate::policy::condition::Selectors;
use crate::policy::snapshot::Supply;
use proptest::prelude::*;

const MODELS: [(&str, &str, Supply); 3] = [
    ("qwen-max", "qwen", Supply::Licensed),
    ("other", "rival", Supply::Competitor),
    ("tiny", "home", Supply::Local),
];

/// Of a model, by a team, some minutes before noon; a copy for a mirror where one is named.
#[derive(Clone, Copy, Debug)]
struct One {
    model: usize,
    team: bool,
    minutes: i64,
    mirror: bool,
    held: bool,
    amount: i64,
}

fn ones() -> impl Strategy<Value = Vec<One>> {
    let one = (
        0..3_usize,
        any::<bool>(),
        0_i64..600,
        0..5_u8,
        any::<bool>(),
        0_i64..1_000,
    );
    let one = one.prop_map(|(model, team, minutes, mirror, held, amount)| One {
        model,
        team,
        minutes,
        mirror: mirror == 0,
        held,
        amount,
    });
    proptest::collection::vec(one, 1..40)
}

fn record(at: usize, one: &One) -> AttemptRecord {
    let (model, provider, supply) = MODELS[one.model];
    let then = noon() - SignedDuration::from_mins(one.minutes);
    let team = if one.team { "a" } else { "b" };
    let end = if one.held { EndKind::Held } else { EndKind::Posted };
    AttemptRecord {
        number: u8::from(!one.mirror),
        model: model.into(),
        provider: provider.into(),
        supply: supply.word(),
        caller: Arc::new(Caller {
            tags: Tags::new([("team", team)]),
            mirror: if one.mirror { "trial" } else { "" }.into(),
            ..Caller::default()
        }),
        ..attempt(&format!("d{at}"), then, team, end, usd(one.amount))
    }
}

fn asked(budgets: Vec<Budget>, hours: i64) -> HoursRequest {
    HoursRequest {
        shadows: budgets.iter().any(|budget| budget.shadows),
        budgets,
        selectors: Arc::new(Selectors::default()),
        currency: Currency::USD,
        since: hour_of(noon()) - hours,
        until: hour_of(noon()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn hours_are_the_sums_of_the_attempts_that_a_budget_covers(ones in ones(), hours in 1_i64..10) {
        let mut budgets = selectors::budgets(
            "  all: {limit: 1 USD, per: day}\n  a: {limit: 1 USD, per: day, covers: 'tag.team == \"a\"'}\n  \
             licensed: {limit: 1 USD, per: month, covers: 'model.supply == \"licensed\"', each: tag.team}\n",
        );
        let mut trial = budget("trial", 1, None, Period::Day);
        trial.shadows = true;
        budgets.push(trial);
        let directory = TempDir::new().unwrap();
        let records: Vec<AttemptRecord> = ones.iter().enumerate().map(|(at, one)| record(at, one)).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let request = asked(budgets.clone(), hours);
        let found = runtime.block_on(async {
            let (ledger, _) = Ledger::open(&directory.path().join(FILE_NAME), noon()).unwrap();
            for record in &records {
                ledger.send(Record::Attempt(Box::new(record.clone()))).await.unwrap();
            }
            ledger.send(Record::Decision(Box::new(decision("d0", noon() - SignedDuration::from_hours(9))))).await.unwrap();
            let found = ledger.hours(&request).await.unwrap();
            ledger.close().await.unwrap();
            found
        });
        prop_assert_eq!(found.first, Some(noon() - SignedDuration::from_hours(9)));
        for (budget, sums) in budgets.iter().zip(&found.sums) {
            for hour in request.since..request.until {
                let counts = |record: &&AttemptRecord| {
                    let model = ModelFacts::recorded(record.model.clone(), record.provider.clone(), record.supply);
                    hour_of(record.at) == hour && covers(budget, &model, &record.caller)
                };
                let expected: Money = records.iter().filter(counts).map(|record| record.amount).sum();
                let sum = sums.iter().filter(|(known, _)| *known == hour).map(|(_, sum)| *sum).sum::<Money>();
                prop_assert_eq!(sum, expected, "{} in hour {}", budget.name, hour);
            }
            prop_assert!(sums.iter().all(|(hour, _)| (request.since..request.until).contains(hour)));
        }
    }
}
