//! A fleet's money in the books: how much of each account is this daemon's to draw, and what the others have spent.
//!
//! Never draws beyond a share; lowers one here before the store is told that the rest is free.

use super::account::Account;
use super::books::{Books, Rule};
use super::charge::{Charge, Charges, Slot};
use super::pool::{Past, Pool, State};
use super::pool_id::PoolId;
use super::reserve::Refusal;
use super::room::Room;
use super::share::{ShareAnswer, ShareRequest};
use super::spent::Spent;
use crate::money::Money;
use crate::policy::snapshot::Enforce;
use jiff::Timestamp;
use std::sync::Arc;

/// Accounts of keys that one regular exchange reports.
const KEYS_AT_ONCE: usize = 1_000;
/// So many seconds an answer is taken for the present state.
const FRESH: i64 = 1;
/// Milliseconds for each daemon of a fleet: with so long between two questions of one, all together ask thirteen times a
/// second.
const APART: i64 = 75;

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
                let news = account.share.answer(answer, now.as_second());
                if known {
                    account.burn.add(now, news);
                }
            }
            self.judge(answer.pool.life, at);
        }
    }

    /// The store's no is final until it says otherwise: there is nothing that others could give back. Out of a window
    /// that slides money comes by itself.
    pub fn refuse_share(&mut self, asked: &ShareRequest, daemons: u32, now: Timestamp) {
        let second = now.as_second();
        let apart = i64::from(daemons) * APART / 1_000;
        let until = asked
            .bucket_seconds
            .map_or(i64::MAX, |bucket| second + bucket.max(apart));
        if let Some(account) = self.account_mut(&asked.pool, &asked.key) {
            account.share.refuse(asked.worst, second, until);
        }
    }

    /// There is money again that was refused: it is asked for at once.
    pub fn shares_freed(&mut self, of: &PoolId, key: &str, now: Timestamp) -> Vec<ShareRequest> {
        let second = now.as_second();
        let requests = self.requests(|pool, account, drawn| {
            let asked = pool.life == of.life && *account.key == *key;
            let least = drawn.plus(account.share.wanted(second));
            asked.then(|| (least, drawn.plus(account.share.ahead(second))))
        });
        if let Some(account) = self.account_mut(of, key) {
            account.share.free();
        }
        requests
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
            let stale = second - share.answered_at >= FRESH;
            (needed > share.total || stale).then(|| (needed, drawn.plus(share.waiting.max(share.ahead(second)))))
        });
        for request in &mut requests {
            request.worst = worst(request.pool.life, &request.key).unwrap_or(Money::ZERO);
        }
        requests
    }

    /// Shares that run short, asked for before a request has to wait, and accounts that the store does not know yet.
    pub fn shares_wanted(&mut self, now: Timestamp) -> Vec<ShareRequest> {
        let second = now.as_second();
        self.requests(|pool, account, drawn| {
            let share = &account.share;
            if pool.span.end <= now {
                // The period that follows may need what is left of it.
                return (!share.known || share.total > drawn).then_some((drawn, drawn));
            }
            if share.asked_back && share.total > drawn {
                return Some((drawn, drawn));
            }
            (!share.known || share.counting || share.is_short(drawn, second))
                .then(|| (drawn, drawn.plus(share.ahead(second))))
        })
    }

    /// Everything that the store should hear of regularly. What a share has too much of is given back.
    pub fn shares_due(&mut self, now: Timestamp) -> Vec<ShareRequest> {
        let second = now.as_second();
        let mut keys = 0;
        self.requests(|pool, account, drawn| {
            let share = &account.share;
            let moved = share.told != account.local() || share.total != drawn || share.burn.sum(second) > Money::ZERO;
            let wants = share.wanted(second);
            keys += usize::from(!account.key.is_empty());
            let moved = moved || wants > Money::ZERO;
            let due = !share.known || account.key.is_empty() || moved && keys <= KEYS_AT_ONCE;
            due.then(|| {
                if pool.span.end <= now {
                    (drawn, drawn)
                } else {
                    (drawn.plus(wants), drawn.plus(share.ahead(second)))
                }
            })
        })
    }

    /// Others were refused for want of an account's money: what is neither spent nor reserved is given back. Who keeps
    /// a little of it each would together keep what one more request needs.
    pub fn shares_recalled(&mut self, from: &PoolId, key: &str) -> Vec<ShareRequest> {
        self.requests(|pool, account, drawn| {
            let asked = pool.life == from.life && *account.key == *key;
            (asked && account.share.total > drawn).then_some((drawn, drawn))
        })
    }

    /// All that is left goes back: the daemon ends in order.
    pub fn shares_returned(&mut self) -> Vec<ShareRequest> {
        self.requests(|_, _, drawn| Some((drawn, drawn)))
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
        let mut requests = Vec::new();
        for charge in charges.iter() {
            if let Some(request) = self.draw(worst, charge)? {
                requests.push(request);
            }
        }
        if requests.is_empty() {
            Ok(())
        } else {
            Err(Refusal::Share(requests))
        }
    }

    /// `None`: the share has it.
    fn draw(&mut self, worst: Money, charge: &Charge) -> Result<Option<ShareRequest>, Refusal> {
        let (now, second) = (self.now, self.now.as_second());
        let Some(pool) = self.pools.get(&charge.pool) else {
            return Ok(None);
        };
        let Some(rule) = pool.rule.and_then(|rule| self.rules.get(rule)) else {
            return Ok(None);
        };
        if rule.budget.enforce == Enforce::Soft {
            return Ok(None);
        }
        let budget = rule.budget.name.clone();
        if self.fleet.lapsed {
            return Err(Refusal::Apart { budget });
        }
        let room = self.room_of(rule, pool, &charge.slot);
        let terms = Terms::of(rule, pool, self.counting_since, now);
        let Some(pool) = self.pools.get_mut(&charge.pool) else {
            return Ok(None);
        };
        let at = match &charge.slot {
            Slot::Known(at) => *at,
            Slot::New(key) => pool.find_or_insert(key),
        };
        let Some(account) = pool.accounts.get_mut(at) else {
            return Ok(None);
        };
        let drawn = account.drawn(terms.unaccounted);
        if drawn.plus(worst) <= account.share.total && worst <= room.remaining() {
            return Ok(None);
        }
        if account.share.is_refused(worst, second) {
            return Err(Refusal::OverLimit {
                budget,
                key: account.key.clone(),
                needed: worst,
                remaining: account.share.total.minus(drawn).max(Money::ZERO),
            });
        }
        account.share.wait(worst, second);
        let upto = drawn.plus(account.share.waiting.max(account.share.ahead(second)));
        Ok(Some(ShareRequest {
            worst,
            least: drawn.plus(worst),
            ..terms.request(account, upto.max(drawn.plus(worst)))
        }))
    }

    /// What others have spent may be less by now, and the limit higher: the store is asked before it is a no.
    pub(super) fn may_fit(&self, worst: Money, room: &Room, pool: &Pool, slot: &Slot) -> bool {
        let known = match slot {
            Slot::Known(at) => Some(*at),
            Slot::New(key) => pool.account_for(key),
        };
        let account = known.and_then(|at| pool.accounts.get(at));
        let second = self.now.as_second();
        let stale = account.is_none_or(|account| second - account.share.answered_at >= FRESH);
        worst <= room.remaining() || self.fleet.joined && stale
    }

    /// One request for each account of a pool in force for which `wish`, told what is drawn, has the least total that is
    /// needed and the one that is wished for. Totals that are lower than the share lower it here and now.
    fn requests(
        &mut self,
        mut wish: impl FnMut(&PoolId, &Account, Money) -> Option<(Money, Money)>,
    ) -> Vec<ShareRequest> {
        let now = self.now;
        let mut requests = Vec::new();
        for pool in self.pools.values_mut() {
            let Some(rule) = pool.rule.and_then(|rule| self.rules.get(rule)) else {
                continue;
            };
            // A period in which the budget was not in force has nothing to tell.
            if pool.state != State::Ready || pool.only_if_known && !pool.was_there {
                continue;
            }
            let terms = Terms::of(rule, pool, self.counting_since, now);
            for account in &mut pool.accounts {
                let drawn = account.drawn(terms.unaccounted);
                let Some((least, upto)) = wish(&terms.pool, account, drawn) else {
                    continue;
                };
                let upto = upto.max(least);
                account.share.total = account.share.total.min(upto);
                account.share.told = account.local();
                requests.push(ShareRequest {
                    least,
                    ..terms.request(account, upto)
                });
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

/// What all requests for shares of one pool have in common.
struct Terms {
    pool: Arc<PoolId>,
    unaccounted: Money,
    limit: Money,
    since: Option<Timestamp>,
    hard: bool,
    bucket_seconds: Option<i64>,
    carry: Option<(Money, Money)>,
    /// Since when the cost without plans is counted, where all that was before is known.
    counted_since: Option<Timestamp>,
    over: bool,
}

impl Terms {
    fn of(rule: &Rule, pool: &Pool, counting_since: Option<Timestamp>, now: Timestamp) -> Self {
        let carry = rule.budget.carry_over;
        Self {
            pool: pool.id.clone(),
            unaccounted: pool.unaccounted,
            limit: rule.own_limit,
            since: rule.limit_since,
            hard: rule.budget.enforce == Enforce::Hard,
            bucket_seconds: rule.budget.rolling().map(|rolling| rolling.bucket_seconds()),
            carry: carry.map(|carry| (rule.written, carry.most(rule.written))),
            counted_since: (pool.past == Past::Known).then(|| counting_since.unwrap_or(pool.born)),
            over: pool.id.span.end <= now,
        }
    }

    fn request(&self, account: &Account, upto: Money) -> ShareRequest {
        let local = account.local();
        ShareRequest {
            pool: self.pool.clone(),
            key: account.key.clone(),
            spent: Spent {
                held: local.held.plus(self.unaccounted),
                ..local
            },
            reserved: account.reserved,
            bucket_seconds: self.bucket_seconds,
            buckets: account.buckets.spent(),
            carry: self.carry,
            plan_free: self.counted_since.map(|since| (account.plan_free, since)),
            over: self.over,
            worst: Money::ZERO,
            least: account.drawn(self.unaccounted),
            upto,
            limit: self.limit,
            since: self.since,
            hard: self.hard,
        }
    }
}
