//! Which models may serve one request, in which order, and for every other model of the route why not.
//!
//! A pure function of what it is given: no I/O, no clock, no lock. The same inputs give the same decision.

mod constraints;
mod output;
mod pick;
mod reason;
mod refusal;
#[cfg(test)]
mod tests;

pub use reason::{Family, Reason};
pub use refusal::{Refusal, refusal};

use crate::money::Money;
pub use crate::policy::snapshot::Terms;
use crate::policy::snapshot::{Model, ModelId};
use crate::price::Quote;
use crate::request::Requirements;
use crate::uptime::Uptime;
use std::sync::Arc;

/// One model of the route with all that is known of it at this instant.
#[derive(Clone, Debug)]
pub struct Standing<'a> {
    pub id: ModelId,
    pub model: &'a Model,
    /// What its price says of this request; `None`: unpriced.
    pub quote: Option<Quote<'a>>,
    /// Why its provider cannot be called at all, if so (`env:DASHSCOPE_API_KEY is not set`).
    pub missing_credential: Option<Arc<str>>,
    /// The first active plan that shuts it out for this caller.
    pub shut_by: Option<Arc<str>>,
    /// Cooling, breaker or probe: not before this time.
    pub wait: Option<Wait>,
    /// A local server that must be started first.
    pub cold: bool,
    /// The vendor does not count thinking under the output bound.
    pub thinks_outside_bound: bool,
    /// The tightest hard budget that covers the request on this model.
    pub funds: Option<Funds>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    pub until: Uptime,
    pub why: &'static str,
    pub breaker: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Funds {
    pub budget: Arc<str>,
    /// Limit − posted − held − reserved.
    pub remaining: Money,
    /// Its books are being rebuilt or doubted: nothing paid until they are right.
    pub closed: Option<&'static str>,
}

/// A model that may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub id: ModelId,
    /// Output tokens per choice that are reserved for.
    pub output: u64,
    /// The output bound that planb sends because it is less than the model's own maximum.
    pub cap: Option<u64>,
    /// A thinking budget that planb sends where the client switched thinking on without one.
    pub thinking_budget: Option<u64>,
    /// Worst-case cost of one attempt.
    pub worst: Money,
    pub cold: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Exclusion {
    pub id: ModelId,
    pub reason: Reason,
}

/// Every model of the route, once: as a candidate in the order to try, or excluded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    pub candidates: Vec<Candidate>,
    pub excluded: Vec<Exclusion>,
}

pub fn decide(terms: &Terms, needs: &Requirements, standings: &[Standing<'_>], now: Uptime) -> Decision {
    let mut decision = Decision::default();
    for standing in standings {
        match constraints::check(terms, needs, standing, now) {
            Ok(candidate) => decision.candidates.push(candidate),
            Err(reason) => decision.excluded.push(Exclusion {
                id: standing.id,
                reason,
            }),
        }
    }
    pick::order(terms.pick, needs, standings, &mut decision.candidates);
    decision
}
