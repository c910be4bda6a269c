//! Budgets: a limit on money over a period, for everything or for each key.

use crate::money::Money;
use crate::period::Period;
use crate::policy::condition::Selector;
use std::sync::Arc;

/// What one account of a budget is kept for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Each {
    Tag(Arc<str>),
    Client,
    Model,
    Provider,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enforce {
    Hard,
    Soft,
}

#[derive(Clone, Debug)]
pub struct Budget {
    pub name: Arc<str>,
    /// For each key where `each` is set.
    pub limit: Money,
    pub per: Period,
    pub enforce: Enforce,
    /// `None` covers everything.
    pub covers: Option<Selector>,
    pub each: Option<Each>,
    /// Shares of the limit in basis points (1/100 %), ascending.
    pub alert_at: Vec<u32>,
    /// Name, covers, each, period and currency: while it stays the same, accounts carry over a reload.
    pub shape: Arc<str>,
}
