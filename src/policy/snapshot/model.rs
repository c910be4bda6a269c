//! Models: what can be called, at which provider, how good and at what price.

use super::{LicenseId, Limits, ProviderId, Shaping, Supply, Timeouts, Traits};
use crate::price::Price;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub struct Model {
    /// The policy's name.
    pub name: Arc<str>,
    pub provider: ProviderId,
    /// The provider's name for it.
    pub upstream: Arc<str>,
    pub supply: Supply,
    /// 0 to 100 on the operator's own scale.
    pub quality: Option<u8>,
    /// Tokens, input and output together; `None` is unknown and bounds nothing.
    pub context: Option<u64>,
    pub max_output: Option<u64>,
    /// An answer that must be shorter is not worth starting.
    pub min_output: Option<u64>,
    /// `None`: unpriced, hence no candidate under a hard budget. A `local` model without a price is free.
    pub price: Option<Price>,
    pub tools: bool,
    pub images: bool,
    pub json_schema: bool,
    pub timeouts: Timeouts,
    pub limits: Limits,
    pub shaping: Shaping,
    pub traits: Traits,
}

impl Model {
    /// The terms that bind a use of it: those of the call, and of the weights where the operator runs them itself.
    pub fn licenses(&self) -> impl Iterator<Item = LicenseId> {
        let weights = self.traits.weights_license.filter(|_| self.supply == Supply::Local);
        self.traits.license.into_iter().chain(weights)
    }
}
