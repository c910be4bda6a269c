//! Which budgets are in force and which pools they have: policies come and go, periods roll, the store answers.

use super::charge::{Charge, Charges, Facts, Slot, covers, key_of, paid_apart};
use super::forecast::Outlook;
use super::notice::{Broken, Notice};
use super::pool::{Grant, GrantRequest, LeaseTerms, Pool, State};
use super::pool_id::PoolId;
use super::room::Room;
use super::share::Fleet;
use super::spent::Spent;
use super::worst::WorstCases;
use crate::money::{Currency, Money};
use crate::period::Span;
use crate::policy::condition::{Answers, ModelFacts, Selectors};
use crate::policy::snapshot::{Budget, Cycle, ModelId, Raise};
use crate::request::Caller;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A pool's spend must be found in the store before it admits paid work.
#[derive(Clone, Debug)]
pub struct RebuildRequest {
    pub pool: Arc<PoolId>,
    pub budget: Budget,
    /// With the facts of the models in force; what a record leaves out is found there by name.
    pub selectors: Arc<Selectors>,
    /// A pool that the store does not have stays unmade: the budget was not in force then.
    pub only_if_known: bool,
}

/// The store's answer to a [`RebuildRequest`]: everything but what this pool itself has ended.
#[derive(Clone, Debug)]
pub struct Rebuilt {
    pub pool: Arc<PoolId>,
    pub accounts: Vec<RebuiltAccount>,
    /// What crashes left unrecorded; not part of any account's `held`.
    pub unaccounted: Money,
    /// What is leased to this pool already: the lease of the pool whose reservations it took over.
    pub granted: Money,
    /// The store has such a pool.
    pub known: bool,
}

#[derive(Clone, Debug)]
pub struct RebuiltAccount {
    pub key: Arc<str>,
    pub spent: Spent,
    /// When that was, of a sliding window: by the number of the bucket.
    pub buckets: Vec<(i64, Spent)>,
    /// When it was found exhausted, and under which limit: a higher one since lifts that.
    pub exhausted: Option<(Timestamp, Money)>,
}

/// A budget in force.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    /// Its limit is the one in force now, raises in.
    pub(super) budget: Budget,
    /// The limit as the policy writes it, or what was paid in until now.
    pub(super) written: Money,
    /// The same with this daemon's raises, and since when a raise began or ended.
    pub(super) own_limit: Money,
    pub(super) limit_since: Option<Timestamp>,
    /// What the fleet agreed on, which stands above it.
    pub(super) fleet_limit: Option<Money>,
    pub(super) worst: WorstCases,
    /// Its pools in force: the present period's, and the next one's shortly before it begins.
    pub(super) pools: Vec<(Span, u64)>,
    /// The signals of a second ago: what plans see while a change makes the spend unknown for a moment.
    pub(super) last: Outlook,
    /// The limit is higher than it was before it changed last.
    pub(super) raised: bool,
}

impl Rule {
    /// The budget's rule, with what is known of requests and signals carried over from the one of its name.
    fn after(old: &[Rule], budget: &Budget, raised_by: Money, now: Timestamp) -> Self {
        let before = old.iter().find(|rule| rule.budget.name == budget.name);
        let written = budget.written_at(now);
        let own_limit = written.plus(raised_by);
        // Until the fleet has heard of an edit, the edit is the newest.
        let edited = before.is_none_or(|rule| rule.own_limit != own_limit);
        let fleet_limit = before.and_then(|rule| rule.fleet_limit).filter(|_| !edited);
        let limit = fleet_limit.unwrap_or(own_limit);
        Self {
            written,
            own_limit,
            limit_since: before.and_then(|rule| rule.limit_since),
            fleet_limit,
            budget: Budget {
                limit,
                ..budget.clone()
            },
            worst: before.map(|rule| rule.worst.clone()).unwrap_or_default(),
            pools: Vec::new(),
            last: before.map(|rule| rule.last).unwrap_or_default(),
            raised: before.is_some_and(|rule| rule.budget.limit < limit),
        }
    }
}

/// An attempt under way.
#[derive(Debug)]
pub(super) struct Reservation {
    pub(super) worst: Money,
    pub(super) at: Timestamp,
    pub(super) facts: Facts,
    /// Pool and account.
    pub(super) charges: Vec<(u64, usize)>,
}

/// All budgets' accounts and all open reservations. One short lock around it is the whole of its concurrency.
#[derive(Debug)]
pub struct Books {
    pub(super) rules: Vec<Rule>,
    /// Of the policy whose budgets these are.
    pub(super) selectors: Arc<Selectors>,
    /// Since when anything was recorded.
    pub(super) counting_since: Option<Timestamp>,
    pub(super) pools: BTreeMap<u64, Pool>,
    pub(super) open: HashMap<u64, Reservation>,
    /// Raises of limits by hand, by the budget's name: they outlive edits of the policy.
    pub(super) by_hand: HashMap<Arc<str>, Vec<Raise>>,
    pub(super) zone: TimeZone,
    pub(super) currency: Currency,
    pub(super) now: Timestamp,
    pub(super) fleet: Fleet,
    /// Counts changes of `rules` and `pools`, so that older [`Charges`] are known to be stale.
    pub(super) epoch: u64,
    pub(super) next_life: u64,
    pub(super) next_reservation: u64,
    /// Counts what may change which attempts are held where, and for how long.
    pub(super) holds: u64,
    pub(super) notices: Vec<Notice>,
    pub(super) violations: Vec<Broken>,
    /// A violation does not panic in tests, which break the sums themselves.
    pub(super) tolerant: bool,
}

impl Default for Books {
    fn default() -> Self {
        Self::new()
    }
}

impl Books {
    pub fn new() -> Self {
        Self {
            rules: Vec::new(),
            selectors: Arc::default(),
            counting_since: None,
            pools: BTreeMap::new(),
            open: HashMap::new(),
            by_hand: HashMap::new(),
            zone: TimeZone::UTC,
            currency: Currency::USD,
            now: Timestamp::UNIX_EPOCH,
            fleet: Fleet::default(),
            epoch: 1,
            next_life: 1,
            next_reservation: 1,
            holds: 0,
            notices: Vec::new(),
            violations: Vec::new(),
            tolerant: false,
        }
    }

    /// Puts a policy's budgets in force. A budget of the same shape keeps its accounts; its limit may change at any
    /// time. A new or changed one admits nothing paid until [`Books::rebuilt`]; open reservations that it covers are
    /// attached to it at once.
    pub fn install(
        &mut self,
        budgets: &[Budget],
        zone: &TimeZone,
        currency: Currency,
        now: Timestamp,
    ) -> Vec<RebuildRequest> {
        let last: Vec<Outlook> = self
            .rules
            .iter()
            .map(|rule| self.outlook(&rule.budget.name).unwrap_or_default())
            .collect();
        let mut old: Vec<Rule> = std::mem::take(&mut self.rules);
        for (rule, last) in old.iter_mut().zip(last) {
            rule.last = last;
        }
        if currency != self.currency {
            self.by_hand.clear();
        }
        self.holds += 1;
        (self.zone, self.currency) = (zone.clone(), currency);
        let rule = |budget: &Budget| Rule::after(&old, budget, self.raised_by(&budget.name, &budget.raises, now), now);
        self.rules = budgets.iter().map(rule).collect();
        self.assign_pools();
        let requests = self.roll(now);
        self.judge_all();
        requests
    }

    /// The selectors of the policy that is installed next.
    pub fn judge_by(&mut self, selectors: &Arc<Selectors>) {
        self.selectors = selectors.clone();
    }

    /// Makes the pools of the period that contains `now` and of one that begins within a minute. Called each second.
    /// Returns what the store must be asked for.
    pub fn roll(&mut self, now: Timestamp) -> Vec<RebuildRequest> {
        self.remember_outlooks();
        self.renew_degraded();
        self.make_pools(now);
        self.change_limits(now);
        self.slide();
        let mut requests = Vec::new();
        for pool in self.pools.values_mut() {
            let rule = pool.rule.and_then(|rule| self.rules.get(rule));
            if let (State::Unasked, Some(rule)) = (pool.state, rule) {
                pool.state = State::Asked;
                requests.push(RebuildRequest {
                    pool: pool.id.clone(),
                    budget: rule.budget.clone(),
                    selectors: self.selectors.clone(),
                    only_if_known: pool.only_if_known,
                });
            }
        }
        requests
    }

    /// The store could not answer; the next [`Books::roll`] asks again.
    pub fn rebuild_failed(&mut self, pool: &PoolId) {
        if let Some(pool) = self.pools.get_mut(&pool.life)
            && pool.state == State::Asked
        {
            pool.state = State::Unasked;
        }
    }

    /// Takes the store's figures over; what ended here meanwhile is added to them.
    pub fn rebuilt(&mut self, rebuilt: Rebuilt) {
        if !rebuilt.known {
            return self.was_absent(rebuilt.pool.life);
        }
        let Some(pool) = self.pools.get_mut(&rebuilt.pool.life) else {
            return;
        };
        let limit = pool.rule.and_then(|r| self.rules.get(r)).map(|r| r.budget.limit);
        for account in &mut pool.accounts {
            account.base = Spent::default();
            account.buckets.rebuild(&[]);
        }
        if rebuilt.accounts.iter().any(|found| found.spent.held != Money::ZERO) {
            self.holds += 1;
        }
        for found in rebuilt.accounts {
            let at = pool.find_or_insert(&found.key);
            if let Some(account) = pool.accounts.get_mut(at) {
                account.base = account.base.plus(found.spent);
                account.buckets.rebuild(&found.buckets);
                account.exhausted_at = found
                    .exhausted
                    .filter(|(_, under)| limit.is_none_or(|limit| limit <= *under))
                    .map(|(at, _)| at);
            }
        }
        pool.unaccounted = rebuilt.unaccounted;
        pool.granted = pool.granted.max(rebuilt.granted);
        pool.state = State::Ready;
        for account in 0..self.accounts_in(rebuilt.pool.life) {
            self.judge(rebuilt.pool.life, account);
        }
    }

    /// What the store has durably leased. Totals, so that a repeated or late answer does no harm.
    pub fn grant(&mut self, grant: &Grant) {
        if let Some(pool) = self.pools.get_mut(&grant.pool.life) {
            pool.grant(grant.total);
        }
    }

    /// A lease that these charges draw on should be extended: time for [`Books::wanted`].
    pub fn run_short(&self, charges: &Charges) -> bool {
        let second = self.now.as_second();
        let pools = charges.iter().filter_map(|charge| self.pools.get(&charge.pool));
        pools.into_iter().any(|pool| pool.is_short(second))
    }

    /// Leases to extend before anybody waits for them. Called each second, and when leases [run short](Books::run_short).
    pub fn wanted(&mut self) -> Vec<GrantRequest> {
        let second = self.now.as_second();
        let lives: Vec<u64> = self.pools.keys().copied().collect();
        let wants = |life: u64| {
            let terms = self.lease_terms(life)?;
            let pool = self.pools.get_mut(&life)?;
            (pool.state == State::Ready && pool.was_there).then(|| pool.extend(terms, second))?
        };
        lives.into_iter().filter_map(wants).collect()
    }

    /// Which accounts a request on this model by this caller would charge.
    pub fn charges(&self, model: &ModelFacts, caller: &Caller, now: Timestamp) -> Charges {
        let covered = |budget: &Budget| covers(budget, model, caller);
        self.charges_where(covered, model, caller, now)
    }

    /// The same from what the policy's selectors are known to answer, where these are the budgets' own.
    pub fn charges_by(&self, answers: &Answers, model: ModelId, caller: &Caller, now: Timestamp) -> Charges {
        let Some(facts) = answers.facts(model.0) else {
            return Charges::of(self.epoch);
        };
        if !answers.are_of(&self.selectors) {
            return self.charges(facts, caller, now);
        }
        let covered = |budget: &Budget| {
            let holds = |budget: &Budget| {
                let selector = budget.covers.as_ref();
                selector.is_none_or(|selector| answers.hold(selector, model.0))
            };
            paid_apart(budget, caller).unwrap_or_else(|| holds(budget))
        };
        self.charges_where(covered, facts, caller, now)
    }

    fn charges_where(
        &self,
        covered: impl Fn(&Budget) -> bool,
        model: &ModelFacts,
        caller: &Caller,
        now: Timestamp,
    ) -> Charges {
        let mut charges = Charges::of(self.epoch);
        for rule in self.rules.iter().filter(|rule| covered(&rule.budget)) {
            let life = rule.pools.iter().find(|(span, _)| span.contains(now));
            match life.and_then(|(_, life)| self.pools.get(life)) {
                Some(pool) => {
                    let key = key_of(&rule.budget, model, caller);
                    let slot = pool.find(key).map_or_else(|| Slot::New(Arc::from(key)), Slot::Known);
                    charges.push(Charge {
                        pool: pool.id.life,
                        slot,
                    });
                }
                None => charges.missing = Some(rule.budget.name.clone()),
            }
        }
        charges
    }

    pub(super) fn lease_terms(&self, life: u64) -> Option<LeaseTerms> {
        let pool = self.pools.get(&life)?;
        let rule = self.rules.get(pool.rule?)?;
        let room = if rule.budget.carry_over.is_some() {
            self.room(rule, pool, 0)
        } else {
            Room::default()
        };
        Some(LeaseTerms::of(&rule.budget, room))
    }

    pub(super) fn accounts_in(&self, life: u64) -> usize {
        self.pools.get(&life).map_or(0, |pool| pool.accounts.len())
    }

    pub(super) fn judge_all(&mut self) {
        let lives: Vec<u64> = self.pools.keys().copied().collect();
        for life in lives {
            for account in 0..self.accounts_in(life) {
                self.lift(life, account);
                self.judge(life, account);
            }
        }
    }

    /// A limit that was raised past the spend ends exhaustion; the next judgement may find it again.
    fn lift(&mut self, life: u64, account: usize) {
        let Some(pool) = self.pools.get(&life) else { return };
        let Some(rule) = pool.rule.and_then(|rule| self.rules.get(rule)) else {
            return;
        };
        let room = self.room(rule, pool, account);
        let lifted = rule.raised && room.unspent() >= rule.worst.median();
        let rearmed = rule.raised && matches!(rule.budget.cycle, Cycle::Credit(_));
        let account = self
            .pools
            .get_mut(&life)
            .and_then(|pool| pool.accounts.get_mut(account));
        if let Some(account) = account.filter(|_| lifted) {
            account.exhausted_at = None;
            if rearmed {
                account.rearm(room.taken(), room.limit);
            }
        }
    }

    /// What leaves a sliding window may end exhaustion.
    fn slide(&mut self) {
        let slides = |pool: &Pool| {
            let rule = pool.rule.and_then(|rule| self.rules.get(rule));
            rule.is_some_and(|rule| rule.budget.rolling().is_some()) && pool.id.span.contains(self.now)
        };
        let sliding = self.pools.iter().filter(|(_, pool)| slides(pool));
        let lives: Vec<u64> = sliding.map(|(life, _)| *life).collect();
        for life in lives {
            self.bring_keys_along(life);
            for account in 0..self.accounts_in(life) {
                self.judge(life, account);
            }
        }
    }

    /// Keys that spent in the window's other blocks have an account in the present one, so that everybody sees them.
    fn bring_keys_along(&mut self, life: u64) {
        let Some(pool) = self.pools.get(&life).filter(|pool| pool.id.keyed) else {
            return;
        };
        let rule = pool.rule.and_then(|rule| self.rules.get(rule));
        let Some((rule, now)) = rule.and_then(|rule| Some((rule, rule.budget.rolling()?.bucket(self.now)))) else {
            return;
        };
        let accounts = self.before(rule, pool).into_iter().flat_map(|before| &before.accounts);
        let spends = |account: &&super::account::Account| account.buckets.within(now) != Default::default();
        let keys: Vec<Arc<str>> = accounts.filter(spends).map(|account| account.key.clone()).collect();
        if let Some(pool) = self.pools.get_mut(&life) {
            for key in keys {
                pool.find_or_insert(&key);
            }
        }
    }
}
