//! The clauses that terms are made of, each with what the operator declared of it.

use super::Breach;
use crate::money::{Currency, Money};
use crate::period::Period;
use jiff::civil::Date;
use std::fmt;
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    Commercial,
    Internal,
    Research,
}

impl Use {
    pub const ALL: [Self; 3] = [Self::Commercial, Self::Internal, Self::Research];

    /// What counts where nobody says: the use that binds most.
    pub const UNSAID: Self = Self::Commercial;

    pub const fn word(self) -> &'static str {
        match self {
            Self::Commercial => "commercial",
            Self::Internal => "internal",
            Self::Research => "research",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.word() == word)
    }
}

/// A set of uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uses(u8);

impl Uses {
    pub const ALL: Self = Self(0b111);

    pub fn of(uses: impl IntoIterator<Item = Use>) -> Self {
        Self(uses.into_iter().fold(0, |set, one| set | 1 << one as u8))
    }

    pub const fn has(self, one: Use) -> bool {
        self.0 & (1 << one as u8) != 0
    }
}

/// `commercial, internal`
impl fmt::Display for Uses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = Use::ALL
            .into_iter()
            .filter(|one| self.has(*one))
            .map(Use::word)
            .collect();
        f.write_str(if words.is_empty() { "nothing" } else { "" })?;
        f.write_str(&words.join(", "))
    }
}

/// Users a month, seats or GPUs: how many it allows, and how many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub max: Option<u64>,
    pub declared: Option<u64>,
    /// When they were counted.
    pub as_of: Option<Date>,
}

impl Count {
    pub(super) fn excess(&self) -> Option<(u64, u64)> {
        let (declared, max) = (self.declared?, self.max?);
        (declared > max).then_some((declared, max))
    }

    pub(super) fn share(&self) -> Option<f64> {
        let (declared, max) = (self.declared?, self.max?);
        (max > 0).then_some(declared as f64 / max as f64)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    Month,
    Year,
}

impl Per {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    pub const fn period(self) -> Period {
        match self {
            Self::Month => Period::Month,
            Self::Year => Period::Year,
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        [Self::Month, Self::Year].into_iter().find(|per| per.word() == word)
    }
}

/// The revenue up to which it holds, and the one there is. Both are in one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revenue {
    pub max: Option<Money>,
    pub currency: Currency,
    pub per: Per,
    pub declared: Option<Money>,
    pub as_of: Option<Date>,
    /// It counts only where the model itself is offered as a service.
    pub only_service: bool,
}

impl Revenue {
    pub(super) fn binds(&self, service: Service) -> bool {
        !self.only_service || service.offered
    }

    pub(super) fn check(&self) -> Result<(), Breach> {
        match (self.declared, self.max) {
            (Some(declared), Some(max)) if declared > max => Err(Breach::Revenue {
                declared,
                max,
                currency: self.currency,
                per: self.per,
            }),
            _ => Ok(()),
        }
    }
}

/// The model itself as a service to others: whether the terms allow it, and whether the operator does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    pub allowed: bool,
    pub offered: bool,
}

impl Default for Service {
    fn default() -> Self {
        Self {
            allowed: true,
            offered: false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DutyKind {
    /// To be shown to users.
    Display,
    /// To be kept, sent or passed on.
    Notice,
    /// What holds for the model's outputs.
    Outputs,
    /// Purposes that are ruled out.
    Purposes,
}

impl DutyKind {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Display => "display",
            Self::Notice => "notice",
            Self::Outputs => "outputs",
            Self::Purposes => "purposes",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duty {
    pub kind: DutyKind,
    pub text: Arc<str>,
    /// It begins above these.
    pub above: Option<Threshold>,
}

/// Either of them passed is passed. Facts that nobody declared pass nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    pub users: u64,
    pub revenue: Money,
}

impl Threshold {
    pub(super) fn is_passed(&self, users: Option<u64>, revenue: Option<Money>) -> bool {
        users.is_some_and(|users| users > self.users) || revenue.is_some_and(|revenue| revenue > self.revenue)
    }
}

/// A flat fee: it belongs to the cost of ownership and never to the cost of one more call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fee {
    pub amount: Money,
    pub currency: Currency,
    pub per: Per,
}

impl fmt::Display for Fee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.amount, self.currency, self.per.word())
    }
}
