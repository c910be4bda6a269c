//! Windows of time: hours of chosen weekdays in a zone, between two dates.
//!
//! Told by the wall: an hour that a clock change repeats lies in a window twice, one that it skips never. An interval
//! that passes midnight belongs to the day on which it begins. No clock is read here.

use super::calendar::Calendar;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use std::fmt;

const DAY: u16 = 24 * 60;
/// [`Window::meets`] looks at each day of so long a time.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 14);

/// From one time of day to another, in minutes; where the end is not after the begin, it is the next day's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hours {
    begin: u16,
    end: u16,
}

impl Hours {
    /// `09:00-18:00`, `22:00-06:00`, `18:00-24:00`; `None` for anything else, and for an interval of no length.
    pub fn parse(text: &str) -> Option<Self> {
        let (begin, end) = text.split_once('-')?;
        let (begin, end) = (time_of_day(begin.trim())?, time_of_day(end.trim())?);
        (begin < DAY && begin != end && end > 0).then_some(Self { begin, end })
    }

    const fn passes_midnight(self) -> bool {
        self.end < self.begin
    }
}

fn time_of_day(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |part: &str| {
        let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| part.parse::<u16>().ok()).flatten()
    };
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    let time = hours * 60 + minutes;
    (minutes < 60 && time <= DAY).then_some(time)
}

/// A set of weekdays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Days(u8);

/// As the policy and conditions write them.
pub const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Days {
    pub const ALL: Self = Self(0b111_1111);
    pub const NONE: Self = Self(0);

    /// `mon`, or a run of days such as `mon-fri` or `sat-sun`; a run may pass the week's end.
    pub fn parse(text: &str) -> Option<Self> {
        let day = |word: &str| WEEKDAYS.iter().position(|known| *known == word.trim());
        let (first, last) = match text.split_once('-') {
            Some((first, last)) => (day(first)?, day(last)?),
            None => (day(text)?, day(text)?),
        };
        let length = (last + 7 - first) % 7;
        Some((0..=length).fold(Self::NONE, |days, step| Self(days.0 | 1 << ((first + step) % 7))))
    }

    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn has(self, day: Weekday) -> bool {
        self.0 & 1 << day.to_monday_zero_offset() != 0
    }
}

/// All that is given must hold; what is not given is no bound.
#[derive(Clone, Debug)]
pub struct Window {
    pub zone: TimeZone,
    pub days: Days,
    /// Empty: the whole day.
    pub hours: Vec<Hours>,
    /// The first day.
    pub from: Option<Date>,
    /// The last day.
    pub until: Option<Date>,
    /// Days that are left out.
    pub except: Calendar,
}

impl Window {
    pub fn contains(&self, at: Timestamp) -> bool {
        let now = at.to_zoned_datetime(self.zone.clone()).datetime();
        let today = now.date();
        if self.hours.is_empty() {
            return self.has_day(today);
        }
        let minute = minute_of(now);
        self.hours.iter().any(|hours| {
            let begun_today = minute >= hours.begin && (minute < hours.end || hours.passes_midnight());
            let begun_yesterday = hours.passes_midnight() && minute < hours.end;
            begun_today && self.has_day(today) || begun_yesterday && self.has_day(today.saturating_sub(1.day()))
        })
    }

    /// Does it hold at any instant from `from` to `until`, both included?
    pub fn meets(&self, from: Timestamp, until: Timestamp) -> bool {
        if self.contains(from) || self.contains(until) {
            return true;
        }
        // Neither end lies in it: then one of its beginnings lies between them.
        let local = |at: Timestamp| at.to_zoned_datetime(self.zone.clone()).datetime();
        let (first, last) = (local(from), local(until));
        let whole = [Hours { begin: 0, end: DAY }];
        let hours = if self.hours.is_empty() {
            &whole
        } else {
            self.hours.as_slice()
        };
        let mut day = first.date();
        while day <= last.date() {
            let begins = |hours: &Hours| {
                let begin = day.at(0, 0, 0, 0).saturating_add(i64::from(hours.begin).minutes());
                (first..=last).contains(&begin)
            };
            if self.has_day(day) && hours.iter().any(begins) {
                return true;
            }
            match day.tomorrow() {
                Ok(next) if next.duration_since(first.date()) <= LONGEST => day = next,
                // Whoever asks about weeks is told yes.
                _ => return true,
            }
        }
        false
    }

    /// No instant after `at` lies in it.
    pub fn is_over(&self, at: Timestamp) -> bool {
        let Some(until) = self.until else { return false };
        let today = at.to_zoned_datetime(self.zone.clone()).datetime().date();
        // An interval that passes midnight may go on for a day after the last one begins.
        today > until && !self.contains(at)
    }

    fn has_day(&self, day: Date) -> bool {
        let begun = self.from.is_none_or(|from| from <= day);
        let lasts = self.until.is_none_or(|until| day <= until);
        begun && lasts && self.days.has(day.weekday()) && !self.except.contains(day)
    }
}

fn minute_of(now: DateTime) -> u16 {
    u16::from(now.hour().unsigned_abs()) * 60 + u16::from(now.minute().unsigned_abs())
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clock = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        write!(f, "{}-{}", clock(self.begin), clock(self.end))
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = (0..7).filter(|day| self.0 & 1 << day != 0);
        f.write_str(
            &days
                .filter_map(|day| WEEKDAYS.get(day).copied())
                .collect::<Vec<_>>()
                .join(" "),
        )
    }
}

/// For people: `mon tue 22:00-06:00 Asia/Shanghai from 2027-01-01 until 2027-02-01`.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.days != Days::ALL {
            parts.push(self.days.to_string());
        }
        parts.extend(self.hours.iter().map(Hours::to_string));
        parts.extend(self.zone.iana_name().map(str::to_owned));
        parts.extend(self.from.map(|date| format!("from {date}")));
        parts.extend(self.until.map(|date| format!("until {date}")));
        if self.except != Calendar::default() {
            parts.push(format!("except {} days off", self.except.days()));
        }
        f.write_str(&parts.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn window(zone: &str, days: &str, hours: &[&str]) -> Window {
        Window {
            zone: TimeZone::get(zone).unwrap(),
            days: Days::parse(days).unwrap(),
            hours: hours.iter().map(|text| Hours::parse(text).unwrap()).collect(),
            from: None,
            until: None,
            except: Calendar::default(),
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn hours_begin_with_their_first_minute_and_end_before_their_last() {
        let office = window("UTC", "mon-fri", &["09:00-12:00", "13:00-18:00"]);
        // 2026-11-23 is a Monday.
        for (time, inside) in [
            ("2026-11-23T08:59:59Z", false),
            ("2026-11-23T09:00:00Z", true),
            ("2026-11-23T11:59:59Z", true),
            ("2026-11-23T12:00:00Z", false),
            ("2026-11-23T17:59:59Z", true),
            ("2026-11-28T10:00:00Z", false),
        ] {
            assert_eq!(office.contains(at(time)), inside, "{time}");
        }
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let night = window("UTC", "fri", &["22:00-06:00"]);
        for (time, inside) in [
            ("2026-11-27T05:00:00Z", false),
            ("2026-11-27T22:00:00Z", true),
            ("2026-11-28T05:59:59Z", true),
            ("2026-11-28T06:00:00Z", false),
            ("2026-11-28T22:30:00Z", false),
        ] {
            assert_eq!(night.contains(at(time)), inside, "{time}");
        }
    }

    #[test]
    fn dates_are_whole_days_of_the_zone_and_both_count() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let (from, until) = (Some("2027-01-01".parse().unwrap()), Some("2027-01-02".parse().unwrap()));
        let days = Window {
            zone,
            days: Days::ALL,
            hours: Vec::new(),
            from,
            until,
            except: Calendar::default(),
        };
        assert!(!days.contains(at("2026-12-31T15:59:59Z")));
        assert!(days.contains(at("2026-12-31T16:00:00Z")));
        assert!(days.contains(at("2027-01-02T15:59:59Z")));
        assert!(!days.contains(at("2027-01-02T16:00:00Z")));
        assert!(!days.is_over(at("2027-01-02T15:59:59Z")) && days.is_over(at("2027-01-02T16:00:00Z")));
        let night = Window {
            hours: vec![Hours::parse("22:00-06:00").unwrap()],
            ..days
        };
        assert!(
            night.contains(at("2027-01-02T21:00:00Z")),
            "the last night goes on into the next day"
        );
        assert!(!night.is_over(at("2027-01-02T21:00:00Z")) && night.is_over(at("2027-01-02T22:00:00Z")));
    }

    #[test]
    fn an_hour_that_comes_twice_is_in_twice_and_one_that_is_skipped_never() {
        let small = window("Europe/Berlin", "sun", &["02:00-03:00"]);
        // Clocks go back on 2026-10-25 at 01:00 UTC, and forward on 2027-03-28 at 01:00 UTC.
        assert!(small.contains(at("2026-10-25T00:30:00Z")) && small.contains(at("2026-10-25T01:30:00Z")));
        assert!(!small.contains(at("2026-10-25T02:00:00Z")));
        assert!(!small.contains(at("2027-03-28T00:59:59Z")) && !small.contains(at("2027-03-28T01:00:00Z")));
    }

    #[test]
    fn words_that_are_no_hours_or_days_are_refused() {
        for text in [
            "",
            "9:00-12:00",
            "09:00",
            "09:00-09:00",
            "24:00-06:00",
            "09:60-10:00",
            "09:00-25:00",
            "22:00-00:00",
        ] {
            assert_eq!(Hours::parse(text), None, "{text}");
        }
        assert_eq!(Hours::parse("18:00-24:00").unwrap().to_string(), "18:00-24:00");
        for text in ["", "monday", "mon-", "x-fri"] {
            assert_eq!(Days::parse(text), None, "{text}");
        }
        assert_eq!(Days::parse("sat-mon").unwrap().to_string(), "mon sat sun");
    }

    proptest! {
        /// Whatever the hours, a window and its complement share no minute and leave none out.
        #[test]
        fn an_interval_and_its_complement_are_the_whole_day(begin in 0_u16..1440, end in 1_u16..=1440, minute in 0_i64..20_000) {
            prop_assume!(begin != end && begin != end % DAY && begin > 0);
            let one = |begin, end| Window { zone: TimeZone::UTC, days: Days::ALL, hours: vec![Hours { begin, end }], from: None, until: None, except: Calendar::default() };
            let at = Timestamp::from_second(1_795_000_000 + minute * 60).unwrap();
            let (inside, outside) = (one(begin, end), one(end % DAY, begin));
            prop_assert!(inside.contains(at) != outside.contains(at));
        }
    }
}
