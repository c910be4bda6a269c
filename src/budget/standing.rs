//! The room of an account, found in the books: the one place that knows of carried money and of sliding windows.

use super::books::{Books, Rule};
use super::charge::Slot;
use super::pool::{Pool, State};
use super::room::Room;
use super::share::Share;
use super::spent::Spent;
use crate::money::Money;
use crate::period::Rolling;

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

    /// The window's next block: spent in only by a clock that has stepped back since.
    fn after(&self, rule: &Rule, pool: &Pool) -> Option<&Pool> {
        let end = pool.id.span.end;
        let (_, life) = rule.pools.iter().find(|(span, _)| span.start == end)?;
        self.pools.get(life)
    }

    /// The store has told what this budget spent, as far back as it counts.
    pub(super) fn is_known(&self, rule: &Rule, pool: &Pool) -> bool {
        let ready = |other: Option<&Pool>| other.is_some_and(|other| other.state == State::Ready);
        let slides = rule.budget.rolling().is_some();
        pool.state == State::Ready
            && (!rule.budget.looks_back() || ready(self.before(rule, pool)))
            && (!slides || ready(self.after(rule, pool)))
    }

    fn look_back(&self, rule: &Rule, pool: &Pool, key: &str, room: Room) -> Room {
        if let Some(rolling) = rule.budget.rolling() {
            return self.slide_over(rule, pool, key, (rolling.bucket(self.now), room));
        }
        let shared = self.share(pool, key).map(|share| share.carried);
        let before = self.before(rule, pool);
        let earlier = before.and_then(|before| before.accounts.get(before.account_for(key)?));
        let crashed = before.map_or(Money::ZERO, |before| before.unaccounted);
        let carried = match (rule.budget.carry_over, before) {
            (Some(carry_over), Some(before)) if before.was_there => {
                let taken = earlier.map_or(Money::ZERO, |account| account.spent().total().plus(account.reserved));
                let left = rule.written.minus(taken.plus(crashed)).max(Money::ZERO);
                let own = left.min(carry_over.most(rule.written));
                shared.map_or(own, |shared| shared.min(own))
            }
            // Others of the fleet may have had it.
            (Some(_), _) => shared.unwrap_or_default(),
            _ => Money::ZERO,
        };
        Room {
            limit: room.limit.plus(carried),
            carried,
            ..room
        }
    }

    /// What lies in the window, in its block and in those on both sides.
    fn slide_over(&self, rule: &Rule, pool: &Pool, key: &str, (now, room): (i64, Room)) -> Room {
        let blocks = [Some(pool), self.before(rule, pool), self.after(rule, pool)];
        let none = Room {
            spent: Spent::default(),
            unaccounted: Money::ZERO,
            reserved: Money::ZERO,
            ..room
        };
        let own = blocks.into_iter().flatten().fold(none, |sum, block| {
            let account = block.account_for(key).and_then(|at| block.accounts.get(at));
            let (spent, reserved) = account.map_or_else(Default::default, |account| account.buckets.within(now));
            Room {
                spent: sum.spent.plus(spent),
                reserved: sum.reserved.plus(reserved),
                // When it was spent is not known: it counts until no window can hold it.
                unaccounted: sum.unaccounted.plus(block.unaccounted),
                ..sum
            }
        });
        let Some(share) = self.share(pool, key) else {
            return own;
        };
        let others = share.window.iter().filter(|(bucket, _)| Rolling::counts(*bucket, now));
        Room {
            spent: others.fold(own.spent.plus(share.others), |sum, (_, spent)| sum.plus(*spent)),
            ..own
        }
    }

    /// Of an account that the fleet's store has told of.
    fn share<'a>(&self, pool: &'a Pool, key: &str) -> Option<&'a Share> {
        let account = pool.accounts.get(pool.account_for(key)?)?;
        Some(&account.share).filter(|share| self.fleet.joined && share.known)
    }
}
