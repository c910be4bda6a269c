//! Every kind of budget at once, over steps of the clock, edits, raises, releases of held money, restarts and crashes,
//! against one list that is obviously right.

use super::*;
use crate::budget::{HeldAttempt, Rebuilt};
use crate::ledger::record::ReleaseRecord;
use crate::ledger::verify::verify;
use crate::period::{Rolling, Span};
use crate::policy::snapshot::{CarryOver, Raise, TopUp};
use proptest::prelude::*;
use std::collections::HashSet;
use std::time::Duration;

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
    /// Which budgets are in force, and by how much their limits differ.
    Policy {
        budgets: u8,
        limit: i64,
    },
    /// By hand, of the day's budget.
    Raise {
        by: i64,
        hours: i64,
    },
    Clock {
        seconds: i64,
    },
    /// As [`Step::Policy`], and the store's answers are late.
    Edit {
        budgets: u8,
        limit: i64,
    },
    /// They come.
    Answer,
    /// What is held is read, under the budgets of now.
    ReadHolds,
    /// Posts the n-th hold that was read as estimated, if the list is still good.
    Release {
        which: usize,
    },
    Restart,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..3_usize, 0..300_i64).prop_map(|(team, worst)| Step::Ask { team, worst }),
        9 => (0..9_usize, 0..6_u8, 0..130_i64).prop_map(|(which, how, part)| Step::End { which, how, part }),
        1 => (1..64_u8, 0..800_i64).prop_map(|(budgets, limit)| Step::Policy { budgets, limit }),
        1 => (0..500_i64, 0..30_i64).prop_map(|(by, hours)| Step::Raise { by, hours }),
        3 => (-900..2_400_i64).prop_map(|seconds| Step::Clock { seconds }),
        2 => (-90_000..180_000_i64).prop_map(|seconds| Step::Clock { seconds }),
        1 => (1..64_u8, 0..800_i64).prop_map(|(budgets, limit)| Step::Edit { budgets, limit }),
        2 => Just(Step::Answer),
        1 => Just(Step::ReadHolds),
        2 => (0..4_usize).prop_map(|which| Step::Release { which }),
        1 => Just(Step::Restart),
        1 => Just(Step::Crash),
    ]
}

const TEAMS: [&str; 3] = ["a", "b", ""];

fn rolling(minutes: u64) -> Cycle {
    Cycle::Rolling(Rolling::new(Duration::from_secs(minutes * 60)).unwrap())
}

fn after(hours: i64) -> Timestamp {
    noon() + SignedDuration::from_hours(hours)
}

fn budgets(mask: u8, extra: i64) -> Vec<Budget> {
    let plain = |name: &str, limit| budget(name, limit + extra, None, Period::Day);
    let team = || Some(Each::Tag("team".into()));
    let raise = |by, from, until| Raise {
        by: usd(by),
        from: Some(from),
        until,
    };
    let top_up = |amount, from| TopUp {
        amount: usd(amount),
        from,
    };
    let all = [
        Budget {
            raises: vec![raise(300, after(2), after(40))],
            timezone: Some(TimeZone::get("Africa/Cairo").unwrap()),
            carry_over: Some(CarryOver::Share(5_000)),
            ..plain("day", 700)
        },
        Budget {
            each: team(),
            carry_over: Some(CarryOver::Amount(usd(100))),
            ..plain("teams", 400)
        },
        Budget {
            cycle: rolling(60),
            ..plain("hour", 600)
        },
        Budget {
            cycle: rolling(24 * 60),
            each: team(),
            ..plain("keyed", 500)
        },
        Budget {
            cycle: Cycle::Credit([top_up(1_500, after(-1)), top_up(900, after(20))].into()),
            limit: usd(2_400),
            ..plain("paid", 0)
        },
        Budget {
            cycle: Cycle::Calendar(Period::Hour, Start::default()),
            ..plain("quick", 500)
        },
    ];
    let chosen = all.into_iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1);
    chosen.map(|(_, budget)| budget).collect()
}

struct Entry {
    at: Timestamp,
    team: &'static str,
    worst: i64,
    open: Option<ReservationId>,
    spent: i64,
    /// In which order it was held.
    held: Option<u64>,
}

/// The list, and what a crash left of leases.
#[derive(Default)]
struct Naive {
    list: Vec<Entry>,
    crashed: Vec<(Arc<str>, Span, i64)>,
    /// Budgets that were in force, or about to be, in a period.
    there: HashSet<(Arc<str>, Span)>,
    by_hand: Vec<Raise>,
}

impl Naive {
    fn key(budget: &Budget, team: &str) -> String {
        match &budget.each {
            None => String::new(),
            Some(_) if team.is_empty() => "(none)".to_owned(),
            Some(_) => team.to_owned(),
        }
    }

    fn span(budget: &Budget, at: Timestamp) -> Span {
        budget.span(at, &TimeZone::UTC)
    }

    fn before(budget: &Budget, now: Timestamp) -> Span {
        let start = Self::span(budget, now).start;
        Self::span(budget, start.checked_sub(SignedDuration::from_nanos(1)).unwrap())
    }

    fn counts(budget: &Budget, at: Timestamp, now: Timestamp) -> bool {
        match budget.rolling() {
            Some(rolling) => Rolling::counts(rolling.bucket(at), rolling.bucket(now)),
            None => Self::span(budget, now).contains(at),
        }
    }

    fn sum(&self, budget: &Budget, key: &str, within: impl Fn(Timestamp) -> bool, open: bool) -> i64 {
        let counted = |entry: &&Entry| within(entry.at) && Self::key(budget, entry.team) == key;
        let amount = |entry: &Entry| match &entry.open {
            None => entry.spent,
            Some(_) => i64::from(open) * entry.worst,
        };
        self.list.iter().filter(counted).map(amount).sum()
    }

    fn lost(&self, budget: &Budget, counts: impl Fn(Span) -> bool) -> i64 {
        let of = |lost: &&(Arc<str>, Span, i64)| lost.0 == budget.name && counts(lost.1);
        self.crashed.iter().filter(of).map(|lost| lost.2).sum()
    }

    /// Where the leases that crashed count now.
    fn lost_now(&self, budget: &Budget, now: Timestamp) -> i64 {
        let here = Self::span(budget, now);
        self.lost(budget, |span| {
            let near = budget.rolling().is_some() && (span.end == here.start || span.start == here.end);
            span == here || near
        })
    }

    fn taken(&self, budget: &Budget, key: &str, now: Timestamp, open: bool) -> i64 {
        self.sum(budget, key, |at| Self::counts(budget, at, now), open)
    }

    fn limit(&self, budget: &Budget, key: &str, now: Timestamp) -> i64 {
        let written = budget.written_at(now);
        let by_hand = self.by_hand.iter().filter(|_| budget.name.as_ref() == "day");
        let raises = budget.raises.iter().chain(by_hand);
        let raised: Money = raises
            .filter(|raise| raise.is_in_force(now))
            .map(|raise| raise.by)
            .sum();
        let carried = match budget.carry_over {
            Some(carry) if self.there.contains(&(budget.name.clone(), Self::before(budget, now))) => {
                let before = Self::before(budget, now);
                let taken =
                    self.sum(budget, key, |at| before.contains(at), true) + self.lost(budget, |span| span == before);
                (written.nanos() - taken).clamp(0, carry.most(written).nanos())
            }
            _ => 0,
        };
        written.nanos() + raised.nanos() + carried
    }

    fn fits(&self, budget: &Budget, team: &str, worst: i64, now: Timestamp) -> bool {
        let key = Self::key(budget, team);
        let taken = self.taken(budget, &key, now, true) + self.lost_now(budget, now);
        taken + worst <= self.limit(budget, &key, now)
    }

    fn see(&mut self, budgets: &[Budget], now: Timestamp) {
        for budget in budgets {
            for at in [now, now + SignedDuration::from_mins(1)] {
                self.there.insert((budget.name.clone(), Self::span(budget, at)));
            }
        }
    }

    fn end(&mut self, daemon: &mut Daemon, at: usize, how: u8, part: i64) {
        let entry = &mut self.list[at];
        let Some(id) = entry.open.take() else { return };
        // A ladder's next step makes what came before dearer, or cheaper.
        let correction = (how == 5).then_some(entry.worst * (part - 65) / 130);
        let how = match how {
            0 => End::Void,
            1 | 2 => End::Hold,
            5 => End::Post(usd(entry.worst)),
            _ => End::Post(usd(entry.worst * part / 100)),
        };
        entry.spent = correction.unwrap_or(0)
            + match how {
                End::Void => 0,
                End::Hold => entry.worst,
                End::Post(actual) => actual.nanos(),
            };
        daemon.end_corrected(id, entry.at, entry.team, (entry.worst, correction.map(usd)), how);
        entry.held = (how == End::Hold).then_some(daemon.sent);
    }
}

impl Daemon {
    async fn held(&self) -> Vec<HeldAttempt> {
        self.ledger.flush().await.unwrap();
        self.ledger.holds(0, 1_000).await.unwrap()
    }

    /// The attempt's number among all that were sent.
    fn row(&self, path: &Path, attempt: i64) -> Option<u64> {
        let connection = Connection::open(path).unwrap();
        let sql = "SELECT substr(decision, 2) FROM attempts WHERE id = ?1";
        let number: String = connection.query_row(sql, [attempt], |row| row.get(0)).unwrap();
        number.parse().ok()
    }

    /// The store is asked, and its answers are on their way.
    async fn install_late(&mut self, budgets: &[Budget]) -> Vec<Rebuilt> {
        let requests = self.books.install(budgets, &TimeZone::UTC, Currency::USD, self.now);
        let mut answers = Vec::new();
        for request in requests {
            answers.push(self.ledger.rebuild(request).await.unwrap());
        }
        answers
    }

    fn release(&mut self, held: &HeldAttempt) {
        let permit = self.ledger.try_permit().unwrap();
        self.books.release(held);
        permit.send(Record::Release(ReleaseRecord {
            attempt: held.id,
            estimate: held.estimate,
        }));
    }
}

/// What the store has leased and nobody recorded, by budget and period.
fn outstanding(path: &Path) -> Vec<(Arc<str>, Span, i64)> {
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut statement = connection
        .prepare(
            "SELECT p.budget, p.period_start, p.period_end, max(l.granted - l.used, 0) FROM leases l
             JOIN pools p ON p.id = l.pool WHERE l.ended_at IS NULL AND l.granted > l.used",
        )
        .unwrap();
    let rows = statement.query_map([], |row| {
        let (start, end): (String, String) = (row.get(1)?, row.get(2)?);
        let span = Span {
            start: start.parse().unwrap(),
            end: end.parse().unwrap(),
        };
        Ok((row.get(0)?, span, row.get(3)?))
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

async fn walk(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let (_directory, path) = place();
    let mut in_force = budgets(63, 0);
    let (mut late, mut read): (Vec<Rebuilt>, _) = (Vec::new(), None);
    let mut daemon = Daemon::start(&path, &in_force, noon()).await;
    let mut naive = Naive::default();
    naive.see(&in_force, noon());
    for step in steps {
        match step {
            Step::Ask { team, worst } => {
                let (team, now) = (TEAMS[team], daemon.now);
                let fits = worst == 0 || in_force.iter().all(|budget| naive.fits(budget, team, worst, now));
                let answer = daemon.reserve(worst, team).await;
                if matches!(answer, Err(Refusal::Rebuilding { .. })) && !late.is_empty() {
                    continue;
                }
                prop_assert_eq!(fits, answer.is_ok(), "{} for {:?}: {:?}", worst, team, answer);
                naive.list.extend(answer.ok().map(|id| Entry {
                    at: now,
                    team,
                    worst,
                    open: Some(id),
                    spent: 0,
                    held: None,
                }));
            }
            Step::End { which, how, part } => {
                let open: Vec<usize> = (0..naive.list.len())
                    .filter(|at| naive.list[*at].open.is_some())
                    .collect();
                if let Some(at) = open.get(which % open.len().max(1)) {
                    naive.end(&mut daemon, *at, how, part);
                }
            }
            Step::Policy { budgets: mask, limit } => {
                in_force = budgets(mask, limit);
                daemon.install(&in_force).await;
            }
            Step::Raise { by, hours } => {
                let raise = Raise {
                    by: usd(by),
                    from: None,
                    until: daemon.now + SignedDuration::from_hours(hours),
                };
                if daemon.books.raise("day", vec![raise.clone()], daemon.now) {
                    naive.by_hand = vec![raise];
                }
            }
            Step::Clock { seconds } => {
                let now = daemon.now + SignedDuration::from_secs(seconds);
                daemon.tick(now).await;
            }
            Step::Edit { budgets: mask, limit } => {
                in_force = budgets(mask, limit);
                late.extend(daemon.install_late(&in_force).await);
            }
            Step::Answer => late.drain(..).for_each(|rebuilt| daemon.books.rebuilt(rebuilt)),
            Step::ReadHolds => {
                read = match daemon.books.holds_mark() {
                    Some(mark) => Some((mark, daemon.held().await)),
                    None => None,
                };
            }
            Step::Release { which } => {
                let good = read
                    .as_mut()
                    .filter(|(mark, _)| daemon.books.holds_mark() == Some(*mark));
                let Some((_, held)) = good.filter(|(_, held)| !held.is_empty()) else {
                    continue;
                };
                let one = held.remove(which % held.len());
                daemon.release(&one);
                let mut entries: Vec<&mut Entry> = naive.list.iter_mut().filter(|entry| entry.held.is_some()).collect();
                let entry = entries
                    .iter_mut()
                    .find(|entry| (entry.at, entry.held) == (one.at, daemon.row(&path, one.id)));
                let entry = entry.ok_or_else(|| TestCaseError::fail(format!("held by nobody: {one:?}")))?;
                (entry.spent, entry.held) = (one.estimate.nanos(), None);
            }
            Step::Restart => {
                (late, read) = (Vec::new(), None);
                for at in 0..naive.list.len() {
                    naive.end(&mut daemon, at, 4, 0);
                }
                daemon.ledger.close().await.unwrap();
                let sent = daemon.sent;
                daemon = Daemon::start(&path, &in_force, daemon.now).await;
                daemon.sent = sent;
                naive.by_hand.clear();
            }
            Step::Crash => {
                (late, read) = (Vec::new(), None);
                daemon.ledger.flush().await.unwrap();
                naive.crashed.extend(outstanding(&path));
                naive.list.retain(|entry| entry.open.is_none());
                daemon.ledger.command(Command::Crash);
                while !matches!(daemon.ledger.permit().await, Err(LedgerError::Closed)) {
                    tokio::task::yield_now().await;
                }
                let sent = daemon.sent;
                daemon = Daemon::start(&path, &in_force, daemon.now).await;
                daemon.sent = sent;
                naive.by_hand.clear();
            }
        }
        naive.see(&in_force, daemon.now);
        compare(&daemon, &naive, &in_force)?;
    }
    daemon.ledger.flush().await.unwrap();
    for proof in verify(&path).unwrap() {
        prop_assert!(proof.broken.is_empty(), "{:?}", proof);
    }
    Ok(())
}

fn compare(daemon: &Daemon, naive: &Naive, in_force: &[Budget]) -> Result<(), TestCaseError> {
    daemon
        .books
        .prove()
        .map_err(|violation| TestCaseError::fail(violation.to_string()))?;
    for view in daemon.books.views() {
        if view.key.as_ref() == crate::budget::UNACCOUNTED_KEY || view.rebuilding {
            continue;
        }
        let budget = in_force.iter().find(|budget| budget.name == view.budget).unwrap();
        let lost = if budget.each.is_none() {
            naive.lost_now(budget, daemon.now)
        } else {
            0
        };
        let settled = naive.taken(budget, &view.key, daemon.now, false) + lost;
        prop_assert_eq!(view.posted.plus(view.held).nanos(), settled, "{:?}", view);
        let all = naive.taken(budget, &view.key, daemon.now, true) + lost;
        prop_assert_eq!(view.reserved.nanos(), all - settled, "{:?}", view);
        prop_assert_eq!(
            view.limit.nanos(),
            naive.limit(budget, &view.key, daemon.now),
            "{:?}",
            view
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_kind_of_budget_admits_and_counts_as_one_list_does(steps in proptest::collection::vec(step(), 1..70)) {
        super::model::run(walk(steps))?;
    }
}

/// What was let in under other budgets and ends under these must not look as if these had been in force then.
#[test]
fn a_budget_that_was_away_carries_nothing_over_after_a_restart() {
    let steps = vec![
        Step::Policy { budgets: 12, limit: 0 },
        Step::Clock { seconds: 48_233 },
        Step::Ask { team: 1, worst: 200 },
        Step::Clock { seconds: 86_400 },
        Step::Policy { budgets: 46, limit: 0 },
        Step::End {
            which: 0,
            how: 4,
            part: 100,
        },
        Step::Restart,
        Step::Ask { team: 1, worst: 49 },
    ];
    super::model::run(walk(steps)).unwrap();
}
