//! Calendars of days off, by which windows of time leave days out.

use jiff::civil::Date;
use std::sync::Arc;

/// Ranges of dates, both ends inclusive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar(Arc<[(Date, Date)]>);

impl Calendar {
    pub fn new(ranges: Vec<(Date, Date)>) -> Self {
        Self(ranges.into())
    }

    /// `2027-01-01`, or `2027-02-05..2027-02-11` with both ends in.
    pub fn parse_days(text: &str) -> Option<(Date, Date)> {
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        let (first, last): (Date, Date) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (first <= last).then_some((first, last))
    }

    /// The days of both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self(self.0.iter().chain(other.0.iter()).copied().collect())
    }

    /// How many days off there are.
    pub fn days(&self) -> u32 {
        let span = |(first, last): &(Date, Date)| first.until(*last).map_or(0, |span| span.get_days().unsigned_abs());
        self.0.iter().map(|range| span(range) + 1).sum()
    }

    pub fn contains(&self, date: Date) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&date))
    }
}
