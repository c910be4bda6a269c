//! Raises of a limit for a while, by the policy and by hand: what they make of the limits in force.
//!
//! A raise that ends lowers the limit again and forgets no spend.

use super::books::{Books, Rule};
use crate::money::Money;
use crate::policy::snapshot::{Cycle, Raise};
use jiff::Timestamp;
use std::sync::Arc;

impl Books {
    /// Puts a budget's raises by hand in the place of those known before. False where no budget is so called.
    pub fn raise(&mut self, budget: &str, by_hand: Vec<Raise>, now: Timestamp) -> bool {
        let Some(name) = self
            .rules
            .iter()
            .map(|rule| &rule.budget.name)
            .find(|name| name.as_ref() == budget)
        else {
            return false;
        };
        self.by_hand.insert(name.clone(), by_hand);
        self.now = now;
        self.change_limits(now);
        true
    }

    /// Its raises by hand that have not ended.
    pub fn raises(&self, budget: &str, now: Timestamp) -> Vec<Raise> {
        let all = self.by_hand.get(budget).map(Vec::as_slice).unwrap_or_default();
        all.iter().filter(|raise| now < raise.until).cloned().collect()
    }

    /// By how much a budget's limit is higher at an instant.
    pub(super) fn raised_by(&self, budget: &Arc<str>, raises: &[Raise], now: Timestamp) -> Money {
        let by_hand = self.by_hand.get(budget).map(Vec::as_slice).unwrap_or_default();
        let in_force = raises.iter().chain(by_hand).filter(|raise| raise.is_in_force(now));
        in_force.map(|raise| raise.by).sum()
    }

    /// Raises begin and end with time. Called each second.
    pub(super) fn change_limits(&mut self, now: Timestamp) {
        let limit = |rule: &Rule| {
            // The rule's own limit has raises in it.
            let written = match &rule.budget.cycle {
                Cycle::Credit(_) => rule.budget.written_at(now),
                _ => rule.written,
            };
            let raised_by = self.raised_by(&rule.budget.name, &rule.budget.raises, now);
            (written, written.plus(raised_by))
        };
        let limits: Vec<(Money, Money)> = self.rules.iter().map(limit).collect();
        let mut changed = false;
        for (rule, (written, own)) in self.rules.iter_mut().zip(limits) {
            rule.written = written;
            if own != rule.own_limit {
                // Newer than what the fleet agreed on, until it answers.
                (rule.own_limit, rule.limit_since, rule.fleet_limit) = (own, Some(now), None);
            }
            let limit = rule.fleet_limit.unwrap_or(own);
            if limit != rule.budget.limit {
                rule.raised = limit > rule.budget.limit;
                rule.budget.limit = limit;
                changed = true;
            }
        }
        if !changed {
            return;
        }
        self.judge_all();
    }
}
