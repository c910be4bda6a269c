//! One budget's money in one period: its accounts, and the lease that they draw from together.
//!
//! Sizes leases: what the last ten seconds burned, doubled while requests had to wait for one, never more than half of
//! what is left ahead of need. Makes nothing durable; the store does, and answers with a lease's total, so that an
//! answer that got lost is found by the next question.

use super::account::Account;
use super::charge::OTHER_KEY;
use super::notice::Violation;
use super::pool_id::PoolId;
use super::room::Room;
use super::spent::Spent;
use crate::money::Money;
use crate::period::Rolling;
use crate::policy::snapshot::{Budget, Enforce};
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;

/// Keys a budget keeps apart; who comes later shares [`OTHER_KEY`].
pub(super) const KEYS: usize = 10_000;
/// The seconds of burn that a lease covers.
const BURN_SECONDS: usize = 10;

/// Raise a pool's lease to a total. Asking twice grants once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantRequest {
    pub pool: Arc<PoolId>,
    /// Below this total the request that asks cannot go on.
    pub least: Money,
    pub upto: Money,
    /// The budget's limit as of now.
    pub limit: Money,
    pub hard: bool,
}

impl GrantRequest {
    /// What all of the pool's money together may come to. Keys have limits of their own, and a soft budget has none.
    pub fn bound(&self) -> Option<Money> {
        (self.hard && !self.pool.keyed).then_some(self.limit)
    }
}

/// What the store has durably leased to a pool, in total.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub pool: Arc<PoolId>,
    pub total: Money,
    /// At least [`GrantRequest::least`]. When not, the store has no more to give.
    pub enough: bool,
}

/// What bounds the leases of a pool.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeaseTerms {
    limit: Money,
    hard: bool,
}

impl LeaseTerms {
    /// Keys have limits of their own; the room is that of the one account of a budget without them.
    pub(super) fn of(budget: &Budget, room: Room) -> Self {
        let carried = if budget.each.is_some() {
            Money::ZERO
        } else {
            room.carried
        };
        Self {
            limit: budget.limit.plus(carried),
            hard: budget.enforce == Enforce::Hard,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The store must be asked what was spent.
    Unasked,
    Asked,
    Ready,
}

/// Is it known what was decided before the pool began to count?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Past {
    Unasked,
    Asked,
    Known,
}

#[derive(Clone, Debug)]
pub(super) struct Pool {
    pub(super) id: Arc<PoolId>,
    /// Index into the books' rules; `None` once no budget in force owns it.
    pub(super) rule: Option<usize>,
    pub(super) state: State,
    /// Of a sliding window.
    rolling: Option<Rolling>,
    /// The budget was in force in this period, or is.
    pub(super) was_there: bool,
    /// It is looked at for what it left, where the budget was in force then.
    pub(super) only_if_known: bool,
    pub(super) past: Past,
    /// When it began to count.
    pub(super) born: Timestamp,
    /// Requests that it covers, by their first choice without plans.
    pub(super) requests: u64,
    pub(super) degraded: bool,
    /// It stands for one whose sums did not hold.
    pub(super) replaces: bool,
    pub(super) accounts: Vec<Account>,
    by_key: HashMap<Arc<str>, usize>,
    /// What crashes left unrecorded; counts against every key.
    pub(super) unaccounted: Money,
    /// Durable, in total over this pool's life.
    pub(super) granted: Money,
    /// Posted and held from the lease over this pool's life.
    pub(super) used: Money,
    pub(super) reserved: Money,
    burn: Burn,
    /// What requests that wait for a grant need together.
    waiting: Money,
    step: Money,
    refused_at: i64,
    pub(super) keys_full_told: bool,
}

impl Pool {
    pub(super) fn new(id: PoolId, rule: usize, rolling: Option<Rolling>, born: Timestamp) -> Self {
        let mut pool = Self {
            id: Arc::new(id),
            rule: Some(rule),
            state: State::Unasked,
            rolling,
            was_there: true,
            only_if_known: false,
            past: Past::Unasked,
            born,
            requests: 0,
            degraded: false,
            replaces: false,
            accounts: Vec::new(),
            by_key: HashMap::new(),
            unaccounted: Money::ZERO,
            granted: Money::ZERO,
            used: Money::ZERO,
            reserved: Money::ZERO,
            burn: Burn::default(),
            waiting: Money::ZERO,
            step: Money::ZERO,
            refused_at: 0,
            keys_full_told: false,
        };
        if !pool.id.keyed {
            pool.insert(Arc::from(""));
        }
        pool
    }

    pub(super) fn find(&self, key: &str) -> Option<usize> {
        if self.id.keyed {
            self.by_key.get(key).copied()
        } else {
            Some(0)
        }
    }

    /// The account that a key would be charged to, if it is there already.
    pub(super) fn account_for(&self, key: &str) -> Option<usize> {
        self.find(key).or_else(|| self.is_full().then(|| self.find(OTHER_KEY))?)
    }

    pub(super) fn is_full(&self) -> bool {
        self.accounts.len() >= KEYS
    }

    /// The key's account, made when it is new and there is room.
    pub(super) fn find_or_insert(&mut self, key: &Arc<str>) -> usize {
        if let Some(found) = self.find(key) {
            return found;
        }
        if !self.is_full() {
            return self.insert(key.clone());
        }
        match self.find(OTHER_KEY) {
            Some(other) => other,
            None => self.insert(Arc::from(OTHER_KEY)),
        }
    }

    fn insert(&mut self, key: Arc<str>) -> usize {
        self.by_key.insert(key.clone(), self.accounts.len());
        self.accounts.push(Account::new(key));
        self.accounts.len() - 1
    }

    /// Posted, held and reserved since this pool's life began.
    pub(super) fn drawn(&self) -> Money {
        self.used.plus(self.reserved)
    }

    /// Requests that would have cost an account so much at their first choice without plans.
    pub(super) fn count(&mut self, account: usize, requests: u64, cost: Money) {
        self.requests = self.requests.saturating_add(requests);
        if let Some(account) = self.accounts.get_mut(account) {
            account.plan_free = account.plan_free.plus(cost);
        }
    }

    /// Promises an account's money to an attempt that was let in at `at`.
    pub(super) fn reserve(&mut self, account: usize, worst: Money, at: Timestamp) {
        self.reserved = self.reserved.plus(worst);
        let bucket = self.bucket(at);
        if let Some(account) = self.accounts.get_mut(account) {
            account.reserved = account.reserved.plus(worst);
            if let Some(bucket) = bucket {
                account.buckets.reserve(bucket, worst);
            }
        }
    }

    pub(super) fn release(&mut self, account: usize, worst: Money, at: Timestamp) -> Result<(), Violation> {
        self.reserved = self.reserved.minus(worst);
        let bucket = self.bucket(at);
        let Some(account) = self.accounts.get_mut(account) else {
            return Ok(());
        };
        if let Some(bucket) = bucket {
            account.buckets.release(bucket, worst);
        }
        account.release(worst)
    }

    /// What an attempt that was let in at `at` has come to.
    pub(super) fn spend(&mut self, account: usize, spent: Spent, at: Timestamp) {
        self.used = self.used.plus(spent.drawn());
        let bucket = self.bucket(at);
        if let Some(account) = self.accounts.get_mut(account) {
            account.own = account.own.plus(spent);
            if let Some(bucket) = bucket {
                account.buckets.spend(bucket, spent);
            }
        }
    }

    /// What the store knew is another amount by now: no lease has to do with it.
    pub(super) fn amend(&mut self, account: usize, spent: Spent, at: Timestamp) {
        let bucket = self.bucket(at);
        if let Some(account) = self.accounts.get_mut(account) {
            account.base = account.base.plus(spent);
            if let Some(bucket) = bucket {
                account.buckets.amend(bucket, spent);
            }
        }
    }

    /// What was posted before is corrected: the same bucket, no lease.
    pub(super) fn correct(&mut self, account: usize, spent: Spent, bucket: Option<i64>) {
        self.used = self.used.plus(spent.drawn());
        if let Some(account) = self.accounts.get_mut(account) {
            account.own = account.own.plus(spent);
            if let Some(bucket) = bucket {
                account.buckets.spend(bucket, spent);
            }
        }
    }

    /// Feeds the size of the next lease.
    pub(super) fn burned(&mut self, spent: Spent, second: i64) {
        self.burn.add(second, spent.drawn());
    }

    /// The clock has come to its period. Where the budget was not in force in it so far, it is now, and what others spent
    /// in it counts: true. The store learns of it by being asked once more.
    pub(super) fn enter(&mut self) -> bool {
        let was_absent = !self.was_there;
        let was_asked = std::mem::take(&mut self.only_if_known) && self.state == State::Asked;
        if was_absent || was_asked {
            (self.was_there, self.state) = (true, State::Unasked);
        }
        was_absent
    }

    /// The budget was not in force in its period.
    pub(super) fn forget(&mut self) {
        let empty = Self::new((*self.id).clone(), 0, self.rolling, self.born);
        *self = Self {
            id: self.id.clone(),
            rule: self.rule,
            state: State::Ready,
            was_there: false,
            only_if_known: true,
            ..empty
        };
    }

    /// For whoever must find out what went wrong.
    pub(super) fn dump(&self) -> String {
        let sum = |of: fn(&Account) -> Money| -> Money { self.accounts.iter().map(of).sum() };
        format!(
            "budget {} from {} life {}: granted {}, used {} (accounts {}), reserved {} (accounts {}), posted {}, held {}, \
             unaccounted {}, {} accounts",
            self.id.budget,
            self.id.span.start,
            self.id.life,
            self.granted,
            self.used,
            sum(|account| account.own.drawn()),
            self.reserved,
            sum(|account| account.reserved),
            sum(|account| account.spent().posted),
            sum(|account| account.spent().held),
            self.unaccounted,
            self.accounts.len(),
        )
    }

    pub(super) const fn slides(&self) -> bool {
        self.rolling.is_some()
    }

    /// The bucket of a sliding window, as postings name it.
    pub(super) fn bucket(&self, at: Timestamp) -> Option<i64> {
        self.rolling.map(|rolling| rolling.bucket(at))
    }

    /// The lease that would admit `worst` besides all who wait already. Every refusal makes the next lease larger.
    pub(super) fn refuse_for_lease(&mut self, worst: Money, terms: LeaseTerms, second: i64) -> GrantRequest {
        if self.waiting == Money::ZERO {
            self.step = self.step.plus(self.step).max(worst);
        }
        self.refused_at = second;
        self.waiting = self.waiting.plus(worst);
        let least = self.drawn().plus(worst);
        self.request(least, self.drawn().plus(self.waiting), terms, second)
    }

    /// More, ahead of need, once less than a third of ten seconds' burn is left, or what an attached reservation lacks.
    pub(super) fn extend(&mut self, terms: LeaseTerms, second: i64) -> Option<GrantRequest> {
        // Also when the clock was set back: a refusal in the future is an old one.
        if !(0..=BURN_SECONDS as i64).contains(&(second - self.refused_at)) {
            (self.step, self.waiting) = (Money::ZERO, Money::ZERO);
        }
        self.is_short(second)
            .then(|| self.request(self.drawn(), self.drawn(), terms, second))
    }

    pub(super) fn is_short(&self, second: i64) -> bool {
        let rest = self.granted.minus(self.drawn());
        rest < self.burn.sum(second).scaled_down(1, 3) || rest < Money::ZERO
    }

    fn request(&self, least: Money, needed: Money, terms: LeaseTerms, second: i64) -> GrantRequest {
        let ahead = self
            .step
            .max(self.burn.sum(second))
            .min(self.left(terms).scaled_down(1, 2));
        let most = self.share_left().map_or(Money::MAX, |left| self.drawn().plus(left));
        GrantRequest {
            pool: self.id.clone(),
            least,
            upto: needed.max(self.granted.plus(ahead).min(most)),
            limit: terms.limit,
            hard: terms.hard,
        }
    }

    /// What no lease and no bill has taken yet. A keyed or soft pool has no such bound: one key's limit stands for it.
    fn left(&self, terms: LeaseTerms) -> Money {
        match self.accounts.first() {
            Some(account) if terms.hard && !self.id.keyed => {
                let taken = account.spent().total().plus(self.unaccounted);
                let committed = taken.minus(self.used).plus(self.granted);
                terms.limit.minus(committed).max(Money::ZERO)
            }
            _ => terms.limit,
        }
    }

    pub(super) fn grant(&mut self, total: Money) {
        self.granted = self.granted.max(total);
        self.waiting = Money::ZERO;
    }
}

/// Spend by second, for the last ten.
#[derive(Clone, Debug, Default)]
struct Burn {
    buckets: [(i64, Money); BURN_SECONDS],
}

impl Burn {
    fn add(&mut self, second: i64, amount: Money) {
        let at = second.rem_euclid(BURN_SECONDS as i64) as usize;
        if let Some(bucket) = self.buckets.get_mut(at) {
            let so_far = if bucket.0 == second { bucket.1 } else { Money::ZERO };
            *bucket = (second, so_far.plus(amount));
        }
    }

    fn sum(&self, second: i64) -> Money {
        let recent = |at: i64| (0..BURN_SECONDS as i64).contains(&(second - at));
        self.buckets
            .iter()
            .filter(|(at, _)| recent(*at))
            .map(|(_, amount)| *amount)
            .sum()
    }
}
