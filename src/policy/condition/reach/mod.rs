//! Whether a condition can hold at all, or fail to, whatever its signals come to say.
//!
//! What each signal may be is narrowed along the tree: `&&` narrows one after another, `||` unites what its parts leave,
//! until nothing changes. A part about which nothing is concluded narrows nothing, so that an answer of "never" is true
//! of every world and the opposite is a guess.

mod numbers;
mod texts;

pub use numbers::Numbers;

use super::StateCondition;
use super::signals::Signal;
use super::signature::WEEKDAYS;
use super::syntax::Comparison;
use super::tree::{Fact, Number, Truth};
use jiff::civil::Date;
use numbers::Outcome;
use std::sync::Arc;

/// What one signal may come to say.
#[derive(Clone, Debug, PartialEq)]
pub enum Domain {
    Truths {
        no: bool,
        yes: bool,
    },
    Numbers(Numbers),
    Words(Vec<Arc<str>>),
    /// By the number of days since 1970 began.
    Days(Numbers),
}

/// The signals that left nothing to choose from, in the order of the text; none where no value could help.
pub type Never = Vec<Signal>;

/// As often is the tree gone through until nothing changes.
const ROUNDS: usize = 8;
/// So many parts are looked at: of a condition that a machine wrote, nothing is concluded.
const PARTS: usize = 20_000;

impl Domain {
    pub const NEVER: Self = Self::Numbers(Numbers::NONE);

    /// From this day on.
    pub fn from_day(day: Date) -> Self {
        Self::Days(texts::from_day(day))
    }

    pub fn weekdays() -> Self {
        Self::Words(WEEKDAYS.map(Arc::from).into())
    }

    /// It never has a value.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Truths { no, yes } => !no && !yes,
            Self::Numbers(numbers) | Self::Days(numbers) => numbers.is_empty(),
            Self::Words(words) => words.is_empty(),
        }
    }

    fn or(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Truths { no, yes }, Self::Truths { no: n, yes: y }) => Self::Truths {
                no: *no || *n,
                yes: *yes || *y,
            },
            (Self::Numbers(one), Self::Numbers(two)) => Self::Numbers(one.or(two)),
            (Self::Days(one), Self::Days(two)) => Self::Days(one.or(two)),
            (Self::Words(one), Self::Words(two)) => {
                let more = two.iter().filter(|word| !one.contains(word));
                Self::Words(one.iter().chain(more).cloned().collect())
            }
            _ => self.clone(),
        }
    }
}

impl StateCondition {
    /// May it ever come to this answer? A signal that is not known yet gives none.
    pub fn can_be(&self, answer: bool, domain: &dyn Fn(&Signal) -> Domain) -> Result<(), Never> {
        self.can_be_beside(answer, None, domain)
    }

    /// The same at an instant at which another condition comes to an answer, too.
    pub fn can_be_beside(
        &self,
        answer: bool,
        other: Option<(&Self, bool)>,
        domain: &dyn Fn(&Signal) -> Domain,
    ) -> Result<(), Never> {
        let both = self
            .signals
            .iter()
            .chain(other.iter().flat_map(|(other, _)| other.signals.iter()));
        let mut signals: Vec<Signal> = Vec::new();
        for signal in both {
            if !signals.contains(signal) {
                signals.push(signal.clone());
            }
        }
        let mut worlds = Worlds {
            domains: signals.iter().map(domain).collect(),
            emptied: vec![false; signals.len()],
            signals,
            parts: PARTS,
        };
        for _ in 0..ROUNDS {
            let before = worlds.domains.clone();
            let possible = worlds.narrow(&self.tree, answer)
                && other.is_none_or(|(other, answer)| worlds.narrow(&other.tree, answer));
            if !possible {
                let emptied = worlds.signals.iter().zip(&worlds.emptied);
                return Err(emptied
                    .filter(|(_, emptied)| **emptied)
                    .map(|(signal, _)| signal.clone())
                    .collect());
            }
            if worlds.domains == before {
                break;
            }
        }
        Ok(())
    }
}

/// What the signals may be in the worlds that are left.
#[derive(Clone)]
struct Worlds {
    signals: Vec<Signal>,
    domains: Vec<Domain>,
    /// Those of which a part left nothing.
    emptied: Vec<bool>,
    parts: usize,
}

impl Worlds {
    /// Leaves out worlds in which it comes to something else; false where none is left.
    fn narrow(&mut self, truth: &Truth, answer: bool) -> bool {
        if self.parts == 0 {
            return true;
        }
        self.parts -= 1;
        match truth {
            Truth::Const(value) => *value == answer,
            Truth::Fact(fact) => self.keep(fact, |domain| match domain {
                Domain::Truths { no, yes } => Domain::Truths {
                    no: *no && !answer,
                    yes: *yes && answer,
                },
                other => other.clone(),
            }),
            Truth::Not(inner) => self.narrow(inner, !answer),
            Truth::All(parts) if answer => parts.iter().all(|part| self.narrow(part, true)),
            Truth::Any(parts) if !answer => parts.iter().all(|part| self.narrow(part, false)),
            Truth::All(parts) | Truth::Any(parts) => self.either(
                parts
                    .iter()
                    .map(|part| move |worlds: &mut Self| worlds.narrow(part, answer)),
            ),
            Truth::If(parts) => {
                let [condition, yes, no] = parts.as_ref();
                self.either([(true, yes), (false, no)].map(|(chosen, part)| {
                    move |worlds: &mut Self| worlds.narrow(condition, chosen) && worlds.narrow(part, answer)
                }))
            }
            Truth::Same { sides, equal } => {
                let [left, right] = sides.as_ref();
                let same = *equal == answer;
                self.either([true, false].map(|of_left| {
                    move |worlds: &mut Self| worlds.narrow(left, of_left) && worlds.narrow(right, of_left == same)
                }))
            }
            Truth::Numbers(comparison, sides) => self.compare(*comparison, &sides[0], &sides[1], answer),
            Truth::NumberIn(wanted, list) if answer => self.either(
                list.iter()
                    .map(|item| move |worlds: &mut Self| worlds.compare(Comparison::Equal, wanted, item, true)),
            ),
            Truth::NumberIn(wanted, list) => list
                .iter()
                .all(|item| self.compare(Comparison::Equal, wanted, item, false)),
            Truth::Texts(comparison, sides) => self.compare_texts(*comparison, &sides[0], &sides[1], answer),
            Truth::TextIn(wanted, list) if answer => self.either(
                list.iter()
                    .map(|item| move |worlds: &mut Self| worlds.compare_texts(Comparison::Equal, wanted, item, true)),
            ),
            Truth::TextIn(wanted, list) => list
                .iter()
                .all(|item| self.compare_texts(Comparison::Equal, wanted, item, false)),
            Truth::Affix(affix, sides) => self.affix(*affix, &sides[0], &sides[1], answer),
            // Only selectors read lists.
            Truth::Among(..) => true,
        }
    }

    /// The worlds of every part that leaves some.
    fn either<P: FnOnce(&mut Self) -> bool>(&mut self, parts: impl IntoIterator<Item = P>) -> bool {
        let (mut left, mut emptied) = (None::<Vec<Domain>>, self.emptied.clone());
        for part in parts {
            let mut worlds = self.clone();
            let possible = part(&mut worlds);
            self.parts = worlds.parts;
            if possible {
                left = Some(match left {
                    None => worlds.domains,
                    Some(left) => left.iter().zip(&worlds.domains).map(|(one, two)| one.or(two)).collect(),
                });
            } else {
                let more = emptied.iter_mut().zip(worlds.emptied);
                more.for_each(|(emptied, more)| *emptied |= more);
            }
        }
        let possible = left.is_some();
        match left {
            Some(domains) => self.domains = domains,
            None => self.emptied = emptied,
        }
        possible
    }

    /// A fact that is no signal may be anything.
    fn place(&self, fact: &Fact) -> Option<usize> {
        let Fact::Live(signal) = fact else { return None };
        self.signals.iter().position(|known| known == signal)
    }

    fn keep(&mut self, fact: &Fact, of: impl FnOnce(&Domain) -> Domain) -> bool {
        let Some(at) = self.place(fact) else { return true };
        let kept = of(&self.domains[at]);
        if kept.is_empty() {
            self.emptied[at] = true;
            return false;
        }
        self.domains[at] = kept;
        true
    }

    fn compare(&mut self, comparison: Comparison, left: &Number, right: &Number, answer: bool) -> bool {
        let (l, r) = (self.outcome(left), self.outcome(right));
        if !answer && (l.undefined || r.undefined) {
            return true;
        }
        let comparison = if answer { comparison } else { comparison.negated() };
        // Where a side never has a value, neither has the comparison.
        let (Some(of_left), Some(of_right)) = (l.values.ends(), r.values.ends()) else {
            return self.blame(left, right);
        };
        let (lowest, highest) = (f64::NEG_INFINITY, f64::INFINITY);
        let apart = |of: &Outcome, other: &Outcome| match other.values.only() {
            Some(value) => of.values.without(value),
            None => of.values.clone(),
        };
        let (for_left, for_right) = match comparison {
            Comparison::Equal => (r.values.clone(), l.values.clone()),
            Comparison::NotEqual => (apart(&l, &r), apart(&r, &l)),
            Comparison::Less => (
                Numbers::between(lowest, of_right.1.next_down()),
                Numbers::between(of_left.0.next_up(), highest),
            ),
            Comparison::AtMost => (
                Numbers::between(lowest, of_right.1),
                Numbers::between(of_left.0, highest),
            ),
            Comparison::Greater => (
                Numbers::between(of_right.0.next_up(), highest),
                Numbers::between(lowest, of_left.1.next_down()),
            ),
            Comparison::AtLeast => (
                Numbers::between(of_right.0, highest),
                Numbers::between(lowest, of_left.1),
            ),
        };
        self.narrow_number(left, &for_left) && self.narrow_number(right, &for_right)
    }

    /// What a number may come to.
    fn outcome(&self, number: &Number) -> Outcome {
        let defined = |values| Outcome {
            values,
            undefined: false,
        };
        match number {
            Number::Const(value) => defined(Numbers::point(*value)),
            Number::Fact(fact) => match self.place(fact).map(|at| &self.domains[at]) {
                Some(Domain::Numbers(numbers)) => defined(numbers.clone()),
                _ => defined(Numbers::any()),
            },
            Number::Negative(inner) => {
                let inner = self.outcome(inner);
                Outcome {
                    values: inner.values.negated(),
                    ..inner
                }
            }
            Number::Calculate(operator, sides) => {
                let (left, right) = (self.outcome(&sides[0]), self.outcome(&sides[1]));
                let result = numbers::calculate(*operator, &left.values, &right.values);
                Outcome {
                    undefined: result.undefined || left.undefined || right.undefined,
                    ..result
                }
            }
            Number::If(parts) => {
                let (yes, no) = (self.outcome(&parts.1), self.outcome(&parts.2));
                Outcome {
                    values: yes.values.or(&no.values),
                    undefined: yes.undefined || no.undefined,
                }
            }
        }
    }

    /// Leaves out worlds in which the number is none of these.
    fn narrow_number(&mut self, number: &Number, wanted: &Numbers) -> bool {
        if self.parts == 0 {
            return true;
        }
        self.parts -= 1;
        match number {
            Number::Const(value) => !wanted.and(&Numbers::point(*value)).is_empty(),
            Number::Fact(fact) => self.keep(fact, |domain| match domain {
                Domain::Numbers(numbers) => Domain::Numbers(numbers.and(wanted)),
                other => other.clone(),
            }),
            Number::Negative(inner) => self.narrow_number(inner, &wanted.negated()),
            Number::Calculate(operator, sides) => {
                let (left, right) = (self.outcome(&sides[0]), self.outcome(&sides[1]));
                let wanted = numbers::calculate(*operator, &left.values, &right.values)
                    .values
                    .and(wanted);
                if wanted.is_empty() {
                    return self.blame(&sides[0], &sides[1]);
                }
                if left.undefined || right.undefined {
                    return true;
                }
                let [left, right] = numbers::sides(*operator, &left.values, &right.values, &wanted);
                self.narrow_number(&sides[0], &left) && self.narrow_number(&sides[1], &right)
            }
            Number::If(parts) => {
                let (condition, yes, no) = parts.as_ref();
                self.either([(true, yes), (false, no)].map(|(chosen, part)| {
                    move |worlds: &mut Self| worlds.narrow(condition, chosen) && worlds.narrow_number(part, wanted)
                }))
            }
        }
    }

    /// The signals of both sides leave nothing; always false.
    fn blame(&mut self, left: &Number, right: &Number) -> bool {
        let mut facts = Vec::new();
        left.facts(&mut facts);
        right.facts(&mut facts);
        for fact in facts {
            if let Some(at) = self.place(fact) {
                self.emptied[at] = true;
            }
        }
        false
    }
}
