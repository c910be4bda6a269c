//! Plans over the time that a case tells: each second of it, under what was given then.

use super::World;
use crate::plan::{Now, Override, Plans, Reading};
use crate::policy::cases::Step;
use crate::policy::snapshot::Snapshot;
use crate::uptime::Uptime;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// A month of seconds is too many to play: longer waits are played in so many steps.
const STEPS: u64 = 100_000;

/// The plans as they stand at one moment of a case.
pub struct Timeline {
    plans: Plans,
    snapshot: Arc<Snapshot>,
    world: World,
    at: Now,
}

impl Timeline {
    /// A case that tells of time begins at its first step. Any other is taken to have been so for as long as a plan asks.
    pub fn begin(step: &Step, timed: bool) -> Self {
        let longest = step
            .snapshot
            .plans
            .iter()
            .map(|plan| plan.after)
            .max()
            .unwrap_or_default();
        let lead = if timed { Duration::ZERO } else { longest };
        let start = moved(step.time(), lead, false);
        let mut timeline = Self {
            plans: Plans::new(&step.snapshot.plans),
            snapshot: step.snapshot.clone(),
            world: World::of(&step.snapshot, &step.given),
            at: Now {
                wall: start,
                up: Uptime::ZERO,
            },
        };
        timeline.hands(step);
        timeline.tick();
        timeline.pass(lead);
        timeline
    }

    /// What was given goes on until the step; then its own counts.
    pub fn advance(&mut self, step: &Step) {
        self.pass(step.after);
        self.snapshot = step.snapshot.clone();
        self.world = World::of(&step.snapshot, &step.given);
        if let Some(time) = step.given.time.filter(|time| *time > self.at.wall) {
            // A clock that is set: the plans have seen as much time pass.
            self.pass(Duration::try_from(time.duration_since(self.at.wall)).unwrap_or_default());
        }
        self.hands(step);
        self.tick();
    }

    pub fn active(&self) -> Vec<bool> {
        self.plans.active()
    }

    pub fn now(&self) -> Timestamp {
        self.at.wall
    }

    /// By plan of the policy, the signals as they brought it into force.
    pub fn why(&self, plan: &str) -> String {
        let views = self.plans.views();
        let view = views.into_iter().find(|view| view.name.as_ref() == plan);
        view.map(|view| view.why).unwrap_or_default()
    }

    fn hands(&mut self, step: &Step) {
        for (name, active) in &step.given.plans {
            let word = Override {
                active: *active,
                until: None,
            };
            // Names were checked when the case was read.
            let _ = self.plans.set_by_hand(name, word, self.at);
        }
    }

    fn pass(&mut self, length: Duration) {
        let seconds = length.as_secs();
        let stride = seconds.div_ceil(STEPS).max(1);
        let mut left = seconds;
        while left > 0 {
            let step = stride.min(left);
            left -= step;
            self.at = later(self.at, Duration::from_secs(step));
            self.tick();
        }
        let rest = Duration::from_nanos(length.subsec_nanos().into());
        self.at = later(self.at, rest);
    }

    fn tick(&mut self) {
        let signals = self.world.signals(&self.snapshot, self.at.wall);
        let readings: Vec<Reading> = self
            .snapshot
            .plans
            .iter()
            .map(|plan| Reading::of(plan, &signals, self.at.wall))
            .collect();
        self.plans.tick(&readings, self.at);
    }
}

fn later(now: Now, length: Duration) -> Now {
    Now {
        wall: moved(now.wall, length, true),
        up: now.up + length,
    }
}

fn moved(at: Timestamp, length: Duration, forth: bool) -> Timestamp {
    let length = SignedDuration::try_from(length).unwrap_or(SignedDuration::ZERO);
    let found = if forth {
        at.checked_add(length)
    } else {
        at.checked_sub(length)
    };
    found.unwrap_or(at)
}
