//! A place where a signal is read, against the table of signatures: is there such a thing, here, and called so?

use super::checker::{Checker, Typed};
use super::signals::Signal;
use super::signature::{Environment, Of, SIGNATURES, Signature, Source, Subject, Type};
use super::syntax::{Kind, Syntax};
use super::tree::{Fact, Number, Text, Truth};
use super::{Fault, literals};
use crate::policy::mask::shown;
use crate::policy::nearest::suggestion;
use std::ops::Range;
use std::sync::Arc;

/// `subject`, `subject.field`, `subject(arguments).field`.
pub(super) struct Read<'a> {
    pub subject: &'a str,
    pub subject_range: &'a Range<usize>,
    pub arguments: Option<&'a [Syntax]>,
    pub field: Option<(&'a str, &'a Range<usize>)>,
    pub whole: &'a Range<usize>,
}

impl<'a> Read<'a> {
    pub const fn bare(subject: &'a str, range: &'a Range<usize>) -> Self {
        Self {
            subject,
            subject_range: range,
            arguments: None,
            field: None,
            whole: range,
        }
    }
}

impl Checker<'_> {
    pub fn signal(&mut self, read: &Read<'_>) -> Typed {
        let known: Vec<&Signature> = SIGNATURES.iter().filter(|s| s.subject.word() == read.subject).collect();
        let here: Vec<&Signature> = known
            .iter()
            .copied()
            .filter(|s| s.environment == self.environment)
            .collect();
        let Some(first) = known.first() else {
            return self.unknown(read);
        };
        let field = read.field.map(|(field, _)| field);
        let meant = |s: &&&Signature| s.field == field || s.field == Some("*") && field.is_some();
        if here.is_empty() || field.is_some() && !here.iter().any(|s| meant(&s)) && known.iter().any(|s| meant(&s)) {
            return self.wrong(elsewhere(self.environment, read));
        }
        let name = match self.name_of(first.subject, read) {
            Ok(name) => name,
            Err(fault) => return self.wrong(fault),
        };
        match (here.iter().find(meant), read.field) {
            (Some(signature), _) => typed(signature, name, field),
            (None, Some((field, range))) => {
                let help = suggestion(field, here.iter().filter_map(|s| s.field));
                let message = format!("`{}` has no `{}`", read.subject, shown(field));
                self.wrong(Fault::error("unknown-signal", range.clone(), message).maybe_help(help))
            }
            (None, None) => {
                let fields: Vec<_> = here.iter().filter_map(|s| s.field).collect();
                let message = format!("`{}` has no value by itself", read.subject);
                let help = format!("add `.{}`", fields.join("` or `.").replace('*', "NAME"));
                self.wrong(Fault::error("unknown-signal", read.whole.clone(), message).help(help))
            }
        }
    }

    /// The name in `budget("…")`, checked; empty for subjects that take none.
    fn name_of(&self, subject: Subject, read: &Read<'_>) -> Result<Arc<str>, Fault> {
        let example = format!("write `{}(\"NAME\")`", subject.word());
        let argument = match (subject.is_named(self.environment), read.arguments) {
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
            Subject::License => self.names.licenses.iter().collect(),
            Subject::Model => self.names.models.iter().collect(),
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

/// It is a signal, but not one of these conditions.
fn elsewhere(environment: Environment, read: &Read<'_>) -> Fault {
    let word = match read.field {
        Some((field, _)) if read.subject == Subject::Model.word() => format!("{}.{field}", read.subject),
        _ => read.subject.to_owned(),
    };
    let message = match environment {
        Environment::Selector => format!("`{word}` is a live signal: it stands in `when` and `until`"),
        Environment::State => format!("`{word}` tells requests apart: it stands in `only`, `avoid` and `covers`"),
    };
    Fault::error("wrong-environment", read.subject_range.clone(), message)
}

fn typed(signature: &Signature, name: Arc<str>, field: Option<&str>) -> Typed {
    let fact = match signature.source {
        Source::Live(live) => Fact::Live(Signal { live, name }),
        Source::Request(Of::Tag) => Fact::Tag(field.unwrap_or_default().into()),
        Source::Request(of) => Fact::Of(of),
    };
    match signature.kind {
        Type::Bool => Typed::Truth(Truth::Fact(fact)),
        Type::Number => Typed::Number(Number::Fact(fact)),
        Type::Text => Typed::Text(Text::Fact(fact)),
        Type::Texts => Typed::Texts(fact),
    }
}
