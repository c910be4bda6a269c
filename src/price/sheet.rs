//! A price as it is given, by a policy, by the catalogue or by both: everything optional, nothing filled in.
//!
//! [`Price::of`](super::Price::of) makes a price of the sheets of a model, one for each date from which prices change.

use super::kinds::Kinds;
use super::meter::Meter;
use crate::money::{Currency, Exact, Money, Rate, Ratio};
use crate::period::Period;
use crate::period::window::Window;
use crate::usage::{ServiceTier, Usage};
use jiff::Timestamp;
use jiff::civil::Date;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Sheet {
    /// From this instant; the first sheet of a price also counts before it.
    pub from: Option<Timestamp>,
    pub currency: Currency,
    /// What one unit of `currency` is worth in the policy's.
    pub exchange: Ratio,
    pub kinds: Kinds,
    /// Above so many input tokens these rates count for the whole request. Ascending.
    pub tiers: Vec<(u64, Kinds)>,
    /// The first that is open counts.
    pub windows: Vec<WindowSheet>,
    pub service: Service,
    /// `name=value` of a request's option, and what it multiplies.
    pub options: Vec<(Arc<str>, Ratio)>,
    /// The account's discount and surcharge, on everything.
    pub account: Ratio,
    pub fees: Fees,
    pub compute: Option<Compute>,
    pub ladder: Option<LadderSheet>,
    pub free: Option<FreeQuota>,
    pub commitment: Option<Commitment>,
    /// What is paid whether or not the model is used: part of what owning costs, not of what a request does.
    pub flat: Option<FlatFee>,
    /// When somebody last looked.
    pub as_of: Option<Date>,
    /// The same of the built-in catalogue, where all or a part of it comes from there.
    pub listed: Option<Date>,
}

impl Default for Sheet {
    fn default() -> Self {
        Self {
            from: None,
            currency: Currency::USD,
            exchange: Ratio::ONE,
            kinds: Kinds::default(),
            tiers: Vec::new(),
            windows: Vec::new(),
            service: Service::default(),
            options: Vec::new(),
            account: Ratio::ONE,
            fees: Fees::default(),
            compute: None,
            ladder: None,
            free: None,
            commitment: None,
            flat: None,
            as_of: None,
            listed: None,
        }
    }
}

#[derive(Clone, Debug)]
pub struct WindowSheet {
    /// For people.
    pub name: Arc<str>,
    pub window: Window,
    /// In place of the rates outside the window.
    pub kinds: Kinds,
    /// What every token costs in it, besides.
    pub times: Ratio,
}

/// What each service tier multiplies; `None` is not known. The standard one is always 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Service([Option<Ratio>; 7]);

impl Service {
    pub fn set(&mut self, tier: ServiceTier, ratio: Ratio) {
        self.0[tier as usize] = Some(ratio);
    }

    pub fn get(&self, tier: ServiceTier) -> Option<Ratio> {
        match tier {
            ServiceTier::Standard => Some(Ratio::ONE),
            other => self.0[other as usize],
        }
    }

    /// These, and where they are silent `others`.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        let mut both = self;
        for tier in ServiceTier::ALL {
            both.0[tier as usize] = self.0[tier as usize].or(others.0[tier as usize]);
        }
        both
    }
}

/// What is billed by the piece. The rates are for a million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fees {
    pub request: Money,
    pub web_search: Rate,
    pub web_fetch: Rate,
    pub tool_call: Rate,
}

impl Fees {
    pub const NONE: Self = Self {
        request: Money::ZERO,
        web_search: Rate::FREE,
        web_fetch: Rate::FREE,
        tool_call: Rate::FREE,
    };

    pub(super) fn of(&self, usage: &Usage) -> Exact {
        Exact::of(self.request)
            .plus(usage.web_searches.unwrap_or(0), self.web_search)
            .plus(usage.web_fetches, self.web_fetch)
            .plus(usage.tool_calls, self.tool_call)
    }
}

/// A machine's hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compute {
    pub per_hour: Money,
    /// How many requests share it; `None`: as many as run at the time.
    pub concurrency: Option<u32>,
}

impl Compute {
    pub(super) fn of(&self, time: Duration) -> Exact {
        Exact::of_time(self.per_hour, time, u64::from(self.concurrency.unwrap_or(1)))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LadderKind {
    /// Each bracket's rates are for its own volume.
    Marginal,
    /// The bracket that the period's volume reaches re-rates all of it.
    Whole,
}

#[derive(Clone, Debug)]
pub struct LadderSheet {
    pub meter: Meter,
    pub kind: LadderKind,
    /// From this volume on (tokens, or nano-units of the price's currency) these rates. Ascending.
    pub steps: Vec<(u64, Kinds)>,
}

#[derive(Clone, Debug)]
pub struct FreeQuota {
    pub meter: Meter,
    pub tokens: u64,
    /// Exclusive.
    pub until: Option<Timestamp>,
}

/// Money that is paid in any case: use it or lose it.
#[derive(Clone, Debug)]
pub struct Commitment {
    pub meter: Meter,
    /// In the price's currency.
    pub amount: Money,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlatFee {
    pub amount: Money,
    pub currency: Currency,
    pub per: Period,
}

impl fmt::Display for FlatFee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.amount, self.currency, self.per.word())
    }
}
