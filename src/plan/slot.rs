//! One plan over time: what activates it, what holds it, what releases it.

use super::latch::Latch;
use super::stretch::Stretch;
use super::{Cause, News, Now, Override, Reading, Recorded, Transition, View};
use crate::policy::snapshot;
use crate::uptime::Uptime;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// A plan's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub name: Arc<str>,
    pub condition: Arc<str>,
    pub after: Duration,
    pub at_least: Duration,
}

impl Rule {
    pub fn of(plan: &snapshot::Plan) -> Self {
        Self {
            name: plan.name.clone(),
            condition: plan.condition().into(),
            after: plan.after,
            at_least: plan.at_least,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub rule: Rule,
    active: Option<Stretch>,
    since: Option<Timestamp>,
    /// Since when it has been asked for without a break.
    held: Option<Stretch>,
    overridden: Option<Override>,
    latch: Latch,
    why: String,
}

impl Slot {
    pub fn new(rule: Rule) -> Self {
        Self {
            rule,
            active: None,
            since: None,
            held: None,
            overridden: None,
            latch: Latch::default(),
            why: String::new(),
        }
    }

    /// Another condition has to hold for its own time, and has not flapped yet.
    pub fn under(self, rule: Rule) -> Self {
        if self.rule.condition == rule.condition {
            return Self { rule, ..self };
        }
        Self {
            rule,
            held: None,
            latch: Latch::default(),
            ..self
        }
    }

    pub fn restore(&mut self, recorded: &Recorded, now: Now) {
        let toggles = recorded.toggles.iter().map(|at| Stretch::since(*at, now));
        self.active = recorded.active.then(|| Stretch::since(recorded.since, now));
        self.since = Some(recorded.since);
        self.overridden = recorded.overridden;
        self.latch = Latch::restored(toggles.collect(), recorded.active && recorded.latched);
        self.why = if recorded.active {
            "active before the restart".to_owned()
        } else {
            String::new()
        };
    }

    pub const fn is_active(&self) -> bool {
        self.active.is_some()
    }

    /// When it has been active `at_least`.
    pub fn stays_until(&self) -> Uptime {
        self.active
            .map_or(Uptime::ZERO, |active| active.lasts(self.rule.at_least))
    }

    /// Of an active plan, why it became so.
    pub fn why(&self) -> &str {
        &self.why
    }

    pub fn set_by_hand(&mut self, word: Override, now: Now) -> Option<Transition> {
        self.overridden = Some(word);
        self.latch = Latch::default();
        self.turn(word.active, Cause::Hand, by_hand(word), now)
    }

    /// It is no longer in the policy.
    pub fn drop_out(&mut self, now: Now) -> Option<Transition> {
        self.turn(false, Cause::Policy, "no longer in the policy".to_owned(), now)
    }

    pub fn tick(&mut self, reading: &Reading, now: Now) -> Vec<News> {
        let asked = reading.within && reading.when;
        self.held = match (asked, self.held) {
            (true, None) => Some(Stretch::starting(now)),
            (true, held) => held,
            (false, _) => None,
        };
        if self.active.is_none() {
            self.why.clone_from(&reading.why);
        }
        self.latch.look(asked, now);
        self.end_override(asked, now);
        if let Some(word) = self.overridden {
            let turned = self.turn(word.active, Cause::Hand, by_hand(word), now);
            return turned.map(News::Turned).into_iter().collect();
        }
        if !reading.within {
            self.latch = Latch::default();
            let turned = self.turn(false, Cause::Window, "outside `during`".to_owned(), now);
            return turned.map(News::Turned).into_iter().collect();
        }
        self.follow(reading, now)
    }

    /// As the conditions say.
    fn follow(&mut self, reading: &Reading, now: Now) -> Vec<News> {
        let why = reading.why.clone();
        match (self.active, self.held) {
            (None, Some(held)) if held.lasted(now) >= self.rule.after => {
                let latched = self.latch.toggle(now);
                let turned = self.turn(true, Cause::Condition, why.clone(), now).map(News::Turned);
                turned
                    .into_iter()
                    .chain(latched.then(|| self.flapping(why, now)))
                    .collect()
            }
            (Some(active), None) if reading.until.unwrap_or(true) && active.lasted(now) >= self.rule.at_least => {
                if self.latch.holds() {
                    return Vec::new();
                }
                if self.latch.toggle(now) {
                    return vec![self.flapping(why, now)];
                }
                let turned = self.turn(false, Cause::Condition, why, now).map(News::Turned);
                turned.into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    fn flapping(&self, why: String, now: Now) -> News {
        News::Flapping {
            name: self.rule.name.clone(),
            at: now.wall,
            why,
        }
    }

    fn end_override(&mut self, asked: bool, now: Now) {
        let over = match self.overridden {
            Some(Override { until: Some(end), .. }) => end <= now.wall,
            Some(Override {
                active: false,
                until: None,
            }) => !asked,
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

    fn turn(&mut self, active: bool, cause: Cause, why: String, now: Now) -> Option<Transition> {
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
            cause,
            why,
        })
    }

    pub fn view(&self) -> View {
        View {
            name: self.rule.name.clone(),
            active: self.active.is_some(),
            since: self.since,
            condition: self.rule.condition.clone(),
            why: self.why.clone(),
            overridden: self.overridden,
            latched: self.latch.holds(),
        }
    }
}

fn by_hand(word: Override) -> String {
    let verb = if word.active { "activated" } else { "released" };
    match word.until {
        Some(end) => format!("{verb} by hand until {end:.0}"),
        None => format!("{verb} by hand"),
    }
}
