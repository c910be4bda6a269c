//! Limits of rate and of requests in flight, as clients, routes, providers, keys and models have them.

use std::time::Duration;

/// So many in so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub count: u64,
    pub per: Duration,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    pub requests: Option<Rate>,
    /// Estimated input and reserved output when a request is let in, what it used afterwards.
    pub tokens: Option<Rate>,
    pub in_flight: Option<u32>,
    /// How many may wait for their turn.
    pub queue: u32,
    /// How long one of them waits at most.
    pub wait: Duration,
}

impl Limits {
    pub const fn is_none(&self) -> bool {
        self.requests.is_none() && self.tokens.is_none() && self.in_flight.is_none()
    }
}
