//! Several daemons' books and one store, in any order of requests, ends, exchanges, lost answers, recalls, deaths and
//! returns: all together never pass the limit, and a no is one only where nothing is left.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const DAEMONS: usize = 3;

#[derive(Clone, Copy, Debug, Default)]
struct Lease {
    spent: Spent,
    reserved: Money,
    total: Money,
}

impl Lease {
    fn idle(&self) -> Money {
        self.total.minus(self.spent.drawn()).max(Money::ZERO)
    }
}

/// What the fleet's store does, for one account: obviously, one lease after the other.
#[derive(Debug, Default)]
struct Store {
    limit: Money,
    leases: BTreeMap<usize, Lease>,
}

impl Store {
    fn taken(&self) -> Money {
        let taken = |lease: &Lease| lease.spent.total().plus(lease.idle());
        self.leases.values().map(taken).sum()
    }

    fn exchange(&mut self, who: usize, requests: &[ShareRequest]) -> Vec<ShareAnswer> {
        requests.iter().map(|request| self.answer(who, request)).collect()
    }

    fn answer(&mut self, who: usize, request: &ShareRequest) -> ShareAnswer {
        let mut lease = self.leases.get(&who).copied().unwrap_or_default();
        let drawn = request.spent.drawn();
        lease.total = lease.total.min(request.upto).max(drawn);
        (lease.spent, lease.reserved) = (request.spent, request.reserved);
        self.leases.insert(who, lease);
        let free = self.limit.minus(self.taken());
        let over = free < Money::ZERO;
        let free = free.max(Money::ZERO);
        let ahead = free.scaled_down(1, 2 * self.leases.len() as i64);
        let needed = request.least.minus(lease.total).max(Money::ZERO);
        let wished = request.upto.minus(lease.total).max(Money::ZERO);
        let more = wished.min(free).min(needed.max(ahead));
        lease.total = lease.total.plus(more);
        self.leases.insert(who, lease);
        let mut others = Spent::default();
        for (holder, lease) in &self.leases {
            if *holder != who {
                others = others.plus(lease.spent);
            }
        }
        ShareAnswer {
            pool: request.pool.clone(),
            key: request.key.clone(),
            total: lease.total,
            others,
            window: Vec::new(),
            limit: self.limit,
            carried: Money::ZERO,
            left: free.minus(more),
            idle: Money::ZERO,
            lacks: request.least.minus(lease.total).max(Money::ZERO),
            less: request.upto > lease.total,
            asked_back: over,
            counting: false,
            plan_free: Money::ZERO,
            counted_since: None,
        }
    }
}

/// One step; whoever is named by a number beyond the living is taken modulo them.
#[derive(Clone, Debug)]
enum Step {
    Reserve { who: usize, worst: i64 },
    End { who: usize, actual: i64, how: u8 },
    Exchange { who: usize, lost: bool },
    Recall { who: usize },
    Die { who: usize },
    Leave { who: usize },
    Limit { limit: i64 },
    Later { seconds: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..DAEMONS;
    prop_oneof![
        8 => (who.clone(), 1_i64..30).prop_map(|(who, worst)| Step::Reserve { who, worst }),
        6 => (who.clone(), 0_i64..30, 0_u8..6).prop_map(|(who, actual, how)| Step::End { who, actual, how }),
        3 => (who.clone(), any::<bool>()).prop_map(|(who, lost)| Step::Exchange { who, lost }),
        2 => who.clone().prop_map(|who| Step::Recall { who }),
        1 => who.clone().prop_map(|who| Step::Die { who }),
        1 => who.prop_map(|who| Step::Leave { who }),
        1 => (100_i64..300).prop_map(|limit| Step::Limit { limit }),
        1 => (1_i64..200).prop_map(|seconds| Step::Later { seconds }),
    ]
}

struct Member {
    books: Books,
    open: Vec<(ReservationId, i64)>,
    is_there: bool,
}

impl Member {
    /// Spent and promised, by its own word.
    fn counts(&self) -> Money {
        let account = &self.books.pools.values().next().unwrap().accounts[0];
        account.base.plus(account.own).total().plus(account.reserved)
    }
}

struct World {
    store: Store,
    members: Vec<Member>,
    /// What was allowed at most: a limit that is lowered takes nothing back.
    highest: Money,
}

impl World {
    fn new(limit: i64) -> Self {
        let member = |_| {
            let mut books = ready(&[budget("month", limit)]);
            books.join_fleet();
            Member {
                books,
                open: Vec::new(),
                is_there: true,
            }
        };
        Self {
            store: Store {
                limit: usd(limit),
                ..Store::default()
            },
            members: (0..DAEMONS).map(member).collect(),
            highest: usd(limit),
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Reserve { who, worst } => self.reserve(who, worst),
            Step::End { who, actual, how } => self.end(who, actual, how),
            Step::Exchange { who, lost } => self.exchange(who, lost, |books, now| books.shares_due(now)),
            Step::Recall { who } => {
                let pool = self.members[who].books.pools.values().next().unwrap().id.clone();
                self.exchange(who, false, |books, _| books.shares_recalled(&pool, ""));
            }
            Step::Die { who } => self.members[who].is_there = false,
            Step::Leave { who } => {
                while !self.members[who].open.is_empty() {
                    self.end(who, 0, 0);
                }
                self.exchange(who, false, |books, _| books.shares_returned());
                self.members[who].is_there = false;
            }
            Step::Limit { limit } => {
                self.store.limit = usd(limit);
                self.highest = self.highest.max(usd(limit));
            }
            Step::Later { seconds } => {
                for member in &mut self.members {
                    let now = member.books.now + SignedDuration::from_secs(seconds);
                    let requests = member.books.roll(now);
                    answer(&mut member.books, requests);
                }
            }
        }
    }

    fn exchange(&mut self, who: usize, lost: bool, build: impl FnOnce(&mut Books, Timestamp) -> Vec<ShareRequest>) {
        let member = &mut self.members[who];
        if !member.is_there {
            return;
        }
        let now = member.books.now;
        let requests = build(&mut member.books, now);
        let answers = self.store.exchange(who, &requests);
        // What the share has is drawn on while the answer is under way.
        if let Ok(id) = try_reserve(&mut member.books, 7, "") {
            member.open.push((id, 7));
        }
        if !lost {
            member.books.shared(&answers, now);
        }
    }

    fn reserve(&mut self, who: usize, worst: i64) {
        if !self.members[who].is_there {
            return;
        }
        for _ in 0..12 {
            let member = &mut self.members[who];
            match try_reserve(&mut member.books, worst, "") {
                Ok(id) => return member.open.push((id, worst)),
                Err(Refusal::Lease(requests)) => lease(&mut member.books, &requests),
                Err(Refusal::Share(wanted)) => {
                    let now = member.books.now;
                    let requests = member.books.shares_again(&wanted);
                    let answers = self.store.exchange(who, &requests);
                    let member = &mut self.members[who];
                    member.books.shared(&answers, now);
                    if answers.iter().any(|answer| answer.lacks > Money::ZERO) {
                        let left = self.store.limit.minus(self.store.taken());
                        let own = self.store.leases[&who].idle().minus(member.reserved());
                        assert!(left.plus(own) < usd(worst), "{left} {own} for {worst}");
                        member.books.refuse_share(&wanted[0], DAEMONS as u32, now);
                        return;
                    }
                }
                Err(Refusal::OverLimit { .. }) => return,
                Err(other) => panic!("{other:?}"),
            }
        }
        panic!("neither yes nor no");
    }

    fn end(&mut self, who: usize, actual: i64, how: u8) {
        let member = &mut self.members[who];
        let Some((id, worst)) = member.open.pop().filter(|_| member.is_there) else {
            return;
        };
        let end = match how {
            0 => End::Void,
            1 => End::Hold,
            _ => End::Post(usd(actual.min(worst))),
        };
        member.books.end(id, end);
    }

    fn prove(&self) {
        let all: Money = self.members.iter().map(Member::counts).sum();
        assert!(all <= self.highest, "{all} of {}: {:?}", self.highest, self.store);
        assert!(self.store.taken() <= self.highest);
        for member in &self.members {
            member.books.prove().unwrap();
        }
    }
}

impl Member {
    fn reserved(&self) -> Money {
        self.books.pools.values().next().unwrap().accounts[0].reserved
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn all_daemons_together_never_pass_the_limit(steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::new(200);
        for step in &steps {
            world.take(step);
            world.prove();
        }
    }
}

#[test]
fn what_the_store_refused_is_not_asked_for_again_before_it_says_so() {
    let mut world = World::new(100);
    world.take(&Step::Reserve { who: 0, worst: 29 });
    world.store.limit = usd(30);
    let member = &mut world.members[1];
    assert!(matches!(try_reserve(&mut member.books, 20, ""), Err(Refusal::Share(_))));
    world.take(&Step::Reserve { who: 1, worst: 20 });
    let pool = world.members[1].books.pools.values().next().unwrap().id.clone();
    let member = &mut world.members[1];
    assert!(matches!(
        try_reserve(&mut member.books, 20, ""),
        Err(Refusal::OverLimit { .. })
    ));
    let now = member.books.now + SignedDuration::from_secs(2);
    member.books.roll(now);
    assert!(matches!(
        try_reserve(&mut member.books, 20, ""),
        Err(Refusal::OverLimit { .. })
    ));
    // Less may be there.
    assert!(matches!(try_reserve(&mut member.books, 5, ""), Err(Refusal::Share(_))));
    let wanted = member.books.shares_freed(&pool, "", now);
    let drawn = wanted[0].spent.drawn().plus(wanted[0].reserved);
    assert_eq!(
        wanted[0].least.minus(drawn),
        usd(20),
        "what was refused is still wanted"
    );
    assert!(matches!(try_reserve(&mut member.books, 20, ""), Err(Refusal::Share(_))));
}

#[test]
fn without_an_answer_for_too_long_nothing_is_drawn() {
    let mut world = World::new(100);
    world.take(&Step::Reserve { who: 0, worst: 10 });
    let books = &mut world.members[0].books;
    books.lapse(true);
    assert!(matches!(try_reserve(books, 1, ""), Err(Refusal::Apart { .. })));
    assert!(try_reserve(books, 0, "").is_ok(), "what is free goes on");
    books.lapse(false);
    assert!(!matches!(try_reserve(books, 1, ""), Err(Refusal::Apart { .. })));
}

#[test]
fn what_others_spent_in_a_window_leaves_it_with_time() {
    let sliding = Budget {
        cycle: Cycle::Rolling(crate::period::Rolling::new(std::time::Duration::from_secs(3_600)).unwrap()),
        shape: "window".into(),
        ..budget("window", 100)
    };
    let mut books = ready(&[sliding]);
    books.join_fleet();
    let now = at(NOON);
    let bucket = now.as_second() / 60;
    let spent = |posted: i64| Spent {
        posted: usd(posted),
        ..Spent::default()
    };
    let requests = books.shares_wanted(now);
    assert!(requests.iter().all(|request| request.bucket_seconds == Some(60)));
    let present = requests.iter().find(|request| request.pool.span.contains(now)).unwrap();
    let answer = Store {
        limit: usd(100),
        ..Store::default()
    }
    .answer(0, present);
    let answer = ShareAnswer {
        others: spent(5),
        window: vec![(bucket - 59, spent(30)), (bucket, spent(20))],
        ..answer
    };
    books.shared(&[answer], now);
    assert_eq!(view(&books, "window", "").posted, usd(55));
    books.roll(now + SignedDuration::from_secs(60));
    assert_eq!(
        view(&books, "window", "").posted,
        usd(25),
        "and needs no exchange for it"
    );
}

#[test]
fn a_forecast_counts_what_the_others_would_have_spent_too() {
    let mut books = ready(&[budget("day", 1_000)]);
    books.join_fleet();
    let wanted = books.past_wanted();
    for request in &wanted {
        books.past_found(
            request,
            &PastFound {
                first: Some(at("2026-11-23T00:00:00Z")),
                ..PastFound::default()
            },
        );
    }
    let requests = books.shares_due(at(NOON));
    assert!(requests[0].plan_free.is_some());
    let mut answer = Store {
        limit: usd(1_000),
        ..Store::default()
    }
    .answer(0, &requests[0]);
    answer.plan_free = usd(400);
    answer.counted_since = Some(at("2026-11-23T00:00:00Z"));
    books.shared(&[answer], at(NOON));
    assert_eq!(
        books.outlook("day").unwrap().forecast,
        Some(0.8),
        "half of the day is over"
    );
}
