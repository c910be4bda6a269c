//! Plans: when each is active, and what the active ones together change.
//!
//! [`Plans`] is told once a second what the conditions say and answers what was activated and released, with hysteresis
//! and manual override; [`Effective`] is what follows for routes and models. Signals are read elsewhere, from one frozen
//! set. A plan that keeps toggling is not latched.

mod effective;

#[cfg(test)]
mod tests;

pub use effective::{Effective, RouteNow};

use crate::policy::condition::Signals;
use crate::policy::snapshot;
use crate::uptime::Uptime;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// Both clocks at one instant: wall time is for people, uptime measures.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    pub wall: Timestamp,
    pub up: Uptime,
}

/// What a plan's conditions say now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    pub when: bool,
    /// `None` where the plan has no `until`.
    pub until: Option<bool>,
    /// The signals with their values, for people.
    pub why: String,
}

impl Reading {
    pub fn of(plan: &snapshot::Plan, signals: &dyn Signals) -> Self {
        Self {
            when: plan.when.holds(signals),
            until: plan.until.as_ref().map(|until| until.holds(signals)),
            why: plan.when.why(signals),
        }
    }
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

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    pub name: Arc<str>,
    pub activated: bool,
    pub at: Timestamp,
    pub why: String,
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
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("no plan is named `{0}`")]
    Unknown(String),
    #[error("the end {0} has passed")]
    EndPassed(Timestamp),
}

/// A plan's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    name: Arc<str>,
    condition: Arc<str>,
    after: Duration,
    at_least: Duration,
}

/// A stretch of time that may have begun before this daemon did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    from: Uptime,
    before: Duration,
}

impl Stretch {
    const fn starting(now: Now) -> Self {
        Self {
            from: now.up,
            before: Duration::ZERO,
        }
    }

    const fn lasted(self, now: Now) -> Duration {
        now.up.saturating_sub(self.from).saturating_add(self.before)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Slot {
    rule: Rule,
    active: Option<Stretch>,
    since: Option<Timestamp>,
    /// Since when `when` has held without a break.
    held: Option<Stretch>,
    overridden: Option<Override>,
    why: String,
}

/// All plans of the policy, in file order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plans {
    slots: Vec<Slot>,
}

impl Plans {
    pub fn new(plans: &[snapshot::Plan]) -> Self {
        Self::from_rules(plans.iter().map(rule_of).collect())
    }

    /// Takes over the plans of a new policy; what is known of a plan stays with its name. An active plan that is gone is
    /// released.
    pub fn reload(&mut self, plans: &[snapshot::Plan], now: Now) -> Vec<Transition> {
        self.adopt(plans.iter().map(rule_of).collect(), now)
    }

    /// Brings back what was recorded of a plan before a restart; an unknown name is left alone.
    pub fn restore(&mut self, name: &str, active: bool, since: Timestamp, overridden: Option<Override>, now: Now) {
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.rule.name.as_ref() == name) {
            let before = Duration::try_from(now.wall.duration_since(since)).unwrap_or_default();
            slot.active = active.then_some(Stretch { from: now.up, before });
            slot.since = Some(since);
            slot.overridden = overridden;
            slot.why = if active {
                "active before the restart".to_owned()
            } else {
                String::new()
            };
        }
    }

    /// One evaluation of all plans; `readings` are in file order. A plan without a reading keeps its state.
    pub fn tick(&mut self, readings: &[Reading], now: Now) -> Vec<Transition> {
        let plans = self.slots.iter_mut().zip(readings);
        plans.filter_map(|(slot, reading)| slot.tick(reading, now)).collect()
    }

    /// Activates or releases by hand. `None` where the plan already was so; the override counts all the same.
    pub fn set_by_hand(&mut self, name: &str, word: Override, now: Now) -> Result<Option<Transition>, PlanError> {
        if let Some(end) = word.until.filter(|end| *end <= now.wall) {
            return Err(PlanError::EndPassed(end));
        }
        let slot = self.slots.iter_mut().find(|slot| slot.rule.name.as_ref() == name);
        let slot = slot.ok_or_else(|| PlanError::Unknown(name.to_owned()))?;
        slot.overridden = Some(word);
        Ok(slot.turn(word.active, by_hand(word), now))
    }

    /// Which plans are active, in file order.
    pub fn active(&self) -> Vec<bool> {
        self.slots.iter().map(|slot| slot.active.is_some()).collect()
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
                // Another condition has to hold for its own time.
                Some(slot) if slot.rule.condition != rule.condition => Slot {
                    rule,
                    held: None,
                    ..slot
                },
                Some(slot) => Slot { rule, ..slot },
                None => Slot::new(rule),
            };
            self.slots.push(slot);
        }
        let gone = old.iter_mut();
        gone.filter_map(|slot| slot.turn(false, "no longer in the policy".to_owned(), now))
            .collect()
    }
}

impl Slot {
    const fn new(rule: Rule) -> Self {
        Self {
            rule,
            active: None,
            since: None,
            held: None,
            overridden: None,
            why: String::new(),
        }
    }

    fn tick(&mut self, reading: &Reading, now: Now) -> Option<Transition> {
        self.held = match (reading.when, self.held) {
            (true, None) => Some(Stretch::starting(now)),
            (true, held) => held,
            (false, _) => None,
        };
        if self.active.is_none() {
            self.why.clone_from(&reading.why);
        }
        self.end_override(reading, now);
        if let Some(word) = self.overridden {
            return self.turn(word.active, by_hand(word), now);
        }
        match (self.active, self.held) {
            (None, Some(held)) if held.lasted(now) >= self.rule.after => self.turn(true, reading.why.clone(), now),
            (Some(active), None) if reading.until.unwrap_or(true) && active.lasted(now) >= self.rule.at_least => {
                self.turn(false, reading.why.clone(), now)
            }
            _ => None,
        }
    }

    fn end_override(&mut self, reading: &Reading, now: Now) {
        let over = match self.overridden {
            Some(Override { until: Some(end), .. }) => end <= now.wall,
            Some(Override {
                active: false,
                until: None,
            }) => !reading.when,
            Some(Override {
                active: true,
                until: None,
            })
            | None => false,
        };
        if over {
            self.overridden = None;
        }
    }

    fn turn(&mut self, active: bool, why: String, now: Now) -> Option<Transition> {
        if self.active.is_some() == active {
            return None;
        }
        self.active = active.then_some(Stretch::starting(now));
        self.since = Some(now.wall);
        self.why.clone_from(&why);
        Some(Transition {
            name: self.rule.name.clone(),
            activated: active,
            at: now.wall,
            why,
        })
    }

    fn view(&self) -> View {
        View {
            name: self.rule.name.clone(),
            active: self.active.is_some(),
            since: self.since,
            condition: self.rule.condition.clone(),
            why: self.why.clone(),
            overridden: self.overridden,
        }
    }
}

fn rule_of(plan: &snapshot::Plan) -> Rule {
    Rule {
        name: plan.name.clone(),
        condition: plan.when.text().into(),
        after: plan.after,
        at_least: plan.at_least,
    }
}

fn by_hand(word: Override) -> String {
    let verb = if word.active { "activated" } else { "released" };
    match word.until {
        Some(end) => format!("{verb} by hand until {end:.0}"),
        None => format!("{verb} by hand"),
    }
}
