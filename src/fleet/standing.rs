//! How a daemon stands with its fleet's database: whether it answers, when it is tried again, how long shares may still be
//! drawn on. Time is an argument.

use super::error::FleetError;
use std::time::Duration;

/// Nothing is drawn so long after the exchange that was answered last began. The store takes a lease for lost after
/// 300 s of its own clock: who is paused or cut off has stopped by then.
pub const DRAWS_FOR: Duration = Duration::from_secs(200);
/// After a failure nothing is tried anew before this; each failure doubles it.
const AGAIN_FIRST: Duration = Duration::from_millis(250);
const AGAIN_LAST: Duration = Duration::from_secs(10);

/// All times are uptime.
#[derive(Debug, Default)]
pub(super) struct Standing {
    error: Option<FleetError>,
    retry_at: Duration,
    wait: Duration,
    good_until: Duration,
}

impl Standing {
    /// What fails at present, where it is too early to try again.
    pub(super) fn refusal(&self, now: Duration) -> Option<FleetError> {
        self.error.clone().filter(|_| now < self.retry_at)
    }

    /// An exchange that began then was answered. True: it had failed before.
    pub(super) fn succeed(&mut self, began: Duration) -> bool {
        self.good_until = began + DRAWS_FOR;
        self.wait = Duration::ZERO;
        self.error.take().is_some()
    }

    /// True: nothing had failed before.
    pub(super) fn fail(&mut self, error: &FleetError, now: Duration) -> bool {
        if matches!(error, FleetError::Superseded) {
            self.good_until = Duration::ZERO;
        }
        self.wait = (self.wait * 2).clamp(AGAIN_FIRST, AGAIN_LAST);
        self.retry_at = now + self.wait;
        self.error.replace(error.clone()).is_none()
    }

    pub(super) fn is_failing(&self) -> bool {
        self.error.is_some()
    }

    pub(super) fn reason(&self) -> Option<String> {
        self.error.as_ref().map(ToString::to_string)
    }

    pub(super) fn draws_for(&self, now: Duration) -> Duration {
        self.good_until.saturating_sub(now)
    }

    /// `ok`, `degraded` (the database fails, shares are drawn on) or `apart` (nothing paid is started).
    pub(super) fn state(&self, now: Duration) -> &'static str {
        match self.error {
            _ if self.draws_for(now).is_zero() => "apart",
            Some(_) => "degraded",
            None => "ok",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn shares_are_drawn_on_for_200_seconds_after_the_last_answer_and_no_longer() {
        let mut standing = Standing::default();
        assert_eq!(standing.state(at(0)), "apart", "nobody has answered yet");
        assert!(!standing.succeed(at(10)));
        assert_eq!((standing.state(at(11)), standing.draws_for(at(11))), ("ok", at(199)));
        assert!(standing.fail(&FleetError::Slow, at(80)), "told once");
        assert!(!standing.fail(&FleetError::Slow, at(81)));
        assert_eq!(standing.state(at(209)), "degraded");
        assert_eq!((standing.state(at(210)), standing.draws_for(at(210))), ("apart", at(0)));
        assert!(standing.succeed(at(400)));
        assert_eq!(standing.state(at(401)), "ok");
    }

    #[test]
    fn an_answer_counts_from_when_it_was_asked_for() {
        let mut standing = Standing::default();
        standing.succeed(at(5));
        assert_eq!(standing.draws_for(at(13)), at(192));
    }

    #[test]
    fn a_database_that_fails_is_asked_more_and_more_seldom() {
        let mut standing = Standing::default();
        let mut now = at(100);
        let mut waits = Vec::new();
        for _ in 0..8 {
            standing.fail(&FleetError::Slow, now);
            let before = now;
            while standing.refusal(now).is_some() {
                now += Duration::from_millis(50);
            }
            waits.push((now - before).as_millis());
        }
        assert_eq!(waits, [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
        standing.succeed(now);
        standing.fail(&FleetError::Slow, now);
        assert!(
            standing.refusal(now + Duration::from_millis(250)).is_none(),
            "from the start again"
        );
    }

    #[test]
    fn who_was_replaced_draws_nothing_more() {
        let mut standing = Standing::default();
        standing.succeed(at(10));
        standing.fail(&FleetError::Superseded, at(11));
        assert_eq!(standing.state(at(11)), "apart");
    }
}
