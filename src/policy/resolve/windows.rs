//! Windows of prices, and the calendars of days off that they leave out.

use super::Resolver;
use super::prices::Purse;
use crate::money::Ratio;
use crate::policy::mask::shown;
use crate::policy::nearest::suggestion;
use crate::policy::read;
use crate::policy::source::Word;
use crate::price::{Calendar, Hours, MOST_WINDOWS, Window, WindowSheet};
use jiff::civil::Date;
use std::sync::Arc;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Resolver<'_, '_> {
    /// Reads `holidays`.
    pub fn calendars(&mut self, written: &[(Word, Vec<Word>)]) {
        for (name, days) in written {
            self.check_name(name, "calendar");
            let ranges: Vec<_> = days.iter().filter_map(|word| self.days_off(word)).collect();
            self.calendars.push((Arc::clone(&name.text), Calendar::new(ranges)));
        }
    }

    fn days_off(&mut self, word: &Word) -> Option<(Date, Date)> {
        if word.broken {
            return None;
        }
        let found = days_off(&word.text);
        if found.is_none() {
            let help = "write a day, `2027-01-01`, or the first and the last of several, `2027-02-05..2027-02-11`";
            self.unreadable(word, "day off", help);
        }
        found
    }

    pub fn windows(&mut self, written: &[read::Window], purse: &mut Purse) -> Vec<WindowSheet> {
        if let Some(beyond) = written.get(MOST_WINDOWS) {
            let message = format!("a price has at most {MOST_WINDOWS} windows");
            self.report.error(beyond.place, "too-large", message);
        }
        written.iter().map(|window| self.window(window, purse)).collect()
    }

    fn window(&mut self, written: &read::Window, purse: &mut Purse) -> WindowSheet {
        let zone = self
            .timezone(written.timezone.as_ref())
            .map_or_else(|| self.zone.clone(), |(zone, _)| zone);
        let days = written.days.as_ref().map_or([true; 7], |words| self.weekdays(words));
        let hours = match &written.hours {
            Some(words) => words.iter().filter_map(|word| self.hours(word)).collect(),
            None => vec![Hours { from: 0, until: 0 }],
        };
        let except = written
            .except
            .as_ref()
            .map_or_else(Calendar::default, |word| self.calendar(word));
        let kinds = self.kinds(&written.kinds, purse);
        let times = written.times.as_ref().and_then(|word| self.percentage(word));
        if written.kinds.is_empty() && written.times.is_none() {
            let finding = self.report.error(
                written.place,
                "missing-key",
                "the window says no rates, so it changes nothing",
            );
            finding.help("write `times: 200%`, or the rates that count in it");
        }
        WindowSheet {
            window: Window {
                name: written
                    .name
                    .as_ref()
                    .map_or_else(|| "".into(), |word| Arc::clone(&word.text)),
                zone,
                days,
                hours,
                except,
            },
            kinds,
            times: times.map_or(Ratio::ONE, Ratio::basis_points),
        }
    }

    fn weekdays(&mut self, words: &[Word]) -> [bool; 7] {
        let mut days = [false; 7];
        let known: Vec<_> = DAYS.iter().enumerate().map(|(place, day)| (*day, place)).collect();
        for word in words {
            if let Some(day) = self
                .choose(word, "weekday", &known, &[])
                .and_then(|place| days.get_mut(place))
            {
                *day = true;
            }
        }
        days
    }

    fn hours(&mut self, word: &Word) -> Option<Hours> {
        if word.broken {
            return None;
        }
        let found = hours(&word.text);
        if found.is_none() {
            self.unreadable(word, "span of hours", "write `\"09:00-12:00\"`");
        }
        found
    }

    fn calendar(&mut self, word: &Word) -> Calendar {
        if word.broken {
            return Calendar::default();
        }
        let found = self.calendars.iter().find(|(name, _)| *name == word.text);
        if let Some((_, calendar)) = found {
            return calendar.clone();
        }
        let help = suggestion(&word.text, self.calendars.iter().map(|(name, _)| name.as_ref()));
        let message = format!("no calendar is called `{}`", shown(&word.text));
        let help = help.or_else(|| Some("name its days at the top level, `holidays: {NAME: [2027-01-01]}`".to_owned()));
        self.report.error(word.place, "unknown-name", message).maybe_help(help);
        Calendar::default()
    }
}

/// `2027-01-01`, or `2027-02-05..2027-02-11` with both ends in.
pub(super) fn days_off(text: &str) -> Option<(Date, Date)> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let (first, last): (Date, Date) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first <= last).then_some((first, last))
}

/// `09:00-12:00`.
pub(super) fn hours(text: &str) -> Option<Hours> {
    let (from, until) = text.split_once('-')?;
    let (from, until) = (minute(from)?, minute(until)?);
    // The end of the day is the beginning of the next.
    let until = if until == 24 * 60 { 0 } else { until };
    (from < 24 * 60).then_some(Hours { from, until })
}

fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let two = |digits: &str| (digits.len() == 2).then(|| digits.parse::<u16>().ok()).flatten();
    let (hour, minute) = (two(hour)?, two(minute)?);
    let found = hour * 60 + minute;
    (minute < 60 && found <= 24 * 60).then_some(found)
}
