//! What a check goes through a condition with: where it stands, the policy's names, and what it has found so far.

use super::signature::{Environment, Type};
use super::tree::{Fact, Number, Text, Truth};
use super::{Fault, Names};
use std::ops::Range;

/// A value with its type.
pub(super) enum Typed {
    Truth(Truth),
    Number(Number),
    Text(Text),
    /// A signal that is a list.
    Texts(Fact),
    /// A list as written.
    List(Vec<(Typed, Range<usize>)>),
    /// Already reported.
    Wrong,
}

impl Typed {
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Truth(_) => Type::Bool.word(),
            Self::Number(_) => Type::Number.word(),
            Self::Text(_) => Type::Text.word(),
            Self::Texts(_) => Type::Texts.word(),
            Self::List(_) => "a list",
            Self::Wrong => "wrong",
        }
    }
}

pub(super) struct Checker<'a> {
    pub environment: Environment,
    pub names: &'a Names,
    pub faults: Vec<Fault>,
}

impl Checker<'_> {
    pub fn wrong(&mut self, fault: Fault) -> Typed {
        self.faults.push(fault);
        Typed::Wrong
    }
}
