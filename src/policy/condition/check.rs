//! Syntax to typed tree against [`signature`](super::signature): every wrong name and type at once, each at its place.
//!
//! A part that is wrong becomes `Typed::Wrong`, about which nothing further is said.

use super::signature::{Environment, LATER, SIGNATURES, Signature, Subject, Type};
use super::syntax::{Comparison, Kind, Operator, Syntax};
use super::tree::{Affix, Fact, Flag, Gauge, Number, Text, Truth};
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

/// A value with its type.
pub(super) enum Typed {
    Truth(Truth),
    Number(Number),
    Text(Text),
    List(Vec<(Typed, Range<usize>)>),
    /// Already reported.
    Wrong,
}

impl Typed {
    const fn word(&self) -> &'static str {
        match self {
            Self::Truth(_) => Type::Bool.word(),
            Self::Number(_) => Type::Number.word(),
            Self::Text(_) => Type::Text.word(),
            Self::List(_) => "a list",
            Self::Wrong => "wrong",
        }
    }
}

pub(super) struct Checker<'a> {
    environment: Environment,
    pub names: &'a Names,
    pub faults: Vec<Fault>,
}

impl Checker<'_> {
    fn wrong(&mut self, fault: Fault) -> Typed {
        self.faults.push(fault);
        Typed::Wrong
    }

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
                self.faults
                    .extend(literals::reachable(self.names, comparison, &a, &b, whole));
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
            (Operator::In, (wanted, Typed::List(items))) => self.membership(whole, wanted, items),
            (_, (a, b)) => {
                let message = format!(
                    "`{}` cannot stand between {} and {}",
                    operator.word(),
                    a.word(),
                    b.word()
                );
                let fault = Fault::error("type", whole.range.clone(), message);
                self.wrong(match operator {
                    Operator::In => fault.help("write `x in [\"a\", \"b\"]`"),
                    _ if is_signal(left) && matches!(right.kind, Kind::Name(_)) => fault.help("texts stand in quotes"),
                    _ => fault,
                })
            }
        }
    }

    fn membership(&mut self, whole: &Syntax, wanted: Typed, items: Vec<(Typed, Range<usize>)>) -> Typed {
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
                (Typed::Number(_), Typed::Number(item)) => numbers.push(item),
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

    fn signal(&mut self, read: &Read<'_>) -> Typed {
        if let Some(fault) = read.later(self.environment) {
            return self.wrong(fault);
        }
        let known: Vec<&Signature> = SIGNATURES.iter().filter(|s| s.subject.word() == read.subject).collect();
        let Some(first) = known.first() else {
            return self.unknown(read);
        };
        if first.environment != self.environment {
            let message = match first.environment {
                Environment::State => format!("`{}` is a live signal: it stands in `when` and `until`", read.subject),
                Environment::Selector => {
                    format!(
                        "`{}` tells requests apart: it stands in `only`, `avoid` and `covers`",
                        read.subject
                    )
                }
            };
            return self.wrong(Fault::error("wrong-environment", read.subject_range.clone(), message));
        }
        let name = match self.name_of(first.subject, read) {
            Ok(name) => name,
            Err(fault) => return self.wrong(fault),
        };
        let field = read.field.map(|(field, _)| field);
        let found = known
            .iter()
            .find(|s| s.field == field || s.field == Some("*") && field.is_some());
        match (found, read.field) {
            (Some(_), Some((tag, _))) if first.subject == Subject::Tag => {
                Typed::Text(Text::Fact(Fact::Tag(tag.into())))
            }
            (Some(signature), _) => typed(signature, name),
            (None, Some((field, range))) => {
                let help = suggestion(field, known.iter().filter_map(|s| s.field));
                let message = format!("`{}` has no `{}`", read.subject, shown(field));
                self.wrong(Fault::error("unknown-signal", range.clone(), message).maybe_help(help))
            }
            (None, None) => {
                let fields: Vec<_> = known.iter().filter_map(|s| s.field).collect();
                let message = format!("`{}` has no value by itself", read.subject);
                let help = format!("add `.{}`", fields.join("` or `.").replace('*', "NAME"));
                self.wrong(Fault::error("unknown-signal", read.whole.clone(), message).help(help))
            }
        }
    }

    /// The name in `budget("…")`, checked; empty for subjects that take none.
    fn name_of(&self, subject: Subject, read: &Read<'_>) -> Result<Arc<str>, Fault> {
        let example = format!("write `{}(\"NAME\")`", subject.word());
        let argument = match (subject.is_named(), read.arguments) {
            (false, None) => return Ok(Arc::from("")),
            (false, Some(_)) => {
                let message = format!("`{}` takes no argument", subject.word());
                return Err(Fault::error("type", read.subject_range.clone(), message));
            }
            (true, Some([argument])) => argument,
            (true, _) => {
                let message = format!("`{}` takes the name of one", subject.word());
                return Err(Fault::error("type", read.subject_range.clone(), message).help(example));
            }
        };
        let Kind::Text(name) = &argument.kind else {
            let message = format!("the name of a {} is a text in quotes", subject.word());
            return Err(Fault::error("type", argument.range.clone(), message).help(example));
        };
        let known: Vec<&Arc<str>> = match subject {
            Subject::Budget => self.names.budgets.iter().map(|(name, _)| name).collect(),
            _ => self.names.providers.iter().collect(),
        };
        let found = known.iter().find(|known| known.as_ref() == name.as_str());
        found.map(|name| Arc::clone(name)).ok_or_else(|| {
            let help = suggestion(name, known.iter().map(|name| name.as_ref()));
            let message = format!("no {} is called `{}`", subject.word(), shown(name));
            Fault::error("unknown-name", argument.range.clone(), message).maybe_help(help)
        })
    }

    fn unknown(&mut self, read: &Read<'_>) -> Typed {
        let here = SIGNATURES.iter().filter(|s| s.environment == self.environment);
        let mut subjects: Vec<&str> = here.map(|s| s.subject.word()).collect();
        subjects.dedup();
        let bare = read.arguments.is_none() && read.field.is_none();
        let help = if bare && literals::is_known_value(read.subject, self.names) {
            Some(format!("texts stand in quotes: `\"{}\"`", shown(read.subject)))
        } else {
            suggestion(read.subject, subjects)
        };
        let message = format!("unknown name `{}`", shown(read.subject));
        self.wrong(Fault::error("unknown-signal", read.subject_range.clone(), message).maybe_help(help))
    }
}

/// A place where a signal is read: `subject`, `subject.field`, `subject(arguments).field`.
struct Read<'a> {
    subject: &'a str,
    subject_range: &'a Range<usize>,
    arguments: Option<&'a [Syntax]>,
    field: Option<(&'a str, &'a Range<usize>)>,
    whole: &'a Range<usize>,
}

impl<'a> Read<'a> {
    fn bare(subject: &'a str, range: &'a Range<usize>) -> Self {
        Self {
            subject,
            subject_range: range,
            arguments: None,
            field: None,
            whole: range,
        }
    }

    /// Is it a signal of the product that this version lacks?
    fn later(&self, environment: Environment) -> Option<Fault> {
        let field = self.field.map_or("", |(field, _)| field);
        let subject_is_later = !SIGNATURES.iter().any(|s| s.subject.word() == self.subject);
        // `model("x")` is live, `model` is a selector's.
        let live_model = self.subject == "model" && self.arguments.is_some() && environment == Environment::State;
        let named = LATER.iter().find(|(subject, later)| {
            *subject == self.subject && (*later == field || subject_is_later || live_model && field.is_empty())
        });
        let (subject, later) = named?;
        let word = if later.is_empty() || field.is_empty() {
            (*subject).to_owned()
        } else {
            format!("{subject}.{field}")
        };
        let message = format!("`{}` is not supported by this version yet", shown(&word));
        Some(Fault::error("not-yet", self.whole.clone(), message))
    }
}

fn is_signal(syntax: &Syntax) -> bool {
    matches!(syntax.kind, Kind::Field { .. } | Kind::Name(_))
}

fn typed(signature: &Signature, name: Arc<str>) -> Typed {
    match (signature.subject, signature.field) {
        (Subject::Budget, Some("used")) => Typed::Number(Number::Gauge(Gauge::BudgetUsed(name))),
        (Subject::Budget, _) => Typed::Truth(Truth::Flag(Flag::BudgetExhausted(name))),
        (Subject::Provider, _) => Typed::Truth(Truth::Flag(Flag::ProviderUp(name))),
        (Subject::Model, Some("provider")) => Typed::Text(Text::Fact(Fact::ModelProvider)),
        (Subject::Model, Some("supply")) => Typed::Text(Text::Fact(Fact::ModelSupply)),
        (Subject::Model, _) => Typed::Text(Text::Fact(Fact::ModelName)),
        (Subject::Tag, _) => Typed::Text(Text::Fact(Fact::Tag(name))),
        (Subject::Client, _) => Typed::Text(Text::Fact(Fact::Client)),
        (Subject::Use, _) => Typed::Text(Text::Fact(Fact::Use)),
    }
}
