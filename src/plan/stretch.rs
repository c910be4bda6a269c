//! A stretch of time that may have begun before this daemon did. Measured by uptime: no jump of the wall clock counts.

use super::Now;
use crate::uptime::Uptime;
use jiff::Timestamp;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    from: Uptime,
    before: Duration,
}

impl Stretch {
    pub const fn starting(now: Now) -> Self {
        Self {
            from: now.up,
            before: Duration::ZERO,
        }
    }

    /// Begun at that time by the wall, before a restart.
    pub fn since(at: Timestamp, now: Now) -> Self {
        let before = Duration::try_from(now.wall.duration_since(at)).unwrap_or_default();
        Self { from: now.up, before }
    }

    /// When it will have lasted so long.
    pub const fn lasts(self, long: Duration) -> Uptime {
        self.from.saturating_add(long).saturating_sub(self.before)
    }

    pub const fn lasted(self, now: Now) -> Duration {
        now.up.saturating_sub(self.from).saturating_add(self.before)
    }
}
