//! What a model is besides its size and price: its abilities, terms, place, and how long it stays.

use super::ModelId;
use crate::catalog::FreeTokens;
use crate::catalog::ThinkingSwitch;
use crate::license::Territory;
use jiff::Timestamp;
use jiff::civil::Date;
use std::sync::Arc;

/// Index into [`super::Snapshot::licenses`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LicenseId(pub usize);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traits {
    pub reasoning: bool,
    /// How its thinking is switched off, where it can be.
    pub thinking_switch: Option<ThinkingSwitch>,
    /// Whatever a request says of it.
    pub always_thinks: bool,
    pub audio: bool,
    /// The policy switched it off.
    pub disabled: bool,
    /// Of the call.
    pub license: Option<LicenseId>,
    /// Of the weights; they bind the operator where it runs them itself.
    pub weights_license: Option<LicenseId>,
    pub retires: Option<Retirement>,
    /// What takes its place from that day on.
    pub successor: Option<ModelId>,
    /// Of an embeddings model: vectors of one space compare.
    pub space: Option<Arc<str>>,
    /// Models of one domain fail together. It cools nothing.
    pub domain: Arc<str>,
    /// Where data stays; empty: nobody knows.
    pub residence: Vec<Territory>,
    pub labels: Vec<Arc<str>>,
    pub listed: Option<Listed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retirement {
    pub day: Date,
    /// Where that day begins in the policy's zone: from here on it is no candidate.
    pub at: Timestamp,
}

/// Its record in the catalogue, and which keys that brought because the policy does not name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub id: &'static str,
    pub brings: Vec<&'static str>,
    /// Of the catalogue's models; a price has a date of its own.
    pub as_of: Option<Date>,
    /// What of the record is not confirmed.
    pub unsure: &'static [&'static str],
    /// Tokens that the vendor gives away once for an account, where it does.
    pub free: Option<&'static FreeTokens>,
}

/// Nothing known: what nobody names counts as there.
impl Default for Traits {
    fn default() -> Self {
        Self {
            reasoning: true,
            thinking_switch: None,
            always_thinks: false,
            audio: true,
            disabled: false,
            license: None,
            weights_license: None,
            retires: None,
            successor: None,
            space: None,
            domain: Arc::from(""),
            residence: Vec::new(),
            labels: Vec::new(),
            listed: None,
        }
    }
}

impl Traits {
    pub fn is_retired(&self, at: Timestamp) -> bool {
        self.retires.is_some_and(|retirement| retirement.at <= at)
    }
}
