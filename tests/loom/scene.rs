//! Books behind loom's lock, and stores that lease and share what a limit leaves.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use loom::sync::{Mutex, MutexGuard};
use planb::budget::{
    Books, End, Facts, Grant, GrantRequest, PoolId, RebuildRequest, Rebuilt, Refusal, ReservationId, ShareAnswer,
    ShareRequest, Spent,
};
use planb::money::{Currency, Money};
use planb::period::{Period, Start};
use planb::policy::condition::ModelFacts;
use planb::policy::snapshot::{Budget, Cycle, Each, Enforce, Held};
use planb::request::{Caller, Tags};
use std::collections::HashMap;
use std::sync::Arc;

pub fn nanos(nanos: i64) -> Money {
    Money::from_nanos(nanos)
}

pub fn budget(name: &str, limit: i64) -> Budget {
    Budget {
        name: name.into(),
        limit: nanos(limit),
        raises: Vec::new(),
        cycle: Cycle::Calendar(Period::Day, Start::default()),
        timezone: None,
        enforce: Enforce::Hard,
        covers: None,
        each: None,
        alert_at: Vec::new(),
        carry_over: None,
        held: Held::Keep,
        shadows: false,
        shape: name.into(),
    }
}

pub fn teams(limit: i64) -> Budget {
    Budget {
        each: Some(Each::Tag("team".into())),
        ..budget("teams", limit)
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

/// One daemon's books, and its turn to speak with the fleet's store.
pub struct Daemon {
    books: Mutex<Books>,
    turn: Mutex<()>,
}

/// The books, locked.
pub struct Locked<'a>(MutexGuard<'a, Books>);

impl Daemon {
    pub fn new(budgets: &[Budget]) -> Self {
        let mut books = Books::new();
        let asked = install(&mut books, budgets);
        answer(&mut books, asked);
        Self {
            books: Mutex::new(books),
            turn: Mutex::new(()),
        }
    }

    /// Its own ledger has leased all that the fleet may give it.
    pub fn in_fleet(limit: i64) -> Self {
        let mut books = Books::new();
        books.join_fleet();
        let asked = install(&mut books, &[budget("month", limit)]);
        let pool = asked[0].pool.clone();
        answer(&mut books, asked);
        books.grant(&Grant {
            pool,
            total: nanos(limit),
            enough: true,
        });
        Self {
            books: Mutex::new(books),
            turn: Mutex::new(()),
        }
    }

    pub fn books(&self) -> Locked<'_> {
        Locked(self.books.lock().unwrap())
    }

    /// As the gateway speaks with the store: one at a time, from asking the books to telling them.
    pub fn exchange(
        &self,
        store: &Mutex<FleetStore>,
        who: usize,
        build: impl FnOnce(&mut Locked<'_>) -> Vec<ShareRequest>,
    ) {
        let _turn = self.turn.lock().unwrap();
        let requests = build(&mut self.books());
        let answers = store.lock().unwrap().exchange(who, &requests);
        self.books().0.shared(&answers, now());
    }

    /// Whether one request was let in, with a share that it asked for where need be.
    pub fn spend_share(&self, store: &Mutex<FleetStore>, who: usize, worst: i64) -> bool {
        for round in 0.. {
            let asked = self.books().reserve(worst, "a");
            match asked {
                Ok(id) => {
                    self.books().end(id, End::Post(nanos(worst)));
                    return true;
                }
                // Whoever asked last also looks at what it got.
                Err(Refusal::Share(_)) if round == 4 => return false,
                Err(Refusal::Share(wanted)) => self.exchange(store, who, |books| books.0.shares_again(&wanted)),
                Err(Refusal::OverLimit { .. }) => return false,
                Err(refused) => panic!("{refused:?}"),
            }
        }
        false
    }
}

impl Locked<'_> {
    pub fn reserve(&mut self, worst: i64, team: &str) -> Result<ReservationId, Refusal> {
        let facts = facts(team);
        let charges = self.0.charges(facts.model(), &facts.caller, now());
        self.0.reserve(nanos(worst), &charges, facts, now())
    }

    pub fn end(&mut self, id: ReservationId, end: End) {
        self.0.end(id, end);
        self.0.prove().unwrap();
    }

    pub fn grant(&mut self, grants: &[Grant]) {
        grants.iter().for_each(|grant| self.0.grant(grant));
    }

    pub fn install(&mut self, budgets: &[Budget]) -> Vec<RebuildRequest> {
        install(&mut self.0, budgets)
    }

    pub fn answer(&mut self, asked: Vec<RebuildRequest>) {
        answer(&mut self.0, asked);
    }

    /// Asks for a share of so much.
    pub fn wish(&mut self, worst: i64) -> Vec<ShareRequest> {
        match self.reserve(worst, "a") {
            Err(Refusal::Share(wanted)) => wanted,
            other => panic!("{other:?}"),
        }
    }

    /// Gives back what it has not drawn.
    pub fn recall(&mut self) -> Vec<ShareRequest> {
        self.0.shares_returned()
    }

    pub fn spent(&self, budget: &str) -> i64 {
        let views = self.0.views().into_iter();
        let of = views.filter(|view| view.budget.as_ref() == budget);
        of.map(|view| view.posted.plus(view.held).nanos()).sum()
    }

    pub fn open(&self) -> usize {
        self.0.open_reservations()
    }

    /// The sums hold, and nothing is beyond what was the limit once.
    pub fn is_sound(&self, most: i64) {
        self.0.prove().unwrap();
        for view in self.0.views() {
            let all = view.posted.plus(view.held).plus(view.reserved);
            assert!(all.nanos() <= most, "{view:?}");
        }
    }
}

fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn install(books: &mut Books, budgets: &[Budget]) -> Vec<RebuildRequest> {
    books.install(budgets, &TimeZone::UTC, Currency::USD, now())
}

/// Nothing was spent before.
fn answer(books: &mut Books, asked: Vec<RebuildRequest>) {
    for request in asked {
        books.rebuilt(Rebuilt {
            pool: request.pool,
            accounts: Vec::new(),
            unaccounted: Money::ZERO,
            granted: Money::ZERO,
            known: true,
        });
    }
}

/// Leases what the limit leaves, as the ledger does.
#[derive(Default)]
pub struct Store {
    granted: HashMap<u64, Money>,
}

impl Store {
    pub fn grant(&mut self, requests: &[GrantRequest]) -> Vec<Grant> {
        let grant = |request: &GrantRequest| {
            let known = self.granted.get(&request.pool.life).copied().unwrap_or_default();
            let upto = request.bound().map_or(request.upto, |bound| bound.min(request.upto));
            let total = known.max(upto);
            self.granted.insert(request.pool.life, total);
            Grant {
                pool: request.pool.clone(),
                total,
                enough: total >= request.least,
            }
        };
        requests.iter().map(grant).collect()
    }
}

/// What each of two daemons holds of one account.
pub struct FleetStore {
    limit: i64,
    shares: [i64; 2],
    spent: [i64; 2],
}

impl FleetStore {
    pub fn new(limit: i64) -> Self {
        Self {
            limit,
            shares: [0; 2],
            spent: [0; 2],
        }
    }

    fn exchange(&mut self, who: usize, requests: &[ShareRequest]) -> Vec<ShareAnswer> {
        requests.iter().map(|request| self.share(who, request)).collect()
    }

    fn share(&mut self, who: usize, request: &ShareRequest) -> ShareAnswer {
        let pool: &Arc<PoolId> = &request.pool;
        let most = self.limit - self.shares[1 - who];
        self.spent[who] = request.spent.posted.nanos();
        self.shares[who] = request.upto.nanos().min(most).max(self.spent[who]);
        self.is_sound();
        let posted = nanos(self.spent[1 - who]);
        ShareAnswer {
            pool: pool.clone(),
            key: request.key.clone(),
            total: nanos(self.shares[who]),
            others: Spent {
                posted,
                ..Spent::default()
            },
            window: Vec::new(),
            carried: Money::ZERO,
            plan_free: Money::ZERO,
            counted_since: None,
            limit: nanos(self.limit),
            left: nanos(self.limit - self.shares[0] - self.shares[1]),
            idle: nanos(self.shares[1 - who] - self.spent[1 - who]),
            lacks: nanos((request.least.nanos() - self.shares[who]).max(0)),
            less: self.shares[who] < request.upto.nanos(),
            asked_back: false,
            counting: false,
        }
    }

    /// Shares never come to more than the limit, nor what is spent of one to more than the share.
    pub fn is_sound(&self) {
        assert!(self.shares[0] + self.shares[1] <= self.limit, "{:?}", self.shares);
        assert!(self.spent.iter().zip(self.shares).all(|(spent, share)| *spent <= share));
    }
}
