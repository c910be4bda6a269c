//! What a decision asks of the present: each model's state at one instant, as values.

use super::Misfit;
use crate::limit::Full;
use crate::money::Money;
use crate::policy::snapshot::{LicenseId, ModelId};
use crate::price::Positions;
use crate::request::Requirements;
use crate::uptime::Uptime;
use std::sync::Arc;
use std::time::Duration;

/// The present at one instant. Asked of the same model twice it gives the same answer.
pub trait Present {
    /// What waits are measured against.
    fn now(&self) -> Uptime;

    fn state(&self, model: ModelId) -> State<'_>;

    /// Where the meters of the model's price stand.
    fn positions(&self, _: ModelId) -> &Positions {
        &Positions::START
    }

    /// The request as the policy shapes it for the model.
    fn shaped(&self, _model: ModelId) -> Shaped<'_> {
        Shaped::AsItIs
    }

    /// How many users a licence has counted this month, where it allows no more and the request's is none of them.
    fn crowded(&self, _license: LicenseId) -> Option<u64> {
        None
    }

    /// Output tokens that an answer has lately had on this route: of this model where it is known, else of the others.
    fn output(&self, model: ModelId) -> Option<u64>;

    /// How fast the model answered lately; `None` where that is not known, or no longer.
    fn speed(&self, model: ModelId) -> Option<Speed>;
}

/// What becomes of a request on its way to one model.
#[derive(Clone, Copy, Debug)]
pub enum Shaped<'a> {
    AsItIs,
    /// Its needs as they are afterwards.
    Needs(&'a Requirements),
    /// It cannot be sent there, and why.
    Misfit(&'a Misfit),
}

/// How a model stands. The default stands well: it can be called, is warm, and no hard budget covers it.
#[derive(Clone, Debug, Default)]
pub struct State<'a> {
    /// Why its provider cannot be called at all, if so (`env:DASHSCOPE_API_KEY is not set`).
    pub missing_credential: Option<Arc<str>>,
    /// Cooling, breaker or probe: not before this time.
    pub wait: Option<Wait>,
    /// A limit of the policy on its provider, its keys or itself that is reached, with no room in its queue.
    pub full: Option<Full>,
    /// A local server that must be started first.
    pub cold: bool,
    /// The tightest hard budget that covers the request on this model.
    pub funds: Option<&'a Funds>,
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

/// How long an answer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Speed {
    /// Until the first token.
    pub first_token: Duration,
    /// For each thousand tokens after it.
    pub per_thousand: Duration,
}

impl Speed {
    /// Tokens after the first one; `None` where only that was seen.
    pub fn per_second(self) -> Option<u64> {
        let nanos = u64::try_from(self.per_thousand.as_nanos()).unwrap_or(u64::MAX);
        1_000_000_000_000_u64.checked_div(nanos)
    }

    /// How long an answer of so many tokens takes.
    pub fn of(self, output: u64) -> Duration {
        let rest = self.per_thousand.as_nanos().saturating_mul(u128::from(output)) / 1_000;
        self.first_token
            .saturating_add(Duration::from_nanos(u64::try_from(rest).unwrap_or(u64::MAX)))
    }
}

/// A moment in which everything is up, warm and unmeasured, and no budget counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calm;

impl Present for Calm {
    fn now(&self) -> Uptime {
        Uptime::ZERO
    }

    fn state(&self, _: ModelId) -> State<'_> {
        State::default()
    }

    fn output(&self, _: ModelId) -> Option<u64> {
        None
    }

    fn speed(&self, _: ModelId) -> Option<Speed> {
        None
    }
}
