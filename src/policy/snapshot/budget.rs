//! Budgets: a limit on money over a period, for everything or for each key.

use crate::money::Money;
use crate::period::{Period, Span, Start};
use crate::policy::condition::Selector;
use jiff::Timestamp;
use jiff::tz::TimeZone;
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

/// A limit is higher by so much until an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raise {
    pub by: Money,
    /// Exclusive.
    pub until: Timestamp,
}

#[derive(Clone, Debug)]
pub struct Budget {
    pub name: Arc<str>,
    /// For each key where `each` is set.
    pub limit: Money,
    /// What raises the limit for a while, besides what people add by hand.
    pub raises: Vec<Raise>,
    pub per: Period,
    pub start: Start,
    /// The budget's own, where it has one.
    pub timezone: Option<TimeZone>,
    pub enforce: Enforce,
    /// `None` covers everything.
    pub covers: Option<Selector>,
    pub each: Option<Each>,
    /// Shares of the limit in basis points (1/100 %), ascending.
    pub alert_at: Vec<u32>,
    /// Name, covers, each, period and currency: while it stays the same, accounts carry over a reload.
    pub shape: Arc<str>,
}

impl Budget {
    /// The period that contains an instant; `zone` is the policy's.
    pub fn span(&self, at: Timestamp, zone: &TimeZone) -> Span {
        self.per
            .span_from(self.start, at, self.timezone.as_ref().unwrap_or(zone))
    }
}
