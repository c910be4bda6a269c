//! A checked condition: typed, so that evaluating it cannot fail.
//!
//! Evaluation is three-valued: `None` stands for a value that is not known yet, and a part whose answer does not
//! depend on it is answered all the same. That is also how a selector is folded over a model's static facts.

use super::syntax::{Arithmetic, Comparison};
use std::sync::Arc;

/// A text that a selector reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    ModelName,
    ModelProvider,
    ModelSupply,
    Tag(Arc<str>),
    Client,
    Use,
}

/// A live number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Gauge {
    BudgetUsed(Arc<str>),
}

/// A live truth value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Flag {
    BudgetExhausted(Arc<str>),
    ProviderUp(Arc<str>),
}

/// Where the values come from; `None` is not known.
pub(super) trait World {
    fn text(&self, fact: &Fact) -> Option<&str>;
    fn number(&self, gauge: &Gauge) -> Option<f64>;
    fn truth(&self, flag: &Flag) -> Option<bool>;
}

#[derive(Clone, Debug)]
pub(super) enum Truth {
    Const(bool),
    Flag(Flag),
    Not(Box<Truth>),
    All(Vec<Truth>),
    Any(Vec<Truth>),
    If(Box<[Truth; 3]>),
    Same { sides: Box<[Truth; 2]>, equal: bool },
    Numbers(Comparison, Box<[Number; 2]>),
    Texts(Comparison, Box<[Text; 2]>),
    NumberIn(Number, Vec<Number>),
    TextIn(Text, Vec<Text>),
    Affix(Affix, Box<[Text; 2]>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Affix {
    StartsWith,
    EndsWith,
    Contains,
}

impl Affix {
    pub fn holds(self, text: &str, part: &str) -> bool {
        match self {
            Self::StartsWith => text.starts_with(part),
            Self::EndsWith => text.ends_with(part),
            Self::Contains => text.contains(part),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Number {
    Const(f64),
    Gauge(Gauge),
    Negative(Box<Number>),
    Calculate(Arithmetic, Box<[Number; 2]>),
    If(Box<(Truth, Number, Number)>),
}

#[derive(Clone, Debug)]
pub(super) enum Text {
    Const(Arc<str>),
    Fact(Fact),
    If(Box<(Truth, Text, Text)>),
}

impl Truth {
    pub fn holds(&self, world: &dyn World) -> Option<bool> {
        match self {
            Self::Const(value) => Some(*value),
            Self::Flag(flag) => world.truth(flag),
            Self::Not(inner) => inner.holds(world).map(|value| !value),
            Self::All(parts) => decided(parts, world, false),
            Self::Any(parts) => decided(parts, world, true),
            Self::If(parts) => {
                let [condition, yes, no] = parts.as_ref();
                chosen(condition, world, || yes.holds(world), || no.holds(world))
            }
            Self::Same { sides, equal } => {
                let [left, right] = sides.as_ref();
                Some((left.holds(world)? == right.holds(world)?) == *equal)
            }
            Self::Numbers(comparison, sides) => {
                let [left, right] = sides.as_ref();
                Some(compare_numbers(*comparison, left.value(world)?, right.value(world)?))
            }
            Self::Texts(comparison, sides) => {
                let [left, right] = sides.as_ref();
                Some(compare(*comparison, left.value(world)?.cmp(right.value(world)?)))
            }
            Self::NumberIn(wanted, list) => {
                let wanted = wanted.value(world);
                let same = |item: &Number| Some(compare_numbers(Comparison::Equal, wanted?, item.value(world)?));
                among(list.iter().map(same))
            }
            Self::TextIn(wanted, list) => {
                let wanted = wanted.value(world);
                among(list.iter().map(|item| Some(wanted? == item.value(world)?)))
            }
            Self::Affix(affix, sides) => {
                let [text, part] = sides.as_ref();
                Some(affix.holds(text.value(world)?, part.value(world)?))
            }
        }
    }

    /// Each signal that it reads, once, with its value: `budget("month").used = 0.83`.
    pub fn readings(&self, world: &dyn World) -> Vec<String> {
        let mut found = Vec::new();
        self.collect(world, &mut found);
        found
    }

    fn collect(&self, world: &dyn World, found: &mut Vec<String>) {
        match self {
            Self::Flag(flag) => note(found, flag_reading(flag, world)),
            Self::Not(inner) => inner.collect(world, found),
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.collect(world, found)),
            Self::If(parts) => parts.iter().for_each(|part| part.collect(world, found)),
            Self::Same { sides, .. } => sides.iter().for_each(|part| part.collect(world, found)),
            Self::Numbers(_, sides) => sides.iter().for_each(|part| part.collect(world, found)),
            Self::NumberIn(wanted, list) => {
                std::iter::once(wanted)
                    .chain(list)
                    .for_each(|part| part.collect(world, found));
            }
            // Texts are no live signals.
            Self::Const(_) | Self::Texts(..) | Self::TextIn(..) | Self::Affix(..) => {}
        }
    }
}

impl Number {
    fn value(&self, world: &dyn World) -> Option<f64> {
        match self {
            Self::Const(value) => Some(*value),
            Self::Gauge(gauge) => world.number(gauge),
            Self::Negative(inner) => inner.value(world).map(|value| -value),
            Self::Calculate(operator, sides) => {
                let [left, right] = sides.as_ref();
                Some(calculate(*operator, left.value(world)?, right.value(world)?))
            }
            Self::If(parts) => {
                let (condition, yes, no) = parts.as_ref();
                chosen(condition, world, || yes.value(world), || no.value(world))
            }
        }
    }

    fn collect(&self, world: &dyn World, found: &mut Vec<String>) {
        match self {
            Self::Const(_) => {}
            Self::Gauge(gauge) => note(found, gauge_reading(gauge, world)),
            Self::Negative(inner) => inner.collect(world, found),
            Self::Calculate(_, sides) => sides.iter().for_each(|part| part.collect(world, found)),
            Self::If(parts) => {
                parts.0.collect(world, found);
                parts.1.collect(world, found);
                parts.2.collect(world, found);
            }
        }
    }
}

impl Text {
    fn value<'a>(&'a self, world: &'a dyn World) -> Option<&'a str> {
        match self {
            Self::Const(value) => Some(value),
            Self::Fact(fact) => world.text(fact),
            Self::If(parts) => {
                let (condition, yes, no) = parts.as_ref();
                chosen(condition, world, || yes.value(world), || no.value(world))
            }
        }
    }
}

/// `&&` for `decider` false, `||` for true: one part of that value decides whatever the others are.
fn decided(parts: &[Truth], world: &dyn World, decider: bool) -> Option<bool> {
    let mut unknown = false;
    for part in parts {
        match part.holds(world) {
            Some(value) if value == decider => return Some(decider),
            Some(_) => {}
            None => unknown = true,
        }
    }
    (!unknown).then_some(!decider)
}

fn chosen<T>(
    condition: &Truth,
    world: &dyn World,
    yes: impl FnOnce() -> Option<T>,
    no: impl FnOnce() -> Option<T>,
) -> Option<T> {
    match condition.holds(world)? {
        true => yes(),
        false => no(),
    }
}

fn among(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut unknown = false;
    for answer in answers {
        match answer {
            Some(true) => return Some(true),
            Some(false) => {}
            None => unknown = true,
        }
    }
    (!unknown).then_some(false)
}

fn calculate(operator: Arithmetic, left: f64, right: f64) -> f64 {
    match operator {
        Arithmetic::Plus => left + right,
        Arithmetic::Minus => left - right,
        Arithmetic::Times => left * right,
        // No value at all rather than infinity: every comparison with it is false.
        Arithmetic::Over if right == 0.0 => f64::NAN,
        Arithmetic::Over => left / right,
    }
}

/// False, `!=` included, where either side is no value (a division by zero).
fn compare_numbers(comparison: Comparison, left: f64, right: f64) -> bool {
    left.partial_cmp(&right).is_some_and(|order| compare(comparison, order))
}

fn compare(comparison: Comparison, order: std::cmp::Ordering) -> bool {
    match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::AtMost => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::AtLeast => order.is_ge(),
    }
}

fn note(found: &mut Vec<String>, reading: String) {
    if !found.contains(&reading) {
        found.push(reading);
    }
}

fn gauge_reading(gauge: &Gauge, world: &dyn World) -> String {
    let Gauge::BudgetUsed(name) = gauge;
    let value = world.number(gauge).unwrap_or(f64::NAN);
    // Four decimals tell 0.7999 from 0.8; more says nothing.
    let shown = format!("{value:.4}");
    let shown = shown.trim_end_matches('0').trim_end_matches('.');
    format!("budget(\"{name}\").used = {shown}")
}

fn flag_reading(flag: &Flag, world: &dyn World) -> String {
    let value = world.truth(flag).unwrap_or(false);
    match flag {
        Flag::BudgetExhausted(name) => format!("budget(\"{name}\").exhausted = {value}"),
        Flag::ProviderUp(name) => format!("provider(\"{name}\").up = {value}"),
    }
}
