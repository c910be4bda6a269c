//! What was spent in each whole hour of the last weeks. An hour of which nothing is known cost nothing; before the first
//! record nobody watched.

use crate::money::Money;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Eight weeks: each hour of the week eight times.
pub const MOST_HOURS: i64 = 8 * 168;
pub(super) const SECONDS: i64 = 3_600;

/// Hours of UTC, counted from 1970.
pub fn hour_of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(SECONDS)
}

/// When an hour begins.
pub fn hour_at(hour: i64) -> Timestamp {
    let end = if hour < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_second(hour.saturating_mul(SECONDS)).unwrap_or(end)
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    since: Option<Timestamp>,
    /// The hour after the last one that is known.
    until: i64,
    sums: BTreeMap<i64, Money>,
}

/// One hour that was watched, in whole or from some moment on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watched {
    pub hour: i64,
    pub seconds: u64,
    pub spent: u64,
}

impl History {
    /// The hours from `from` to before `until` cost so much, whatever was thought of them before. `first` is when anything
    /// was recorded at all.
    pub fn learn(&mut self, first: Timestamp, from: i64, until: i64, sums: &[(i64, Money)]) {
        self.until = self.until.max(until);
        let oldest = self.until.saturating_sub(MOST_HOURS);
        self.since = Some(first.max(hour_at(oldest)));
        self.sums
            .retain(|hour, _| *hour >= oldest && !(from..until).contains(hour));
        for (hour, sum) in sums.iter().filter(|(hour, _)| *hour >= oldest && *hour < until) {
            let known = self.sums.entry(*hour).or_default();
            *known = known.plus(*sum);
        }
    }

    /// The hour after the last one that is known; `None` before any.
    pub fn until(&self) -> Option<i64> {
        self.since.map(|_| self.until)
    }

    /// Hours from the oldest to the newest. What came back in an hour (a hold that was released) is no spend of it.
    pub(super) fn watched(&self) -> impl Iterator<Item = Watched> {
        let since = self.since.unwrap_or(Timestamp::MAX);
        let first = hour_of(since);
        (first..self.until).map(move |hour| {
            let late = if hour == first {
                since.as_second() - hour_at(hour).as_second()
            } else {
                0
            };
            let spent = self.sums.get(&hour).map_or(0, |sum| sum.nanos().max(0));
            Watched {
                hour,
                seconds: (SECONDS - late).clamp(1, SECONDS).unsigned_abs(),
                spent: spent.unsigned_abs(),
            }
        })
    }
}
