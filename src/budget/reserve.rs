//! Reserve, post, void, hold: the only verbs of money.

use super::books::{Books, Reservation, Rule};
use super::charge::{Charges, Facts, OTHER_KEY, Slot};
use super::notice::Violation;
use super::pool::{GrantRequest, Pool};
use super::room::Room;
use super::share::ShareRequest;
use super::spent::Spent;
use crate::money::Money;
use crate::period::Span;
use crate::policy::snapshot::Enforce;
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
    /// Of a sliding window: when it was let in.
    pub bucket: Option<i64>,
    /// It counts only where the store knows that the budget was in force in this period.
    pub only_if_known: bool,
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

/// Why a request may not have the money. All but `Lease` and `Share` are the answer.
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
    /// It fits what this daemon knows, and the fleet's store must give a share first: ask it, give its answer to
    /// [`Books::shared`], and reserve again.
    Share(Vec<ShareRequest>),
    /// The fleet's store has not answered for so long that nothing may be drawn.
    Apart { budget: Arc<str> },
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
        self.headroom_by(charges, Room::remaining)
    }

    /// The same if no reservation cost anything.
    pub fn headroom_if_settled(&self, charges: &Charges) -> Headroom {
        self.headroom_by(charges, Room::unspent)
    }

    fn headroom_by(&self, charges: &Charges, left: fn(&Room) -> Money) -> Headroom {
        let mut room = Headroom {
            share: 1.0,
            rebuilding: charges.missing.clone(),
            ..Headroom::default()
        };
        for charge in charges.iter() {
            let Some((pool, rule)) = self.pool_in_force(charge.pool) else {
                continue;
            };
            let budget = &rule.budget;
            if budget.enforce == Enforce::Soft {
                continue;
            }
            if pool.degraded {
                room.degraded = Some(budget.name.clone());
            }
            if !self.is_known(rule, pool) {
                room.rebuilding = Some(budget.name.clone());
            }
            let stands = self.room_of(rule, pool, &charge.slot);
            let remaining = left(&stands).max(Money::ZERO);
            if room.remaining.is_none_or(|tightest| remaining < tightest) {
                room.remaining = Some(remaining);
                room.share = remaining.share_of(stands.limit);
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
            pool.reserve(account, worst, now);
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

    /// Budget and key of each account that a reservation takes from: their money is free when it ends.
    pub fn accounts_of(&self, reservation: &ReservationId) -> Vec<(Arc<str>, Arc<str>)> {
        let charges = self.open.get(&reservation.0).map(|open| open.charges.as_slice());
        let account = |(life, at): &(u64, usize)| {
            let pool = self.pools.get(life)?;
            Some((pool.id.budget.clone(), pool.accounts.get(*at)?.key.clone()))
        };
        charges.unwrap_or_default().iter().filter_map(account).collect()
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
            let released = pool.release(at, open.worst, open.at);
            pool.spend(at, spent, open.at);
            pool.burned(spent, second);
            let bucket = pool.bucket(open.at);
            let Some(account) = pool.accounts.get_mut(at) else {
                continue;
            };
            account.burn.add(self.now, spent.total());
            account.share.burn(second, spent.drawn());
            postings.push(Posting {
                budget: pool.id.budget.clone(),
                key: account.key.clone(),
                span: pool.id.span,
                shape: pool.id.shape.clone(),
                life,
                bucket,
                only_if_known: pool.only_if_known,
                posted: spent.posted,
                held: spent.held,
                overdraft: spent.overdraft,
            });
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
            pool.correct(at, spent, posting.bucket);
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
            if let Some((pool, rule)) = self.pool_in_force(charge.pool) {
                self.fits(worst, pool, &charge.slot, rule)?;
            }
        }
        self.admit_share(worst, charges)?;
        let second = self.now.as_second();
        let mut leases = Vec::new();
        for charge in charges.iter() {
            let enough = |pool: &Pool| pool.drawn().plus(worst) <= pool.granted;
            if self.pools.get(&charge.pool).is_none_or(enough) {
                continue;
            }
            let Some(terms) = self.lease_terms(charge.pool) else {
                continue;
            };
            if let Some(pool) = self.pools.get_mut(&charge.pool) {
                leases.push(pool.refuse_for_lease(worst, terms, second));
            }
        }
        if leases.is_empty() {
            Ok(())
        } else {
            Err(Refusal::Lease(leases))
        }
    }

    fn pool_in_force(&self, life: u64) -> Option<(&Pool, &Rule)> {
        let pool = self.pools.get(&life)?;
        Some((pool, self.rules.get(pool.rule?)?))
    }

    fn fits(&self, worst: Money, pool: &Pool, slot: &Slot, rule: &Rule) -> Result<(), Refusal> {
        let budget = || rule.budget.name.clone();
        if pool.degraded {
            return Err(Refusal::Degraded { budget: budget() });
        }
        if rule.budget.enforce == Enforce::Soft {
            return Ok(());
        }
        if !self.is_known(rule, pool) {
            return Err(Refusal::Rebuilding { budget: budget() });
        }
        let room = self.room_of(rule, pool, slot);
        if !self.may_fit(worst, &room, pool, slot) {
            return Err(Refusal::OverLimit {
                budget: budget(),
                key: key(pool, slot),
                needed: worst,
                remaining: room.remaining().max(Money::ZERO),
            });
        }
        Ok(())
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

fn key(pool: &Pool, slot: &Slot) -> Arc<str> {
    match slot {
        Slot::Known(at) => pool
            .accounts
            .get(*at)
            .map(|account| account.key.clone())
            .unwrap_or_default(),
        Slot::New(key) if pool.find(key).is_none() && pool.is_full() => Arc::from(OTHER_KEY),
        Slot::New(key) => key.clone(),
    }
}
