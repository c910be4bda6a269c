//! The one place where clocks are read: wall time for people and periods, uptime for deadlines and waits.

use jiff::Timestamp;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    started_at: Timestamp,
}

impl Clock {
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
            started_at: Timestamp::now(),
        }
    }

    /// Monotonic, so that a jump of the wall clock opens and closes nothing.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    pub const fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// The runtime's instant at which `uptime` is reached.
    pub fn instant(&self, uptime: Duration) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.started + uptime)
    }
}
