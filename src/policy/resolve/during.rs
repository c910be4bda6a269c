//! Windows of time in which a plan may be active.

use super::Resolver;
use super::dates::date;
use crate::period::calendar::Calendar;
use crate::period::window::{Days, Hours, Window};
use crate::policy::mask::shown;
use crate::policy::read::During;
use crate::policy::source::Word;
use jiff::civil::Date;

impl Resolver<'_, '_> {
    pub fn during(&mut self, written: &[During]) -> Vec<Window> {
        written.iter().map(|window| self.window(window)).collect()
    }

    fn window(&mut self, written: &During) -> Window {
        let own = self.timezone(written.timezone.as_ref());
        let zone = own.map_or_else(|| self.zone.clone(), |(zone, _)| zone);
        let days = self.days(written.days.as_deref());
        let (from, until) = (self.date(written.from.as_ref()), self.date(written.until.as_ref()));
        if let (Some(first), Some(last), Some(word)) = (from, until, &written.until)
            && last < first
        {
            self.report
                .error(word.place, "bad-value", "`until` is before `from`")
                .help("both are days that count, the last one to its end");
        }
        let lists = [&written.hours, &written.days].iter().any(|words| words.is_some());
        let words = [&written.from, &written.until, &written.except];
        if !lists && words.iter().all(|word| word.is_none()) {
            self.report
                .error(written.place, "missing-key", "`during` says no time")
                .help("give it `hours: [\"22:00-06:00\"]`, `days: [mon-fri]`, `from:` or `until:`");
        }
        let hours = written.hours.as_deref().unwrap_or_default();
        Window {
            zone,
            days,
            hours: hours.iter().filter_map(|word| self.hours(word)).collect(),
            from,
            until,
            except: written
                .except
                .as_ref()
                .map_or_else(Calendar::default, |word| self.calendar(word)),
        }
    }

    pub fn hours(&mut self, word: &Word) -> Option<Hours> {
        if word.broken {
            return None;
        }
        let found = Hours::parse(&word.text);
        if found.is_none() {
            let help = "hours are written `\"09:00-18:00\"`; `\"22:00-06:00\"` passes midnight, a day ends at `24:00`";
            self.unreadable(word, "interval of hours", help);
        }
        found
    }

    /// A list of weekdays and runs of them; without any, all.
    pub fn days(&mut self, written: Option<&[Word]>) -> Days {
        let Some(words) = written else { return Days::ALL };
        words
            .iter()
            .fold(Days::NONE, |days, word| days.and(self.weekdays(word)))
    }

    fn weekdays(&mut self, word: &Word) -> Days {
        if word.broken {
            return Days::NONE;
        }
        Days::parse(&word.text).unwrap_or_else(|| {
            self.unreadable(word, "weekday", "days are written `mon`, `sat`, or as a run: `mon-fri`");
            Days::NONE
        })
    }

    fn date(&mut self, word: Option<&Word>) -> Option<Date> {
        let word = word.filter(|word| !word.broken)?;
        let found = date(&word.text);
        if found.is_none() {
            let message = format!("`{}` is no date", shown(&word.text));
            self.report
                .error(word.place, "bad-value", message)
                .help("dates are written `2027-01-31`");
        }
        found
    }
}
