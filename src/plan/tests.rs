//! Plans over time, told by readings; restrictions told by plain closures.

mod compose;
mod flapping;
mod time;

use super::slot::Rule;
use super::*;
use std::time::Duration;

fn at(seconds: u64) -> Now {
    let start: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
    Now {
        wall: start.checked_add(Duration::from_secs(seconds)).unwrap(),
        up: Duration::from_secs(seconds),
    }
}

fn rule(name: &str, after: u64, at_least: u64) -> Rule {
    Rule {
        name: name.into(),
        condition: "condition".into(),
        after: Duration::from_secs(after),
        at_least: Duration::from_secs(at_least),
    }
}

fn plan(after: u64, at_least: u64) -> Plans {
    Plans::from_rules(vec![rule("p", after, at_least)])
}

fn says(when: bool, until: Option<bool>) -> Vec<Reading> {
    vec![Reading {
        when,
        until,
        within: true,
        why: format!("when is {when}"),
    }]
}

/// What one tick did: `Some(true)` activated, `Some(false)` released.
fn tick(plans: &mut Plans, when: bool, until: Option<bool>, second: u64) -> Option<bool> {
    let news = plans.tick(&says(when, until), at(second));
    news.iter()
        .find_map(News::transition)
        .map(|transition| transition.activated)
}
