//! Counters that a price depends on: what a ladder, a free quota or a commitment has seen of its period.
//!
//! A meter is found by its name and its shape, so that several models can share one; where it stands is kept elsewhere and handed in as
//! [`Positions`].

use crate::period::{Period, Span};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::sync::Arc;

/// What a meter counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Unit {
    #[default]
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
    /// `ladder/model/NAME` and the like, with the model's own name or the shared one.
    pub name: Arc<str>,
    /// What else makes it that meter: what it counts, when it turns, who counts with it. Another one starts anew.
    pub shape: Arc<str>,
    pub unit: Unit,
    /// `None`: it never starts anew.
    pub per: Option<Period>,
    /// In which the period turns.
    pub zone: TimeZone,
    /// From when one that never starts anew counts.
    pub since: Option<Timestamp>,
}

/// One meter in one period.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MeterKey {
    pub name: Arc<str>,
    pub shape: Arc<str>,
    pub start: Timestamp,
}

impl Meter {
    /// The period around an instant.
    pub fn span(&self, at: Timestamp) -> Span {
        let always = Span {
            start: self.since.unwrap_or(Timestamp::UNIX_EPOCH),
            end: Timestamp::MAX,
        };
        self.per.map_or(always, |per| per.span(at, &self.zone))
    }

    pub fn key(&self, at: Timestamp) -> MeterKey {
        MeterKey {
            name: self.name.clone(),
            shape: self.shape.clone(),
            start: self.span(at).start,
        }
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
    /// What was used before is still being found: it may stand anywhere.
    pub unknown: bool,
}

/// Where the meters of one price stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Positions {
    pub ladder: Position,
    pub free: Position,
    pub commitment: Position,
}

impl Positions {
    /// What one of them has counted is being found.
    pub const fn are_unknown(&self) -> bool {
        self.ladder.unknown || self.free.unknown || self.commitment.unknown
    }

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
        unknown: false,
    };
}
