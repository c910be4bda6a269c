//! Calendar periods in a time zone: which day, week or month an instant belongs to, exact over DST changes.
//!
//! A period is found by wall time, so a clock that steps back finds the old period again. No clock is read here.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, ZonedDateTime};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    Day,
    /// Begins on Monday (ISO 8601).
    Week,
    Month,
}

/// From `start` (inclusive) to `end` (exclusive).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    pub start: Timestamp,
    pub end: Timestamp,
}

impl Period {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The period of this kind that contains `at` in `zone`.
    pub fn span(self, at: Timestamp, zone: &TimeZone) -> Span {
        let now = at.to_zoned_datetime(zone.clone());
        let today = now.date();
        let (first, length) = match self {
            Self::Day => (today, 1.day()),
            Self::Week => {
                let back = i64::from(today.weekday().since(Weekday::Monday));
                (today.saturating_sub(back.days()), 1.week())
            }
            Self::Month => (today.first_of_month(), 1.month()),
        };
        let instant = |date: jiff::civil::Date| {
            date.to_zoned_datetime(zone.clone())
                .map(|z: ZonedDateTime| z.timestamp())
        };
        Span {
            start: instant(first).unwrap_or(Timestamp::MIN),
            end: instant(first.saturating_add(length)).unwrap_or(Timestamp::MAX),
        }
    }
}

impl Span {
    pub fn contains(&self, at: Timestamp) -> bool {
        self.start <= at && at < self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(period: Period, at: &str, zone: &str) -> (String, String) {
        let span = period.span(at.parse().unwrap(), &TimeZone::get(zone).unwrap());
        (span.start.to_string(), span.end.to_string())
    }

    #[test]
    fn a_month_begins_at_local_midnight() {
        let expected = ("2026-10-31T16:00:00Z".to_owned(), "2026-11-30T16:00:00Z".to_owned());
        assert_eq!(span(Period::Month, "2026-11-23T10:00:00Z", "Asia/Shanghai"), expected);
        assert_eq!(
            span(Period::Month, "2026-10-31T16:00:00Z", "Asia/Shanghai"),
            expected,
            "the first instant"
        );
        assert_ne!(
            span(Period::Month, "2026-10-31T15:59:59Z", "Asia/Shanghai"),
            expected,
            "the instant before"
        );
    }

    #[test]
    fn the_day_that_loses_an_hour_has_twenty_three() {
        let expected = ("2026-03-29T00:00:00Z".to_owned(), "2026-03-29T23:00:00Z".to_owned());
        assert_eq!(span(Period::Day, "2026-03-29T12:00:00Z", "Europe/London"), expected);
    }

    #[test]
    fn a_day_that_a_country_skipped_belongs_to_no_period() {
        let before = span(Period::Day, "2011-12-30T09:59:59Z", "Pacific/Apia");
        let after = span(Period::Day, "2011-12-30T10:00:00Z", "Pacific/Apia");
        assert_eq!(
            (before.1.as_str(), after.0.as_str()),
            ("2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z")
        );
    }

    #[test]
    fn a_week_begins_on_monday() {
        let expected = ("2026-11-23T00:00:00Z".to_owned(), "2026-11-30T00:00:00Z".to_owned());
        assert_eq!(span(Period::Week, "2026-11-23T00:00:00Z", "UTC"), expected);
        assert_eq!(
            span(Period::Week, "2026-11-29T23:59:59Z", "UTC"),
            expected,
            "Sunday is the last day"
        );
    }

    proptest! {
        #[test]
        fn every_instant_lies_in_its_period_and_periods_meet(seconds in 0_i64..4_000_000_000, zone in 0..9_usize, kind in 0..3_usize) {
            let zone = TimeZone::get(["UTC", "Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia", "America/Havana", "Africa/Cairo", "Asia/Beirut"][zone]).unwrap();
            let period = [Period::Day, Period::Week, Period::Month][kind];
            let at = Timestamp::from_second(seconds).unwrap();
            let span = period.span(at, &zone);
            prop_assert!(span.contains(at));
            let next = period.span(span.end, &zone);
            prop_assert_eq!(next.start, span.end);
        }
    }
}
