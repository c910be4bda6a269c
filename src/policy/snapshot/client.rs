//! Clients: applications with keys, what they are tagged with, and what is there for them.

use super::{CredentialRef, Limits, RouteId};
use crate::request::Tags;
use jiff::Timestamp;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub struct Client {
    pub name: Arc<str>,
    /// Each as good as the other; never empty.
    pub keys: Vec<CredentialRef>,
    pub tags: Tags,
    /// `commercial`, `internal`, `research`, or empty where the request may say.
    pub purpose: Arc<str>,
    /// In capitals; empty where the request may say.
    pub territory: Arc<str>,
    /// `None`: all.
    pub routes: Option<Vec<RouteId>>,
    pub expires: Option<Expiry>,
    pub may_set: Vec<Wish>,
    /// It may call models.
    pub inference: bool,
    /// It may ask the control API from other machines.
    pub read: bool,
    /// It sees the names of models and providers.
    pub exposes: bool,
    pub limits: Limits,
    pub compat: Compat,
}

/// Habits of others that a client expects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compat {
    /// Want of money is 429, as OpenAI itself has it.
    pub quota_429: bool,
    /// The cost stands in `usage.cost`, as at OpenRouter.
    pub usage_cost: bool,
}

impl Compat {
    /// The status that stands for this one.
    pub const fn status(self, status: u16) -> u16 {
        match status {
            402 if self.quota_429 => 429,
            _ => status,
        }
    }
}

impl Client {
    pub fn may_set(&self, wish: Wish) -> bool {
        self.may_set.contains(&wish)
    }

    pub fn may_call(&self, route: RouteId) -> bool {
        self.routes.as_ref().is_none_or(|routes| routes.contains(&route))
    }
}

/// The end of a key's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// As the policy writes it.
    pub last: Arc<str>,
    /// Where it is over; a day's end is that of the policy's time zone.
    pub end: Timestamp,
}

/// What a request's own headers may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Tags,
    Use,
    Territory,
    MinQuality,
    MaxCost,
    Deadline,
    Explain,
}

impl Wish {
    pub const ALL: [Self; 7] = [
        Self::Tags,
        Self::Use,
        Self::Territory,
        Self::MinQuality,
        Self::MaxCost,
        Self::Deadline,
        Self::Explain,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Tags => "tags",
            Self::Use => "use",
            Self::Territory => "territory",
            Self::MinQuality => "min_quality",
            Self::MaxCost => "max_cost",
            Self::Deadline => "deadline",
            Self::Explain => "explain",
        }
    }
}
