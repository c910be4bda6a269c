//! Budgets: how much, per when, for whom, and when to say so.

use super::Resolver;
use crate::money::Money;
use crate::period::{Period, Start};
use crate::policy::defaults;
use crate::policy::mask::shown;
use crate::policy::read;
use crate::policy::snapshot::{Budget, Each, Enforce, Raise};
use crate::policy::source::{Style, Word};
use jiff::civil::Weekday;
use std::sync::Arc;

const LATER_PERIODS: [&str; 1] = ["minute"];
/// The whole limit, in basis points.
const WHOLE: u32 = 10_000;
const LEAST_ALERT: u32 = 100;
const MOST_ALERT: u32 = 100_000;

impl Resolver<'_, '_> {
    pub fn budgets(&mut self, written: &[read::Budget]) -> Vec<Budget> {
        written.iter().filter_map(|budget| self.budget(budget)).collect()
    }

    fn limit(&mut self, written: &read::Budget) -> Option<Money> {
        let limit = self.required(written.limit.as_ref(), written.place, "limit", "a budget");
        self.money(limit)
    }

    fn budget(&mut self, written: &read::Budget) -> Option<Budget> {
        let limit = self.limit(written);
        self.check_name(&written.name, "budget");
        let per = self
            .required(written.per.as_ref(), written.place, "per", "a budget")
            .and_then(|word| self.period(word));
        let levels = [("hard", Enforce::Hard), ("soft", Enforce::Soft)];
        let enforce = written.enforce.as_ref();
        let enforce = enforce.and_then(|word| self.choose(word, "enforce", &levels, &[]));
        let enforce = enforce.unwrap_or(defaults::ENFORCE);
        let alert_at = self.alert_at(written.alert_at.as_deref().unwrap_or_default(), enforce);
        let covers = self.selector(written.covers.as_ref());
        let each = written.each.as_ref().and_then(|word| self.each(word));
        let currency = self.exchange.currency;
        let zone = self.timezone(written.timezone.as_ref());
        let start = written.start.as_ref().zip(per);
        let begins = start.and_then(|(word, per)| self.start_of(word, per));
        let raises = written.raises.iter().filter_map(|raise| self.raise(raise)).collect();
        let (limit, per) = (limit?, per?);
        let shape = format!(
            "{}|{}|{}|{}{} in {}|{currency}",
            written.name.text,
            covers.as_ref().map_or("", |selector| selector.text()),
            written.each.as_ref().map_or("", |word| &word.text),
            per.word(),
            written
                .start
                .as_ref()
                .map_or_else(String::new, |word| format!(" from {}", word.text)),
            zone.as_ref().map_or(&self.timezone_name, |(_, name)| name),
        );
        Some(Budget {
            name: Arc::clone(&written.name.text),
            limit,
            raises,
            per,
            start: begins.unwrap_or_default(),
            timezone: zone.map(|(zone, _)| zone),
            enforce,
            covers,
            each,
            alert_at,
            shape: shape.into(),
        })
    }

    fn period(&mut self, word: &Word) -> Option<Period> {
        let known = Period::ALL.map(|period| (period.word(), period));
        if word.text.ends_with("rolling") {
            self.report.not_yet(word.place, "per: … rolling");
            return None;
        }
        self.choose(word, "per", &known, &LATER_PERIODS)
    }

    /// What `start` says depends on the period: an hour, a weekday, a day of the month, a day of the year.
    fn start_of(&mut self, word: &Word, per: Period) -> Option<Start> {
        if word.broken {
            return None;
        }
        let text = word.text.as_ref();
        let plain = Start::default();
        let found = match per {
            Period::Hour => None,
            Period::Day => hour_of(text).map(|hour| Start { hour, ..plain }),
            Period::Week => weekday_of(text).map(|weekday| Start { weekday, ..plain }),
            Period::Month => day_of(text).map(|day| Start { day, ..plain }),
            Period::Quarter | Period::Year => text.split_once('-').and_then(|(month, day)| {
                let month = month.parse().ok().filter(|month| (1..=12).contains(month))?;
                Some(Start {
                    month,
                    day: day_of(day)?,
                    ..plain
                })
            }),
        };
        if found.is_none() {
            let help = match per {
                Period::Hour => "an hour begins with the hour: leave `start` out",
                Period::Day => "a day may begin at a full hour: `start: \"06:00\"`",
                Period::Week => "a week may begin on any day: `start: sun`",
                Period::Month => "a month may begin on a day from 1 to 28: `start: 15`",
                Period::Quarter | Period::Year => {
                    "a fiscal year may begin on any month and a day to 28: `start: 04-01`"
                }
            };
            let message = format!("`{}` is no start of a {}", shown(text), per.word());
            self.report.error(word.place, "bad-value", message).help(help);
        }
        found
    }

    fn raise(&mut self, written: &read::Raise) -> Option<Raise> {
        let by = self.required(written.by.as_ref(), written.place, "by", "a raise");
        let until = self.required(written.until.as_ref(), written.place, "until", "a raise");
        let (by, until) = (self.money(by), self.end(until));
        Some(Raise { by: by?, until: until? })
    }

    fn each(&mut self, word: &Word) -> Option<Each> {
        if word.broken {
            return None;
        }
        if let Some(tag) = word.text.strip_prefix("tag.") {
            let tag = Word {
                text: Arc::from(tag),
                place: word.place,
                style: Style::Plain,
                broken: false,
            };
            return self.check_tag(&tag).then_some(Each::Tag(tag.text));
        }
        let known = [("tag.NAME", 3), ("client", 0), ("model", 1), ("provider", 2)];
        match self.choose(word, "each", &known, &["run", "route", "use", "key", "license"])? {
            0 => Some(Each::Client),
            1 => Some(Each::Model),
            _ => Some(Each::Provider),
        }
    }

    fn alert_at(&mut self, words: &[Word], enforce: Enforce) -> Vec<u32> {
        let most = match enforce {
            Enforce::Hard => WHOLE,
            Enforce::Soft => MOST_ALERT,
        };
        let mut shares: Vec<u32> = Vec::new();
        for word in words {
            let Some(share) = self.percentage(word) else {
                continue;
            };
            if !(LEAST_ALERT..=most).contains(&share) {
                let message = format!("`{}` is out of range", shown(&word.text));
                self.report.error(word.place, "bad-value", message).help(match enforce {
                    Enforce::Hard => "a hard budget alerts between `1%` and `100%`",
                    Enforce::Soft => "a soft budget alerts between `1%` and `1000%`",
                });
            } else if shares.last().is_some_and(|last| *last >= share) {
                let message = format!("`{}` does not come after the one before it", shown(&word.text));
                self.report
                    .error(word.place, "bad-value", message)
                    .help("write the shares in ascending order");
            } else {
                shares.push(share);
            }
        }
        shares
    }
}

fn hour_of(text: &str) -> Option<i8> {
    let hour = text.strip_suffix(":00").filter(|hour| hour.len() == 2)?;
    hour.parse().ok().filter(|hour| (0..24).contains(hour))
}

fn weekday_of(text: &str) -> Option<Weekday> {
    let at = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
        .iter()
        .position(|day| *day == text)?;
    Weekday::from_monday_zero_offset(i8::try_from(at).ok()?).ok()
}

fn day_of(text: &str) -> Option<i8> {
    text.parse().ok().filter(|day| (1..=28).contains(day))
}
