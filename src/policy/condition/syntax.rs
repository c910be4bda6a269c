//! A condition as written: every node with the bytes where it stands. No names are known and no types yet.

use std::cmp::Ordering;
use std::ops::Range;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Syntax {
    pub range: Range<usize>,
    pub kind: Kind,
    /// Levels below and with it: bounded, so that no walk over the tree can exhaust the stack.
    pub height: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Bool(bool),
    Number(f64),
    Text(String),
    Name(String),
    /// `function(arguments)` or `target.function(arguments)`.
    Call {
        target: Option<Box<Syntax>>,
        function: String,
        function_range: Range<usize>,
        arguments: Vec<Syntax>,
    },
    Field {
        of: Box<Syntax>,
        name: String,
        name_range: Range<usize>,
    },
    List(Vec<Syntax>),
    Not(Box<Syntax>),
    Negative(Box<Syntax>),
    All(Vec<Syntax>),
    Any(Vec<Syntax>),
    Binary {
        operator: Operator,
        left: Box<Syntax>,
        right: Box<Syntax>,
    },
    If(Box<[Syntax; 3]>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Compare(Comparison),
    In,
    Calculate(Arithmetic),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Plus,
    Minus,
    Times,
    Over,
}

impl Operator {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Compare(Comparison::Equal) => "==",
            Self::Compare(Comparison::NotEqual) => "!=",
            Self::Compare(Comparison::Less) => "<",
            Self::Compare(Comparison::AtMost) => "<=",
            Self::Compare(Comparison::Greater) => ">",
            Self::Compare(Comparison::AtLeast) => ">=",
            Self::In => "in",
            Self::Calculate(Arithmetic::Plus) => "+",
            Self::Calculate(Arithmetic::Minus) => "-",
            Self::Calculate(Arithmetic::Times) => "*",
            Self::Calculate(Arithmetic::Over) => "/",
        }
    }
}

impl Comparison {
    /// The same comparison with its sides exchanged.
    pub const fn mirrored(self) -> Self {
        match self {
            Self::Equal => Self::Equal,
            Self::NotEqual => Self::NotEqual,
            Self::Less => Self::Greater,
            Self::AtMost => Self::AtLeast,
            Self::Greater => Self::Less,
            Self::AtLeast => Self::AtMost,
        }
    }

    /// What holds of two that have an order where this does not.
    pub const fn negated(self) -> Self {
        match self {
            Self::Equal => Self::NotEqual,
            Self::NotEqual => Self::Equal,
            Self::Less => Self::AtLeast,
            Self::AtMost => Self::Greater,
            Self::Greater => Self::AtMost,
            Self::AtLeast => Self::Less,
        }
    }

    /// Is it true of two in this order?
    pub const fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::AtLeast => order.is_ge(),
        }
    }
}
