//! What an endpoint's recent attempts came to: the share that it failed, and how long first content took.
//!
//! Both look at a sliding stretch of time, need a least number of cases to speak, and go on saying what they said last,
//! as stale, when nothing new comes. Counting is O(1).

use crate::uptime::Uptime;
use std::time::Duration;

/// A measured value, fresh or the last that was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    pub value: f64,
    pub stale: bool,
}

/// Stretch of one count of attempts, and how many are looked at together: five minutes.
const SLOT: Duration = Duration::from_secs(30);
const SLOTS: u64 = 10;
/// Fewer attempts say nothing of a rate: two failures of three are bad luck.
const LEAST_ATTEMPTS: u32 = 10;

/// The share of attempts that failed in the last five minutes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ErrorRate {
    slots: [Slot; SLOTS as usize],
    last: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// Which stretch since the start it counts.
    number: u64,
    all: u32,
    failed: u32,
}

impl ErrorRate {
    pub(super) fn note(&mut self, failed: bool, now: Uptime) {
        let number = now.as_secs() / SLOT.as_secs();
        let place = usize::try_from(number % SLOTS).unwrap_or_default();
        if let Some(slot) = self.slots.get_mut(place) {
            if slot.number != number {
                *slot = Slot {
                    number,
                    ..Slot::default()
                };
            }
            slot.all = slot.all.saturating_add(1);
            slot.failed = slot.failed.saturating_add(u32::from(failed));
        }
        self.last = self.recent(now).or(self.last);
    }

    pub(super) fn level(&self, now: Uptime) -> Option<Level> {
        let fresh = self.recent(now).map(|value| Level { value, stale: false });
        fresh.or_else(|| self.last.map(|value| Level { value, stale: true }))
    }

    fn recent(&self, now: Uptime) -> Option<f64> {
        let number = now.as_secs() / SLOT.as_secs();
        let recent = self.slots.iter().filter(|slot| slot.number + SLOTS > number);
        let (all, failed) = recent.fold((0_u32, 0_u32), |(all, failed), slot| {
            (all.saturating_add(slot.all), failed.saturating_add(slot.failed))
        });
        (all >= LEAST_ATTEMPTS).then(|| f64::from(failed) / f64::from(all))
    }
}

/// Two of these stretches are looked at together: five to ten minutes.
const HALF: Duration = Duration::from_secs(300);
const LEAST_STREAMS: u32 = 20;
/// From 5 ms up, each class a tenth longer than the one before it: to over ten minutes.
const CLASSES: usize = 128;
const SHORTEST: f64 = 0.005;
const STEP: f64 = 1.1;
const SHARE: f64 = 0.95;

/// The time to the first content that 95 of 100 streams kept, to within a tenth.
#[derive(Clone, Debug)]
pub(super) struct FirstTokens {
    present: [u32; CLASSES],
    before: [u32; CLASSES],
    number: u64,
    last: Option<f64>,
}

impl Default for FirstTokens {
    fn default() -> Self {
        Self {
            present: [0; CLASSES],
            before: [0; CLASSES],
            number: 0,
            last: None,
        }
    }
}

impl FirstTokens {
    pub(super) fn note(&mut self, after: Duration, now: Uptime) {
        self.roll(now);
        let class = (after.as_secs_f64().max(SHORTEST) / SHORTEST).ln() / STEP.ln();
        let class = (class as usize).min(CLASSES - 1);
        if let Some(count) = self.present.get_mut(class) {
            *count = count.saturating_add(1);
        }
    }

    pub(super) fn level(&self, now: Uptime) -> Option<Level> {
        let mut rolled = self.clone();
        rolled.roll(now);
        let fresh = rolled.bound().map(|value| Level { value, stale: false });
        fresh.or_else(|| rolled.last.map(|value| Level { value, stale: true }))
    }

    fn roll(&mut self, now: Uptime) {
        let number = now.as_secs() / HALF.as_secs();
        if number == self.number {
            return;
        }
        self.last = self.bound().or(self.last);
        self.before = if number == self.number + 1 {
            self.present
        } else {
            [0; CLASSES]
        };
        self.present = [0; CLASSES];
        self.number = number;
    }

    fn bound(&self) -> Option<f64> {
        let counts = || {
            self.present
                .iter()
                .zip(&self.before)
                .map(|(one, other)| one.saturating_add(*other))
        };
        let all = counts().fold(0_u32, u32::saturating_add);
        if all < LEAST_STREAMS {
            return None;
        }
        let wanted = (f64::from(all) * SHARE).ceil();
        let mut seen = 0.0;
        let class = counts().position(|count| {
            seen += f64::from(count);
            seen >= wanted
        })?;
        // The upper end: it was kept.
        Some(SHORTEST * STEP.powi(i32::try_from(class).ok()? + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Uptime {
        Duration::from_secs(seconds)
    }

    #[test]
    fn an_error_rate_needs_ten_attempts_and_forgets_after_five_minutes() {
        let mut rate = ErrorRate::default();
        for second in 0..9 {
            rate.note(second < 3, at(second));
        }
        assert_eq!(rate.level(at(9)), None, "nine are too few");
        rate.note(false, at(9));
        let fresh = |value| Some(Level { value, stale: false });
        assert_eq!(rate.level(at(9)), fresh(0.3));
        assert_eq!(rate.level(at(299)), fresh(0.3));
        assert_eq!(
            rate.level(at(300)),
            Some(Level {
                value: 0.3,
                stale: true
            }),
            "the last value stays"
        );
        for _ in 0..10 {
            rate.note(true, at(400));
        }
        assert_eq!(rate.level(at(400)), fresh(1.0));
    }

    #[test]
    fn the_slow_twentieth_shows_in_the_first_token() {
        let mut tokens = FirstTokens::default();
        for _ in 0..95 {
            tokens.note(Duration::from_millis(500), at(10));
        }
        for _ in 0..5 {
            tokens.note(Duration::from_secs(30), at(20));
        }
        let level = tokens.level(at(20)).unwrap();
        assert!((0.5..0.56).contains(&level.value) && !level.stale, "{level:?}");
        tokens.note(Duration::from_secs(30), at(20));
        let level = tokens.level(at(310)).unwrap();
        assert!((30.0..33.1).contains(&level.value) && !level.stale, "{level:?}");
        let old = tokens.level(at(900)).unwrap();
        assert!(old.stale && old.value == level.value, "{old:?}");
    }

    #[test]
    fn few_streams_say_nothing_and_odd_times_do_no_harm() {
        let mut tokens = FirstTokens::default();
        for _ in 0..19 {
            tokens.note(Duration::ZERO, at(0));
        }
        assert_eq!(tokens.level(at(0)), None);
        tokens.note(Duration::MAX, at(0));
        assert!(tokens.level(at(0)).is_some());
    }
}
