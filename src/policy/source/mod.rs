//! Files to one tree of values, each with its place: YAML's structure and nothing of the policy's meaning.
//!
//! Bounded in depth and size whatever the text says (anchors and aliases included). Duplicate keys are errors. Several
//! files merge in their order: what is named must be new, lists are appended.

mod files;
mod merge;
mod parse;

#[cfg(test)]
mod tests;

pub(super) use files::Files;

use super::report::Report;
use std::sync::Arc;

/// Bytes of one file, from `start` (inclusive) to `end` (exclusive). Ordered as people read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub file: usize,
    pub start: usize,
    pub end: usize,
}

impl Place {
    pub const START: Self = Self {
        file: 0,
        start: 0,
        end: 0,
    };
}

/// How a scalar was written; it decides where its characters stand in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Block,
}

/// A scalar as written.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub text: Arc<str>,
    pub place: Place,
    pub style: Style,
    /// A placeholder for something that has already been reported.
    pub broken: bool,
}

impl Word {
    pub fn broken(place: Place) -> Self {
        Self {
            text: Arc::from(""),
            place,
            style: Style::Plain,
            broken: true,
        }
    }

    /// Nothing stands there: `key:` or `key: ~`.
    pub fn is_null(&self) -> bool {
        self.style == Style::Plain && matches!(self.text.as_ref(), "" | "~" | "null")
    }
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub place: Place,
    pub value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Scalar(Word),
    List(Vec<Node>),
    Map(Vec<(Word, Node)>),
}

impl Node {
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(word) if word.is_null())
    }

    /// What it is, for messages.
    pub fn shape(&self) -> &'static str {
        match &self.value {
            Value::Scalar(_) if self.is_null() => "nothing",
            Value::Scalar(_) => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

/// All files as one map. `None` when a file's structure could not be read to its end.
pub(super) fn load<'f>(files: &'f Files, report: &mut Report<'f>) -> Option<Vec<(Word, Node)>> {
    let mut budget = parse::Allowance::default();
    let parsed: Vec<_> = (0..files.len())
        .map(|file| parse::parse(files, file, &mut budget, report))
        .collect();
    let roots: Option<Vec<_>> = parsed.into_iter().collect();
    Some(merge::merge(roots?, files, report))
}
