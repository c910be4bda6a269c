//! Who uses a local server, and since when nobody does: what stopping it for idleness goes by.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The uses of one server.
#[derive(Debug)]
pub(super) struct Uses(Mutex<Counted>);

#[derive(Debug)]
struct Counted {
    running: usize,
    last: Instant,
    /// It was told to stop; no new use begins.
    resting: bool,
}

/// One attempt on a local server, which is not stopped for idleness under it.
#[derive(Debug)]
pub struct Occupied(Arc<Uses>);

impl Uses {
    pub fn new() -> Self {
        Self(Mutex::new(Counted {
            running: 0,
            last: Instant::now(),
            resting: false,
        }))
    }

    /// `None` where it is about to stop.
    pub fn begin(self: &Arc<Self>) -> Option<Occupied> {
        let mut counted = self.lock();
        if counted.resting {
            return None;
        }
        counted.running += 1;
        counted.last = Instant::now();
        Some(Occupied(self.clone()))
    }

    /// Somebody wants it to go on running.
    pub fn touch(&self) {
        self.lock().last = Instant::now();
    }

    /// True where nobody has used it so long; from then on nobody does.
    pub fn rest_after(&self, idle: Duration) -> bool {
        let mut counted = self.lock();
        if counted.resting || counted.running > 0 || counted.last.elapsed() < idle {
            return false;
        }
        counted.resting = true;
        true
    }

    /// It has stopped, or starts.
    pub fn reset(&self) {
        let mut counted = self.lock();
        counted.resting = false;
        counted.last = Instant::now();
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Occupied {
    fn drop(&mut self) {
        let mut counted = self.0.lock();
        counted.running = counted.running.saturating_sub(1);
        counted.last = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_in_use_never_rests_and_a_resting_one_is_not_used() {
        let uses = Arc::new(Uses::new());
        let one = uses.begin().unwrap();
        assert!(!uses.rest_after(Duration::ZERO));
        drop(one);
        assert!(!uses.rest_after(Duration::from_secs(3_600)), "it was used a moment ago");
        assert!(uses.rest_after(Duration::ZERO));
        assert!(!uses.rest_after(Duration::ZERO), "told once");
        assert!(uses.begin().is_none());
        uses.reset();
        assert!(uses.begin().is_some());
    }
}
