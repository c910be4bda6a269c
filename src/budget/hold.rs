//! Held money that is posted as estimated: when that is due, and what it does to the accounts.

use super::books::Books;
use super::pool::{Pool, State};
use super::spent::Spent;
use crate::money::{Currency, Money};
use crate::period::Span;
use crate::policy::snapshot::Held;
use jiff::Timestamp;
use std::sync::Arc;

/// An attempt whose bill nobody has told, as the store knows it.
#[derive(Clone, Debug)]
pub struct HeldAttempt {
    /// Its row in the ledger.
    pub id: i64,
    pub at: Timestamp,
    /// What is held: its worst case.
    pub amount: Money,
    /// What it is taken for.
    pub estimate: Money,
    pub currency: Currency,
    pub accounts: Vec<HeldIn>,
}

/// An account in which it is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldIn {
    pub budget: Arc<str>,
    pub shape: Arc<str>,
    pub span: Span,
    pub key: Arc<str>,
}

impl Books {
    /// Changes with whatever may change in which accounts an attempt is held, and for how long; `None` while a budget's
    /// spend is being found, which may find attempts that are held.
    pub fn holds_mark(&self) -> Option<u64> {
        let found = |pool: &Pool| pool.rule.is_none() || pool.state == State::Ready;
        self.pools.values().all(found).then_some(self.holds)
    }

    /// When an attempt's time is over, by the longest of the budgets that hold it; `None` where one of them keeps it.
    pub fn due(&self, held: &HeldAttempt, otherwise: Held) -> Option<Timestamp> {
        let holders = held.accounts.iter().filter_map(|account| {
            let rule = |rule: &&super::books::Rule| {
                rule.budget.name == account.budget
                    && rule.budget.shape == account.shape
                    && held.currency == self.currency
            };
            self.rules.iter().find(rule).map(|rule| rule.budget.held)
        });
        let longest = holders.reduce(|one, other| match (one, other) {
            (Held::After(one), Held::After(other)) => Held::After(one.max(other)),
            _ => Held::Keep,
        });
        match longest.unwrap_or(otherwise) {
            Held::Keep => None,
            Held::After(after) => held.at.saturating_add(after).ok(),
        }
    }

    /// Posts the estimate in place of what is held, in the accounts that are there; the ledger does so in all of them.
    /// No lease grows by it: what was leased for the attempt is long spent. The record must reach the ledger before the
    /// books are unlocked.
    pub fn release(&mut self, held: &HeldAttempt) {
        let spent = Spent {
            posted: held.estimate,
            held: Money::ZERO.minus(held.amount),
            overdraft: Money::ZERO,
        };
        for account in &held.accounts {
            let Some((life, pool)) = self.pools.iter_mut().find(|(_, pool)| is_held_in(pool, held, account)) else {
                continue;
            };
            let life = *life;
            let at = pool.find_or_insert(&account.key);
            pool.amend(at, spent, held.at);
            self.judge(life, at);
        }
    }
}

fn is_held_in(pool: &Pool, held: &HeldAttempt, account: &HeldIn) -> bool {
    let id = &pool.id;
    pool.rule.is_some()
        && (&id.budget, &id.shape, id.span) == (&account.budget, &account.shape, account.span)
        && id.currency == held.currency
}
