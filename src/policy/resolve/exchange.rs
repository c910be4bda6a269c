//! The policy's currency, what others are worth in it, and amounts with their currency.
//!
//! Rates are kept as exact fractions. An amount in a currency without a rate is an error that says which line is missing.

use super::Resolver;
use super::units::{NO_COMMA, decimal_comma};
use crate::money::{Currency, Money, NANOS_PER_UNIT, Ratio, ungrouped};
use crate::policy::mask::shown;
use crate::policy::read::Policy;
use crate::policy::source::{Place, Word};

/// What the policy counts in.
pub(super) struct Exchange {
    pub currency: Currency,
    /// Where that was said.
    place: Option<Place>,
    pub rates: Vec<(Currency, Ratio)>,
    /// Those that were reported as missing: one slip is one error.
    missing: Vec<Currency>,
}

impl Exchange {
    pub fn new(written: &Policy) -> Self {
        let said = |word: &Word| Some((Currency::parse(&word.text)?, word.place));
        let behind = |word: &Word| Some((amount(&word.text)?.1, word.place));
        let explicit = written.currency.as_ref().and_then(said);
        let of_rates = || written.rates.iter().find_map(|(_, worth)| behind(worth));
        let of_limits = || limits(written).find_map(of_amount);
        let found = explicit
            .or_else(of_limits)
            .or_else(of_rates)
            .or_else(|| prices(written).find_map(of_amount));
        Self {
            currency: found.map_or(Currency::USD, |(currency, _)| currency),
            place: found.map(|(_, place)| place),
            rates: Vec::new(),
            missing: Vec::new(),
        }
    }
}

fn limits(written: &Policy) -> impl Iterator<Item = &Word> {
    let budgets = written.budgets.iter().flat_map(|budget| {
        let paid = budget
            .credit
            .iter()
            .flatten()
            .filter_map(|top_up| top_up.amount.as_ref());
        budget.limit.iter().chain(paid)
    });
    budgets.chain(written.routes.iter().filter_map(|route| route.cost.as_ref()))
}

fn prices(written: &Policy) -> impl Iterator<Item = &Word> {
    let prices = written.models.iter().flat_map(|model| model.price.iter().flatten());
    prices.flat_map(|price| {
        let kinds = price.kinds.iter().map(|(_, word)| word);
        kinds.chain(&price.request).chain(&price.compute)
    })
}

/// The currency of an amount, whether or not something follows it behind a slash.
fn of_amount(word: &Word) -> Option<(Currency, Place)> {
    let text = word
        .text
        .split_once('/')
        .map_or(word.text.as_ref(), |(amount, _)| amount);
    Some((amount(text)?.1, word.place))
}

/// `0.05 USD`.
pub(super) fn amount(text: &str) -> Option<(Money, Currency)> {
    let (amount, currency) = text.trim().rsplit_once(' ')?;
    Some((Money::parse(amount)?, Currency::parse(currency)?))
}

/// An amount as it is written in other places: `$500`, `500usd`, `1,000 USD`.
fn meant(text: &str, own: Currency) -> Option<String> {
    let text = text.trim();
    let number: String = text
        .chars()
        .filter(|c| c.is_ascii_digit() || ".,_".contains(*c))
        .collect();
    let number = ungrouped(&number)?;
    Money::parse(&number).filter(|amount| *amount > Money::ZERO)?;
    let word: String = text.chars().filter(char::is_ascii_alphabetic).collect();
    let other = text
        .chars()
        .filter(|c| !c.is_ascii_alphanumeric() && !matches!(c, '.' | ',' | ' ' | '_'));
    let currency = match (word.as_str(), other.collect::<String>().as_str()) {
        ("", "$") => Currency::parse("USD")?,
        ("", "€") => Currency::parse("EUR")?,
        ("", "£") => Currency::parse("GBP")?,
        ("", "¥") if own != Currency::parse("USD")? => own,
        (word, "" | "$" | "€" | "£" | "¥") => Currency::parse(&word.to_ascii_uppercase())?,
        _ => return None,
    };
    Some(format!("{number} {currency}"))
}

impl Resolver<'_, '_> {
    /// Reads `currency` and `rates`.
    pub fn exchange(&mut self, written: &Policy) {
        if let Some(word) = written.currency.as_ref().filter(|word| !word.broken)
            && Currency::parse(&word.text).is_none()
        {
            self.unreadable(word, "currency", "write three capital letters, such as `USD`");
        }
        for (name, worth) in &written.rates {
            if let Some(rate) = self.exchange_rate(name, worth) {
                self.exchange.rates.push(rate);
            }
        }
    }

    fn exchange_rate(&mut self, name: &Word, worth: &Word) -> Option<(Currency, Ratio)> {
        if name.broken || worth.broken {
            return None;
        }
        let Some(unit) = Currency::parse(&name.text) else {
            self.unreadable(name, "currency", "write three capital letters, such as `CNY`");
            return None;
        };
        let Some((price, target)) = amount(&worth.text).filter(|(price, _)| *price > Money::ZERO) else {
            let help = match decimal_comma(&worth.text) {
                true => NO_COMMA.to_owned(),
                false => format!("write what one {unit} is worth, `{unit}: … {}`", self.exchange.currency),
            };
            self.unreadable(worth, "amount of money", &help);
            return None;
        };
        let ratio = Ratio::new(price.nanos().unsigned_abs(), NANOS_PER_UNIT.unsigned_abs());
        let own = self.exchange.currency;
        match (unit == own, target == own) {
            (false, true) => Some((unit, ratio)),
            // Said the other way round, which is as exact.
            (true, false) => Some((target, ratio.inverse())),
            _ => {
                let message = format!("a rate leads from another currency to {own}, the policy's");
                let finding = self.report.error(worth.place, "bad-value", message);
                finding.help(format!(
                    "write `{}: … {own}`",
                    if unit == own { "CNY" } else { unit.code() }
                ));
                if let Some(place) = self.exchange.place {
                    finding.related(place, format!("{own} is named here"));
                }
                None
            }
        }
    }

    fn amount_help(&self, text: &str) -> String {
        if Money::parse(text.trim()).is_some_and(|amount| amount > Money::ZERO) {
            return format!("an amount has a currency: `{} {}`", text.trim(), self.exchange.currency);
        }
        if amount(text).is_some() || text.trim().starts_with('-') {
            return "write an amount above 0".to_owned();
        }
        match meant(text, self.exchange.currency) {
            None if decimal_comma(text) => NO_COMMA.to_owned(),
            Some(meant) => format!("did you mean `{meant}`?"),
            None if text.bytes().filter(u8::is_ascii_digit).count() > 12 && !text.contains('.') => {
                "write less than 9 billion: more cannot be counted to the nano-unit".to_owned()
            }
            None => "amounts are written `500 USD` or `0.05 USD`, with up to nine decimals".to_owned(),
        }
    }

    /// What one unit of a currency is worth in the policy's.
    pub fn worth(&mut self, currency: Currency, place: Place) -> Option<Ratio> {
        let own = self.exchange.currency;
        if currency == own {
            return Some(Ratio::ONE);
        }
        let known = self.exchange.rates.iter().find(|(known, _)| *known == currency);
        if let Some((_, ratio)) = known {
            return Some(*ratio);
        }
        if !self.exchange.missing.contains(&currency) {
            self.exchange.missing.push(currency);
            let message =
                format!("{currency} here, and the policy counts in {own}: what one {currency} is worth is not said");
            let finding = self.report.error(place, "missing-rate", message);
            finding.help(format!(
                "write `rates: {{{currency}: … {own}}}` at the top level: what one {currency} is worth to you"
            ));
            if let Some(place) = self.exchange.place {
                finding.related(place, format!("{own} is named here"));
            }
        }
        None
    }

    /// An amount in the policy's currency; of another one its worth, rounded down.
    pub fn money(&mut self, word: Option<&Word>) -> Option<Money> {
        let word = word.filter(|word| !word.broken)?;
        let Some((amount, currency)) = amount(&word.text).filter(|(amount, _)| *amount > Money::ZERO) else {
            let help = self.amount_help(&word.text);
            self.unreadable(word, "amount of money", &help);
            return None;
        };
        let ratio = self.worth(currency, word.place)?;
        let part = |part: u64| i64::try_from(part).unwrap_or(i64::MAX);
        Some(amount.scaled_down(part(ratio.numerator()), part(ratio.denominator())))
    }

    /// `2 USD/M`: an amount that is not negative, its currency, and for what it is, which is one of `units`.
    pub fn per(
        &mut self,
        word: &Word,
        units: &[&'static str],
        example: &str,
    ) -> Option<(Money, Currency, &'static str)> {
        if word.broken {
            return None;
        }
        let found = word.text.trim().rsplit_once('/').and_then(|(money, unit)| {
            let (money, currency) = amount(money).filter(|(money, _)| *money >= Money::ZERO)?;
            Some((money, currency, unit.trim()))
        });
        let Some((money, currency, unit)) = found else {
            let meant = word.text.split_once('/').and_then(|(money, unit)| {
                let unit = units.iter().find(|known| known.eq_ignore_ascii_case(unit.trim()))?;
                Some(format!("{}/{unit}", meant(money, self.exchange.currency)?))
            });
            let help = match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None if decimal_comma(&word.text) => NO_COMMA.to_owned(),
                None => format!("this one is written `{example}`"),
            };
            self.unreadable(word, "price", &help);
            return None;
        };
        let Some(unit) = units.iter().find(|known| **known == unit) else {
            let message = format!("`{}` is not for what this key is", shown(&word.text));
            let help = format!("this one is written `{example}`");
            self.report.error(word.place, "bad-value", message).help(help);
            return None;
        };
        Some((money, currency, unit))
    }
}
