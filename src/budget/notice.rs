//! What the books have to say of themselves: a threshold that was crossed, a sum that does not add up.

use super::pool_id::PoolId;
use crate::money::Money;
use jiff::Timestamp;
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crossing {
    /// (posted + held) reached this share of the limit, in basis points.
    Threshold { basis_points: u32 },
    /// What is left is less than an ordinary request needs.
    Exhausted,
    /// The budget has as many keys as it may; new ones share `(other)`.
    KeysFull,
    /// Something cost more than had been reserved for it.
    Overdraft,
    /// Much is held because nobody has told the bill.
    Held,
}

/// Something an alert may be about. Told once by these books; the outbox makes it once over restarts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The budget and its period.
    pub pool: Arc<PoolId>,
    pub key: Arc<str>,
    pub at: Timestamp,
    pub limit: Money,
    pub posted: Money,
    pub held: Money,
    /// The part of `posted` beyond what had been reserved.
    pub overdraft: Money,
    pub crossing: Crossing,
}

/// What a budget holds because nobody has told the bill, and its keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Holding {
    pub budget: Arc<str>,
    /// Of the limit; of a keyed budget, and with what crashes left, the key with the largest.
    pub share: f64,
    pub keys: usize,
    /// The account of that share.
    pub most: Option<Notice>,
}

/// A violation, the budget that is closed by it, and what its books said at that moment.
#[derive(Clone, Debug)]
pub struct Broken {
    pub budget: Option<Arc<str>>,
    pub violation: Violation,
    pub dump: String,
}

/// A sum that must hold and does not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    #[error("a reservation {id} was ended that is not open")]
    UnknownReservation { id: u64 },
    #[error("an account had {by} less reserved than was released from it")]
    ReleasedTwice { by: Money },
    #[error("budget {budget} key {key:?}: {reserved} reserved, open reservations add up to {open}")]
    Reserved {
        budget: Arc<str>,
        key: Arc<str>,
        reserved: Money,
        open: Money,
    },
    #[error("budget {budget}: its pool has {reserved} reserved, its accounts {accounts}")]
    PoolReserved {
        budget: Arc<str>,
        reserved: Money,
        accounts: Money,
    },
    #[error("budget {budget}: its pool has drawn {used}, its accounts posted and held {accounts}")]
    PoolUsed {
        budget: Arc<str>,
        used: Money,
        accounts: Money,
    },
}
