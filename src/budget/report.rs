//! What the books tell others: accounts for people, signals for plans, crossings for alerts, and the proof of the sums.

use super::account::AccountView;
use super::books::Books;
use super::charge::UNACCOUNTED_KEY;
use super::notice::{Broken, Crossing, Holding, Notice, Violation};
use super::pool::{Pool, State};
use super::room::Room;
use crate::money::Money;
use crate::period::Span;
use crate::policy::snapshot::Enforce;
use std::collections::HashMap;
use std::sync::Arc;

impl Books {
    /// Every account of the present periods, and for a keyed budget one more for what crashes left unrecorded.
    pub fn views(&self) -> Vec<AccountView> {
        let mut views = Vec::new();
        for rule in &self.rules {
            let Some(pool) = self.present_pool(&rule.pools) else {
                continue;
            };
            let (limit, hard) = (rule.budget.limit, rule.budget.enforce == Enforce::Hard);
            let rebuilding = !self.is_known(rule, pool);
            let span = rule
                .budget
                .rolling()
                .map_or(pool.id.span, |rolling| rolling.span(self.now));
            for (at, account) in pool.accounts.iter().enumerate() {
                let room = self.room(rule, pool, at);
                let spent = room.spent;
                let unkeyed = if pool.id.keyed { Money::ZERO } else { room.unaccounted };
                views.push(AccountView {
                    posted: spent.posted,
                    held: spent.held.plus(unkeyed),
                    overdraft: spent.overdraft,
                    others: account.share.others.total(),
                    reserved: room.reserved,
                    remaining: room.remaining().max(Money::ZERO),
                    used: room.taken().share_of(room.limit),
                    forecast: rule
                        .budget
                        .has_periods()
                        .then(|| self.forecast(pool, account.plan_free(), room.limit))
                        .flatten(),
                    carried: room.carried,
                    rebuilding,
                    span,
                    exhausted: account.exhausted_at.is_some(),
                    exhausted_at: account.exhausted_at,
                    ..blank(pool, account.key.clone(), room.limit, hard)
                });
            }
            if pool.id.keyed && pool.unaccounted > Money::ZERO {
                views.push(AccountView {
                    held: pool.unaccounted,
                    remaining: limit.minus(pool.unaccounted).max(Money::ZERO),
                    used: pool.unaccounted.share_of(limit),
                    ..blank(pool, Arc::from(UNACCOUNTED_KEY), limit, hard)
                });
            }
        }
        views
    }

    /// `budget(..).used`: (posted + held) / limit, of a keyed budget its fullest key.
    pub fn used(&self, budget: &str) -> f64 {
        self.outlook(budget).map_or(0.0, |outlook| outlook.used)
    }

    /// `budget(..).exhausted`: true of a keyed budget once any key is.
    pub fn exhausted(&self, budget: &str) -> bool {
        self.outlook(budget).is_some_and(|outlook| outlook.exhausted)
    }

    /// Of every budget: how much is held, and how many keys it has now.
    pub fn holdings(&self) -> Vec<Holding> {
        let of = |rule: &super::books::Rule| {
            let empty = Holding {
                budget: rule.budget.name.clone(),
                share: 0.0,
                keys: 0,
                most: None,
            };
            let Some(pool) = self.present_pool(&rule.pools) else {
                return empty;
            };
            let rooms = (0..pool.accounts.len()).map(|at| (at, self.room(rule, pool, at)));
            let held = |room: &Room| room.spent.held.plus(room.unaccounted);
            let most = rooms.max_by(|(_, one), (_, other)| {
                let (one, other) = (held(one).share_of(one.limit), held(other).share_of(other.limit));
                one.total_cmp(&other)
            });
            let notice = |(at, room): (usize, Room)| Notice {
                pool: pool.id.clone(),
                key: pool
                    .accounts
                    .get(at)
                    .map(|account| account.key.clone())
                    .unwrap_or_default(),
                at: self.now,
                limit: room.limit,
                posted: room.spent.posted,
                held: held(&room),
                overdraft: room.spent.overdraft,
                crossing: Crossing::Held,
            };
            let most = most.map(notice);
            Holding {
                share: most.as_ref().map_or(0.0, |most| most.held.share_of(most.limit)),
                keys: pool.accounts.len(),
                most,
                ..empty
            }
        };
        self.rules.iter().map(of).collect()
    }

    /// What crossed a line since the last call.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Sums that were found wrong since the last call; their budgets admit nothing paid.
    pub fn take_violations(&mut self) -> Vec<Broken> {
        std::mem::take(&mut self.violations)
    }

    /// Open reservations, for status and tests.
    pub fn open_reservations(&self) -> usize {
        self.open.len()
    }

    /// Adds everything up from the open reservations and compares.
    pub fn prove(&self) -> Result<(), Violation> {
        self.find_violation().map_or(Ok(()), |(_, violation)| Err(violation))
    }

    /// Proves itself; a budget whose sums do not hold spends nothing until it was read anew.
    pub fn check(&mut self) {
        if let Some((life, violation)) = self.find_violation() {
            self.violate(Some(life), violation);
        }
    }

    /// Budgets that spend nothing because their sums did not hold, or are being read anew for that.
    pub fn degraded(&self) -> Vec<Arc<str>> {
        let broken = |rule: &&super::books::Rule| {
            let mut pools = rule.pools.iter().filter_map(|(_, life)| self.pools.get(life));
            pools.any(|pool| pool.degraded || pool.replaces && pool.state != State::Ready)
        };
        let broken = self.rules.iter().filter(broken);
        broken.map(|rule| rule.budget.name.clone()).collect()
    }

    fn find_violation(&self) -> Option<(u64, Violation)> {
        let mut open: HashMap<(u64, usize), Money> = HashMap::new();
        for reservation in self.open.values() {
            for charge in &reservation.charges {
                let sum = open.entry(*charge).or_default();
                *sum = sum.plus(reservation.worst);
            }
        }
        let sound = |pool: &Pool| pool.rule.is_some() && !pool.degraded;
        let mut pools = self.pools.iter().filter(|(_, pool)| sound(pool));
        pools.find_map(|(life, pool)| Some((*life, prove_pool(*life, pool, &open).err()?)))
    }

    /// Looks whether an account has crossed a line, and remembers to tell.
    pub(super) fn judge(&mut self, life: u64, account: usize) {
        let Some(pool) = self.pools.get(&life) else { return };
        let Some(rule) = pool.rule.and_then(|rule| self.rules.get(rule)) else {
            return;
        };
        if !self.is_known(rule, pool) {
            return;
        }
        let room = self.room(rule, pool, account);
        let Some(pool) = self.pools.get_mut(&life) else { return };
        let keys_full = pool.is_full() && !pool.keys_full_told;
        pool.keys_full_told |= keys_full;
        let Some(account) = pool.accounts.get_mut(account) else {
            return;
        };
        let (limit, spent) = (room.limit, room.spent);
        let mut crossed = account.reached(room.taken(), limit, &rule.budget.alert_at);
        let gone = room.unspent() < rule.worst.median();
        match account.exhausted_at {
            None if gone => {
                account.exhausted_at = Some(self.now);
                crossed.push(Crossing::Exhausted);
            }
            // A window that slides has no end to wait for.
            Some(_) if !gone && rule.budget.rolling().is_some() => account.exhausted_at = None,
            _ => {}
        }
        if keys_full {
            crossed.push(Crossing::KeysFull);
        }
        let notice = |crossing| Notice {
            pool: pool.id.clone(),
            key: account.key.clone(),
            at: self.now,
            limit,
            posted: spent.posted,
            held: spent.held.plus(room.unaccounted),
            overdraft: spent.overdraft,
            crossing,
        };
        self.notices.extend(crossed.into_iter().map(notice));
    }

    /// A provider billed more than its bound allows: once for each account.
    pub(super) fn tell_overdraft(&mut self, life: u64, account: usize) {
        let Some(pool) = self.pools.get_mut(&life) else { return };
        let limit = pool
            .rule
            .and_then(|rule| self.rules.get(rule))
            .map(|rule| rule.budget.limit);
        let (unaccounted, id) = (pool.unaccounted, pool.id.clone());
        let (Some(limit), Some(account)) = (limit, pool.accounts.get_mut(account)) else {
            return;
        };
        if std::mem::replace(&mut account.overdraft_told, true) {
            return;
        }
        let spent = account.spent();
        self.notices.push(Notice {
            pool: id,
            key: account.key.clone(),
            at: self.now,
            limit,
            posted: spent.posted,
            held: spent.held.plus(unaccounted),
            overdraft: spent.overdraft,
            crossing: Crossing::Overdraft,
        });
    }

    pub(super) fn violate(&mut self, life: Option<u64>, violation: Violation) {
        let pool = life.and_then(|life| self.pools.get_mut(&life));
        let broken = match pool {
            Some(pool) => {
                pool.degraded = true;
                Broken {
                    budget: Some(pool.id.budget.clone()),
                    violation,
                    dump: pool.dump(),
                }
            }
            None => Broken {
                budget: None,
                violation,
                dump: format!("{} open reservations", self.open.len()),
            },
        };
        debug_assert!(self.tolerant, "{} {}", broken.violation, broken.dump);
        self.violations.push(broken);
    }

    pub(super) fn present_pool(&self, pools: &[(Span, u64)]) -> Option<&Pool> {
        let (_, life) = pools.iter().find(|(span, _)| span.contains(self.now))?;
        self.pools.get(life)
    }
}

fn blank(pool: &Pool, key: Arc<str>, limit: Money, hard: bool) -> AccountView {
    AccountView {
        budget: pool.id.budget.clone(),
        key,
        span: pool.id.span,
        hard,
        limit,
        posted: Money::ZERO,
        carried: Money::ZERO,
        reserved: Money::ZERO,
        held: Money::ZERO,
        overdraft: Money::ZERO,
        others: Money::ZERO,
        remaining: Money::ZERO,
        used: 0.0,
        forecast: None,
        exhausted: false,
        exhausted_at: None,
        rebuilding: pool.state != State::Ready,
        degraded: pool.degraded,
    }
}

fn prove_pool(life: u64, pool: &Pool, open: &HashMap<(u64, usize), Money>) -> Result<(), Violation> {
    let budget = || pool.id.budget.clone();
    for (at, account) in pool.accounts.iter().enumerate() {
        let open = open.get(&(life, at)).copied().unwrap_or_default();
        let slid = account.buckets.reserved();
        if open != account.reserved || pool.slides() && open != slid {
            let (budget, key, reserved) = (budget(), account.key.clone(), account.reserved);
            return Err(Violation::Reserved {
                budget,
                key,
                reserved,
                open,
            });
        }
    }
    let reserved: Money = pool.accounts.iter().map(|account| account.reserved).sum();
    if reserved != pool.reserved {
        let (budget, accounts) = (budget(), reserved);
        return Err(Violation::PoolReserved {
            budget,
            reserved: pool.reserved,
            accounts,
        });
    }
    let used: Money = pool.accounts.iter().map(|account| account.own.drawn()).sum();
    if used != pool.used {
        let (budget, accounts) = (budget(), used);
        return Err(Violation::PoolUsed {
            budget,
            used: pool.used,
            accounts,
        });
    }
    Ok(())
}
