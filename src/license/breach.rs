//! Why a use may not happen, for people.

use super::clause::{Per, Use, Uses};
use super::territory::Territory;
use crate::money::{Currency, Money};
use jiff::Timestamp;
use jiff::civil::Date;
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    Users,
    Seats,
    Gpus,
}

impl Counted {
    const fn word(self) -> &'static str {
        match self {
            Self::Users => "users a month",
            Self::Seats => "seats",
            Self::Gpus => "GPUs",
        }
    }
}

/// The clause that is not met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    NotStarted {
        from: Timestamp,
    },
    Expired {
        last_day: Date,
    },
    Over {
        what: Counted,
        declared: u64,
        max: u64,
    },
    Revenue {
        declared: Money,
        max: Money,
        currency: Currency,
        per: Per,
    },
    Service,
    /// As many users are counted as it allows, and this request's is none of them.
    NewUser {
        counted: u64,
        max: u64,
    },
    /// `None`: nobody said what for.
    Use {
        asked: Option<Use>,
        permits: Uses,
    },
    /// `None`: nobody said where.
    Territory {
        place: Option<Territory>,
    },
}

impl Breach {
    /// Another request under the same terms could be served.
    pub const fn is_of_request(&self) -> bool {
        matches!(self, Self::Use { .. } | Self::Territory { .. })
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted { from } => write!(f, "begins on {from}"),
            Self::Expired { last_day } => write!(f, "ended with {last_day}"),
            Self::Over { what, declared, max } => {
                write!(f, "holds up to {max} {}, and {declared} are declared", what.word())
            }
            Self::Revenue {
                declared,
                max,
                currency,
                per,
            } => write!(
                f,
                "holds up to a revenue of {max} {currency} a {}, and {declared} {currency} is declared",
                per.word()
            ),
            Self::NewUser { counted, max } => write!(
                f,
                "holds up to {max} users a month, {counted} are counted, and this request's is none of them"
            ),
            Self::Service => f.write_str("does not permit to offer the model as a service"),
            Self::Use {
                asked: Some(asked),
                permits,
            } => write!(f, "permits {permits}, not {} use", asked.word()),
            Self::Use { asked: None, permits } => write!(
                f,
                "permits {permits} alone, and the request does not say what it is for (`x-planb-use`)"
            ),
            Self::Territory { place: Some(place) } => write!(f, "does not hold in {place}"),
            Self::Territory { place: None } => f.write_str(
                "holds in some territories alone, and the request does not say where it is from (`x-planb-territory`)",
            ),
        }
    }
}
