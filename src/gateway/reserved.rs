//! Money that is taken for an attempt and a place in the ledger for what becomes of it: what `reserve` gives, and an
//! attempt ends exactly once.

use super::tariff::Tariff;
use crate::budget::ReservationId;
use crate::ledger::Permit;
use jiff::Timestamp;

/// What was reserved for an attempt, before it is sent.
pub struct Reserved {
    pub reservation: ReservationId,
    pub permit: Option<Permit>,
    /// When its money was taken: it posts to the period of this instant.
    pub at: Timestamp,
    pub tariff: Tariff,
}
