//! Syntax to typed tree against [`signature`](super::signature): every wrong name and type at once, each at its place.
//!
//! A part that is wrong becomes `Typed::Wrong`, about which nothing further is said.

use super::checker::{Checker, Typed};
use super::read::Read;
use super::signature::{Environment, Type};
use super::syntax::{Comparison, Kind, Operator, Syntax};
use super::tree::{Affix, Number, Text, Truth};
use super::{Fault, Names, literals};
use crate::policy::mask::shown;
use crate::policy::nearest::suggestion;
use std::ops::Range;
use std::sync::Arc;

/// The tree when nothing is wrong, and what there is to say.
pub(super) fn check(syntax: &Syntax, environment: Environment, names: &Names) -> (Option<Truth>, Vec<Fault>) {
    let mut checker = Checker {
        environment,
        names,
        faults: Vec::new(),
    };
    let whole = checker.value(syntax);
    let tree = checker.truth(whole, syntax, "a condition");
    let sound = checker.faults.iter().all(|fault| fault.warning);
    (tree.filter(|_| sound), checker.faults)
}

impl Checker<'_> {
    fn value(&mut self, syntax: &Syntax) -> Typed {
        match &syntax.kind {
            Kind::Bool(value) => Typed::Truth(Truth::Const(*value)),
            Kind::Number(value) => Typed::Number(Number::Const(*value)),
            Kind::Text(value) => Typed::Text(Text::Const(Arc::from(value.as_str()))),
            Kind::Name(name) => self.signal(&Read::bare(name, &syntax.range)),
            Kind::Field { of, name, name_range } => self.field(syntax, of, name, name_range),
            Kind::Call {
                target: Some(target),
                function,
                function_range,
                arguments,
            } => self.method(target, function, function_range, arguments),
            Kind::Call {
                function,
                function_range,
                arguments,
                ..
            } => self.signal(&Read {
                subject: function,
                subject_range: function_range,
                arguments: Some(arguments),
                field: None,
                whole: &syntax.range,
            }),
            Kind::List(items) => {
                let typed = items.iter().map(|item| (self.value(item), item.range.clone()));
                Typed::List(typed.collect())
            }
            Kind::Not(inner) => self
                .truth_of(inner, "`!`")
                .map_or(Typed::Wrong, |inner| Typed::Truth(Truth::Not(Box::new(inner)))),
            Kind::Negative(inner) => match self.value(inner) {
                Typed::Number(inner) => Typed::Number(Number::Negative(Box::new(inner))),
                other => self.mismatch(&other, inner, "`-`", Type::Number),
            },
            Kind::All(parts) => self
                .truths(parts, "`&&`")
                .map_or(Typed::Wrong, |parts| Typed::Truth(Truth::All(parts))),
            Kind::Any(parts) => self
                .truths(parts, "`||`")
                .map_or(Typed::Wrong, |parts| Typed::Truth(Truth::Any(parts))),
            Kind::Binary { operator, left, right } => self.binary(syntax, *operator, left, right),
            Kind::If(parts) => self.choice(syntax, parts),
        }
    }

    fn truth_of(&mut self, syntax: &Syntax, what: &str) -> Option<Truth> {
        let typed = self.value(syntax);
        self.truth(typed, syntax, what)
    }

    fn truth(&mut self, typed: Typed, syntax: &Syntax, what: &str) -> Option<Truth> {
        match typed {
            Typed::Truth(truth) => Some(truth),
            other => {
                self.mismatch(&other, syntax, what, Type::Bool);
                None
            }
        }
    }

    fn truths(&mut self, parts: &[Syntax], what: &str) -> Option<Vec<Truth>> {
        let parts: Vec<_> = parts.iter().map(|part| self.truth_of(part, what)).collect();
        parts.into_iter().collect()
    }

    fn mismatch(&mut self, found: &Typed, syntax: &Syntax, what: &str, wanted: Type) -> Typed {
        if matches!(found, Typed::Wrong) {
            return Typed::Wrong;
        }
        let message = format!("{what} takes {}, and this is {}", wanted.word(), found.word());
        self.wrong(Fault::error("type", syntax.range.clone(), message))
    }

    fn choice(&mut self, whole: &Syntax, parts: &[Syntax; 3]) -> Typed {
        let [condition, yes, no] = parts;
        let condition = self.truth_of(condition, "`?`");
        let (yes, no) = (self.value(yes), self.value(no));
        match (condition, yes, no) {
            (Some(condition), Typed::Truth(yes), Typed::Truth(no)) => {
                Typed::Truth(Truth::If(Box::new([condition, yes, no])))
            }
            (Some(condition), Typed::Number(yes), Typed::Number(no)) => {
                Typed::Number(Number::If(Box::new((condition, yes, no))))
            }
            (Some(condition), Typed::Text(yes), Typed::Text(no)) => {
                Typed::Text(Text::If(Box::new((condition, yes, no))))
            }
            (None, ..) | (_, Typed::Wrong, _) | (.., Typed::Wrong) => Typed::Wrong,
            (_, yes, no) => {
                let message = format!(
                    "both sides of `:` are of one type, and these are {} and {}",
                    yes.word(),
                    no.word()
                );
                self.wrong(Fault::error("type", whole.range.clone(), message))
            }
        }
    }

    fn binary(&mut self, whole: &Syntax, operator: Operator, left: &Syntax, right: &Syntax) -> Typed {
        let typed = (self.value(left), self.value(right));
        match (operator, typed) {
            (_, (Typed::Wrong, _) | (_, Typed::Wrong)) => Typed::Wrong,
            (Operator::Calculate(arithmetic), (Typed::Number(a), Typed::Number(b))) => {
                Typed::Number(Number::Calculate(arithmetic, Box::new([a, b])))
            }
            (Operator::Compare(comparison), (Typed::Number(a), Typed::Number(b))) => {
                self.faults.extend(literals::numbers(
                    self.names,
                    comparison,
                    (&a, left),
                    (&b, right),
                    whole,
                ));
                Typed::Truth(Truth::Numbers(comparison, Box::new([a, b])))
            }
            (Operator::Compare(comparison), (Typed::Text(a), Typed::Text(b))) => {
                self.faults
                    .extend(literals::comparable(self.names, comparison, (&a, left), (&b, right)));
                Typed::Truth(Truth::Texts(comparison, Box::new([a, b])))
            }
            (
                Operator::Compare(comparison @ (Comparison::Equal | Comparison::NotEqual)),
                (Typed::Truth(a), Typed::Truth(b)),
            ) => Typed::Truth(Truth::Same {
                sides: Box::new([a, b]),
                equal: comparison == Comparison::Equal,
            }),
            (Operator::In, (wanted, Typed::List(items))) => self.membership(whole, left, wanted, items),
            (Operator::In, (Typed::Text(wanted), Typed::Texts(list))) => {
                let faults = literals::listed(self.names, &list, (&wanted, &left.range));
                self.faults.extend(faults);
                Typed::Truth(Truth::Among(wanted, list))
            }
            (_, (a, b)) => {
                let message = format!(
                    "`{}` cannot stand between {} and {}",
                    operator.word(),
                    a.word(),
                    b.word()
                );
                let fault = Fault::error("type", whole.range.clone(), message);
                let list = matches!(a, Typed::Texts(_)) || matches!(b, Typed::Texts(_));
                self.wrong(match operator {
                    _ if list => fault.help("ask a list for a text: `\"eu\" in model.labels`"),
                    Operator::In => fault.help("write `x in [\"a\", \"b\"]`"),
                    _ if is_signal(left) && matches!(right.kind, Kind::Name(_)) => fault.help("texts stand in quotes"),
                    Operator::Compare(_)
                        if matches!(left.kind, Kind::Binary { .. }) && matches!(a, Typed::Truth(_)) =>
                    {
                        fault.help("two comparisons are joined with `&&`: `0.5 < x && x < 0.8`")
                    }
                    Operator::Compare(_) => match (&a, &left.kind, &b, &right.kind) {
                        (Typed::Number(_), _, _, Kind::Text(text)) | (_, Kind::Text(text), Typed::Number(_), _)
                            if text.parse::<f64>().is_ok() =>
                        {
                            fault.help(format!("numbers stand without quotes: `{text}`"))
                        }
                        _ => fault,
                    },
                    _ => fault,
                })
            }
        }
    }

    fn membership(&mut self, whole: &Syntax, left: &Syntax, wanted: Typed, items: Vec<(Typed, Range<usize>)>) -> Typed {
        if items.is_empty() {
            return self.wrong(Fault::error(
                "never-matches",
                whole.range.clone(),
                "nothing is in an empty list",
            ));
        }
        let (mut numbers, mut texts) = (Vec::new(), Vec::new());
        for (item, range) in items {
            match (&wanted, item) {
                (_, Typed::Wrong) => return Typed::Wrong,
                (Typed::Number(wanted), Typed::Number(item)) => {
                    let equal = Comparison::Equal;
                    self.faults.extend(literals::numbers(
                        self.names,
                        equal,
                        (wanted, left),
                        (&item, &range),
                        &range,
                    ));
                    numbers.push(item);
                }
                (Typed::Text(wanted), Typed::Text(item)) => {
                    self.faults
                        .extend(literals::possible(self.names, wanted, (&item, &range), None));
                    texts.push(item);
                }
                (_, item) => {
                    let message = format!("{} is never {}", wanted.word(), item.word());
                    return self.wrong(Fault::error("type", range, message));
                }
            }
        }
        match wanted {
            Typed::Number(wanted) => Typed::Truth(Truth::NumberIn(wanted, numbers)),
            Typed::Text(wanted) => Typed::Truth(Truth::TextIn(wanted, texts)),
            _ => Typed::Wrong,
        }
    }

    fn method(&mut self, target: &Syntax, function: &str, range: &Range<usize>, arguments: &[Syntax]) -> Typed {
        let affix = match function {
            "startsWith" => Affix::StartsWith,
            "endsWith" => Affix::EndsWith,
            "contains" => Affix::Contains,
            _ => {
                let help = suggestion(function, ["startsWith", "endsWith", "contains"]);
                let message = format!("unknown function `{}`", shown(function));
                return self.wrong(Fault::error("unknown-function", range.clone(), message).maybe_help(help));
            }
        };
        let text = self.value(target);
        let parts: Vec<_> = arguments.iter().map(|argument| self.value(argument)).collect();
        match (text, <[Typed; 1]>::try_from(parts), arguments) {
            (Typed::Text(text), Ok([Typed::Text(part)]), [argument]) => {
                self.faults.extend(literals::possible(
                    self.names,
                    &text,
                    (&part, &argument.range),
                    Some(affix),
                ));
                Typed::Truth(Truth::Affix(affix, Box::new([text, part])))
            }
            (Typed::Wrong, ..) | (_, Ok([Typed::Wrong]), _) => Typed::Wrong,
            _ => {
                let message = format!("`{function}` asks of a text whether it has one other text");
                let fault = Fault::error("type", range.clone(), message);
                self.wrong(fault.help(format!("write `tag.team.{function}(\"search\")`")))
            }
        }
    }

    fn field(&mut self, whole: &Syntax, of: &Syntax, name: &str, name_range: &Range<usize>) -> Typed {
        let field = Some((name, name_range));
        let read = match &of.kind {
            Kind::Name(subject) => Read {
                subject,
                subject_range: &of.range,
                arguments: None,
                field,
                whole: &whole.range,
            },
            Kind::Call {
                target: None,
                function,
                function_range,
                arguments,
            } => Read {
                subject: function,
                subject_range: function_range,
                arguments: Some(arguments),
                field,
                whole: &whole.range,
            },
            _ => {
                let message = format!("nothing here has a field `{}`", shown(name));
                return self.wrong(Fault::error("unknown-signal", name_range.clone(), message));
            }
        };
        self.signal(&read)
    }
}

fn is_signal(syntax: &Syntax) -> bool {
    matches!(syntax.kind, Kind::Field { .. } | Kind::Name(_))
}
