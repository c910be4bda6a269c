//! A fleet's money in the books: how much of each account is this daemon's to draw, and what the others have spent.
//!
//! Never draws beyond a share; lowers one here before the store is told that the rest is free.

use super::account::Account;
use super::books::{Books, Rule};
use super::charge::{Charges, Slot};
use super::pool::{Pool, State};
use super::pool_id::PoolId;
use super::reserve::Refusal;
use super::share::{ShareAnswer, ShareRequest};
use super::spent::Spent;
use crate::money::Money;
use crate::policy::snapshot::Enforce;
use jiff::Timestamp;
use std::sync::Arc;

/// Accounts of keys that one regular exchange reports.
const KEYS_AT_ONCE: usize = 1_000;

impl Books {
    /// From now on what is hard is drawn from shares.
    pub fn join_fleet(&mut self) {
        self.fleet.joined = true;
    }

    /// Whether the store's last answer is too old to draw on.
    pub fn lapse(&mut self, lapsed: bool) {
        self.fleet.lapsed = lapsed;
    }

    /// The store's answers, from which requests that waited may go on.
    pub fn shared(&mut self, answers: &[ShareAnswer], now: Timestamp) {
        for answer in answers {
            self.take_limit(&answer.pool.budget, answer.limit);
            let Some(pool) = self.pools.get_mut(&answer.pool.life) else {
                continue;
            };
            let at = pool.find_or_insert(&answer.key);
            if let Some(account) = pool.accounts.get_mut(at) {
                let known = account.share.known;
                let news = account.share.answer(answer);
                if known {
                    account.burn.add(now, news);
                }
            }
            self.judge(answer.pool.life, at);
        }
    }

    /// The store's no is final for a while: there is nothing that others could give back.
    pub fn refuse_share(&mut self, pool: &PoolId, key: &str, now: Timestamp) {
        if let Some(account) = self.account_mut(pool, key) {
            account.share.refuse(now.as_second());
        }
    }

    /// Earlier requests with what is spent and limited now; those that others have meanwhile been answered for are left
    /// out.
    pub fn shares_again(&mut self, earlier: &[ShareRequest]) -> Vec<ShareRequest> {
        let worst = |pool: u64, key: &str| {
            let same = |request: &&ShareRequest| request.pool.life == pool && *request.key == *key;
            earlier.iter().find(same).map(|request| request.worst)
        };
        let second = self.now.as_second();
        let mut requests = self.requests(|pool, account, drawn| {
            let share = &account.share;
            let needed = drawn.plus(worst(pool.life, &account.key)?);
            (needed > share.total).then(|| needed.max(drawn.plus(share.waiting.max(share.ahead(second)))))
        });
        for request in &mut requests {
            request.worst = worst(request.pool.life, &request.key).unwrap_or(Money::ZERO);
            request.least = request.least.plus(request.worst);
        }
        requests
    }

    /// Shares that run short, asked for before a request has to wait, and accounts that the store does not know yet.
    pub fn shares_wanted(&mut self, now: Timestamp) -> Vec<ShareRequest> {
        let second = now.as_second();
        self.requests(|_, account, drawn| {
            let share = &account.share;
            (!share.known || share.counting || share.is_short(drawn, second)).then(|| drawn.plus(share.ahead(second)))
        })
    }

    /// Everything that the store should hear of regularly. What a share has too much of is given back.
    pub fn shares_due(&mut self, now: Timestamp) -> Vec<ShareRequest> {
        let second = now.as_second();
        let mut keys = 0;
        self.requests(|_, account, drawn| {
            let share = &account.share;
            let moved = share.told != account.local() || share.total != drawn || share.burn.sum(second) > Money::ZERO;
            keys += usize::from(!account.key.is_empty());
            let due = !share.known || account.key.is_empty() || moved && keys <= KEYS_AT_ONCE;
            due.then(|| drawn.plus(share.ahead(second)))
        })
    }

    /// Others were refused for want of an account's money: what is neither spent nor reserved is given back. Who keeps
    /// a little of it each would together keep what one more request needs.
    pub fn shares_recalled(&mut self, from: &PoolId, key: &str) -> Vec<ShareRequest> {
        self.requests(|pool, account, drawn| {
            let asked = pool.life == from.life && *account.key == *key;
            (asked && account.share.total > drawn).then_some(drawn)
        })
    }

    /// All that is left goes back: the daemon ends in order.
    pub fn shares_returned(&mut self) -> Vec<ShareRequest> {
        self.requests(|_, _, drawn| Some(drawn))
    }

    /// What the policy says against what the fleet has agreed on, by budget, where they differ.
    pub fn differing_limits(&self) -> Vec<(Arc<str>, Money, Money)> {
        let differs = |rule: &Rule| {
            let (own, fleet) = (rule.own_limit, rule.fleet_limit?);
            (own != fleet).then(|| (rule.budget.name.clone(), own, fleet))
        };
        self.rules.iter().filter_map(differs).collect()
    }

    pub(super) fn admit_share(&mut self, worst: Money, charges: &Charges) -> Result<(), Refusal> {
        if !self.fleet.joined {
            return Ok(());
        }
        let second = self.now.as_second();
        let mut requests = Vec::new();
        for charge in charges.iter() {
            let Some(pool) = self.pools.get_mut(&charge.pool) else {
                continue;
            };
            let Some(rule) = pool.rule.and_then(|rule| self.rules.get(rule)) else {
                continue;
            };
            if rule.budget.enforce == Enforce::Soft {
                continue;
            }
            let budget = rule.budget.name.clone();
            if self.fleet.lapsed {
                return Err(Refusal::Apart { budget });
            }
            let at = match &charge.slot {
                Slot::Known(at) => *at,
                Slot::New(key) => pool.find_or_insert(key),
            };
            let unaccounted = pool.unaccounted;
            let Some(account) = pool.accounts.get_mut(at) else {
                continue;
            };
            let drawn = account.drawn(unaccounted);
            if drawn.plus(worst) <= account.share.total {
                continue;
            }
            if account.share.is_refused(second) {
                return Err(Refusal::OverLimit {
                    budget,
                    key: account.key.clone(),
                    needed: worst,
                    remaining: account.share.total.minus(drawn).max(Money::ZERO),
                });
            }
            account.share.wait(worst, second);
            let upto = drawn.plus(account.share.waiting.max(account.share.ahead(second)));
            requests.push(ShareRequest {
                worst,
                least: drawn.plus(worst),
                ..request(&pool.id, account, rule, unaccounted, upto.max(drawn.plus(worst)))
            });
        }
        if requests.is_empty() {
            Ok(())
        } else {
            Err(Refusal::Share(requests))
        }
    }

    /// One request for each account of a pool in force for which `upto` has a total. Totals that are lower than the
    /// share lower it here and now.
    fn requests(&mut self, mut upto: impl FnMut(&PoolId, &Account, Money) -> Option<Money>) -> Vec<ShareRequest> {
        let mut requests = Vec::new();
        for pool in self.pools.values_mut() {
            let Some(rule) = pool.rule.and_then(|rule| self.rules.get(rule)) else {
                continue;
            };
            if pool.state != State::Ready {
                continue;
            }
            let (id, unaccounted) = (pool.id.clone(), pool.unaccounted);
            for account in &mut pool.accounts {
                let drawn = account.drawn(unaccounted);
                let Some(upto) = upto(&id, account, drawn) else {
                    continue;
                };
                account.share.total = account.share.total.min(upto.max(drawn));
                account.share.told = account.local();
                requests.push(request(&id, account, rule, unaccounted, upto.max(drawn)));
            }
        }
        requests
    }

    fn account_mut(&mut self, pool: &PoolId, key: &str) -> Option<&mut Account> {
        let pool = self.pools.get_mut(&pool.life)?;
        let at = pool.find(key)?;
        pool.accounts.get_mut(at)
    }

    fn take_limit(&mut self, budget: &str, limit: Money) {
        let Some(rule) = self.rules.iter_mut().find(|rule| *rule.budget.name == *budget) else {
            return;
        };
        rule.fleet_limit = Some(limit);
        let now = self.now;
        self.change_limits(now);
    }
}

impl Pool {
    /// How far the lease from the daemon's own ledger may run ahead of need: no further than its share, so that a
    /// crash holds no more than that. A keyed pool has a share for each key.
    pub(super) fn share_left(&self) -> Option<Money> {
        let account = self
            .accounts
            .first()
            .filter(|account| !self.id.keyed && account.share.known)?;
        let left = account.share.total.minus(account.drawn(self.unaccounted));
        Some(left.max(Money::ZERO))
    }
}

impl Account {
    /// What this daemon's ledger has of it.
    fn local(&self) -> Spent {
        self.base.plus(self.own)
    }

    /// Posted, held and reserved by this daemon: what its share must cover.
    fn drawn(&self, unaccounted: Money) -> Money {
        self.local().drawn().plus(unaccounted).plus(self.reserved)
    }
}

fn request(pool: &Arc<PoolId>, account: &Account, rule: &Rule, unaccounted: Money, upto: Money) -> ShareRequest {
    let local = account.local();
    ShareRequest {
        pool: pool.clone(),
        key: account.key.clone(),
        spent: Spent {
            held: local.held.plus(unaccounted),
            ..local
        },
        worst: Money::ZERO,
        least: account.drawn(unaccounted),
        upto,
        limit: rule.own_limit,
        since: rule.limit_since,
        hard: rule.budget.enforce == Enforce::Hard,
    }
}
