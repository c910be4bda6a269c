//! Dates and instants as policies write them: a day of the calendar in the policy's zone, or a full RFC 3339 time.

use super::Resolver;
use crate::policy::mask::shown;
use crate::policy::source::Word;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

impl Resolver<'_, '_> {
    /// The first instant of a day in the policy's zone, or the instant that is written out.
    pub fn instant(&mut self, word: Option<&Word>) -> Option<Timestamp> {
        let word = word.filter(|word| !word.broken)?;
        let found = match date(&word.text) {
            Some(day) => first_instant(day, &self.zone),
            None => word.text.parse().ok(),
        };
        if found.is_none() {
            let message = format!("`{}` is no date", shown(&word.text));
            self.report
                .error(word.place, "bad-value", message)
                .help("write a day, `2027-06-30`, or a time, `2027-06-30T18:00:00+08:00`");
        }
        found
    }

    /// A day of the calendar.
    pub fn day(&mut self, word: Option<&Word>) -> Option<Date> {
        let word = word.filter(|word| !word.broken)?;
        let found = date(&word.text);
        if found.is_none() {
            self.unreadable(word, "day", "write `2026-11-23`");
        }
        found
    }

    /// The end of a day that still counts, or the instant that is written out.
    pub fn end(&mut self, word: Option<&Word>) -> Option<Timestamp> {
        let written = word.filter(|word| !word.broken)?;
        match date(&written.text) {
            Some(day) => first_instant(day.saturating_add(1.day()), &self.zone),
            None => self.instant(word),
        }
    }
}

/// The calendar's own form alone: jiff would take more than people write here.
pub(super) fn date(text: &str) -> Option<Date> {
    let plain = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    plain.then(|| text.parse().ok()).flatten()
}

pub(super) fn first_instant(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    let start = day.to_zoned_datetime(zone.clone()).ok()?;
    Some(start.timestamp())
}
