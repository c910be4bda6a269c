//! Single values of a test file, each reported where it is not what it should be.

use super::Reader;
use crate::money::{Currency, Money};
use crate::policy::mask::shown;
use crate::policy::nearest::suggestion;
use crate::policy::resolve::units;
use crate::policy::snapshot::Snapshot;
use crate::policy::source::{Node, Value, Word};
use jiff::Timestamp;
use jiff::civil::DateTime;
use std::time::Duration;

impl Reader<'_, '_> {
    pub fn wrong(&mut self, word: &Word, what: &str, help: &str) {
        let message = format!("`{}` is no {what}", shown(&word.text));
        self.report.error(word.place, "bad-value", message).help(help);
    }

    pub fn scalar<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n Word> {
        match &node.value {
            Value::Scalar(word) if !word.is_null() => Some(word),
            _ => {
                let message = format!("{what} is a single value, and here stands {}", node.shape());
                self.report.error(node.place, "wrong-shape", message);
                None
            }
        }
    }

    pub fn truth(&mut self, word: &Word) -> Option<bool> {
        match word.text.as_ref() {
            "true" | "on" => Some(true),
            "false" | "off" => Some(false),
            _ => {
                self.wrong(word, "truth value", "write `true` or `false`");
                None
            }
        }
    }

    pub fn tokens(&mut self, word: &Word) -> Option<u64> {
        let found = units::size(&word.text);
        if found.is_none() {
            self.wrong(word, "size", "sizes are written `4096`, `32k`, `1M`");
        }
        found
    }

    pub fn whole(&mut self, word: &Word, what: &str, least: u64, most: u64) -> Option<u64> {
        let found = word.text.parse().ok().filter(|number| (least..=most).contains(number));
        if found.is_none() {
            self.wrong(word, what, &format!("write a whole number from {least} to {most}"));
        }
        found
    }

    /// `0.05 USD`, in the policy's currency; its code may be left out.
    pub fn amount(&mut self, word: &Word) -> Option<Money> {
        let text = word.text.trim();
        let (number, currency) = text
            .rsplit_once(' ')
            .map_or((text, None), |(number, code)| (number, Some(code)));
        let found = Money::parse(number).filter(|amount| *amount >= Money::ZERO);
        let own = self.policy.currency;
        match (found, currency) {
            (Some(amount), None) => Some(amount),
            (Some(amount), Some(code)) if Currency::parse(code) == Some(own) => Some(amount),
            _ => {
                let help = match units::decimal_comma(&word.text) {
                    true => units::NO_COMMA.to_owned(),
                    false => format!("write `0.05 {own}`"),
                };
                self.wrong(word, "amount of this policy's money", &help);
                None
            }
        }
    }

    pub fn wait(&mut self, word: Option<&Word>) -> Duration {
        let Some(word) = word.filter(|word| !word.broken) else {
            return Duration::ZERO;
        };
        let found = units::duration(&word.text);
        if found.is_none() {
            self.wrong(word, "duration", "durations are written `8s`, `5m`, `2h` or `30d`");
        }
        found.unwrap_or_default()
    }

    pub fn moment(&mut self, word: &Word) -> Option<Timestamp> {
        let found = moment(&word.text, self.policy);
        if found.is_none() {
            let help = "write `2027-01-15`, `2027-01-15T10:00` (in the policy's zone) or `2027-01-15T10:00:00Z`";
            self.wrong(word, "time", help);
        }
        found
    }

    /// A number as a signal has it: `85%` is 0.85, `8s` is 8, `3 USD` is 3.
    pub fn number(&mut self, word: &Word) -> Option<f64> {
        let text = word.text.trim();
        let plain = || text.parse::<f64>().ok().filter(|number| number.is_finite());
        let share = || units::percentage(text).map(|points| f64::from(points) / 10_000.0);
        let time = || units::duration(text).map(|length| length.as_secs_f64());
        let money = || {
            let (amount, code) = text.rsplit_once(' ')?;
            Currency::parse(code)?;
            amount.parse::<f64>().ok()
        };
        let found = plain().or_else(share).or_else(time).or_else(money);
        if found.is_none() {
            self.wrong(word, "number", "numbers are written `0.85`, `85%`, `8s` or `3 USD`");
        }
        found
    }

    /// A name of the policy.
    pub fn known<'k>(&mut self, word: &Word, kind: &str, names: impl Iterator<Item = &'k str> + Clone) -> bool {
        if names.clone().any(|name| name == word.text.as_ref()) {
            return true;
        }
        let help = suggestion(&word.text, names);
        let message = format!("no {kind} is called `{}`", shown(&word.text));
        self.report.error(word.place, "unknown-name", message).maybe_help(help);
        false
    }
}

/// A date alone is its noon: neither the day before nor the day after in any zone near by.
pub(super) fn moment(text: &str, policy: &Snapshot) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant);
    }
    let civil: DateTime = match text.parse::<jiff::civil::Date>() {
        Ok(date) if text.len() == 10 => date.at(12, 0, 0, 0),
        _ => text.parse().ok()?,
    };
    let zoned = civil.to_zoned_datetime(policy.timezone.clone()).ok()?;
    Some(zoned.timestamp())
}
