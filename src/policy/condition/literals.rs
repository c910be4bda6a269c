//! Comparisons that cannot come out as meant: a text that a fact never is, a number out of its range, a share that a
//! hard budget never reaches.

use super::signals::Signal;
use super::signature::{Live, Of, SIGNATURES, Source, USES, WEEKDAYS};
use super::syntax::{Comparison, Syntax};
use super::tree::{Affix, Fact, Nothing, Number, Text};
use super::{Fault, Names};
use crate::policy::mask::shown;
use crate::policy::nearest::suggestion;
use crate::policy::supply::Supply;
use jiff::civil::Date;
use std::ops::Range;

/// Where a part of the condition stands.
pub(super) trait Placed {
    fn place(&self) -> &Range<usize>;
}

impl Placed for Syntax {
    fn place(&self) -> &Range<usize> {
        &self.range
    }
}

impl Placed for Range<usize> {
    fn place(&self) -> &Range<usize> {
        self
    }
}

/// Could the word be a text that somebody forgot to put in quotes?
pub(super) fn is_known_value(word: &str, names: &Names) -> bool {
    let facts = SIGNATURES.iter().filter_map(|row| match row.source {
        Source::Live(Live::Weekday) => Some(weekday()),
        Source::Live(_) => None,
        Source::Request(of) => Some(Fact::Of(of)),
    });
    facts
        .filter_map(|fact| values(&fact, names))
        .any(|values| values.iter().any(|value| value == word))
}

/// Reports `model.supply == "lokal"` and its like, either way round.
pub(super) fn comparable(
    names: &Names,
    comparison: Comparison,
    left: (&Text, &Syntax),
    right: (&Text, &Syntax),
) -> Vec<Fault> {
    let one = text(names, comparison, left, right);
    let other = text(names, comparison.mirrored(), right, left);
    one.into_iter().chain(other).collect()
}

fn text(names: &Names, comparison: Comparison, fact: (&Text, &Syntax), literal: (&Text, &Syntax)) -> Option<Fault> {
    let (of, wanted) = match (fact.0, literal.0) {
        (Text::Fact(of), Text::Const(wanted)) => (of, wanted),
        _ => return None,
    };
    let same = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
    match of {
        Fact::Live(Signal { live: Live::Date, .. }) => not_a_date(wanted, &literal.1.range),
        Fact::Live(Signal {
            live: Live::Weekday, ..
        }) if !same => {
            let fault = Fault::error("type", fact.1.range.clone(), "weekdays have no order");
            Some(fault.help("name them: `weekday in [\"sat\", \"sun\"]`"))
        }
        Fact::Of(Of::Territory) if same => no_territory(wanted, &literal.1.range),
        _ if same => possible(names, fact.0, (literal.0, &literal.1.range), None),
        _ => None,
    }
}

/// Reports a literal that the fact never equals, or with `affix` never has.
pub(super) fn possible(
    names: &Names,
    fact: &Text,
    literal: (&Text, &Range<usize>),
    affix: Option<Affix>,
) -> Option<Fault> {
    let (Text::Fact(of), Text::Const(wanted)) = (fact, literal.0) else {
        return None;
    };
    if affix.is_none() && matches!(of, Fact::Live(Signal { live: Live::Date, .. })) {
        return not_a_date(wanted, literal.1);
    }
    if affix.is_none() && matches!(of, Fact::Of(Of::Territory)) {
        return no_territory(wanted, literal.1);
    }
    let values = values(of, names)?;
    let met = |value: &String| match affix {
        None => *value == wanted.as_ref(),
        Some(affix) => affix.holds(value, wanted),
    };
    if values.iter().any(met) {
        return None;
    }
    let never = if affix.is_some() { "never has" } else { "is never" };
    Some(never_matches(of, never, wanted, literal.1, &values))
}

/// Reports a text that no model has in its list.
pub(super) fn listed(names: &Names, list: &Fact, literal: (&Text, &Range<usize>)) -> Option<Fault> {
    let Text::Const(wanted) = literal.0 else { return None };
    let values = values(list, names)?;
    let there = values.iter().any(|value| value == wanted.as_ref());
    (!there).then(|| never_matches(list, "never has", wanted, literal.1, &values))
}

fn never_matches(of: &Fact, never: &str, wanted: &str, range: &Range<usize>, values: &[String]) -> Fault {
    let message = format!("`{}` {never} \"{}\"", spelled(of), shown(wanted));
    let real = values.iter().map(String::as_str).filter(|value| !value.is_empty());
    let help = suggestion(wanted, real);
    let fault = Fault::error("never-matches", range.clone(), message);
    fault.maybe_help(help.or_else(|| {
        let none = |what: &str, word: &str| Some(format!("the policy names no {what}, so `{word}` is the empty text"));
        match of {
            Fact::Of(Of::Client) => none("clients", "client"),
            Fact::Of(Of::ModelLabels) => Some("no model and no provider has a label".to_owned()),
            _ => None,
        }
    }))
}

fn not_a_date(wanted: &str, range: &Range<usize>) -> Option<Fault> {
    let is_date = wanted.len() == "2026-12-31".len() && wanted.parse::<Date>().is_ok();
    (!is_date).then(|| {
        let message = format!("`date` is never \"{}\"", shown(wanted));
        Fault::error("never-matches", range.clone(), message).help("dates are written `2026-12-31`")
    })
}

/// As headers and clients give it: `DE`, `CN-HK`, `EU`, or nothing.
fn no_territory(wanted: &str, range: &Range<usize>) -> Option<Fault> {
    let capital = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    let (country, part) = wanted.split_once('-').unwrap_or((wanted, "A"));
    let is_one = country.len() == 2 && (1..=3).contains(&part.len()) && capital(country) && capital(part);
    (!is_one && !wanted.is_empty()).then(|| {
        let message = format!("`territory` is never \"{}\"", shown(wanted));
        Fault::error("never-matches", range.clone(), message)
            .help("territories are ISO 3166 codes in capitals, `DE` or `CN-HK`, or `EU`")
    })
}

/// Reports a number that a signal never is or passes, either way round; warns of `budget("x").used >= 1` where the
/// budget is enforced hard.
pub(super) fn numbers(
    names: &Names,
    comparison: Comparison,
    left: (&Number, &impl Placed),
    right: (&Number, &impl Placed),
    whole: &impl Placed,
) -> Option<Fault> {
    let (comparison, fact, bound, range) = match (left.0, right.0) {
        (Number::Fact(fact), other) => (comparison, fact, other.value(&Nothing)?, right.1.place()),
        (other, Number::Fact(fact)) => (comparison.mirrored(), fact, other.value(&Nothing)?, left.1.place()),
        _ => return None,
    };
    out_of_range(fact, comparison, bound, range).or_else(|| {
        let Fact::Live(Signal { live, name }) = fact else {
            return None;
        };
        match live {
            Live::BudgetUsed | Live::BudgetForecast if bound >= A_LOT => {
                let message = format!(
                    "`{}` is a share of the limit, and {bound} is that many times it",
                    spelled(fact)
                );
                Some(Fault::warning("never-holds", whole.place().clone(), message).help("80 % of the limit is `0.8`"))
            }
            Live::BudgetUsed if asks_for_all(comparison, bound) && is_hard(names, name) => {
                let message = format!("`used` of `{name}` never reaches 1, because the budget is enforced hard");
                let fault = Fault::warning("never-holds", whole.place().clone(), message);
                Some(fault.help(format!("write `budget(\"{name}\").exhausted`")))
            }
            _ => None,
        }
    })
}

/// Nobody overspends a budget so much; somebody who writes so means per cent.
const A_LOT: f64 = 10.0;

fn asks_for_all(comparison: Comparison, bound: f64) -> bool {
    match comparison {
        Comparison::AtLeast | Comparison::Equal | Comparison::Greater => bound >= 1.0,
        Comparison::Less | Comparison::AtMost | Comparison::NotEqual => false,
    }
}

fn is_hard(names: &Names, budget: &str) -> bool {
    names
        .budgets
        .iter()
        .any(|(name, hard)| name.as_ref() == budget && *hard)
}

/// The least and the greatest value, and whether it is always whole.
fn range_of(fact: &Fact) -> Option<(f64, f64, bool)> {
    let none = f64::INFINITY;
    match fact {
        Fact::Of(Of::ModelQuality) => Some((0.0, 100.0, true)),
        Fact::Of(Of::ModelContext) => Some((0.0, none, true)),
        Fact::Of(_) | Fact::Tag(_) => None,
        Fact::Live(signal) => match signal.live {
            Live::Hour => Some((0.0, 23.0, true)),
            Live::ProviderErrorRate | Live::ProviderQuotaLeft => Some((0.0, 1.0, false)),
            Live::LicenseDaysLeft => Some((-none, none, true)),
            // What was used may be more than what was paid in.
            Live::ProviderBalance => Some((-none, none, false)),
            _ => Some((0.0, none, false)),
        },
    }
}

fn out_of_range(fact: &Fact, comparison: Comparison, bound: f64, range: &Range<usize>) -> Option<Fault> {
    let (least, most, whole) = range_of(fact)?;
    // `hour < 24` is how a day ends.
    let ends_the_day = whole && comparison == Comparison::Less && bound == most + 1.0;
    let outside = !(least..=most).contains(&bound) && !ends_the_day;
    let at_the_edge = match comparison {
        Comparison::Greater => bound == most,
        Comparison::Less => bound == least,
        _ => false,
    };
    let between = whole && bound.fract() != 0.0 && matches!(comparison, Comparison::Equal | Comparison::NotEqual);
    if bound.is_nan() || !(outside || at_the_edge || between) {
        return None;
    }
    let name = spelled(fact);
    let message = match (between, bound > least) {
        (true, _) => format!("`{name}` is a whole number, never {bound}"),
        (_, true) => format!("`{name}` is never more than {most}"),
        (_, false) => format!("`{name}` is never less than {least}"),
    };
    let fault = Fault::error("never-matches", range.clone(), message);
    Some(if most == 1.0 && bound > 1.0 {
        fault.help("shares are numbers from 0 to 1: 20 % is `0.2`")
    } else {
        fault
    })
}

fn weekday() -> Fact {
    Fact::Live(Signal {
        live: Live::Weekday,
        name: "".into(),
    })
}

/// All that the fact can be; `None` where anything is possible.
fn values(fact: &Fact, names: &Names) -> Option<Vec<String>> {
    let all = |list: &[std::sync::Arc<str>]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    let or_none = |mut list: Vec<String>| {
        list.push(String::new());
        list
    };
    let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    match fact {
        Fact::Of(of) => match of {
            Of::ModelName => Some(all(&names.models)),
            Of::ModelProvider => Some(all(&names.providers)),
            Of::ModelVendor => Some(all(&names.vendors)),
            Of::ModelSupply => Some(words(&Supply::ALL.map(Supply::word))),
            Of::ModelLicense => Some(or_none(all(&names.licenses))),
            Of::ModelDomain => Some(or_none(all(&names.domains))),
            Of::ModelResidence => Some(all(&names.residences)),
            Of::ModelLabels => Some(all(&names.labels)),
            Of::Client => Some(or_none(all(&names.clients))),
            Of::Use => Some(or_none(words(&USES))),
            Of::Route => {
                let direct = names.models.iter().map(|model| format!("planb/{model}"));
                Some(all(&names.routes).into_iter().chain(direct).collect())
            }
            _ => None,
        },
        Fact::Live(signal) if signal.live == Live::Weekday => Some(words(&WEEKDAYS)),
        Fact::Live(_) | Fact::Tag(_) => None,
    }
}

fn spelled(fact: &Fact) -> String {
    match fact {
        Fact::Live(signal) => signal.to_string(),
        Fact::Tag(name) => format!("tag.{name}"),
        Fact::Of(of) => {
            let row = SIGNATURES.iter().find(|row| row.source == Source::Request(*of));
            row.map(super::signature::Signature::spelled).unwrap_or_default()
        }
    }
}
