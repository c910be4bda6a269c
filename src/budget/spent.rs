//! What was settled: of an attempt, an account, a bucket of a window.

use crate::money::Money;

/// Settled amounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    pub posted: Money,
    pub held: Money,
    /// The part of `posted` beyond what had been reserved.
    pub overdraft: Money,
}

impl Spent {
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            posted: self.posted.plus(other.posted),
            held: self.held.plus(other.held),
            overdraft: self.overdraft.plus(other.overdraft),
        }
    }

    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self {
            posted: self.posted.minus(other.posted),
            held: self.held.minus(other.held),
            overdraft: self.overdraft.minus(other.overdraft),
        }
    }

    /// What counts against a limit.
    pub fn total(self) -> Money {
        self.posted.plus(self.held)
    }

    /// What it took from a lease: an overdraft was never leased.
    pub fn drawn(self) -> Money {
        self.total().minus(self.overdraft)
    }

    pub fn is_zero(self) -> bool {
        self == Self::default()
    }
}
