//! Reserve, post, void, hold: the only verbs of money.

use super::account::Spent;
use super::books::{Books, Reservation};
use super::charge::{Charges, Facts, Slot};
use super::notice::Violation;
use super::pool::{GrantRequest, Pool, State};
use crate::money::Money;
use crate::period::Span;
use crate::policy::snapshot::{Budget, Enforce};
use jiff::Timestamp;
use std::sync::Arc;

/// A reservation's one owner. It is ended by being given to [`Books::end`]; it cannot be copied.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a reservation that is not ended is money nobody may spend"]
pub struct ReservationId(u64);

/// How a reservation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The bill is known (or estimated): it posts, the rest is released.
    Post(Money),
    /// Nothing was billed.
    Void,
    /// The bill is unknown: the whole reservation counts as spent.
    Hold,
}

/// One account's change by one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    pub budget: Arc<str>,
    /// Empty for a budget without `each`.
    pub key: Arc<str>,
    pub span: Span,
    /// The budget's shape and the pool's life: which of the books' pools this was drawn from.
    pub shape: Arc<str>,
    pub life: u64,
    pub posted: Money,
    pub held: Money,
    /// The part of `posted` that went beyond the reservation: the provider billed more than its bound allows.
    pub overdraft: Money,
}

/// What an end changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    pub postings: Vec<Posting>,
    /// Of what it corrects.
    pub corrections: Vec<Posting>,
}

/// Why a request may not have the money. All but `Lease` are the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It does not fit. `remaining` is what the account had left.
    OverLimit {
        budget: Arc<str>,
        key: Arc<str>,
        needed: Money,
        remaining: Money,
    },
    /// It fits, and the store must lease first: ask it, give its answer to [`Books::grant`], and reserve again.
    Lease(Vec<GrantRequest>),
    /// The budget's spend is being found.
    Rebuilding { budget: Arc<str> },
    /// The budget's books do not add up; it spends nothing until they are read anew.
    Degraded { budget: Arc<str> },
    /// Asked by a policy of another currency, which was replaced meanwhile: its amounts mean nothing here.
    Currency,
}

/// What the budgets that cover a request leave it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Headroom {
    /// Of the tightest hard budget, never below zero; `None` when no hard budget covers the request.
    pub remaining: Option<Money>,
    /// `remaining` as a share of that budget's limit; 1 without a hard budget.
    pub share: f64,
    pub budget: Arc<str>,
    pub key: Arc<str>,
    /// A covering budget whose spend is being found.
    pub rebuilding: Option<Arc<str>>,
    /// A covering budget whose books do not add up.
    pub degraded: Option<Arc<str>>,
}

impl Books {
    /// What the tightest of these budgets has left, reservations taken off.
    pub fn headroom(&self, charges: &Charges) -> Headroom {
        let mut room = Headroom {
            share: 1.0,
            rebuilding: charges.missing.clone(),
            ..Headroom::default()
        };
        for charge in charges.iter() {
            let Some((pool, budget)) = self.pool_in_force(charge.pool) else {
                continue;
            };
            if budget.enforce == Enforce::Soft {
                continue;
            }
            if pool.degraded {
                room.degraded = Some(budget.name.clone());
            }
            if pool.state != State::Ready {
                room.rebuilding = Some(budget.name.clone());
            }
            let remaining = remaining(pool, &charge.slot, budget).max(Money::ZERO);
            if room.remaining.is_none_or(|tightest| remaining < tightest) {
                room.remaining = Some(remaining);
                room.share = remaining.share_of(budget.limit);
                room.budget = budget.name.clone();
                room.key = key(pool, &charge.slot);
            }
        }
        room
    }

    /// Feeds the median that `exhausted` is measured against. Called once a request, before it reserves.
    pub fn observe(&mut self, charges: &Charges, worst: Money) {
        for charge in charges.iter() {
            let rule = self.pools.get(&charge.pool).and_then(|pool| pool.rule);
            if let Some(rule) = rule.and_then(|rule| self.rules.get_mut(rule)) {
                rule.worst.remember(worst);
            }
            if let Slot::Known(account) = charge.slot {
                self.judge(charge.pool, account);
            }
        }
    }

    /// Takes `worst` from every budget that covers the request, or from none. What costs nothing is never refused.
    pub fn reserve(
        &mut self,
        worst: Money,
        charges: &Charges,
        facts: Facts,
        now: Timestamp,
    ) -> Result<ReservationId, Refusal> {
        self.now = now;
        if worst > Money::ZERO && facts.currency != self.currency && !self.rules.is_empty() {
            return Err(Refusal::Currency);
        }
        let found;
        let charges = if charges.epoch == self.epoch && self.are_current(charges, now) {
            charges
        } else {
            self.make_pools(now);
            found = self.charges(facts.model(), &facts.caller, now);
            &found
        };
        if worst > Money::ZERO {
            self.admit(worst, charges)?;
        }
        let mut taken = Vec::with_capacity(charges.iter().count());
        for charge in charges.iter() {
            let Some(pool) = self.pools.get_mut(&charge.pool) else {
                continue;
            };
            let account = match &charge.slot {
                Slot::Known(account) => *account,
                Slot::New(key) => pool.find_or_insert(key),
            };
            pool.reserved = pool.reserved.plus(worst);
            if let Some(account) = pool.accounts.get_mut(account) {
                account.reserved = account.reserved.plus(worst);
            }
            taken.push((charge.pool, account));
        }
        let id = self.next_reservation;
        self.next_reservation += 1;
        self.open.insert(
            id,
            Reservation {
                worst,
                at: now,
                facts,
                charges: taken,
            },
        );
        Ok(ReservationId(id))
    }

    /// Ends a reservation in every account it was taken from. The record with these postings must reach the ledger
    /// before the books are unlocked.
    pub fn end(&mut self, reservation: ReservationId, end: End) -> Vec<Posting> {
        self.end_corrected(reservation, end, None).postings
    }

    /// The same, with what the end corrects of the ends before it: up or down, in every account that the reservation was
    /// taken from, whether or not the attempt itself cost anything. It was leased long ago, so it is an overdraft, or takes
    /// one back.
    pub fn end_corrected(&mut self, reservation: ReservationId, end: End, correction: Option<Money>) -> Ended {
        let touched = self.close(reservation, end);
        let corrections = correction.map_or_else(Vec::new, |amount| self.correct(&touched, amount));
        let mut postings = touched;
        postings.retain(|posting| posting.posted != Money::ZERO || posting.held != Money::ZERO);
        Ended { postings, corrections }
    }

    /// One posting for each account, those of nothing too.
    fn close(&mut self, reservation: ReservationId, end: End) -> Vec<Posting> {
        let Some(open) = self.open.remove(&reservation.0) else {
            self.violate(None, Violation::UnknownReservation { id: reservation.0 });
            return Vec::new();
        };
        let spent = spent(end, open.worst);
        let second = self.now.as_second();
        let mut postings = Vec::with_capacity(open.charges.len());
        for (life, at) in open.charges {
            let Some(pool) = self.pools.get_mut(&life) else {
                continue;
            };
            let Some(account) = pool.accounts.get_mut(at) else {
                continue;
            };
            let released = account.release(open.worst);
            account.own = account.own.plus(spent);
            account.burn.add(self.now, spent.total());
            postings.push(Posting {
                budget: pool.id.budget.clone(),
                key: account.key.clone(),
                span: pool.id.span,
                shape: pool.id.shape.clone(),
                life,
                posted: spent.posted,
                held: spent.held,
                overdraft: spent.overdraft,
            });
            pool.reserved = pool.reserved.minus(open.worst);
            pool.charge(spent, second);
            if let Err(violation) = released {
                self.violate(Some(life), violation);
            }
            if spent.overdraft > Money::ZERO {
                self.tell_overdraft(life, at);
            }
            if !spent.is_zero() {
                self.judge(life, at);
            }
        }
        postings
    }

    fn correct(&mut self, postings: &[Posting], amount: Money) -> Vec<Posting> {
        let spent = Spent {
            posted: amount,
            held: Money::ZERO,
            overdraft: amount,
        };
        let mut adjusted = Vec::with_capacity(postings.len());
        for posting in postings {
            let Some(pool) = self.pools.get_mut(&posting.life) else {
                continue;
            };
            let Some(at) = pool.accounts.iter().position(|account| account.key == posting.key) else {
                continue;
            };
            if let Some(account) = pool.accounts.get_mut(at) {
                account.own = account.own.plus(spent);
            }
            adjusted.push(Posting {
                posted: spent.posted,
                held: spent.held,
                overdraft: spent.overdraft,
                ..posting.clone()
            });
            self.judge(posting.life, at);
        }
        adjusted
    }

    fn admit(&mut self, worst: Money, charges: &Charges) -> Result<(), Refusal> {
        if let Some(budget) = &charges.missing {
            return Err(Refusal::Rebuilding { budget: budget.clone() });
        }
        for charge in charges.iter() {
            if let Some((pool, budget)) = self.pool_in_force(charge.pool) {
                fits(worst, pool, &charge.slot, budget)?;
            }
        }
        let second = self.now.as_second();
        let mut leases = Vec::new();
        for charge in charges.iter() {
            let Some(pool) = self.pools.get_mut(&charge.pool) else {
                continue;
            };
            let Some(rule) = pool.rule.and_then(|rule| self.rules.get(rule)) else {
                continue;
            };
            if pool.drawn().plus(worst) > pool.granted {
                leases.push(pool.refuse_for_lease(worst, &rule.budget, second));
            }
        }
        if leases.is_empty() {
            Ok(())
        } else {
            Err(Refusal::Lease(leases))
        }
    }

    fn pool_in_force(&self, life: u64) -> Option<(&Pool, &Budget)> {
        let pool = self.pools.get(&life)?;
        let rule = self.rules.get(pool.rule?)?;
        Some((pool, &rule.budget))
    }

    fn are_current(&self, charges: &Charges, now: Timestamp) -> bool {
        let is_current = |life: u64| self.pools.get(&life).is_some_and(|pool| pool.id.span.contains(now));
        charges.missing.is_none() && charges.iter().all(|charge| is_current(charge.pool))
    }
}

fn spent(end: End, worst: Money) -> Spent {
    match end {
        End::Post(actual) => {
            let posted = actual.max(Money::ZERO);
            let overdraft = posted.minus(worst).max(Money::ZERO);
            Spent {
                posted,
                held: Money::ZERO,
                overdraft,
            }
        }
        End::Void => Spent::default(),
        End::Hold => Spent {
            held: worst,
            ..Spent::default()
        },
    }
}

fn fits(worst: Money, pool: &Pool, slot: &Slot, budget: &Budget) -> Result<(), Refusal> {
    if pool.degraded {
        return Err(Refusal::Degraded {
            budget: budget.name.clone(),
        });
    }
    if budget.enforce == Enforce::Soft {
        return Ok(());
    }
    if pool.state != State::Ready {
        return Err(Refusal::Rebuilding {
            budget: budget.name.clone(),
        });
    }
    let remaining = remaining(pool, slot, budget);
    if worst > remaining {
        return Err(Refusal::OverLimit {
            budget: budget.name.clone(),
            key: key(pool, slot),
            needed: worst,
            remaining: remaining.max(Money::ZERO),
        });
    }
    Ok(())
}

fn remaining(pool: &Pool, slot: &Slot, budget: &Budget) -> Money {
    let account = match slot {
        Slot::Known(at) => pool.accounts.get(*at),
        Slot::New(key) => pool.account_for(key),
    };
    let used = account.map_or(pool.unaccounted, |account| pool.taken(account).plus(account.reserved));
    budget.limit.minus(used)
}

fn key(pool: &Pool, slot: &Slot) -> Arc<str> {
    match slot {
        Slot::Known(at) => pool
            .accounts
            .get(*at)
            .map(|account| account.key.clone())
            .unwrap_or_default(),
        Slot::New(key) => key.clone(),
    }
}
