//! A million requests on the books, with cancels, crashes and reloads: none leaks, none is a phantom, none that fits is
//! refused and none that does not is let in. And five hundred clients on a barrier before a budget for a hundred, a
//! thousand times. Fails where it is not so. `cargo bench --bench fits`; `--smoke` runs a part of it.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use planb::budget::{
    Books, End, Facts, Grant, GrantRequest, PoolId, Posting, RebuildRequest, Rebuilt, RebuiltAccount, Refusal,
    ReservationId, Spent, UNACCOUNTED_KEY, key_of,
};
use planb::money::{Currency, Money};
use planb::period::{Period, Span, Start};
use planb::policy::condition::ModelFacts;
use planb::policy::snapshot::{Budget, Cycle, Each, Enforce, Held};
use planb::request::{Caller, Tags};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Instant;

const TEAMS: usize = 40;
const OPEN: usize = 64;

fn main() {
    let smoke = std::env::args().any(|arg| arg == "--smoke") || std::env::var_os("PLANB_BENCH_SMOKE").is_some();
    let (requests, rounds) = if smoke { (20_000, 20) } else { (1_000_000, 1_000) };
    let began = Instant::now();
    let tally = Run::new(7).run(requests);
    println!(
        "{requests} requests, {} let in, {} refused, {} crashes, {} reloads, {} leases: 0 leaked, 0 phantom, 0 refused that fit, 0 let in that did not, in {:.1} s",
        tally.admitted,
        tally.refused,
        tally.crashes,
        tally.reloads,
        tally.leases,
        began.elapsed().as_secs_f64()
    );
    let began = Instant::now();
    for round in 0..rounds {
        assert_eq!(on_a_barrier(), 100, "round {round}");
    }
    println!(
        "500 clients on a barrier before a budget for 100, {rounds} times: 100 let in each time, in {:.1} s",
        began.elapsed().as_secs_f64()
    );
}

/// The same numbers again for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[derive(Default)]
struct Tally {
    admitted: u64,
    refused: u64,
    crashes: u64,
    reloads: u64,
    leases: u64,
}

/// A budget in a period, as a store names it.
type Name = (Arc<str>, Span);

/// What a ledger would keep, without a disk.
#[derive(Default)]
struct Store {
    attempts: Vec<(Timestamp, usize, i64)>,
    unaccounted: HashMap<Name, i64>,
    /// By the pool's life: its name, granted and used.
    leases: BTreeMap<u64, (Name, i64, i64)>,
    own: HashMap<(u64, Arc<str>), Spent>,
}

/// The obvious truth: what each account has spent and promised.
#[derive(Default)]
struct Truth {
    spent: HashMap<(Name, Arc<str>), i64>,
    promised: HashMap<(Name, Arc<str>), i64>,
}

struct Attempt {
    id: ReservationId,
    at: Timestamp,
    team: usize,
    worst: i64,
    accounts: Vec<(Name, Arc<str>)>,
}

struct Run {
    dice: Dice,
    now: Timestamp,
    books: Books,
    budgets: Vec<Budget>,
    store: Store,
    truth: Truth,
    open: Vec<Attempt>,
    facts: Vec<Facts>,
    tally: Tally,
}

impl Run {
    fn new(seed: u64) -> Self {
        let facts = |team: usize| Facts {
            model: Arc::new(ModelFacts::recorded("qwen-max", "qwen", "licensed")),
            currency: Currency::USD,
            caller: Arc::new(Caller {
                tags: Tags::new([("team", format!("team{team}"))]),
                ..Caller::default()
            }),
        };
        let mut run = Self {
            dice: Dice(seed),
            now: start(),
            books: Books::new(),
            budgets: budgets(0),
            store: Store::default(),
            truth: Truth::default(),
            open: Vec::new(),
            facts: (0..TEAMS).map(facts).collect(),
            tally: Tally::default(),
        };
        run.install();
        run
    }

    fn run(mut self, requests: u64) -> Tally {
        for turn in 1..=requests {
            if self.open.len() >= OPEN || self.dice.below(3) == 0 && !self.open.is_empty() {
                self.end();
            }
            self.ask();
            if turn % 50 == 0 {
                let next = self.now + SignedDuration::from_secs(self.dice.below(90) as i64);
                self.tick(next);
            }
            if turn % 9_973 == 0 {
                self.budgets = budgets(self.dice.below(5_000) as i64);
                self.install();
                self.tally.reloads += 1;
            }
            if turn % 49_999 == 0 {
                self.crash();
            }
        }
        while !self.open.is_empty() {
            self.end();
        }
        assert_eq!(self.books.open_reservations(), 0, "a reservation leaked");
        self.books.prove().expect("the sums hold");
        for view in self.books.views() {
            assert_eq!(view.reserved, Money::ZERO, "a phantom: {view:?}");
        }
        assert!(self.books.take_violations().is_empty());
        self.tally
    }

    fn ask(&mut self) {
        let team = self.dice.below(TEAMS as u64) as usize;
        let worst = 1 + self.dice.below(400) as i64;
        let accounts = self.accounts(team);
        let fits = accounts.iter().zip(&self.budgets).all(|(account, budget)| {
            let lost = self.store.unaccounted.get(&account.0).copied().unwrap_or(0);
            let spent = self.truth.spent.get(account).copied().unwrap_or(0);
            let promised = self.truth.promised.get(account).copied().unwrap_or(0);
            lost + spent + promised + worst <= budget.limit.nanos()
        });
        match self.reserve(team, worst) {
            Some(id) => {
                assert!(fits, "let in, and it does not fit");
                self.tally.admitted += 1;
                for account in &accounts {
                    *self.truth.promised.entry(account.clone()).or_default() += worst;
                }
                self.open.push(Attempt {
                    id,
                    at: self.now,
                    team,
                    worst,
                    accounts,
                });
            }
            None => {
                assert!(!fits, "refused, and it fits");
                self.tally.refused += 1;
            }
        }
    }

    fn reserve(&mut self, team: usize, worst: i64) -> Option<ReservationId> {
        loop {
            let facts = self.facts[team].clone();
            let charges = self.books.charges(facts.model(), &facts.caller, self.now);
            match self.books.reserve(Money::from_nanos(worst), &charges, facts, self.now) {
                Ok(id) => return Some(id),
                Err(Refusal::Lease(requests)) => self.lease(requests),
                Err(Refusal::OverLimit { .. }) => return None,
                Err(refused) => panic!("{refused:?}"),
            }
        }
    }

    fn end(&mut self) {
        let at = self.dice.below(self.open.len() as u64) as usize;
        let attempt = self.open.swap_remove(at);
        let (end, amount) = match self.dice.below(10) {
            0 => (End::Void, 0),
            1 => (End::Hold, attempt.worst),
            // A client that left: an estimate.
            2 => (End::Post(Money::from_nanos(attempt.worst / 2)), attempt.worst / 2),
            _ => (End::Post(Money::from_nanos(attempt.worst / 5)), attempt.worst / 5),
        };
        for account in &attempt.accounts {
            *self.truth.promised.entry(account.clone()).or_default() -= attempt.worst;
            *self.truth.spent.entry(account.clone()).or_default() += amount;
        }
        self.store.attempts.push((attempt.at, attempt.team, amount));
        for posting in self.books.end(attempt.id, end) {
            self.store.post(&posting);
        }
    }

    fn tick(&mut self, now: Timestamp) {
        self.now = now;
        let requests = self.books.roll(now);
        self.rebuild(requests);
        for pool in self.books.returns() {
            self.store.leases.remove(&pool.life);
        }
        let wanted = self.books.wanted();
        self.lease(wanted);
    }

    fn install(&mut self) {
        let requests = self
            .books
            .install(&self.budgets, &TimeZone::UTC, Currency::USD, self.now);
        self.rebuild(requests);
    }

    fn lease(&mut self, requests: Vec<GrantRequest>) {
        for request in requests {
            self.tally.leases += 1;
            let total = request.upto;
            let name = (request.pool.budget.clone(), request.pool.span);
            let lease = self.store.leases.entry(request.pool.life).or_insert((name, 0, 0));
            lease.1 = lease.1.max(total.nanos());
            self.books.grant(&Grant {
                pool: request.pool,
                total,
                enough: true,
            });
        }
    }

    fn rebuild(&mut self, requests: Vec<RebuildRequest>) {
        for request in requests {
            let rebuilt = self.store.rebuild(&request, &self.facts);
            self.books.rebuilt(rebuilt);
        }
    }

    /// Everything under way is gone; what was leased and not recorded counts.
    fn crash(&mut self) {
        for (name, granted, used) in std::mem::take(&mut self.store.leases).into_values() {
            *self.store.unaccounted.entry(name).or_default() += (granted - used).max(0);
        }
        self.store.own.clear();
        self.truth.promised.clear();
        self.open.clear();
        self.books = Books::new();
        self.install();
        self.tally.crashes += 1;
    }

    fn accounts(&self, team: usize) -> Vec<(Name, Arc<str>)> {
        let facts = &self.facts[team];
        let of = |budget: &Budget| {
            let name = (budget.name.clone(), budget.span(self.now, &TimeZone::UTC));
            (name, Arc::from(key_of(budget, facts.model(), &facts.caller)))
        };
        self.budgets.iter().map(of).collect()
    }
}

impl Store {
    fn post(&mut self, posting: &Posting) {
        let spent = Spent {
            posted: posting.posted,
            held: posting.held,
            overdraft: posting.overdraft,
        };
        let own = self.own.entry((posting.life, posting.key.clone())).or_default();
        *own = own.plus(spent);
        let name = (posting.budget.clone(), posting.span);
        let lease = self.leases.entry(posting.life).or_insert((name, 0, 0));
        lease.2 += spent.drawn().nanos();
    }

    fn rebuild(&self, request: &RebuildRequest, facts: &[Facts]) -> Rebuilt {
        let pool: &PoolId = &request.pool;
        let mut sums: HashMap<Arc<str>, i64> = HashMap::new();
        for (at, team, amount) in &self.attempts {
            if pool.span.contains(*at) {
                let facts = &facts[*team];
                let key = key_of(&request.budget, facts.model(), &facts.caller);
                *sums.entry(Arc::from(key)).or_default() += amount;
            }
        }
        let account = |(key, sum): (Arc<str>, i64)| {
            let own = self.own.get(&(pool.life, key.clone())).copied().unwrap_or_default();
            let posted = Spent {
                posted: Money::from_nanos(sum),
                ..Spent::default()
            };
            RebuiltAccount {
                spent: posted.minus(own),
                buckets: Vec::new(),
                exhausted: None,
                key,
            }
        };
        assert!(!sums.contains_key(UNACCOUNTED_KEY));
        let name = (pool.budget.clone(), pool.span);
        Rebuilt {
            pool: request.pool.clone(),
            accounts: sums.into_iter().map(account).collect(),
            unaccounted: Money::from_nanos(self.unaccounted.get(&name).copied().unwrap_or(0)),
            granted: Money::ZERO,
            known: true,
        }
    }
}

fn start() -> Timestamp {
    Timestamp::from_second(1_795_435_200).expect("an instant")
}

fn budget(name: &str, limit: i64, period: Period, each: Option<Each>) -> Budget {
    Budget {
        name: name.into(),
        limit: Money::from_nanos(limit),
        raises: Vec::new(),
        cycle: Cycle::Calendar(period, Start::default()),
        timezone: None,
        enforce: Enforce::Hard,
        covers: None,
        each,
        shadows: false,
        alert_at: vec![5_000, 8_000],
        carry_over: None,
        held: Held::Keep,
        shape: name.into(),
    }
}

fn budgets(more: i64) -> Vec<Budget> {
    vec![
        budget("month", 40_000_000 + 100 * more, Period::Month, None),
        budget("day", 2_000_000 + more, Period::Day, None),
        budget("teams", 60_000 + more, Period::Day, Some(Each::Tag("team".into()))),
        budget("hour", 120_000 + more, Period::Hour, None),
    ]
}

/// How many of five hundred who come at once have the money.
fn on_a_barrier() -> usize {
    const THREADS: usize = 10;
    const CLIENTS: usize = 500;
    let mut books = Books::new();
    let facts = Facts {
        model: Arc::new(ModelFacts::recorded("qwen-max", "qwen", "licensed")),
        currency: Currency::USD,
        caller: Arc::new(Caller::default()),
    };
    for request in books.install(
        &[budget("month", 100, Period::Month, None)],
        &TimeZone::UTC,
        Currency::USD,
        start(),
    ) {
        books.rebuilt(Rebuilt {
            pool: request.pool,
            accounts: Vec::new(),
            unaccounted: Money::ZERO,
            granted: Money::ZERO,
            known: true,
        });
    }
    let (books, barrier) = (Mutex::new(books), Barrier::new(THREADS));
    let client = || {
        barrier.wait();
        (0..CLIENTS / THREADS).filter(|_| reserve_one(&books, &facts)).count()
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(client)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    })
}

fn reserve_one(books: &Mutex<Books>, facts: &Facts) -> bool {
    loop {
        let asked = {
            let mut books = books.lock().expect("no panic");
            let charges = books.charges(facts.model(), &facts.caller, start());
            books.reserve(Money::from_nanos(1), &charges, facts.clone(), start())
        };
        match asked {
            // Never ended: its money stays promised.
            Ok(_promised) => return true,
            Err(Refusal::Lease(requests)) => {
                let mut books = books.lock().expect("no panic");
                for request in requests {
                    let total = request.upto.min(request.limit);
                    let (pool, enough) = (request.pool.clone(), total >= request.least);
                    books.grant(&Grant { pool, total, enough });
                }
            }
            Err(_) => return false,
        }
    }
}
