//! Plans: when each is active, and what the active ones together change.
//!
//! [`Plans`] is told once a second what the conditions say and answers what was activated and released, with hysteresis,
//! manual override and a latch against flapping; [`Effective`] is what follows for routes and models. Signals are read
//! elsewhere, from one frozen set.

mod effective;
mod latch;
mod slot;
mod stretch;

#[cfg(test)]
mod tests;

pub use effective::{Effective, RouteNow, Shed};

use crate::policy::condition::Signals;
use crate::policy::snapshot;
use crate::uptime::Uptime;
use jiff::Timestamp;
use slot::{Rule, Slot};
use std::sync::Arc;

/// Both clocks at one instant: wall time is for people, uptime measures.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    pub wall: Timestamp,
    pub up: Uptime,
}

/// What a plan's conditions say now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    pub when: bool,
    /// `None` where the plan has no `until`.
    pub until: Option<bool>,
    /// The time is one in which the plan may be active.
    pub within: bool,
    /// The signals with their values, for people.
    pub why: String,
}

impl Reading {
    /// A plan without `when` is asked for whenever its window is open.
    pub fn of(plan: &snapshot::Plan, signals: &Signals, wall: Timestamp) -> Self {
        Self {
            when: plan.when.as_ref().is_none_or(|when| when.holds(signals)),
            until: plan.until.as_ref().map(|until| until.holds(signals)),
            within: plan.during.is_empty() || plan.during.iter().any(|window| window.contains(wall)),
            why: why(plan, signals),
        }
    }
}

/// What a plan's activation hangs on, with the values of this instant.
pub fn why(plan: &snapshot::Plan, signals: &Signals) -> String {
    plan.when
        .as_ref()
        .map_or_else(|| plan.condition(), |when| when.why(signals))
}

/// An operator's word, which wins over the conditions until its end.
///
/// Without an end, an activation lasts until the plan is released by hand, and a release until the conditions no longer
/// ask for the plan: nobody switches a contingency off for ever by undoing a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Override {
    pub active: bool,
    pub until: Option<Timestamp>,
}

/// Why a plan turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// `when` and `until`.
    Condition,
    /// `during` is over.
    Window,
    Hand,
    /// An edit took it away.
    Policy,
}

impl Cause {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Condition => "condition",
            Self::Window => "window",
            Self::Hand => "hand",
            Self::Policy => "policy",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    pub name: Arc<str>,
    pub activated: bool,
    pub at: Timestamp,
    pub cause: Cause,
    pub why: String,
}

/// What a tick brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    Turned(Transition),
    /// It toggled too often and is held on.
    Flapping {
        name: Arc<str>,
        at: Timestamp,
        why: String,
    },
}

impl News {
    pub const fn transition(&self) -> Option<&Transition> {
        match self {
            Self::Turned(transition) => Some(transition),
            Self::Flapping { .. } => None,
        }
    }
}

/// What was known of a plan when the last daemon ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub active: bool,
    pub since: Timestamp,
    pub overridden: Option<Override>,
    pub latched: bool,
    /// When conditions turned it within the last hour, oldest first.
    pub toggles: Vec<Timestamp>,
}

/// A row of `/planb/plans`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    pub name: Arc<str>,
    pub active: bool,
    /// Since when it is as it is; `None` for a plan that never was active.
    pub since: Option<Timestamp>,
    pub condition: Arc<str>,
    /// Of an active plan, why it became so; otherwise the signals as last read.
    pub why: String,
    pub overridden: Option<Override>,
    /// It flapped and is held on.
    pub latched: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("no plan is named `{0}`")]
    Unknown(String),
    #[error("the end {0} has passed")]
    EndPassed(Timestamp),
}

/// All plans of the policy, in file order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plans {
    slots: Vec<Slot>,
}

impl Plans {
    pub fn new(plans: &[snapshot::Plan]) -> Self {
        Self::from_rules(plans.iter().map(Rule::of).collect())
    }

    /// Takes over the plans of a new policy; what is known of a plan stays with its name. An active plan that is gone is
    /// released.
    pub fn reload(&mut self, plans: &[snapshot::Plan], now: Now) -> Vec<Transition> {
        self.adopt(plans.iter().map(Rule::of).collect(), now)
    }

    /// Brings back what was recorded of a plan before a restart; an unknown name is left alone.
    pub fn restore(&mut self, name: &str, recorded: &Recorded, now: Now) {
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.rule.name.as_ref() == name) {
            slot.restore(recorded, now);
        }
    }

    /// One evaluation of all plans; `readings` are in file order. A plan without a reading keeps its state.
    pub fn tick(&mut self, readings: &[Reading], now: Now) -> Vec<News> {
        let plans = self.slots.iter_mut().zip(readings);
        plans.flat_map(|(slot, reading)| slot.tick(reading, now)).collect()
    }

    /// Activates or releases by hand. `None` where the plan already was so; the override counts all the same.
    pub fn set_by_hand(&mut self, name: &str, word: Override, now: Now) -> Result<Option<Transition>, PlanError> {
        if let Some(end) = word.until.filter(|end| *end <= now.wall) {
            return Err(PlanError::EndPassed(end));
        }
        let slot = self.slots.iter_mut().find(|slot| slot.rule.name.as_ref() == name);
        let slot = slot.ok_or_else(|| PlanError::Unknown(name.to_owned()))?;
        Ok(slot.set_by_hand(word, now))
    }

    /// Which plans are active, in file order.
    pub fn active(&self) -> Vec<bool> {
        self.slots.iter().map(Slot::is_active).collect()
    }

    /// Until when each plan stays at least, in file order; the past for one that is not active.
    pub fn stays_until(&self) -> Vec<Uptime> {
        self.slots.iter().map(Slot::stays_until).collect()
    }

    /// Why each active plan became so, in file order.
    pub fn whys(&self) -> Vec<Arc<str>> {
        self.slots.iter().map(|slot| slot.why().into()).collect()
    }

    pub fn views(&self) -> Vec<View> {
        self.slots.iter().map(Slot::view).collect()
    }

    fn from_rules(rules: Vec<Rule>) -> Self {
        Self {
            slots: rules.into_iter().map(Slot::new).collect(),
        }
    }

    fn adopt(&mut self, rules: Vec<Rule>, now: Now) -> Vec<Transition> {
        let mut old = std::mem::take(&mut self.slots);
        for rule in rules {
            let known = old.iter().position(|slot| slot.rule.name == rule.name);
            let slot = match known.map(|at| old.swap_remove(at)) {
                Some(slot) => slot.under(rule),
                None => Slot::new(rule),
            };
            self.slots.push(slot);
        }
        old.iter_mut().filter_map(|slot| slot.drop_out(now)).collect()
    }
}
