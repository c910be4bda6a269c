//! Counters that a price depends on: what a ladder, a free quota or a commitment has seen of its period.
//!
//! A meter is found by its name, so that several models can share one; where it stands is kept elsewhere and handed in as
//! [`Positions`].

use crate::period::Period;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use std::sync::Arc;

/// How often something starts anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Every {
    Day,
    Week,
    Month,
    Year,
    /// Never.
    Once,
}

impl Every {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
            Self::Once => "once",
        }
    }

    /// From when to when (exclusive) the period around `at` lasts.
    pub fn span(self, at: Timestamp, zone: &TimeZone) -> (Timestamp, Timestamp) {
        let of = |period: Period| {
            let span = period.span(at, zone);
            (span.start, span.end)
        };
        match self {
            Self::Day => of(Period::Day),
            Self::Week => of(Period::Week),
            Self::Month => of(Period::Month),
            Self::Year => {
                let first = zone.to_datetime(at).date().first_of_year();
                let instant = |date: jiff::civil::Date| {
                    let zoned = date.to_zoned_datetime(zone.clone());
                    zoned.map(|zoned| zoned.timestamp())
                };
                (
                    instant(first).unwrap_or(Timestamp::MIN),
                    instant(first.saturating_add(1.year())).unwrap_or(Timestamp::MAX),
                )
            }
            Self::Once => (Timestamp::UNIX_EPOCH, Timestamp::MAX),
        }
    }
}

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
    pub every: Every,
    /// In which the period turns.
    pub zone: TimeZone,
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
