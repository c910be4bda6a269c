//! Bounds repeats to one provider, so that a struggling provider is not buried under them.
//!
//! Each request earns a fifth of a repeat and each second one more, up to ten. Steps to another candidate are not its
//! business.

use crate::uptime::Uptime;

/// In thousandths of a repeat.
const REPEAT: u64 = 1_000;
const PER_REQUEST: u64 = 200;
const PER_MILLISECOND: u64 = 1;
const BURST: u64 = 10 * REPEAT;

#[derive(Clone, Copy, Debug)]
pub(super) struct RetryBudget {
    left: u64,
    at: Uptime,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self {
            left: BURST,
            at: Uptime::ZERO,
        }
    }
}

impl RetryBudget {
    /// A request was sent.
    pub(super) fn earn(&mut self, now: Uptime) {
        self.left = (self.left_at(now) + PER_REQUEST).min(BURST);
        self.at = now.max(self.at);
    }

    pub(super) fn allows(&self, now: Uptime) -> bool {
        self.left_at(now) >= REPEAT
    }

    pub(super) fn take(&mut self, now: Uptime) -> bool {
        let allowed = self.allows(now);
        if allowed {
            self.left = self.left_at(now) - REPEAT;
            self.at = now.max(self.at);
        }
        allowed
    }

    fn left_at(&self, now: Uptime) -> u64 {
        let passed = u64::try_from(now.saturating_sub(self.at).as_millis()).unwrap_or(u64::MAX);
        passed
            .saturating_mul(PER_MILLISECOND)
            .saturating_add(self.left)
            .min(BURST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn ten_at_once_then_one_a_second() {
        let (mut budget, now) = (RetryBudget::default(), Duration::from_secs(9));
        assert_eq!((0..50).filter(|_| budget.take(now)).count(), 10);
        assert!(!budget.allows(now + Duration::from_millis(999)));
        assert!(budget.take(now + Duration::from_secs(1)));
    }

    proptest! {
        #[test]
        fn repeats_never_pass_a_fifth_of_requests_and_one_a_second_and_the_burst(steps in prop::collection::vec((0u64..2000, any::<bool>()), 0..200)) {
            let (mut budget, mut now, mut requests, mut repeats) = (RetryBudget::default(), Duration::ZERO, 0u64, 0u64);
            for (pause, is_request) in steps {
                now += Duration::from_millis(pause);
                if is_request {
                    budget.earn(now);
                    requests += 1;
                } else {
                    repeats += u64::from(budget.take(now));
                }
            }
            let most = BURST + requests * PER_REQUEST + u64::try_from(now.as_millis()).unwrap();
            prop_assert!(repeats * REPEAT <= most);
        }
    }
}
