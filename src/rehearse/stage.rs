//! One moment of a policy, set: its snapshot, the plans in force, the state. Requests are asked of it.

use super::{Outcome, Refused, Timeline, World};
use crate::decide::explain::{Explanation, Grounds, PlanLine};
use crate::decide::{self, Question, Rules, Target};
use crate::plan::{self, Effective};
use crate::policy::cases::{Ask, Step};
use crate::policy::snapshot::{Asked, HeaderValues, ModelId, Snapshot};
use crate::request::Requirements;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// Asks for one model of the policy by its own name.
const DIRECT: &str = "planb/";

#[derive(Clone, Debug)]
pub struct Stage {
    pub snapshot: Arc<Snapshot>,
    pub world: World,
    /// In the order of the policy's plans.
    pub active: Vec<bool>,
    pub now: Timestamp,
    effective: Effective,
}

impl Stage {
    pub fn new(snapshot: Arc<Snapshot>, world: World, active: &[bool], now: Timestamp) -> Self {
        Self {
            effective: Effective::compose(&snapshot, active).at(&snapshot, now),
            active: active.to_vec(),
            snapshot,
            world,
            now,
        }
    }

    /// A step by itself, in a state that has lasted.
    pub fn of(step: &Step) -> Self {
        let timeline = Timeline::begin(step, false);
        let world = World::of(&step.snapshot, &step.given);
        Self::new(step.snapshot.clone(), world, &timeline.active(), timeline.now())
    }

    pub fn ask(&self, ask: &Ask) -> Outcome {
        match self.target(ask) {
            Some(target) => self.decide(target, ask.needs.clone()),
            None => Outcome::unmatched(&ask.model),
        }
    }

    /// The model that would be asked first, without an explanation.
    pub fn first(&self, ask: &Ask) -> Option<ModelId> {
        let target = self.target(ask)?;
        let mut needs = ask.needs.clone();
        Arc::make_mut(&mut needs.caller).route = self.name(target).into();
        let rules = Rules {
            snapshot: &self.snapshot,
            effective: &self.effective,
        };
        let question = Question {
            target,
            needs: &needs,
            answers: &self.snapshot.selectors.ask(&needs.caller),
            at: self.now,
            patience: Duration::MAX,
            seed: 0,
            held: None,
            attempted: &[],
        };
        let decision = decide::survey(rules, &question, &self.world.scene(&self.snapshot, &needs.caller));
        decision.candidates.first().map(|first| first.id)
    }

    pub fn target(&self, ask: &Ask) -> Option<Target> {
        if let Some(name) = ask.model.strip_prefix(DIRECT) {
            return self.snapshot.model_named(name).map(Target::Model);
        }
        let clients = &self.snapshot.clients;
        let client = clients.iter().find(|client| client.name == ask.needs.caller.client);
        let asked = Asked {
            model: &ask.model,
            dialect: &ask.dialect,
            needs: &ask.needs,
            headers: &Headers(&ask.headers),
            routes: client.and_then(|client| client.routes.as_deref()),
        };
        self.snapshot.route_for(&asked).ok().map(Target::Route)
    }

    fn decide(&self, target: Target, mut needs: Requirements) -> Outcome {
        let route = self.name(target);
        Arc::make_mut(&mut needs.caller).route = route.as_str().into();
        let rules = Rules {
            snapshot: &self.snapshot,
            effective: &self.effective,
        };
        let question = Question {
            target,
            needs: &needs,
            answers: &self.snapshot.selectors.ask(&needs.caller),
            at: self.now,
            patience: Duration::MAX,
            seed: 0,
            held: None,
            attempted: &[],
        };
        let decision = decide::survey(rules, &question, &self.world.scene(&self.snapshot, &needs.caller));
        let terms = decide::terms(rules, target);
        let lines = decision.plans.iter().map(|plan| self.line(*plan));
        let grounds = Grounds::of(&self.snapshot, &terms, &decision, lines.collect());
        let mut explanation = Explanation::new(&grounds, &route, &needs, self.now);
        let budget_left = self.world.share_left(&self.snapshot, &terms.candidates, &needs.caller);
        let refusal = decision
            .candidates
            .is_empty()
            .then(|| decide::refusal(rules, &question, &decision));
        let refused = refusal.map(|refusal| Refused::of(rules, target, &refusal));
        let outcome = Outcome::new(&self.snapshot, target, decision, budget_left, refused);
        explanation.refused = outcome.refused.as_ref().map(ToString::to_string);
        outcome.explained(explanation)
    }

    fn line(&self, plan: usize) -> PlanLine {
        let plan = &self.snapshot.plans[plan];
        let hands = &self.world.given().plans;
        let why = if hands.iter().any(|(name, active)| *name == plan.name && *active) {
            "activated by hand".to_owned()
        } else {
            plan::why(plan, &self.world.signals(&self.snapshot, self.now))
        };
        PlanLine {
            name: plan.name.clone(),
            why: why.into(),
        }
    }

    fn name(&self, target: Target) -> String {
        match target {
            Target::Route(id) => self.snapshot.route(id).name.to_string(),
            Target::Model(id) => format!("{DIRECT}{}", self.snapshot.model(id).name),
        }
    }
}

struct Headers<'a>(&'a [(Arc<str>, Arc<str>)]);

impl HeaderValues for Headers<'_> {
    fn value(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known.as_ref() == name);
        found.map(|(_, value)| value.as_ref())
    }
}
