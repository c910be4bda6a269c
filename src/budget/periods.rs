//! Which pools there are: made for the present period, the next one shortly before it begins and the one that is looked
//! back to; given up when their time is over.

use super::books::{Books, Rule};
use super::charge::{Facts, covers, key_of};
use super::pool::Pool;
use super::pool_id::PoolId;
use crate::money::Money;
use jiff::{SignedDuration, Timestamp, ToSpan};
use std::sync::Arc;

impl Books {
    /// Pools whose time is over and that no open reservation needs: they are forgotten here, and the store takes back
    /// what their leases have left. Called each second, before [`Books::roll`].
    pub fn returns(&mut self) -> Vec<Arc<PoolId>> {
        let now = self.now;
        let needed_back: Vec<u64> = self.looked_back().collect();
        let is_over = |pool: &Pool| {
            let past = pool.id.span.end.saturating_add(1.hour()).is_ok_and(|end| end < now);
            // One that is looked back to gives its lease back all the same, and is read anew without one.
            let needed = needed_back.contains(&pool.id.life) && pool.granted == Money::ZERO;
            pool.rule.is_none() || past && !needed
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
            // The store knows nothing of a period in which the budget was not in force.
            .filter(|pool| pool.was_there)
            .map(|pool| pool.id)
            .collect()
    }

    /// A store that is asked only by [`Books::roll`] must not be needed for a pool to exist at admission.
    pub(super) fn make_pools(&mut self, now: Timestamp) {
        self.now = now;
        let soon = now.saturating_add(1.minute()).unwrap_or(now);
        for rule in 0..self.rules.len() {
            for at in [now, soon] {
                self.ensure_pool(rule, at, false);
            }
            if self.rules.get(rule).is_some_and(|rule| rule.budget.looks_back()) {
                self.ensure_neighbours(rule, now);
            }
        }
    }

    /// The pool of the period before: what it spent counts in this one, or is carried over. In a sliding window the block
    /// that comes counts too, where the clock has stepped back out of it.
    fn ensure_neighbours(&mut self, at: usize, now: Timestamp) {
        let Some(rule) = self.rules.get(at) else { return };
        let (span, slides) = (rule.budget.span(now, &self.zone), rule.budget.rolling().is_some());
        let only_if_known = rule.budget.carry_over.is_some();
        if let Ok(earlier) = span.start.checked_sub(SignedDuration::from_nanos(1)) {
            self.ensure_pool(at, earlier, only_if_known);
        }
        if slides {
            self.ensure_pool(at, span.end, false);
        }
    }

    /// Pools of earlier periods that rules in force read at this instant.
    fn looked_back(&self) -> impl Iterator<Item = u64> {
        self.rules
            .iter()
            .filter(|rule| rule.budget.looks_back())
            .filter_map(|rule| {
                let begins = rule.budget.span(self.now, &self.zone).start;
                let before = rule.pools.iter().find(|(span, _)| span.end == begins);
                before.map(|(_, life)| *life)
            })
    }

    /// A pool whose sums do not hold is replaced by one that is read from the store, with what is open now.
    pub(super) fn renew_degraded(&mut self) {
        let broken: Vec<(u64, usize, Timestamp)> = self
            .pools
            .iter()
            .filter(|(_, pool)| pool.degraded)
            .filter_map(|(life, pool)| Some((*life, pool.rule?, pool.id.span.start)))
            .collect();
        for (life, rule, start) in broken {
            if let Some(pool) = self.pools.get_mut(&life) {
                pool.rule = None;
            }
            if let Some(rule) = self.rules.get_mut(rule) {
                rule.pools.retain(|(_, known)| *known != life);
            }
            let made = self.ensure_pool(rule, start, false);
            if let Some(pool) = made.and_then(|life| self.pools.get_mut(&life)) {
                pool.replaces = true;
            }
        }
    }

    /// Gives each pool the rule that owns it now. One that was ever without a rule stays so: it missed spend.
    pub(super) fn assign_pools(&mut self) {
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

    fn ensure_pool(&mut self, at: usize, now: Timestamp, only_if_known: bool) -> Option<u64> {
        let rule = self.rules.get_mut(at)?;
        if let Some((_, life)) = rule.pools.iter().find(|(span, _)| span.contains(now)) {
            let life = *life;
            if !only_if_known {
                self.enter(life);
            }
            return None;
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
        let mut pool = Pool::new(id, at, rule.budget.rolling(), self.now);
        pool.only_if_known = only_if_known;
        self.attach_open(&mut pool, at);
        let life = pool.id.life;
        self.pools.insert(life, pool);
        Some(life)
    }

    /// The clock has come to the pool's period.
    fn enter(&mut self, life: u64) {
        let Some(mut pool) = self.pools.remove(&life) else {
            return;
        };
        if pool.enter()
            && let Some(rule) = pool.rule
        {
            self.epoch += 1;
            self.attach_open(&mut pool, rule);
        }
        self.pools.insert(life, pool);
    }

    /// The store knows nothing of the pool, and shall not learn of it from what was let in under other budgets then:
    /// that would read as if this one had been in force.
    pub(super) fn was_absent(&mut self, life: u64) {
        // One whose period has come meanwhile has been asked for again.
        let Some(pool) = self.pools.get_mut(&life).filter(|pool| pool.only_if_known) else {
            return;
        };
        pool.forget();
        self.epoch += 1;
        for reservation in self.open.values_mut() {
            reservation.charges.retain(|(charged, _)| *charged != life);
        }
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
                // An abandoned pool's sums may be what is wrong with it.
                let _ = other.release(*account, reservation.worst, reservation.at);
                false
            });
            let account = pool.find_or_insert(&Arc::from(key_of(&rule.budget, model, caller)));
            pool.reserve(account, reservation.worst, reservation.at);
            reservation.charges.push((pool.id.life, account));
        }
    }
}
