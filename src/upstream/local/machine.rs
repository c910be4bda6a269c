//! The life of one local server as a pure machine: told what happened and when, it says in which state the server is.
//!
//! It owns no process and reads no clock. A first crash may be followed by a start at once; crashes in a row wait, each
//! longer than the last.

use std::sync::Arc;
use std::time::{Duration, Instant};

const WAIT: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(60);
/// A server that was ready this long has shown that it works: what follows is a new story.
const STEADY: Duration = Duration::from_secs(60);

/// What planb knows of a local server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalState {
    /// Not running, and nothing speaks against a start.
    Cold,
    /// On its way since then; the line is the last that it printed.
    Starting { since: Instant, line: Arc<str> },
    /// `adopted`: somebody else started it.
    Ready { since: Instant, adopted: bool },
    /// Not to be started before `retry_at`.
    Failed { why: Arc<str>, retry_at: Instant },
}

impl LocalState {
    /// The last thing to tell somebody who waits.
    pub fn line(&self) -> Arc<str> {
        match self {
            Self::Starting { line, .. } => line.clone(),
            Self::Failed { why, .. } => why.clone(),
            Self::Cold | Self::Ready { .. } => Arc::default(),
        }
    }
}

#[derive(Debug)]
pub struct Machine {
    state: LocalState,
    /// Failures since the server last ran steadily.
    failures: u32,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            state: LocalState::Cold,
            failures: 0,
        }
    }
}

impl Machine {
    pub fn state(&self) -> &LocalState {
        &self.state
    }

    /// Somebody needs the server. True when it is to be started now.
    pub fn needed(&mut self, now: Instant) -> bool {
        let may = match &self.state {
            LocalState::Cold => true,
            LocalState::Failed { retry_at, .. } => *retry_at <= now,
            LocalState::Starting { .. } | LocalState::Ready { .. } => false,
        };
        if may {
            self.state = LocalState::Starting {
                since: now,
                line: Arc::default(),
            };
        }
        may
    }

    /// The starting server printed a line.
    pub fn printed(&mut self, text: Arc<str>) {
        if let LocalState::Starting { line, .. } = &mut self.state {
            *line = text;
        }
    }

    /// The health path answers.
    pub fn answered(&mut self, adopted: bool, now: Instant) {
        self.state = LocalState::Ready { since: now, adopted };
    }

    /// The server did not start, or is gone.
    pub fn failed(&mut self, why: impl Into<Arc<str>>, now: Instant) {
        let was_ready = match self.state {
            LocalState::Ready { since, .. } => Some(now.duration_since(since)),
            _ => None,
        };
        if was_ready.is_some_and(|long| long >= STEADY) {
            self.failures = 0;
        }
        self.failures += 1;
        // A server that worked and died once is simply cold; one that does not even start must wait from the first time.
        let free_tries = u32::from(was_ready.is_some());
        self.state = match self.failures.checked_sub(free_tries + 1) {
            None => LocalState::Cold,
            Some(doublings) => {
                let wait = WAIT.saturating_mul(2_u32.saturating_pow(doublings)).min(WAIT_MAX);
                LocalState::Failed {
                    why: why.into(),
                    retry_at: now + wait,
                }
            }
        };
    }

    /// An adopted server left, or an own one rests: nobody's fault.
    pub fn left(&mut self) {
        self.state = LocalState::Cold;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_of(machine: &Machine, now: Instant) -> Option<Duration> {
        match machine.state() {
            LocalState::Failed { retry_at, .. } => Some(*retry_at - now),
            _ => None,
        }
    }

    #[test]
    fn a_needed_cold_server_is_started_once() {
        let (mut machine, now) = (Machine::default(), Instant::now());
        assert!(machine.needed(now));
        assert!(!machine.needed(now));
        machine.printed("loading".into());
        assert_eq!(machine.state().line().as_ref(), "loading");
        machine.answered(false, now);
        assert!(!machine.needed(now));
    }

    #[test]
    fn failed_starts_wait_twice_as_long_each_time_up_to_a_minute() {
        let (mut machine, now) = (Machine::default(), Instant::now());
        let mut waits = Vec::new();
        for _ in 0..8 {
            machine.failed("exit code 1", now);
            waits.push(wait_of(&machine, now).unwrap().as_secs());
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert!(!machine.needed(now + Duration::from_secs(59)));
        assert!(machine.needed(now + Duration::from_secs(60)));
    }

    #[test]
    fn a_first_crash_is_forgiven_and_crashes_in_a_row_wait() {
        let (mut machine, now) = (Machine::default(), Instant::now());
        let mut crash_after = |ready: u64| {
            machine.answered(false, now);
            let then = now + Duration::from_secs(ready);
            machine.failed("killed", then);
            wait_of(&machine, then).map(|wait| wait.as_secs())
        };
        assert_eq!(
            [crash_after(1), crash_after(1), crash_after(1)],
            [None, Some(1), Some(2)]
        );
        assert_eq!(crash_after(61), None, "a steady run begins anew");
    }

    #[test]
    fn an_adopted_server_that_leaves_is_cold() {
        let (mut machine, now) = (Machine::default(), Instant::now());
        machine.answered(true, now);
        machine.left();
        assert!(machine.needed(now));
    }
}
