//! What an account may spend at one instant, and what counts against it.

use super::spent::Spent;
use crate::money::Money;

/// An account's standing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Room {
    /// What was carried over is in it.
    pub(super) limit: Money,
    pub(super) carried: Money,
    pub(super) spent: Spent,
    /// What crashes left unrecorded.
    pub(super) unaccounted: Money,
    pub(super) reserved: Money,
}

impl Room {
    /// What counts against the limit, reservations left out.
    pub(super) fn taken(&self) -> Money {
        self.spent.total().plus(self.unaccounted)
    }

    /// Below zero after a limit was lowered.
    pub(super) fn remaining(&self) -> Money {
        self.unspent().minus(self.reserved)
    }

    /// What would be left if no reservation cost anything.
    pub(super) fn unspent(&self) -> Money {
        self.limit.minus(self.taken())
    }
}
