//! What an account may spend at this instant, and what counts against it: the one place that knows of carried money and
//! of sliding windows.

use super::account::Spent;
use super::books::{Books, Rule};
use super::charge::Slot;
use super::pool::{Pool, State};
use crate::money::Money;

/// An account's standing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Room {
    /// What was carried over is in it.
    pub(super) limit: Money,
    pub(super) carried: Money,
    pub(super) spent: Spent,
    /// What crashes left unrecorded.
    pub(super) unaccounted: Money,
    pub(super) reserved: Money,
}

impl Room {
    /// What counts against the limit, reservations left out.
    pub(super) fn taken(&self) -> Money {
        self.spent.total().plus(self.unaccounted)
    }

    /// Below zero after a limit was lowered.
    pub(super) fn remaining(&self) -> Money {
        self.unspent().minus(self.reserved)
    }

    /// What would be left if no reservation cost anything.
    pub(super) fn unspent(&self) -> Money {
        self.limit.minus(self.taken())
    }
}

impl Books {
    /// Of the account that a charge goes to, also where that is yet to be made.
    pub(super) fn room_of(&self, rule: &Rule, pool: &Pool, slot: &Slot) -> Room {
        match slot {
            Slot::Known(at) => self.room(rule, pool, *at),
            Slot::New(key) => {
                let known = pool.account_for(key);
                known.map_or_else(|| self.empty_room(rule, pool, key), |at| self.room(rule, pool, at))
            }
        }
    }

    pub(super) fn room(&self, rule: &Rule, pool: &Pool, account: usize) -> Room {
        let Some(known) = pool.accounts.get(account) else {
            return Room::default();
        };
        let room = Room {
            limit: rule.budget.limit,
            carried: Money::ZERO,
            spent: known.spent(),
            unaccounted: pool.unaccounted,
            reserved: known.reserved,
        };
        if rule.budget.looks_back() {
            self.look_back(rule, pool, &known.key, room)
        } else {
            room
        }
    }

    fn empty_room(&self, rule: &Rule, pool: &Pool, key: &str) -> Room {
        let room = Room {
            limit: rule.budget.limit,
            unaccounted: pool.unaccounted,
            ..Room::default()
        };
        if rule.budget.looks_back() {
            self.look_back(rule, pool, key, room)
        } else {
            room
        }
    }

    /// The pool of the period before, or of the window's block before.
    pub(super) fn before(&self, rule: &Rule, pool: &Pool) -> Option<&Pool> {
        let start = pool.id.span.start;
        let (_, life) = rule.pools.iter().find(|(span, _)| span.end == start)?;
        self.pools.get(life)
    }

    /// The store has told what this budget spent, as far back as it counts.
    pub(super) fn is_known(&self, rule: &Rule, pool: &Pool) -> bool {
        let known_before = || {
            self.before(rule, pool)
                .is_some_and(|before| before.state == State::Ready)
        };
        pool.state == State::Ready && (!rule.budget.looks_back() || known_before())
    }

    fn look_back(&self, rule: &Rule, pool: &Pool, key: &str, room: Room) -> Room {
        let before = self.before(rule, pool);
        let earlier = before.and_then(|before| before.accounts.get(before.account_for(key)?));
        let crashed = before.map_or(Money::ZERO, |before| before.unaccounted);
        if let Some(rolling) = rule.budget.rolling() {
            let now = rolling.bucket(self.now);
            let within = |account: Option<&super::account::Account>| {
                account.map_or_else(Default::default, |account| account.buckets.within(now))
            };
            let own = pool.find(key).and_then(|at| pool.accounts.get(at));
            let (spent, reserved) = within(own);
            let (spent_before, reserved_before) = within(earlier);
            return Room {
                spent: spent.plus(spent_before),
                reserved: reserved.plus(reserved_before),
                // When it was spent is not known: it counts until no window can hold it.
                unaccounted: room.unaccounted.plus(crashed),
                ..room
            };
        }
        let carried = match (rule.budget.carry_over, before) {
            (Some(carry_over), Some(before)) if before.was_there => {
                let taken = earlier.map_or(Money::ZERO, |account| account.spent().total().plus(account.reserved));
                let left = rule.written.minus(taken.plus(crashed)).max(Money::ZERO);
                left.min(carry_over.most(rule.written))
            }
            _ => Money::ZERO,
        };
        Room {
            limit: room.limit.plus(carried),
            carried,
            ..room
        }
    }
}
