//! Counters that a price depends on: what a ladder, a free quota or a commitment has seen of its period.
//!
//! A meter is found by its name, so that several models can share one; where it stands is kept elsewhere and handed in as
//! [`Positions`].

use crate::period::{Period, Span};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::sync::Arc;

/// What a meter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    Tokens,
    /// Nano-units of the price's own currency.
    Money,
}

impl Unit {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Money => "money",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Meter {
    /// `ladder/NAME`, `free/NAME` or `commit/NAME`, with the model's own name or the shared one.
    pub name: Arc<str>,
    pub unit: Unit,
    /// `None`: it never starts anew.
    pub per: Option<Period>,
    /// In which the period turns.
    pub zone: TimeZone,
}

impl Meter {
    /// The period around an instant.
    pub fn span(&self, at: Timestamp) -> Span {
        let always = Span {
            start: Timestamp::UNIX_EPOCH,
            end: Timestamp::MAX,
        };
        self.per.map_or(always, |per| per.span(at, &self.zone))
    }
}

/// Where one meter stands in the current period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    pub used: u64,
    /// The most that requests under way may still add.
    pub pending: u64,
    /// What it will have counted by the end of its period at the present pace, where that can be said.
    pub forecast: Option<u64>,
}

/// Where the meters of one price stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Positions {
    pub ladder: Position,
    pub free: Position,
    pub commitment: Position,
}

impl Positions {
    pub const START: Self = Self {
        ladder: Position::START,
        free: Position::START,
        commitment: Position::START,
    };
}

impl Position {
    const START: Self = Self {
        used: 0,
        pending: 0,
        forecast: None,
    };
}
