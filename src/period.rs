//! Calendar and fiscal periods in a time zone: which hour, day, month or year an instant belongs to, exact over DST.
//!
//! A period is found by wall time, so a clock that steps back finds the old period again. No clock is read here.

pub mod calendar;
mod rolling;
pub mod window;

pub use rolling::{BUCKETS, Rolling};

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, ZonedDateTime};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    Hour,
    Day,
    /// Begins on Monday (ISO 8601).
    Week,
    Month,
    Quarter,
    Year,
}

/// When periods begin, where not with the calendar: a fiscal year from April, a day from six in the morning.
///
/// Only what the period is longer than counts: the hour for a day, the weekday for a week, and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Start {
    /// 1 to 12: of a year, and of the quarters counted from it.
    pub month: i8,
    /// 1 to 28, so that every month has it.
    pub day: i8,
    pub weekday: Weekday,
    /// 0 to 23: of a day.
    pub hour: i8,
}

impl Default for Start {
    fn default() -> Self {
        Self {
            month: 1,
            day: 1,
            weekday: Weekday::Monday,
            hour: 0,
        }
    }
}

/// From `start` (inclusive) to `end` (exclusive).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    pub start: Timestamp,
    pub end: Timestamp,
}

impl Period {
    pub const ALL: [Self; 6] = [
        Self::Hour,
        Self::Day,
        Self::Week,
        Self::Month,
        Self::Quarter,
        Self::Year,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }

    /// The period of the calendar that contains `at` in `zone`.
    pub fn span(self, at: Timestamp, zone: &TimeZone) -> Span {
        self.span_from(Start::default(), at, zone)
    }

    /// The period that contains `at` in `zone`, where periods begin at `start`.
    pub fn span_from(self, start: Start, at: Timestamp, zone: &TimeZone) -> Span {
        let now = at.to_zoned_datetime(zone.clone()).datetime();
        let today = now.date();
        let (first, length) = match self {
            Self::Hour => (today.at(now.hour(), 0, 0, 0), 1.hour()),
            Self::Day => {
                let back = i64::from(now.hour() < start.hour);
                (today.saturating_sub(back.days()).at(start.hour, 0, 0, 0), 1.day())
            }
            Self::Week => {
                let back = i64::from(today.weekday().since(start.weekday));
                (midnight(today.saturating_sub(back.days())), 1.week())
            }
            Self::Month => (midnight(months_from(start.day, 0, 1, today)), 1.month()),
            Self::Quarter => (midnight(months_from(start.day, start.month, 3, today)), 3.months()),
            Self::Year => (midnight(months_from(start.day, start.month, 12, today)), 1.year()),
        };
        let instant = |date: DateTime| {
            date.to_zoned_datetime(zone.clone())
                .map(|zoned: ZonedDateTime| zoned.timestamp())
        };
        Span {
            start: instant(first).unwrap_or(Timestamp::MIN),
            end: instant(first.saturating_add(length)).unwrap_or(Timestamp::MAX),
        }
    }
}

const fn midnight(date: Date) -> DateTime {
    date.at(0, 0, 0, 0)
}

/// The last day on or before `today` that is the `day` of a month which is a whole number of `each` months from `month`.
fn months_from(day: i8, month: i8, each: i32, today: Date) -> Date {
    let begun = if today.day() < day { 1 } else { 0 };
    let since = i32::from(today.month()) - begun - i32::from(month);
    let back = since.rem_euclid(each) + begun;
    let first = today.first_of_month().saturating_sub(back.months());
    first.saturating_add(i64::from(day - 1).days())
}

/// The end of what has none, to the second, as everything that is written down.
const FOREVER: Timestamp = Timestamp::constant(253_402_200_000, 0);

impl Span {
    /// From a beginning on for ever; all before it while it has not come.
    pub fn since(first: Option<Timestamp>, at: Timestamp) -> Self {
        let first = first.unwrap_or(Timestamp::UNIX_EPOCH);
        if at < first {
            return Self {
                start: Timestamp::UNIX_EPOCH,
                end: first,
            };
        }
        Self {
            start: first,
            end: FOREVER,
        }
    }

    /// It never ends: of a credit.
    pub fn is_endless(&self) -> bool {
        self.end == FOREVER
    }

    pub fn contains(&self, at: Timestamp) -> bool {
        self.start <= at && at < self.end
    }
}

#[cfg(test)]
mod tests {
    mod zones;

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
    fn fiscal_periods_begin_where_they_are_told_to() {
        let from = |period: Period, at: &str, start: Start| {
            let span = period.span_from(start, at.parse().unwrap(), &TimeZone::UTC);
            (span.start.to_string(), span.end.to_string())
        };
        let april = Start {
            month: 4,
            day: 6,
            ..Start::default()
        };
        let expect = |start: &str, end: &str| (format!("{start}T00:00:00Z"), format!("{end}T00:00:00Z"));
        let at = "2026-04-05T23:59:59Z";
        assert_eq!(from(Period::Year, at, april), expect("2025-04-06", "2026-04-06"));
        assert_eq!(from(Period::Quarter, at, april), expect("2026-01-06", "2026-04-06"));
        assert_eq!(from(Period::Month, at, april), expect("2026-03-06", "2026-04-06"));
        assert_eq!(
            from(Period::Year, "2026-04-06T00:00:00Z", april),
            expect("2026-04-06", "2027-04-06")
        );
        let six = Start {
            hour: 6,
            ..Start::default()
        };
        let day = ("2026-04-04T06:00:00Z".to_owned(), "2026-04-05T06:00:00Z".to_owned());
        assert_eq!(from(Period::Day, "2026-04-05T05:59:59Z", six), day);
        let sunday = Start {
            weekday: Weekday::Sunday,
            ..Start::default()
        };
        assert_eq!(
            from(Period::Week, "2026-11-28T12:00:00Z", sunday),
            expect("2026-11-22", "2026-11-29")
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
        fn every_instant_lies_in_its_period_and_periods_meet(
            seconds in 0_i64..4_000_000_000, zone in 0..9_usize, kind in 0..6_usize,
            (month, day, weekday, hour) in (1..13_i8, 1..29_i8, 1..8_i8, 0..24_i8),
        ) {
            let zone = TimeZone::get(["UTC", "Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia", "America/Havana", "Africa/Cairo", "Asia/Beirut"][zone]).unwrap();
            let period = Period::ALL[kind];
            let start = Start { month, day, weekday: Weekday::from_monday_one_offset(weekday).unwrap(), hour };
            let at = Timestamp::from_second(seconds).unwrap();
            let span = period.span_from(start, at, &zone);
            prop_assert!(span.contains(at), "{at} in {span:?}");
            let next = period.span_from(start, span.end, &zone);
            prop_assert_eq!(next.start, span.end);
        }
    }
}
