//! A checked condition: typed, so that evaluating it cannot fail.
//!
//! Evaluation is three-valued: `None` stands for a value that is not known yet, and a part whose answer does not
//! depend on it is answered all the same. That is also how a selector is folded over a model's static facts.

use super::signals::Signal;
use super::signature::Of;
use super::syntax::{Arithmetic, Comparison};
use std::sync::Arc;

/// A value that is read where the condition runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    Live(Signal),
    /// Of the model or the caller, but tags.
    Of(Of),
    Tag(Arc<str>),
}

/// Where the values come from; `None` is not known. Each is asked only for facts of its type.
pub(super) trait World {
    fn truth(&self, fact: &Fact) -> Option<bool>;
    fn number(&self, fact: &Fact) -> Option<f64>;
    fn text(&self, fact: &Fact) -> Option<&str>;
    fn texts(&self, fact: &Fact) -> Option<&[Arc<str>]>;
}

#[derive(Clone, Debug)]
pub(super) enum Truth {
    Const(bool),
    Fact(Fact),
    Not(Box<Truth>),
    All(Vec<Truth>),
    Any(Vec<Truth>),
    If(Box<[Truth; 3]>),
    Same {
        sides: Box<[Truth; 2]>,
        equal: bool,
    },
    Numbers(Comparison, Box<[Number; 2]>),
    Texts(Comparison, Box<[Text; 2]>),
    NumberIn(Number, Vec<Number>),
    TextIn(Text, Vec<Text>),
    /// Is the text one of a fact's texts?
    Among(Text, Fact),
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
    Fact(Fact),
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
            Self::Fact(fact) => world.truth(fact),
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
                Some(comparison.holds(left.value(world)?.cmp(right.value(world)?)))
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
            Self::Among(wanted, list) => {
                let list = world.texts(list)?;
                // In an empty list there is nothing, whatever is wanted.
                if list.is_empty() {
                    return Some(false);
                }
                let wanted = wanted.value(world)?;
                Some(list.iter().any(|item| item.as_ref() == wanted))
            }
            Self::Affix(affix, sides) => {
                let [text, part] = sides.as_ref();
                Some(affix.holds(text.value(world)?, part.value(world)?))
            }
        }
    }

    /// Every fact that it reads, in the order of the text, as often as it does.
    pub fn facts<'a>(&'a self, found: &mut Vec<&'a Fact>) {
        match self {
            Self::Const(_) => {}
            Self::Fact(fact) => found.push(fact),
            Self::Not(inner) => inner.facts(found),
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.facts(found)),
            Self::If(parts) => parts.iter().for_each(|part| part.facts(found)),
            Self::Same { sides, .. } => sides.iter().for_each(|part| part.facts(found)),
            Self::Numbers(_, sides) => sides.iter().for_each(|part| part.facts(found)),
            Self::Texts(_, sides) | Self::Affix(_, sides) => sides.iter().for_each(|part| part.facts(found)),
            Self::NumberIn(wanted, list) => {
                wanted.facts(found);
                list.iter().for_each(|part| part.facts(found));
            }
            Self::TextIn(wanted, list) => {
                wanted.facts(found);
                list.iter().for_each(|part| part.facts(found));
            }
            Self::Among(wanted, list) => {
                wanted.facts(found);
                found.push(list);
            }
        }
    }
}

impl Number {
    pub fn value(&self, world: &dyn World) -> Option<f64> {
        match self {
            Self::Const(value) => Some(*value),
            Self::Fact(fact) => world.number(fact),
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

    pub fn facts<'a>(&'a self, found: &mut Vec<&'a Fact>) {
        match self {
            Self::Const(_) => {}
            Self::Fact(fact) => found.push(fact),
            Self::Negative(inner) => inner.facts(found),
            Self::Calculate(_, sides) => sides.iter().for_each(|part| part.facts(found)),
            Self::If(parts) => {
                parts.0.facts(found);
                parts.1.facts(found);
                parts.2.facts(found);
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

    fn facts<'a>(&'a self, found: &mut Vec<&'a Fact>) {
        match self {
            Self::Const(_) => {}
            Self::Fact(fact) => found.push(fact),
            Self::If(parts) => {
                parts.0.facts(found);
                parts.1.facts(found);
                parts.2.facts(found);
            }
        }
    }
}

/// Nothing is known: only what the text alone decides has a value.
pub(super) struct Nothing;

impl World for Nothing {
    fn truth(&self, _: &Fact) -> Option<bool> {
        None
    }
    fn number(&self, _: &Fact) -> Option<f64> {
        None
    }
    fn text(&self, _: &Fact) -> Option<&str> {
        None
    }
    fn texts(&self, _: &Fact) -> Option<&[Arc<str>]> {
        None
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

/// False, `!=` included, where either side is no value (a division by zero, a quality that is not there).
fn compare_numbers(comparison: Comparison, left: f64, right: f64) -> bool {
    left.partial_cmp(&right).is_some_and(|order| comparison.holds(order))
}
