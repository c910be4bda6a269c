//! The tree that a policy's text becomes: values with their places, and how each was written.

use std::sync::Arc;

/// Bytes of one file, from `start` (inclusive) to `end` (exclusive). Ordered as people read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::policy) struct Place {
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
pub(in crate::policy) enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Block,
}

/// A scalar as written.
#[derive(Clone, Debug)]
pub(in crate::policy) struct Word {
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
pub(in crate::policy) struct Node {
    pub place: Place,
    pub value: Value,
}

#[derive(Clone, Debug)]
pub(in crate::policy) enum Value {
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
