//! Which budgets are in force and which pools they have: policies come and go, periods roll, the store answers.

use super::account::Spent;
use super::charge::{Charge, Charges, Facts, Slot, covers, key_of};
use super::forecast::Outlook;
use super::notice::{Notice, Violation};
use super::pool::{Grant, GrantRequest, Pool, State};
use super::pool_id::PoolId;
use super::worst::WorstCases;
use crate::money::{Currency, Money};
use crate::period::Span;
use crate::policy::condition::{Answers, ModelFacts, Selectors};
use crate::policy::snapshot::{Budget, ModelId, Raise};
use crate::request::Caller;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A pool's spend must be found in the store before it admits paid work.
#[derive(Clone, Debug)]
pub struct RebuildRequest {
    pub pool: Arc<PoolId>,
    pub budget: Budget,
    /// With the facts of the models in force; what a record leaves out is found there by name.
    pub selectors: Arc<Selectors>,
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
}

#[derive(Clone, Debug)]
pub struct RebuiltAccount {
    pub key: Arc<str>,
    pub spent: Spent,
    /// When it was found exhausted, and under which limit: a higher one since lifts that.
    pub exhausted: Option<(Timestamp, Money)>,
}

/// A budget in force.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    /// Its limit is the one in force now, raises in.
    pub(super) budget: Budget,
    /// The limit as the policy writes it.
    pub(super) written: Money,
    pub(super) worst: WorstCases,
    /// Its pools in force: the present period's, and the next one's shortly before it begins.
    pub(super) pools: Vec<(Span, u64)>,
    /// The signals before a change made the spend unknown for a moment.
    pub(super) last: Outlook,
    /// The limit is higher than it was before it changed last.
    pub(super) raised: bool,
}

impl Rule {
    /// The budget's rule, with what is known of requests and signals carried over from the one of its name.
    fn after(old: &[Rule], budget: &Budget, raised_by: Money) -> Self {
        let before = old.iter().find(|rule| rule.budget.name == budget.name);
        let limit = budget.limit.plus(raised_by);
        Self {
            written: budget.limit,
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
    zone: TimeZone,
    pub(super) currency: Currency,
    pub(super) now: Timestamp,
    /// Counts changes of `rules` and `pools`, so that older [`Charges`] are known to be stale.
    pub(super) epoch: u64,
    next_life: u64,
    pub(super) next_reservation: u64,
    pub(super) notices: Vec<Notice>,
    pub(super) violations: Vec<Violation>,
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
            epoch: 1,
            next_life: 1,
            next_reservation: 1,
            notices: Vec::new(),
            violations: Vec::new(),
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
        (self.zone, self.currency) = (zone.clone(), currency);
        let rule = |budget: &Budget| Rule::after(&old, budget, self.raised_by(&budget.name, &budget.raises, now));
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
        self.make_pools(now);
        self.change_limits(now);
        let mut requests = Vec::new();
        for pool in self.pools.values_mut() {
            let rule = pool.rule.and_then(|rule| self.rules.get(rule));
            if let (State::Unasked, Some(rule)) = (pool.state, rule) {
                pool.state = State::Asked;
                requests.push(RebuildRequest {
                    pool: pool.id.clone(),
                    budget: rule.budget.clone(),
                    selectors: self.selectors.clone(),
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
        let Some(pool) = self.pools.get_mut(&rebuilt.pool.life) else {
            return;
        };
        let limit = pool.rule.and_then(|r| self.rules.get(r)).map(|r| r.budget.limit);
        for account in &mut pool.accounts {
            account.base = Spent::default();
        }
        for found in rebuilt.accounts {
            let at = pool.find_or_insert(&found.key);
            if let Some(account) = pool.accounts.get_mut(at) {
                account.base = account.base.plus(found.spent);
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
        let rules = &self.rules;
        let wants = |pool: &mut Pool| {
            let rule = pool.rule.and_then(|rule| rules.get(rule))?;
            (pool.state == State::Ready).then(|| pool.extend(&rule.budget, second))?
        };
        self.pools.values_mut().filter_map(wants).collect()
    }

    /// Pools whose time is over and that no open reservation needs: they are forgotten here, and the store takes back
    /// what their leases have left. Called each second, after [`Books::roll`].
    pub fn returns(&mut self) -> Vec<Arc<PoolId>> {
        let now = self.now;
        let is_over = |pool: &Pool| {
            let past = pool.id.span.end.saturating_add(1.hour()).is_ok_and(|end| end < now);
            pool.rule.is_none() || past
        };
        let needed: Vec<u64> = self.open.values().flat_map(|r| r.charges.iter().map(|c| c.0)).collect();
        let over: Vec<u64> = self
            .pools
            .iter()
            .filter(|(life, pool)| is_over(pool) && !needed.contains(life))
            .map(|(life, _)| *life)
            .collect();
        if !over.is_empty() {
            self.epoch += 1;
        }
        for rule in &mut self.rules {
            rule.pools.retain(|(_, life)| !over.contains(life));
        }
        over.iter()
            .filter_map(|life| self.pools.remove(life))
            .map(|pool| pool.id)
            .collect()
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
            let covers = budget.covers.as_ref();
            covers.is_none_or(|selector| answers.hold(selector, model.0))
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

    /// A store that is asked only by [`Books::roll`] must not be needed for a pool to exist at admission.
    pub(super) fn make_pools(&mut self, now: Timestamp) {
        self.now = now;
        let soon = now.saturating_add(1.minute()).unwrap_or(now);
        for rule in 0..self.rules.len() {
            for at in [now, soon] {
                self.ensure_pool(rule, at);
            }
        }
    }

    pub(super) fn accounts_in(&self, life: u64) -> usize {
        self.pools.get(&life).map_or(0, |pool| pool.accounts.len())
    }

    /// Gives each pool the rule that owns it now. One that was ever without a rule stays so: it missed spend.
    fn assign_pools(&mut self) {
        self.epoch += 1;
        let (zone, currency) = (self.zone.clone(), self.currency);
        for pool in self.pools.values_mut() {
            let owns = |rule: &Rule| {
                let budget = &rule.budget;
                let id = &pool.id;
                budget.name == id.budget
                    && budget.shape == id.shape
                    && currency == id.currency
                    && budget.span(id.span.start, &zone) == id.span
            };
            pool.rule = pool.rule.and_then(|_| self.rules.iter().position(owns));
        }
        for (at, rule) in self.rules.iter_mut().enumerate() {
            let own = self.pools.iter().filter(|(_, pool)| pool.rule == Some(at));
            rule.pools = own.map(|(life, pool)| (pool.id.span, *life)).collect();
        }
    }

    fn ensure_pool(&mut self, at: usize, now: Timestamp) {
        let Some(rule) = self.rules.get_mut(at) else { return };
        if rule.pools.iter().any(|(span, _)| span.contains(now)) {
            return;
        }
        let id = PoolId {
            budget: rule.budget.name.clone(),
            shape: rule.budget.shape.clone(),
            span: rule.budget.span(now, &self.zone),
            currency: self.currency,
            keyed: rule.budget.each.is_some(),
            life: self.next_life,
        };
        self.next_life += 1;
        self.epoch += 1;
        rule.pools.push((id.span, id.life));
        let mut pool = Pool::new(id, at, now);
        self.attach_open(&mut pool, at);
        self.pools.insert(pool.id.life, pool);
    }

    /// Open reservations post to the new pool too. Those of an abandoned pool of the same name in the store move over,
    /// because the store would count them twice.
    fn attach_open(&mut self, pool: &mut Pool, rule: usize) {
        let Some(rule) = self.rules.get(rule) else { return };
        for reservation in self.open.values_mut() {
            let Facts { caller, .. } = &reservation.facts;
            let model = reservation.facts.model();
            let counts = reservation.facts.currency == pool.id.currency && pool.id.span.contains(reservation.at);
            if !counts || !covers(&rule.budget, model, caller) {
                continue;
            }
            let pools = &mut self.pools;
            reservation.charges.retain(|(life, account)| {
                let Some(other) = pools.get_mut(life).filter(|other| other.id.same_in_store(&pool.id)) else {
                    return true;
                };
                other.reserved = other.reserved.minus(reservation.worst);
                if let Some(account) = other.accounts.get_mut(*account) {
                    account.reserved = account.reserved.minus(reservation.worst);
                }
                false
            });
            let account = pool.find_or_insert(&Arc::from(key_of(&rule.budget, model, caller)));
            pool.reserved = pool.reserved.plus(reservation.worst);
            if let Some(account) = pool.accounts.get_mut(account) {
                account.reserved = account.reserved.plus(reservation.worst);
            }
            reservation.charges.push((pool.id.life, account));
        }
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
        let Some(pool) = self.pools.get_mut(&life) else { return };
        let Some(rule) = pool.rule.and_then(|rule| self.rules.get(rule)) else {
            return;
        };
        let left = pool
            .accounts
            .get(account)
            .map(|a| rule.budget.limit.minus(pool.taken(a)));
        if left.is_some_and(|left| left >= rule.worst.median())
            && let Some(account) = pool.accounts.get_mut(account)
            && rule.raised
        {
            account.exhausted_at = None;
        }
    }
}
