//! A daemon's share of one account of its fleet, and what is said of it to and by the fleet's store.
//!
//! Above the lease that the daemon's own ledger made durable stands the *share* that the fleet's store gave it. Shares
//! are totals, as leases are: an answer that got lost is found by the next question, and a report twice is one report.

use super::pool_id::PoolId;
use super::spent::Spent;
use crate::money::Money;
use jiff::Timestamp;
use std::sync::Arc;

/// The spend that a share is to last for, so that the regular exchange finds it a third full at worst.
const BURN_SECONDS: i64 = 120;
const BUCKETS: usize = 12;
const BUCKET_SECONDS: i64 = BURN_SECONDS / BUCKETS as i64;
/// Who was refused goes on to want the money for so many seconds, without asking anew.
const WANTS_FOR: i64 = 150;

/// What one account of this daemon has spent, and the share that it wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareRequest {
    pub pool: Arc<PoolId>,
    pub key: Arc<str>,
    /// All that this daemon's ledger has of the account, over all its starts.
    pub spent: Spent,
    /// Promised to attempts under way.
    pub reserved: Money,
    /// Of a window that slides: the seconds of a bucket, and what lies in which.
    pub bucket_seconds: Option<i64>,
    pub buckets: Vec<(i64, Spent)>,
    /// Of a budget that carries over: the limit without raises, and how much of it at most.
    pub carry: Option<(Money, Money)>,
    /// What its requests would have cost without plans, and since when that is counted, where it is known.
    pub plan_free: Option<(Money, Timestamp)>,
    /// The period has passed.
    pub over: bool,
    /// What the request that asks needs besides; nothing where none asks.
    pub worst: Money,
    /// Below this total it cannot go on.
    pub least: Money,
    /// A lower total than the store knows gives the difference back.
    pub upto: Money,
    /// As this daemon's policy has it, and since when a raise has it so.
    pub limit: Money,
    pub since: Option<Timestamp>,
    pub hard: bool,
}

/// What the fleet's store has of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareAnswer {
    pub pool: Arc<PoolId>,
    pub key: Arc<str>,
    pub total: Money,
    /// Posted and held by all others, and what is held for those that vanished; of a window that slides, what nobody
    /// knows the time of.
    pub others: Spent,
    /// The rest of it, by bucket.
    pub window: Vec<(i64, Spent)>,
    /// By the newest edit of any daemon's policy.
    pub limit: Money,
    /// What the period before has left.
    pub carried: Money,
    /// What nobody has spent or holds a share of.
    pub left: Money,
    /// What others that are there hold and have not drawn, as far as they told.
    pub idle: Money,
    /// What the total is short of the least that was asked for.
    pub lacks: Money,
    /// It is less than was wished for: to ask ahead of need again would give no more.
    pub less: bool,
    /// Others wait for what it has beyond need, or a limit was lowered.
    pub asked_back: bool,
    /// Not all of the fleet has told yet what it spent on a budget that is new in mid-period.
    pub counting: bool,
    /// What the others' requests would have cost without plans, and since when anybody counts.
    pub plan_free: Money,
    pub counted_since: Option<Timestamp>,
}

/// A fleet's side of the books.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fleet {
    pub(super) joined: bool,
    /// The store has not answered for too long: nothing is drawn.
    pub(super) lapsed: bool,
}

/// The store's no.
#[derive(Clone, Copy, Debug)]
struct Refused {
    /// So much and more was not to be had.
    worst: Money,
    at: i64,
    /// Before then only the store's word makes it another answer.
    until: i64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Share {
    pub(super) total: Money,
    pub(super) others: Spent,
    /// What others spent in a window that slides.
    pub(super) window: Vec<(i64, Spent)>,
    pub(super) carried: Money,
    pub(super) plan_free: Money,
    pub(super) counted_since: Option<Timestamp>,
    /// The store knows of it.
    pub(super) known: bool,
    pub(super) answered_at: i64,
    less: bool,
    pub(super) asked_back: bool,
    pub(super) counting: bool,
    pub(super) burn: Burn,
    /// What requests that wait for an answer need together.
    pub(super) waiting: Money,
    pub(super) step: Money,
    pub(super) asked_at: i64,
    refused: Option<Refused>,
    pub(super) told: Spent,
}

impl Share {
    /// Returns by how much the others' spend has grown.
    pub(super) fn answer(&mut self, answer: &ShareAnswer, second: i64) -> Money {
        let sum = |rest: Spent, window: &[(i64, Spent)]| -> Money {
            let window: Money = window.iter().map(|(_, spent)| spent.total()).sum();
            rest.total().plus(window)
        };
        let grown = sum(answer.others, &answer.window).minus(sum(self.others, &self.window));
        (self.total, self.others, self.carried) = (answer.total, answer.others, answer.carried);
        (self.known, self.counting, self.answered_at) = (true, answer.counting, second);
        // What has just been given back is not asked for at once.
        self.less = answer.less || self.asked_back;
        self.asked_back = answer.asked_back;
        self.window.clone_from(&answer.window);
        (self.plan_free, self.counted_since) = (answer.plan_free, answer.counted_since);
        self.waiting = Money::ZERO;
        if answer.lacks == Money::ZERO && (answer.left > Money::ZERO || self.refused.is_some_and(|no| no.asked(second)))
        {
            self.refused = None;
        }
        grown.max(Money::ZERO)
    }

    pub(super) fn wait(&mut self, worst: Money, second: i64) {
        if !(0..BUCKET_SECONDS).contains(&(second - self.asked_at)) {
            (self.step, self.waiting) = (Money::ZERO, Money::ZERO);
        }
        if self.waiting == Money::ZERO {
            self.step = self.step.plus(self.step).max(worst);
        }
        self.asked_at = second;
        self.waiting = self.waiting.plus(worst);
    }

    pub(super) fn refuse(&mut self, worst: Money, second: i64, until: i64) {
        let at = second;
        self.refused = Some(Refused { worst, at, until });
    }

    /// The store has let it be known that there is money again.
    pub(super) fn free(&mut self) {
        self.refused = None;
    }

    /// The store has said that there is not so much, and nothing has changed since.
    pub(super) fn is_refused(&self, worst: Money, second: i64) -> bool {
        self.refused
            .is_some_and(|no| worst >= no.worst && (no.at..no.until).contains(&second))
    }

    /// What was refused and is still wanted: the regular exchange asks for it too.
    pub(super) fn wanted(&self, second: i64) -> Money {
        let recent = self.refused.filter(|no| no.asked(second));
        recent.map_or(Money::ZERO, |no| no.worst)
    }

    pub(super) fn is_short(&self, drawn: Money, second: i64) -> bool {
        let refused = self.refused.is_some_and(|no| (no.at..no.until).contains(&second));
        self.total.minus(drawn) < self.burn.sum(second).scaled_down(1, 3) && !self.less && !refused
    }

    pub(super) fn ahead(&self, second: i64) -> Money {
        let recent = (0..BUCKET_SECONDS).contains(&(second - self.asked_at));
        let step = if recent { self.step } else { Money::ZERO };
        self.burn.sum(second).max(step)
    }

    pub(super) fn burn(&mut self, second: i64, amount: Money) {
        self.burn.add(second, amount);
    }
}

impl Refused {
    fn asked(&self, second: i64) -> bool {
        (0..WANTS_FOR).contains(&(second - self.at))
    }
}

/// Spend by stretches of ten seconds, for the last two minutes.
#[derive(Clone, Debug, Default)]
pub(super) struct Burn([(i64, Money); BUCKETS]);

impl Burn {
    fn add(&mut self, second: i64, amount: Money) {
        let stretch = second.div_euclid(BUCKET_SECONDS);
        let at = stretch.rem_euclid(BUCKETS as i64) as usize;
        if let Some(bucket) = self.0.get_mut(at) {
            let so_far = if bucket.0 == stretch { bucket.1 } else { Money::ZERO };
            *bucket = (stretch, so_far.plus(amount));
        }
    }

    pub(super) fn sum(&self, second: i64) -> Money {
        let now = second.div_euclid(BUCKET_SECONDS);
        let recent = |at: i64| (0..BUCKETS as i64).contains(&(now - at));
        self.0
            .iter()
            .filter(|(at, _)| recent(*at))
            .map(|(_, amount)| *amount)
            .sum()
    }
}
