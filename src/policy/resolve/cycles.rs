//! Over which time a budget's limit is: periods of the calendar, a window that slides, or a credit; what a period leaves
//! to the next one, and how long money is held.

use super::Resolver;
use crate::period::{Period, Rolling, Start};
use crate::policy::mask::shown;
use crate::policy::read;
use crate::policy::resolve::units;
use crate::policy::snapshot::{CarryOver, Cycle, Held, TopUp};
use crate::policy::source::Word;
use crate::policy::{defaults, resolve::dates};
use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use std::time::Duration;

/// The whole limit, in basis points.
const WHOLE: u32 = 10_000;
/// Nobody tells a bill within less.
const HELD_LEAST: Duration = Duration::from_secs(1);
const HELD_MOST: Duration = Duration::from_secs(31 * 86_400);
const ROLLING: &str = " rolling";

impl Resolver<'_, '_> {
    pub(super) fn cycle(&mut self, written: &read::Budget, zone: Option<&TimeZone>) -> Option<Cycle> {
        if let Some(top_ups) = &written.credit {
            return self.credit(written, top_ups, zone);
        }
        let word = self.required(written.per.as_ref(), written.place, "per", "a budget")?;
        if word.text.trim().ends_with(ROLLING.trim()) {
            let rolling = self.rolling(word);
            let without = [&written.start, &written.carry_over];
            self.out_of_place(&without, "a window that slides has no periods: leave it out");
            return rolling.map(Cycle::Rolling);
        }
        let known = Period::ALL.map(|period| (period.word(), period));
        let per = self.choose(word, "per", &known, &[])?;
        let start = written.start.as_ref().and_then(|word| self.start_of(word, per));
        Some(Cycle::Calendar(per, start.unwrap_or_default()))
    }

    fn credit(&mut self, written: &read::Budget, top_ups: &[read::TopUp], zone: Option<&TimeZone>) -> Option<Cycle> {
        let without = [&written.limit, &written.per, &written.start, &written.carry_over];
        self.out_of_place(
            &without,
            "a credit has no period; its limit is what was paid in: leave it out",
        );
        if top_ups.is_empty() {
            self.report
                .error(written.place, "missing-value", "a credit without a top-up")
                .help("write `credit: [{amount: 500 USD, on: 2026-11-01}]`");
            return None;
        }
        let top_ups: Vec<Option<TopUp>> = top_ups.iter().map(|top_up| self.top_up(top_up, zone)).collect();
        let all: Option<Vec<TopUp>> = top_ups.into_iter().collect();
        all.map(|all| Cycle::Credit(all.into()))
    }

    fn top_up(&mut self, written: &read::TopUp, zone: Option<&TimeZone>) -> Option<TopUp> {
        let amount = self.required(written.amount.as_ref(), written.place, "amount", "a top-up");
        let on = self.required(written.on.as_ref(), written.place, "on", "a top-up");
        let (amount, from) = (self.money(amount), self.beginning(on, zone));
        Some(TopUp {
            amount: amount?,
            from: from?,
        })
    }

    /// The first instant of a day in the budget's zone.
    fn beginning(&mut self, word: Option<&Word>, zone: Option<&TimeZone>) -> Option<Timestamp> {
        let day = word.and_then(|word| dates::date(&word.text)).zip(zone);
        match day {
            Some((day, zone)) => dates::first_instant(day, zone),
            None => self.instant(word),
        }
    }

    fn out_of_place(&mut self, words: &[&Option<Word>], help: &str) {
        for word in words
            .iter()
            .filter_map(|word| word.as_ref())
            .filter(|word| !word.broken)
        {
            let message = format!("`{}` means nothing here", shown(&word.text));
            self.report.error(word.place, "not-here", message).help(help);
        }
    }

    fn rolling(&mut self, word: &Word) -> Option<Rolling> {
        let window = word.text.trim().strip_suffix(ROLLING);
        let found = window.and_then(units::duration).and_then(Rolling::new);
        if found.is_none() {
            let help = "write whole minutes, hours or days, up to 31 days: `10m rolling`, `24h rolling`, `7d rolling`";
            self.unreadable(word, "sliding window", help);
        }
        found
    }

    pub(super) fn carry_over(&mut self, written: &read::Budget, cycle: Option<&Cycle>) -> Option<CarryOver> {
        let word = written.carry_over.as_ref().filter(|word| !word.broken)?;
        if !matches!(cycle, Some(Cycle::Calendar(..))) {
            return None;
        }
        if !word.text.trim_end().ends_with('%') {
            return self.money(Some(word)).map(CarryOver::Amount);
        }
        let share = self.percentage(word)?;
        if !(1..=WHOLE).contains(&share) {
            let help = "write from `1%` to `100%` of the limit, or an amount";
            self.unreadable(word, "share that may be carried over", help);
            return None;
        }
        Some(CarryOver::Share(share))
    }

    pub(super) fn held(&mut self, written: Option<&read::Held>) -> Held {
        match written {
            None => defaults::HELD,
            Some(read::Held::Word(word)) if !word.broken && units::duration(&word.text).is_some() => {
                let help = format!("write `held: {{after: {}}}`", word.text);
                self.unreadable(word, "word for held money", &help);
                defaults::HELD
            }
            Some(read::Held::Word(word)) => self
                .choose(word, "held", &[("keep", Held::Keep)], &[])
                .unwrap_or(Held::Keep),
            Some(read::Held::After { place, after }) => {
                let word = self.required(after.as_ref(), *place, "after", "`held`");
                let after = self.span(word);
                if let Some((word, _)) = word.zip(after.filter(|after| !(HELD_LEAST..=HELD_MOST).contains(after))) {
                    self.unreadable(word, "time to hold money for", "write from `1s` to `31d`");
                }
                after.map_or(defaults::HELD, Held::After)
            }
        }
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
