//! Budgets: how much, for whom, and when to say so. Over which time is `cycles`.

use super::Resolver;
use crate::policy::defaults;
use crate::policy::mask::shown;
use crate::policy::nearest::nearest;
use crate::policy::read;
use crate::policy::snapshot::{Budget, Cycle, Each, Enforce, Raise};
use crate::policy::source::{Style, Word};
use std::sync::Arc;

/// The whole limit, in basis points.
const WHOLE: u32 = 10_000;
const LEAST_ALERT: u32 = 100;
const MOST_ALERT: u32 = 100_000;

impl Resolver<'_, '_> {
    pub fn budgets(&mut self, written: &[read::Budget], routes: &[read::Route]) -> Vec<Budget> {
        let budgets = written.iter();
        budgets.filter_map(|budget| self.budget(budget, routes)).collect()
    }

    fn budget(&mut self, written: &read::Budget, routes: &[read::Route]) -> Option<Budget> {
        self.check_name(&written.name, "budget");
        let zone = self.timezone(written.timezone.as_ref());
        let own_zone = zone.as_ref().map(|(zone, _)| zone.clone());
        let cycle = self.cycle(written, own_zone.as_ref());
        let limit = match &cycle {
            Some(Cycle::Credit(top_ups)) => Some(top_ups.iter().map(|top_up| top_up.amount).sum()),
            None if written.credit.is_some() => None,
            _ => {
                let limit = self.required(written.limit.as_ref(), written.place, "limit", "a budget");
                self.money(limit)
            }
        };
        let levels = [("hard", Enforce::Hard), ("soft", Enforce::Soft)];
        let enforce = written.enforce.as_ref();
        let enforce = enforce.and_then(|word| self.choose(word, "enforce", &levels, &[]));
        let enforce = enforce.unwrap_or(defaults::ENFORCE);
        let alert_at = self.alert_at(written.alert_at.as_deref().unwrap_or_default(), enforce);
        let covers = self.selector(written.covers.as_ref());
        let each = written.each.as_ref().and_then(|word| self.each(word));
        let currency = self.exchange.currency;
        let raises = written.raises.iter().filter_map(|raise| self.raise(raise)).collect();
        let carry_over = self.carry_over(written, cycle.as_ref());
        let held = self.held(written.held.as_ref());
        let (limit, cycle) = (limit?, cycle?);
        let shadows = self.pays_for_mirrors(written, routes);
        let shape = format!(
            "{}|{}|{}|{} in {}|{currency}{}",
            written.name.text,
            covers.as_ref().map_or("", |selector| selector.text()),
            written.each.as_ref().map_or("", |word| &word.text),
            words_of(&cycle, written),
            zone.as_ref().map_or(&self.timezone_name, |(_, name)| name),
            if shadows { "|shadows" } else { "" },
        );
        Some(Budget {
            name: Arc::clone(&written.name.text),
            limit,
            raises,
            cycle,
            timezone: own_zone,
            enforce,
            covers,
            each,
            alert_at,
            carry_over,
            held,
            shadows,
            shape: shape.into(),
        })
    }

    fn raise(&mut self, written: &read::Raise) -> Option<Raise> {
        let by = self.required(written.by.as_ref(), written.place, "by", "a raise");
        let until = self.required(written.until.as_ref(), written.place, "until", "a raise");
        let (by, until) = (self.money(by), self.end(until));
        let from = self.instant(written.from.as_ref());
        let (by, until) = (by?, until?);
        if let Some(word) = written.from.as_ref().filter(|_| from.is_some_and(|from| from >= until)) {
            self.report
                .error(word.place, "bad-value", "the raise would end before it begins")
                .help("`from` is the first day that counts, `until` the last");
        }
        Some(Raise { by, from, until })
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
        // A bare word that is none of these is the name of a tag.
        let names = ["client", "model", "provider", "route", "use", "run"];
        if nearest(&word.text, names).is_none() {
            let message = format!("`each` cannot be `{}`", shown(&word.text));
            let help = format!(
                "did you mean `tag.{}`? Known besides: `{}`",
                shown(&word.text),
                names.join("`, `")
            );
            self.report.error(word.place, "unknown-word", message).help(help);
            return None;
        }
        let known = [
            ("tag.NAME", 0),
            ("client", 1),
            ("model", 2),
            ("provider", 3),
            ("route", 4),
            ("use", 5),
            ("run", 6),
        ];
        match self.choose(word, "each", &known, &[])? {
            1 => Some(Each::Client),
            2 => Some(Each::Model),
            3 => Some(Each::Provider),
            4 => Some(Each::Route),
            5 => Some(Each::Use),
            _ => Some(Each::Run),
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

/// As the shape names it.
fn words_of(cycle: &Cycle, written: &read::Budget) -> String {
    let begins = || match &written.start {
        Some(word) => format!(" from {}", word.text),
        None => String::new(),
    };
    match cycle {
        Cycle::Calendar(period, _) => format!("{}{}", period.word(), begins()),
        Cycle::Rolling(rolling) => format!("{} s rolling", rolling.window().as_secs()),
        Cycle::Credit(_) => "credit".to_owned(),
    }
}
