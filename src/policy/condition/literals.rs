//! Comparisons that cannot come out as meant: a text that a fact never is, a share that a hard budget never reaches.

use super::signature::USES;
use super::syntax::{Comparison, Syntax};
use super::tree::{Affix, Fact, Gauge, Number, Text};
use super::{Fault, Names};
use crate::policy::mask::shown;
use crate::policy::nearest::suggestion;
use crate::policy::supply::Supply;
use std::ops::Range;

/// Could the word be a text that somebody forgot to put in quotes?
pub(super) fn is_known_value(word: &str, names: &Names) -> bool {
    [
        Fact::ModelName,
        Fact::ModelProvider,
        Fact::ModelSupply,
        Fact::Client,
        Fact::Use,
    ]
    .iter()
    .filter_map(|fact| values(fact, names))
    .any(|values| values.contains(&word))
}

/// Reports `model.supply == "lokal"` and its like, either way round.
pub(super) fn comparable(
    names: &Names,
    comparison: Comparison,
    left: (&Text, &Syntax),
    right: (&Text, &Syntax),
) -> Vec<Fault> {
    if !matches!(comparison, Comparison::Equal | Comparison::NotEqual) {
        return Vec::new();
    }
    let one = possible(names, left.0, (right.0, &right.1.range), None);
    let other = possible(names, right.0, (left.0, &left.1.range), None);
    one.into_iter().chain(other).collect()
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
    let values = values(of, names)?;
    let met = |value: &&str| match affix {
        None => *value == wanted.as_ref(),
        Some(affix) => affix.holds(value, wanted),
    };
    if values.iter().any(met) {
        return None;
    }
    let (name, never) = (fact_name(of), if affix.is_some() { "never has" } else { "is never" });
    let message = format!("`{name}` {never} \"{}\"", shown(wanted));
    let real = values.iter().copied().filter(|value| !value.is_empty());
    let help = suggestion(wanted, real);
    let fault = Fault::error("never-matches", literal.1.clone(), message);
    Some(fault.maybe_help(help.or_else(|| {
        matches!(of, Fact::Client).then(|| "the policy names no clients, so `client` is the empty text".to_owned())
    })))
}

/// Warns of `budget("x").used >= 1` where the budget is enforced hard.
pub(super) fn reachable(
    names: &Names,
    comparison: Comparison,
    left: &Number,
    right: &Number,
    whole: &Syntax,
) -> Option<Fault> {
    let (comparison, gauge, bound) = match (left, right) {
        (Number::Gauge(gauge), Number::Const(bound)) => (comparison, gauge, *bound),
        (Number::Const(bound), Number::Gauge(gauge)) => (comparison.mirrored(), gauge, *bound),
        _ => return None,
    };
    let asks_for_more = match comparison {
        Comparison::AtLeast | Comparison::Equal => bound >= 1.0,
        Comparison::Greater => bound >= 1.0,
        Comparison::Less | Comparison::AtMost | Comparison::NotEqual => false,
    };
    let Gauge::BudgetUsed(name) = gauge;
    let hard = names.budgets.iter().any(|(budget, hard)| budget == name && *hard);
    (asks_for_more && hard).then(|| Fault {
        warning: true,
        code: "never-holds",
        range: whole.range.clone(),
        message: format!("`used` of `{name}` never reaches 1, because the budget is enforced hard"),
        help: Some(format!("write `budget(\"{name}\").exhausted`")),
    })
}

/// All that the fact can be; `None` where anything is possible.
fn values<'a>(fact: &Fact, names: &'a Names) -> Option<Vec<&'a str>> {
    let with_empty = |list: Vec<&'a str>| list.into_iter().chain([""]).collect();
    match fact {
        Fact::ModelName => Some(names.models.iter().map(AsRef::as_ref).collect()),
        Fact::ModelProvider => Some(names.providers.iter().map(AsRef::as_ref).collect()),
        Fact::ModelSupply => Some(Supply::ALL.iter().map(|supply| supply.word()).collect()),
        Fact::Client => Some(with_empty(names.clients.iter().map(AsRef::as_ref).collect())),
        Fact::Use => Some(with_empty(USES.to_vec())),
        Fact::Tag(_) => None,
    }
}

fn fact_name(fact: &Fact) -> String {
    match fact {
        Fact::ModelName => "model.name".to_owned(),
        Fact::ModelProvider => "model.provider".to_owned(),
        Fact::ModelSupply => "model.supply".to_owned(),
        Fact::Client => "client".to_owned(),
        Fact::Use => "use".to_owned(),
        Fact::Tag(name) => format!("tag.{name}"),
    }
}
