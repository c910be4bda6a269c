//! Why a request got no money.

/// Why no money could be had.
#[derive(Clone, Debug, PartialEq)]
pub enum NoMoney {
    /// The budget has not enough left: final.
    Refused(String),
    /// The ledger or the books are not in order: paid models are closed, for now.
    Closed(String),
}
