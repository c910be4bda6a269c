//! How the time of machines is shared by what runs on them: a state machine, told what happens.

use crate::uptime::Uptime;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Default)]
pub(super) struct Machines(HashMap<Arc<str>, Machine>);

/// A model whose time is billed.
#[derive(Clone, Copy, Debug, Default)]
struct Machine {
    running: u32,
    /// The time that one of those running all along would have been billed for.
    shared: Duration,
    since: Uptime,
}

impl Machines {
    pub fn begin(&mut self, model: &Arc<str>, now: Uptime) -> Duration {
        let machine = self.0.entry(model.clone()).or_default();
        machine.pass(now);
        machine.running += 1;
        machine.shared
    }

    pub fn finish(&mut self, model: &str, began: Duration, now: Uptime) -> Duration {
        let Some(machine) = self.0.get_mut(model) else {
            return Duration::ZERO;
        };
        machine.pass(now);
        machine.running = machine.running.saturating_sub(1);
        machine.shared.saturating_sub(began)
    }

    /// Forgets those on which nothing runs.
    pub fn tidy(&mut self) {
        self.0.retain(|_, machine| machine.running > 0);
    }
}

impl Machine {
    fn pass(&mut self, now: Uptime) {
        if self.running > 0 {
            self.shared += now.saturating_sub(self.since) / self.running;
        }
        self.since = now;
    }
}
