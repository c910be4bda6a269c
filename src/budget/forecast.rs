//! What a period will cost at its pace so far, and what is spent an hour: estimates for plans, never for admission.
//!
//! The forecast counts what each request would have cost at its first choice without plans, so that a plan that saves
//! money does not end itself. It is silent while too little was seen.

use crate::money::Money;
use crate::period::Span;
use jiff::{SignedDuration, Timestamp};

/// A budget's signals; of a keyed budget those of the key that is worst off, each for itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outlook {
    /// (posted + held) / limit.
    pub used: f64,
    pub remaining: Money,
    pub exhausted: bool,
    /// In the last 60 minutes.
    pub burn: Money,
    /// Over the limit; `None` while too little was seen.
    pub forecast: Option<f64>,
    /// The spend is being found: these are the values from before.
    pub stale: bool,
    pub forecast_stale: bool,
}

/// So many requests, or so much of the period, say something.
const LEAST_REQUESTS: u64 = 100;
const LEAST_SHARE: i64 = 50;

/// How far a period has come, of what was watched of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub span: Span,
    /// Before it nobody counted.
    pub since: Timestamp,
    pub now: Timestamp,
    pub requests: u64,
}

impl Pace {
    /// The whole period's cost; `None` while too little was seen. A burst at the beginning is never taken for the pace of
    /// more than fifty times itself.
    pub(super) fn whole(&self, so_far: Money) -> Option<Money> {
        let Span { start, end } = self.span;
        let whole = milliseconds(end.duration_since(start));
        let least = (whole / LEAST_SHARE).max(1);
        let passed = milliseconds(self.now.duration_since(start.max(self.since)));
        if passed < least && self.requests < LEAST_REQUESTS {
            return None;
        }
        let left = milliseconds(end.duration_since(self.now.clamp(start, end)));
        Some(so_far.plus(so_far.scaled_down(left, passed.max(least))))
    }
}

fn milliseconds(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).max(0)
}

/// Twelve stretches of five minutes.
const STRETCH: i64 = 300;
const STRETCHES: i64 = 12;

/// What was spent in the last 60 minutes.
#[derive(Clone, Debug, Default)]
pub(super) struct HourlyBurn {
    stretches: [(i64, Money); STRETCHES as usize],
}

impl HourlyBurn {
    pub(super) fn add(&mut self, at: Timestamp, amount: Money) {
        let number = at.as_second().div_euclid(STRETCH);
        let place = usize::try_from(number.rem_euclid(STRETCHES)).unwrap_or_default();
        if let Some(stretch) = self.stretches.get_mut(place) {
            match stretch.0.cmp(&number) {
                std::cmp::Ordering::Less => *stretch = (number, amount),
                std::cmp::Ordering::Equal => stretch.1 = stretch.1.plus(amount),
                // From before the hour that is known.
                std::cmp::Ordering::Greater => {}
            }
        }
    }

    pub(super) fn hour(&self, now: Timestamp) -> Money {
        let number = now.as_second().div_euclid(STRETCH);
        let recent = |(at, _): &&(i64, Money)| (0..STRETCHES).contains(&(number - at));
        self.stretches.iter().filter(recent).map(|(_, amount)| *amount).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn november(now: &str, since: &str, requests: u64) -> Pace {
        let span = Span {
            start: at("2026-11-01T00:00:00Z"),
            end: at("2026-12-01T00:00:00Z"),
        };
        let (since, now) = (at(since), at(now));
        Pace {
            span,
            since,
            now,
            requests,
        }
    }

    fn usd(units: i64) -> Money {
        Money::from_nanos(units * crate::money::NANOS_PER_UNIT)
    }

    #[test]
    fn a_third_of_the_month_costs_a_third_of_it() {
        let pace = november("2026-11-11T00:00:00Z", "2026-01-01T00:00:00Z", 5);
        assert_eq!(pace.whole(usd(100)), Some(usd(300)));
    }

    #[test]
    fn who_began_in_the_middle_is_judged_by_what_was_seen() {
        let pace = november("2026-11-21T00:00:00Z", "2026-11-11T00:00:00Z", 5);
        assert_eq!(
            pace.whole(usd(100)),
            Some(usd(200)),
            "ten days for 100, ten more to come"
        );
    }

    #[test]
    fn little_is_silent_and_a_burst_is_not_the_pace_of_the_month() {
        let start = "2026-01-01T00:00:00Z";
        assert_eq!(november("2026-11-01T14:23:59Z", start, 99).whole(usd(1)), None);
        assert!(november("2026-11-01T14:24:00Z", start, 0).whole(usd(1)).is_some());
        let burst = november("2026-11-01T00:01:00Z", start, 100).whole(usd(1)).unwrap();
        assert!(burst > usd(50) && burst < usd(51), "{burst}");
    }

    #[test]
    fn an_hour_is_forgotten_five_minutes_at_a_time() {
        let mut burn = HourlyBurn::default();
        burn.add(at("2026-11-23T12:01:00Z"), usd(1));
        burn.add(at("2026-11-23T12:30:00Z"), usd(2));
        assert_eq!(burn.hour(at("2026-11-23T12:59:00Z")), usd(3));
        assert_eq!(burn.hour(at("2026-11-23T13:00:00Z")), usd(2));
        assert_eq!(burn.hour(at("2026-11-23T13:30:00Z")), usd(0));
        burn.add(at("2026-11-23T13:30:00Z"), usd(4));
        burn.add(at("2026-11-23T12:31:00Z"), usd(8));
        assert_eq!(
            burn.hour(at("2026-11-23T13:30:00Z")),
            usd(4),
            "what is older than the hour is left out"
        );
    }

    proptest! {
        #[test]
        fn a_forecast_is_never_less_than_what_was_counted(
            so_far in 0_i64..1_000_000_000_000, hours in -100_i64..1_000, since in -1_000_i64..1_000, requests in 0_u64..200,
        ) {
            let mut pace = november("2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z", requests);
            pace.now = pace.now.saturating_add(SignedDuration::from_hours(hours)).unwrap();
            pace.since = pace.since.saturating_add(SignedDuration::from_hours(since)).unwrap();
            let so_far = Money::from_nanos(so_far);
            if let Some(whole) = pace.whole(so_far) {
                prop_assert!(whole >= so_far && whole.nanos() <= so_far.nanos().saturating_mul(52));
            }
        }
    }
}
