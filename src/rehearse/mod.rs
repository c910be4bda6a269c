//! A policy played through without a daemon: a state that is given, time that passes as told, a request, and what the
//! same code decides that serves real ones.
//!
//! Promises the same answer for the same words. It reads no clock, no file and no credential, and calls nobody.

mod body;
mod coverage;
mod outcome;
mod projection;
mod scene;
mod stage;
mod timeline;
mod verdict;
mod want;
mod world;

#[cfg(test)]
mod tests;

pub use coverage::{Coverage, KINDS as COVERAGE_KINDS};
pub use outcome::{Outcome, Refused};
pub use projection::{Projection, Sample, Traffic, project};
pub use stage::Stage;
pub use timeline::Timeline;
pub use verdict::{Failure, Verdict};
pub use want::{Standing, Tweak, Wish, want};
pub use world::World;

use crate::policy::cases::{Case, Step};

/// Every word of [`crate::decide::Reason`], and why a request is refused.
pub const REASONS: [&str; 24] = [
    "unsupported",
    "capability",
    "residence",
    "label",
    "quality",
    "context",
    "output",
    "cost_cap",
    "disabled",
    "retired",
    "license",
    "missing_credential",
    "unpriced",
    "service_tier",
    "plan",
    "shed",
    "budget",
    "budget_closed",
    "attempted",
    "slow",
    "cooling",
    "breaker_open",
    "rate_limit",
    "in_flight",
];

#[cfg(test)]
#[test]
fn every_reason_of_a_decision_can_be_expected() {
    let text = include_str!("../decide/reason.rs");
    let (_, body) = text.split_once("const fn code").expect("the words of the reasons");
    let words = body.split("=> \"").skip(1).filter_map(|rest| rest.split('"').next());
    let words: Vec<&str> = words.take_while(|word| !word.contains(' ')).collect();
    assert!(words.len() >= REASONS.len(), "{words:?}");
    for word in words {
        assert!(REASONS.contains(&word), "{word}");
    }
}

/// What came of a step.
#[derive(Debug)]
pub struct Played {
    /// Names of the plans in force, in file order.
    pub plans: Vec<String>,
    /// `None` for a step that asks nothing.
    pub outcome: Option<Outcome>,
}

/// Plays a case through, step by step.
pub fn play(case: &Case) -> Vec<Played> {
    let Some(first) = case.steps.first() else {
        return Vec::new();
    };
    let mut timeline = Timeline::begin(first, case.timed);
    case.steps
        .iter()
        .enumerate()
        .map(|(at, step)| {
            if at > 0 {
                timeline.advance(step);
            }
            played(step, &timeline)
        })
        .collect()
}

fn played(step: &Step, timeline: &Timeline) -> Played {
    let active = timeline.active();
    let plans = step.snapshot.plans.iter().zip(&active).filter(|(_, active)| **active);
    Played {
        plans: plans.map(|(plan, _)| plan.name.to_string()).collect(),
        outcome: step.ask.as_ref().map(|ask| stage(step, &active, timeline).ask(ask)),
    }
}

fn stage(step: &Step, active: &[bool], timeline: &Timeline) -> Stage {
    let world = World::of(&step.snapshot, &step.given);
    Stage::new(step.snapshot.clone(), world, active, timeline.now())
}
