//! A rate as a bucket that fills evenly: `600/min` lets 600 through at once and one more each 100 ms.
//!
//! The arithmetic of what passes is governor's; here are the time as an argument, giving back and charging more.

use crate::policy::snapshot::Rate;
use crate::uptime::Uptime;
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{Quota, RateLimiter};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// More units than this are counted in grains of several: governor counts in 32 bits, and a unit in whole nanoseconds.
const MOST_GRAINS: u64 = 1_000_000;

/// Nanoseconds that two parties see: the time that is now, or when the bucket is full again.
#[derive(Clone, Debug, Default)]
struct Shared(Arc<AtomicU64>);

impl Clock for Shared {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.load(Relaxed))
    }
}

impl StateStore for Shared {
    type Key = NotKeyed;

    /// Whoever has the bucket has it alone.
    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let (answer, next) = decide(Some(Nanos::from(self.0.load(Relaxed))))?;
        self.0.store(next.as_u64(), Relaxed);
        Ok(answer)
    }
}

type Limiter = RateLimiter<NotKeyed, Shared, Shared, NoOpMiddleware<Duration>>;

#[derive(Debug)]
pub(super) struct Bucket {
    pub rate: Rate,
    limiter: Limiter,
    now: Shared,
    /// When the bucket is full again.
    full_at: Shared,
    /// Units in one grain.
    grain: u64,
    grains: NonZeroU32,
    /// Nanoseconds that one grain takes to fill.
    each: u64,
}

impl Bucket {
    pub fn new(rate: Rate) -> Self {
        let grain = rate.count.div_ceil(MOST_GRAINS).max(1);
        let grains = u32::try_from(rate.count / grain).ok().and_then(NonZeroU32::new);
        let grains = grains.unwrap_or(NonZeroU32::MIN);
        let each = (rate.per / grains.get()).max(Duration::from_nanos(1));
        let quota = Quota::with_period(each).unwrap_or(Quota::per_second(grains));
        let (now, full_at) = (Shared::default(), Shared::default());
        Self {
            rate,
            limiter: RateLimiter::new(quota.allow_burst(grains), full_at.clone(), now.clone()),
            now,
            full_at,
            grain,
            grains,
            each: nanos(each),
        }
    }

    /// Takes them, or says how long until they would be there.
    pub fn take(&mut self, units: u64, at: Uptime) -> Result<(), Duration> {
        let Some(grains) = self.grains_of(units) else {
            return Ok(());
        };
        self.now.0.store(nanos(at), Relaxed);
        match self.limiter.check_n(grains) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(not_until)) => Err(not_until.wait_time_from(at).max(Duration::from_millis(1))),
            // Never: what is asked for is at most the whole.
            Err(_) => Err(self.rate.per),
        }
    }

    /// As [`Bucket::take`], and nothing is taken.
    pub fn look(&mut self, units: u64, at: Uptime) -> Result<(), Duration> {
        let before = self.full_at.0.load(Relaxed);
        let answer = self.take(units, at);
        self.full_at.0.store(before, Relaxed);
        answer
    }

    /// `taken` were asked for, and `used` it came to.
    pub fn correct(&mut self, taken: u64, used: u64) {
        let grains = |units: u64| self.grains_of(units).map_or(0, |grains| u64::from(grains.get()));
        // What is used beyond the whole is charged all the same.
        let (taken, used) = (grains(taken), used.div_ceil(self.grain));
        let full_at = self.full_at.0.load(Relaxed);
        let moved = if used >= taken {
            full_at.saturating_add((used - taken).saturating_mul(self.each))
        } else {
            full_at.saturating_sub((taken - used).saturating_mul(self.each))
        };
        self.full_at.0.store(moved, Relaxed);
    }

    /// What is left now, and when it is full again.
    pub fn left(&self, at: Uptime) -> (u64, Duration) {
        let empty = self.full_at.0.load(Relaxed).saturating_sub(nanos(at));
        let gone = empty.div_ceil(self.each);
        let left = u64::from(self.grains.get()).saturating_sub(gone);
        (left.saturating_mul(self.grain), Duration::from_nanos(empty))
    }

    /// What was taken under another rate stays taken.
    pub fn carry(&mut self, before: &Self, at: Uptime) {
        let (left, _) = before.left(at);
        let gone = before.rate.count.saturating_sub(left).min(self.rate.count);
        let filling = gone.div_ceil(self.grain).saturating_mul(self.each);
        self.full_at.0.store(nanos(at).saturating_add(filling), Relaxed);
    }

    /// At most the whole: a request larger than the bucket passes when it is full.
    fn grains_of(&self, units: u64) -> Option<NonZeroU32> {
        let grains = u32::try_from(units.div_ceil(self.grain)).unwrap_or(u32::MAX);
        NonZeroU32::new(grains.min(self.grains.get()))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
