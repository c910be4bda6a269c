//! Budgets: a limit on money over a period, a sliding window or a prepaid credit, for everything or for each key.

use crate::money::Money;
use crate::period::{Period, Rolling, Span, Start};
use crate::policy::condition::Selector;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::sync::Arc;
use std::time::Duration;

/// What one account of a budget is kept for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Each {
    Tag(Arc<str>),
    Client,
    Model,
    Provider,
    Route,
    Use,
    /// What the client names a run, or the conversation.
    Run,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enforce {
    Hard,
    Soft,
}

/// Over which time a budget's limit is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cycle {
    Calendar(Period, Start),
    Rolling(Rolling),
    /// No period: what was paid in beforehand, by date.
    Credit(Arc<[TopUp]>),
}

/// Money that was paid in beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopUp {
    pub amount: Money,
    /// From then on it may be spent.
    pub from: Timestamp,
}

/// A limit is higher by so much until an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raise {
    pub by: Money,
    /// `None`: at once.
    pub from: Option<Timestamp>,
    /// Exclusive.
    pub until: Timestamp,
}

impl Raise {
    pub fn is_in_force(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && at < self.until
    }
}

/// What a period leaves of its own limit is there in the next one, and only there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CarryOver {
    /// At most so much of the limit, in basis points.
    Share(u32),
    Amount(Money),
}

impl CarryOver {
    /// What may be carried at most.
    pub fn most(self, limit: Money) -> Money {
        match self {
            Self::Share(basis_points) => limit.scaled_down(i64::from(basis_points), 10_000),
            Self::Amount(amount) => amount.min(limit),
        }
    }
}

/// What becomes of money whose bill nobody has told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It counts in full until the bill is known.
    Keep,
    /// Then it is posted as estimated, to be reconciled.
    After(Duration),
}

#[derive(Clone, Debug)]
pub struct Budget {
    pub name: Arc<str>,
    /// For each key where `each` is set; of a credit, all that is ever paid in.
    pub limit: Money,
    /// What raises the limit for a while, besides what people add by hand.
    pub raises: Vec<Raise>,
    pub cycle: Cycle,
    /// The budget's own, where it has one.
    pub timezone: Option<TimeZone>,
    pub enforce: Enforce,
    /// `None` covers everything.
    pub covers: Option<Selector>,
    pub each: Option<Each>,
    /// Shares of the limit in basis points (1/100 %), ascending.
    pub alert_at: Vec<u32>,
    pub carry_over: Option<CarryOver>,
    pub held: Held,
    /// Pays for the shadow calls of mirrors that name it, and for nothing else.
    pub shadows: bool,
    /// Name, covers, each, period, currency and whom it pays for: while it stays the same, accounts carry over a reload.
    pub shape: Arc<str>,
}

impl Budget {
    /// The period that contains an instant; `zone` is the policy's. A sliding window is counted in blocks of its length,
    /// a credit from its first top-up on.
    pub fn span(&self, at: Timestamp, zone: &TimeZone) -> Span {
        match &self.cycle {
            Cycle::Calendar(period, start) => period.span_from(*start, at, self.timezone.as_ref().unwrap_or(zone)),
            Cycle::Rolling(rolling) => rolling.block(at),
            Cycle::Credit(top_ups) => Span::since(top_ups.iter().map(|top_up| top_up.from).min(), at),
        }
    }

    /// Raises left out: as it is written, or what was paid in until then.
    pub fn written_at(&self, at: Timestamp) -> Money {
        match &self.cycle {
            Cycle::Credit(top_ups) => {
                let paid = top_ups.iter().filter(|top_up| top_up.from <= at);
                paid.map(|top_up| top_up.amount).sum()
            }
            _ => self.limit,
        }
    }

    pub const fn rolling(&self) -> Option<Rolling> {
        match self.cycle {
            Cycle::Rolling(rolling) => Some(rolling),
            _ => None,
        }
    }

    /// What it may spend now depends on the period before.
    pub const fn looks_back(&self) -> bool {
        self.carry_over.is_some() || self.rolling().is_some()
    }

    /// Its periods end, and what they will cost can be told.
    pub const fn has_periods(&self) -> bool {
        matches!(self.cycle, Cycle::Calendar(..))
    }
}
