//! The right to try a model now: its breaker's one probe or its ramp's allowance. Given back when it is not used.

use super::Gateway;
use crate::health::{ModelKey, Outcome, Verdict};
use crate::policy::snapshot::Provider;
use std::sync::Arc;

pub struct Claim {
    gateway: Arc<Gateway>,
    key: ModelKey,
    answered: bool,
}

impl Claim {
    pub fn take(gateway: &Arc<Gateway>, key: &ModelKey, provider: &Provider) -> Result<Self, Verdict> {
        let now = gateway.clock.uptime();
        match gateway.live.health.lock().ask(key, provider.breaker, provider.cooldown, now) {
            Verdict::Ready => Ok(Self { gateway: gateway.clone(), key: key.clone(), answered: false }),
            wait => Err(wait),
        }
    }

    /// Tells how the attempt ended.
    pub fn end(&mut self, outcome: Outcome<'_>) {
        if !std::mem::replace(&mut self.answered, true) {
            self.gateway.live.health.lock().end(&self.key, outcome, self.gateway.clock.uptime());
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.end(Outcome::Abandoned);
    }
}
