//! Hours of certain days in a time zone, without the days of a calendar: when a peak or off-peak rate is in force.
//!
//! Wall time decides, so an hour that a change of clocks repeats counts twice and one that it skips never comes.

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use std::sync::Arc;

/// Days off: ranges of dates, both ends inclusive, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar(Arc<[(Date, Date)]>);

impl Calendar {
    pub fn new(mut ranges: Vec<(Date, Date)>) -> Self {
        ranges.sort_unstable();
        Self(ranges.into())
    }

    pub fn contains(&self, date: Date) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&date))
    }

    /// The last date that it says anything about.
    pub fn last(&self) -> Option<Date> {
        self.0.iter().map(|(_, last)| *last).max()
    }
}

/// Minutes of a day, the end exclusive; an end that is not after the start is on the next day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    pub from: u16,
    pub until: u16,
}

const DAY: u16 = 24 * 60;

#[derive(Clone, Debug)]
pub struct Window {
    pub name: Arc<str>,
    pub zone: TimeZone,
    /// Monday to Sunday: on which of them its hours begin.
    pub days: [bool; 7],
    /// In the order of the day.
    pub hours: Vec<Hours>,
    pub except: Calendar,
}

impl Window {
    pub fn contains(&self, at: Timestamp) -> bool {
        let now = self.zone.to_datetime(at);
        let minute = minute_of(now);
        let date = now.date();
        let today = self.begins_on(date)
            && self
                .hours
                .iter()
                .any(|hours| minute >= hours.from && (hours.until <= hours.from || minute < hours.until));
        today || {
            let mut over = self.hours.iter().filter(|hours| hours.until <= hours.from);
            over.any(|hours| minute < hours.until) && date.yesterday().is_ok_and(|before| self.begins_on(before))
        }
    }

    /// Is it in force at any instant from `from` to `until`, both included?
    pub fn meets(&self, from: Timestamp, until: Timestamp) -> bool {
        if self.contains(from) || self.contains(until) {
            return true;
        }
        // Neither end lies in it: then one of its beginnings lies between them.
        let (first, last) = (self.zone.to_datetime(from), self.zone.to_datetime(until));
        let mut date = first.date();
        while date <= last.date() {
            let begins = |hours: &Hours| {
                let begin = date.at(0, 0, 0, 0).saturating_add(i64::from(hours.from).minutes());
                (first..=last).contains(&begin)
            };
            if self.begins_on(date) && self.hours.iter().any(begins) {
                return true;
            }
            let Ok(next) = date.tomorrow() else { return false };
            date = next;
            // A request lasts hours at most; who asks about weeks meets every window.
            if date.duration_since(first.date()) > SignedDuration::from_hours(24 * 14) {
                return true;
            }
        }
        false
    }

    fn begins_on(&self, date: Date) -> bool {
        let day = usize::try_from(date.weekday().since(Weekday::Monday)).unwrap_or(0);
        self.days.get(day) == Some(&true) && !self.except.contains(date)
    }
}

fn minute_of(now: DateTime) -> u16 {
    let minute = i32::from(now.hour()) * 60 + i32::from(now.minute());
    u16::try_from(minute).unwrap_or(DAY)
}
