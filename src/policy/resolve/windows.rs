//! Windows of prices, and the calendars of days off that they leave out.

use super::Resolver;
use super::list_prices::listed_days;
use super::prices::Purse;
use crate::catalog::calendars;
use crate::money::Ratio;
use crate::period::calendar::Calendar;
use crate::period::window::Window;
use crate::policy::mask::shown;
use crate::policy::nearest::suggestion;
use crate::policy::read;
use crate::policy::source::Word;
use crate::price::{MOST_WINDOWS, WindowSheet};
use jiff::civil::Date;
use std::sync::Arc;

impl Resolver<'_, '_> {
    /// Reads `holidays`.
    pub fn calendars(&mut self, written: &[(Word, Vec<Word>)]) {
        for (name, days) in written {
            self.check_name(name, "calendar");
            let ranges: Vec<_> = days.iter().filter_map(|word| self.days_off(word)).collect();
            let listed = listed_days(&name.text).unwrap_or_default();
            let calendar = listed.and(&Calendar::new(ranges));
            self.calendars.push((Arc::clone(&name.text), calendar));
        }
        for listed in calendars() {
            if self.calendars.iter().all(|(name, _)| name.as_ref() != listed.name)
                && let Some(days) = listed_days(listed.name)
            {
                self.calendars.push((listed.name.into(), days));
            }
        }
    }

    fn days_off(&mut self, word: &Word) -> Option<(Date, Date)> {
        if word.broken {
            return None;
        }
        let found = Calendar::parse_days(&word.text);
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
        written.iter().map(|window| self.price_window(window, purse)).collect()
    }

    fn price_window(&mut self, written: &read::Window, purse: &mut Purse) -> WindowSheet {
        let own = self.timezone(written.timezone.as_ref());
        let zone = own.map_or_else(|| self.zone.clone(), |(zone, _)| zone);
        let except = written.except.as_ref();
        let except = except.map_or_else(Calendar::default, |word| self.calendar(word));
        let kinds = self.kinds(&written.kinds, purse);
        let times = written.times.as_ref().and_then(|word| self.percentage(word));
        if written.kinds.is_empty() && written.times.is_none() {
            let message = "the window says no rates, so it changes nothing";
            let finding = self.report.error(written.place, "missing-key", message);
            finding.help("write `times: 200%`, or the rates that count in it");
        }
        let hours = written.hours.as_deref().unwrap_or_default();
        WindowSheet {
            name: written
                .name
                .as_ref()
                .map_or_else(|| "".into(), |word| Arc::clone(&word.text)),
            window: Window {
                zone,
                days: self.days(written.days.as_deref()),
                hours: hours.iter().filter_map(|word| self.hours(word)).collect(),
                from: None,
                until: None,
                except,
            },
            kinds,
            times: times.map_or(Ratio::ONE, Ratio::basis_points),
        }
    }

    pub fn calendar(&mut self, word: &Word) -> Calendar {
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
