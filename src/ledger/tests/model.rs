//! The books and the store against one list that is obviously right.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Ask {
        team: usize,
        worst: i64,
    },
    /// Ends the n-th open reservation.
    End {
        which: usize,
        how: u8,
        part: i64,
    },
    /// Which of the three budgets are in force, and by how much their limits differ.
    Policy {
        budgets: u8,
        limit: i64,
    },
    Clock {
        minutes: i64,
    },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3_usize, 0..400_i64).prop_map(|(team, worst)| Step::Ask { team, worst }),
        5 => (0..9_usize, 0..4_u8, 0..130_i64).prop_map(|(which, how, part)| Step::End { which, how, part }),
        1 => (0..8_u8, 0..2_000_i64).prop_map(|(budgets, limit)| Step::Policy { budgets, limit }),
        1 => (-1_500..3_000_i64).prop_map(|minutes| Step::Clock { minutes }),
        1 => Just(Step::Restart),
    ]
}

const TEAMS: [&str; 3] = ["a", "b", ""];

struct Entry {
    at: Timestamp,
    team: &'static str,
    worst: i64,
    open: Option<ReservationId>,
    spent: i64,
}

fn budgets(mask: u8, extra: i64) -> Vec<Budget> {
    let mut all = vec![
        budget("month", 1_500 + extra, None, Period::Month),
        budget("teams", 400 + extra, Some(Each::Tag("team".into())), Period::Day),
    ];
    let text = "  month: {limit: 1 USD, per: day, each: model, covers: 'tag.team != \"b\"'}\n";
    all.extend(super::selectors::budgets(text).into_iter().map(|chosen| Budget {
        limit: usd(1_000 + extra),
        ..chosen
    }));
    let chosen = if mask & 1 == 1 { mask & 3 } else { mask };
    all.into_iter()
        .enumerate()
        .filter(|(bit, _)| chosen >> bit & 1 == 1)
        .map(|(_, budget)| budget)
        .collect()
}

fn covers(budget: &Budget, team: &str) -> bool {
    let facts = facts(team);
    crate::budget::covers(budget, facts.model(), &facts.caller)
}

fn key(budget: &Budget, team: &str) -> String {
    match &budget.each {
        None => String::new(),
        Some(Each::Model) => "qwen-max".to_owned(),
        Some(_) if team.is_empty() => "(none)".to_owned(),
        Some(_) => team.to_owned(),
    }
}

/// Everything that counts against one account, open reservations at their worst.
fn taken(list: &[Entry], budget: &Budget, key_asked: &str, now: Timestamp, with_open: bool) -> i64 {
    let span = budget.span(now, &TimeZone::UTC);
    let counts =
        |entry: &&Entry| span.contains(entry.at) && covers(budget, entry.team) && key(budget, entry.team) == key_asked;
    let amount = |entry: &Entry| {
        if entry.open.is_none() {
            entry.spent
        } else {
            i64::from(with_open) * entry.worst
        }
    };
    list.iter().filter(counts).map(amount).sum()
}

async fn walk(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let (_directory, path) = place();
    let mut in_force = budgets(3, 0);
    let mut daemon = Daemon::start(&path, &in_force, noon()).await;
    let mut list: Vec<Entry> = Vec::new();
    for step in steps {
        match step {
            Step::Ask { team, worst } => {
                let team = TEAMS[team];
                let fits = worst == 0
                    || in_force.iter().filter(|budget| covers(budget, team)).all(|budget| {
                        taken(&list, budget, &key(budget, team), daemon.now, true) + worst <= budget.limit.nanos()
                    });
                let answer = daemon.reserve(worst, team).await;
                prop_assert_eq!(fits, answer.is_ok(), "{:?}", answer);
                list.extend(answer.ok().map(|id| Entry {
                    at: daemon.now,
                    team,
                    worst,
                    open: Some(id),
                    spent: 0,
                }));
            }
            Step::End { which, how, part } => {
                let open: Vec<usize> = (0..list.len()).filter(|at| list[*at].open.is_some()).collect();
                let Some(at) = open.get(which % open.len().max(1)) else {
                    continue;
                };
                end(&mut daemon, &mut list[*at], how, part);
            }
            Step::Policy { budgets: mask, limit } => {
                in_force = budgets(mask, limit);
                daemon.install(&in_force).await;
            }
            Step::Clock { minutes } => {
                let now = daemon.now + SignedDuration::from_mins(minutes);
                daemon.tick(now).await;
            }
            Step::Restart => {
                for entry in list.iter_mut().filter(|entry| entry.open.is_some()) {
                    end(&mut daemon, entry, 2, 0);
                }
                daemon.ledger.close().await.unwrap();
                daemon = Daemon::start(&path, &in_force, daemon.now).await;
                daemon.sent = list.len() as u64 * 10;
            }
        }
        daemon
            .books
            .prove()
            .map_err(|violation| TestCaseError::fail(violation.to_string()))?;
        for view in daemon.books.views() {
            let budget = in_force.iter().find(|budget| budget.name == view.budget).unwrap();
            let settled = taken(&list, budget, &view.key, daemon.now, false);
            prop_assert_eq!(view.posted.plus(view.held).nanos(), settled, "{:?}", view);
            let all = taken(&list, budget, &view.key, daemon.now, true);
            prop_assert_eq!(view.reserved.nanos(), all - settled, "{:?}", view);
        }
    }
    Ok(())
}

fn end(daemon: &mut Daemon, entry: &mut Entry, how: u8, part: i64) {
    let Some(id) = entry.open.take() else { return };
    let actual = entry.worst * part / 100;
    let how = match how {
        0 => End::Void,
        1 => End::Hold,
        _ => End::Post(usd(actual)),
    };
    entry.spent = match how {
        End::Void => 0,
        End::Hold => entry.worst,
        End::Post(actual) => actual.nanos(),
    };
    daemon.end(id, entry.at, entry.team, entry.worst, how);
}

/// Spends, crashes at some point of the writer's work, opens again: all that was posted is counted, and no more than
/// was leased.
async fn crash(spends: Vec<(i64, i64, bool)>, flush_at: usize) -> Result<(), TestCaseError> {
    let (_directory, path) = place();
    let budgets = [budget("month", 1_000_000, None, Period::Month)];
    let mut daemon = Daemon::start(&path, &budgets, noon()).await;
    let (mut posted, mut flushed) = (0, 0);
    for (turn, (worst, part, stays_open)) in spends.into_iter().enumerate() {
        let id = daemon.reserve(worst, "a").await.unwrap();
        if !stays_open {
            let actual = worst * part / 100;
            daemon.end(id, daemon.now, "a", worst, End::Post(usd(actual)));
            posted += actual;
        }
        if turn == flush_at {
            daemon.ledger.flush().await.unwrap();
            flushed = posted;
        }
    }
    daemon.ledger.command(Command::Crash);
    while !matches!(daemon.ledger.permit().await, Err(LedgerError::Closed)) {
        tokio::task::yield_now().await;
    }
    let granted = daemon.granted.values().next().map_or(0, |granted| granted.nanos());
    let again = Daemon::start(&path, &budgets, noon()).await;
    let (recorded, held) = again.total("month", "");
    prop_assert!(recorded.nanos() >= flushed, "what was flushed is there");
    prop_assert!(recorded.nanos() + held.nanos() >= posted, "what was posted is counted");
    prop_assert_eq!(recorded.nanos() + held.nanos(), granted, "and no more than was leased");
    Ok(())
}

pub(super) fn run(test: impl Future<Output = Result<(), TestCaseError>>) -> Result<(), TestCaseError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(test)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn admissions_and_totals_are_those_of_one_list(steps in proptest::collection::vec(step(), 1..60)) {
        run(walk(steps))?;
    }

    #[test]
    fn a_crash_loses_nothing_posted_and_holds_at_most_the_lease(
        spends in proptest::collection::vec((1..500_i64, 0..100_i64, proptest::bool::weighted(0.1)), 1..40),
        flush_at in 0..50_usize,
    ) {
        run(crash(spends, flush_at))?;
    }
}
