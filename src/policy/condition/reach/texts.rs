//! Narrowing by texts: `weekday` is one of seven words, `date` a day.

use super::{Domain, Numbers, Worlds};
use crate::policy::condition::syntax::Comparison;
use crate::policy::condition::tree::{Affix, Text};
use jiff::ToSpan;
use jiff::civil::Date;
use std::sync::Arc;

/// The last day that is written with four figures for its year.
const LAST: Date = Date::constant(9999, 12, 31);
const FIRST: Date = Date::constant(1970, 1, 1);

/// Days by which their order is that of numbers.
pub fn day_number(day: Date) -> f64 {
    let days = FIRST.until(day).map_or(0, |span| span.get_days());
    f64::from(days)
}

/// From this day on.
pub(super) fn from_day(day: Date) -> Numbers {
    Numbers::between(day_number(day), day_number(LAST)).whole()
}

impl Worlds {
    pub(super) fn compare_texts(&mut self, comparison: Comparison, left: &Text, right: &Text, answer: bool) -> bool {
        let comparison = if answer { comparison } else { comparison.negated() };
        match (left, right) {
            (Text::Const(one), Text::Const(two)) => comparison.holds(one.cmp(two)),
            (Text::Fact(fact), Text::Const(text)) => self.keep(fact, |domain| compared(domain, comparison, text)),
            (Text::Const(text), Text::Fact(fact)) => {
                self.keep(fact, |domain| compared(domain, comparison.mirrored(), text))
            }
            _ => true,
        }
    }

    pub(super) fn affix(&mut self, affix: Affix, text: &Text, part: &Text, answer: bool) -> bool {
        let (Text::Fact(fact), Text::Const(part)) = (text, part) else {
            return true;
        };
        self.keep(fact, |domain| match domain {
            Domain::Words(words) => {
                let kept = words.iter().filter(|word| affix.holds(word, part) == answer);
                Domain::Words(kept.cloned().collect())
            }
            Domain::Days(days) if affix == Affix::StartsWith && answer => Domain::Days(days.and(&beginning(part))),
            other => other.clone(),
        })
    }
}

fn compared(domain: &Domain, comparison: Comparison, text: &Arc<str>) -> Domain {
    match domain {
        Domain::Words(words) => {
            let kept = words.iter().filter(|word| comparison.holds((*word).cmp(text)));
            Domain::Words(kept.cloned().collect())
        }
        // What is no date is an error elsewhere.
        Domain::Days(days) => text.parse::<Date>().map_or_else(
            |_| domain.clone(),
            |day| {
                let (day, first, last) = (day_number(day), day_number(FIRST), day_number(LAST));
                Domain::Days(match comparison {
                    Comparison::Equal => days.and(&Numbers::point(day)),
                    Comparison::NotEqual => days.without(day),
                    Comparison::Less => days.and(&Numbers::between(first, day - 1.0)),
                    Comparison::AtMost => days.and(&Numbers::between(first, day)),
                    Comparison::Greater => days.and(&Numbers::between(day + 1.0, last)),
                    Comparison::AtLeast => days.and(&Numbers::between(day, last)),
                })
            },
        ),
        other => other.clone(),
    }
}

/// The days whose text begins so.
fn beginning(part: &str) -> Numbers {
    let behind = first_day(|day| day.as_str() > part && !day.starts_with(part));
    Numbers::between(first_day(|day| day.as_str() >= part), behind - 1.0)
}

/// The number of the first day of which this is true; it is of all after it. Behind all where it is of none.
fn first_day(is_so: impl Fn(&String) -> bool) -> f64 {
    let text = |number: i32| FIRST.saturating_add(number.days()).to_string();
    let (mut low, mut high) = (0, day_number(LAST) as i32 + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        if is_so(&text(middle)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    f64::from(high)
}
