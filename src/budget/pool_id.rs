//! The name of a pool: one budget in one period.

use crate::money::Currency;
use crate::period::Span;
use std::sync::Arc;

/// One budget in one period, as the store names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolId {
    pub budget: Arc<str>,
    pub shape: Arc<str>,
    pub span: Span,
    pub currency: Currency,
    pub keyed: bool,
    /// Told apart within one daemon's life: a budget that was removed and came back is counted anew.
    pub life: u64,
}

impl PoolId {
    /// The store keeps one set of accounts for both.
    pub fn same_in_store(&self, other: &Self) -> bool {
        self.budget == other.budget
            && self.shape == other.shape
            && self.span == other.span
            && self.currency == other.currency
    }
}
