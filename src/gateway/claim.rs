//! The right to try a model now: its breaker's one probe or its ramp's allowance. Given back when it is not used.

use super::Gateway;
use crate::health::{self, ModelKey, Options, Outcome, Verdict};
use crate::policy::snapshot::Provider;
use std::sync::Arc;
use std::time::Duration;

pub struct Claim {
    gateway: Arc<Gateway>,
    open: Option<health::Claim>,
}

impl Claim {
    pub fn take(gateway: &Arc<Gateway>, key: &ModelKey, provider: &Provider) -> Result<Self, Verdict> {
        let now = gateway.clock.uptime();
        let open = gateway.live.health.lock().ask(key, Options::of(provider), now)?;
        Ok(Self {
            gateway: gateway.clone(),
            open: Some(open),
        })
    }

    /// The first meaningful event came.
    pub fn answering(&mut self, first_token: Duration) {
        if let Some(claim) = &mut self.open {
            let now = self.gateway.clock.uptime();
            self.gateway.live.health.lock().answering(claim, first_token, now);
        }
    }

    /// Tells how the attempt ended.
    pub fn end(&mut self, outcome: Outcome<'_>) {
        if let Some(claim) = self.open.take() {
            self.gateway
                .live
                .health
                .lock()
                .end(claim, outcome, self.gateway.clock.uptime());
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.end(Outcome::Abandoned);
    }
}
