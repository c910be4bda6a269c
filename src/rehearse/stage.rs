//! One moment of a policy, set: its snapshot, the plans in force, the state. Requests are asked of it.

use super::body;
use super::scene::{Scene, full, kind};
use super::{Outcome, Refused, Timeline, World};
use crate::decide::explain::{Explanation, Grounds, MirrorLine, PlanLine};
use crate::decide::{self, Decision, Held, Lock, Question, Refusal, Rules, Target};
use crate::limit::{Full, Scope};
use crate::plan::{self, Effective};
use crate::policy::cases::{self, Ask, Step};
use crate::policy::snapshot::{Asked, HeaderValues, ModelId, RouteId, Snapshot, Unmatched};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// Asks for one model of the policy by its own name.
pub(super) const DIRECT: &str = "planb/";

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
        let target = match self.find(ask) {
            Ok(target) => target,
            Err(why) => return Outcome::turned_away(None, 404, why),
        };
        let route = match target {
            Target::Route(id) => Some(self.snapshot.route(id).name.to_string()),
            Target::Model(_) => None,
        };
        if let Err(unreadable) = body::inbound(ask) {
            return Outcome::turned_away(route, 400, unreadable.to_string());
        }
        match self.full(ask, target) {
            Some(full) => Outcome::turned_away(route, 429, full.to_string()),
            None => self.decide(target, ask),
        }
    }

    /// The model that would be asked first, without an explanation.
    pub fn first(&self, ask: &Ask) -> Option<ModelId> {
        let target = self.target(ask)?;
        let (ask, _) = self.known(target, ask);
        let decision = self.decided(target, &ask).0;
        decision.candidates.first().map(|first| first.id)
    }

    pub fn target(&self, ask: &Ask) -> Option<Target> {
        self.find(ask).ok()
    }

    fn find(&self, ask: &Ask) -> Result<Target, String> {
        let name = &ask.model;
        if let Some(direct) = name.strip_prefix(DIRECT) {
            let id = self.snapshot.model_named(direct);
            return id
                .map(Target::Model)
                .ok_or_else(|| format!("no model is called `{direct}`"));
        }
        if let Some(route) = &ask.route {
            return self.recorded(route);
        }
        let clients = &self.snapshot.clients;
        let client = clients.iter().find(|client| client.name == ask.needs.caller.client);
        let asked = Asked {
            model: name,
            dialect: &ask.dialect,
            needs: &ask.needs,
            headers: &Headers(&ask.headers),
            routes: client.and_then(|client| client.routes.as_deref()),
        };
        self.snapshot
            .route_for(&asked)
            .map(Target::Route)
            .map_err(|unmatched| match unmatched {
                Unmatched::Name => format!("no route serves the model `{name}`"),
                Unmatched::Close(id, criterion) => {
                    let route = self.snapshot.route(id);
                    let wanted = criterion.wanted(&route.matches);
                    format!(
                        "no route takes this request for the model `{name}`; nearest: route `{}`, {wanted}",
                        route.name
                    )
                }
            })
    }

    /// A route by its own name, whatever it takes.
    fn recorded(&self, name: &str) -> Result<Target, String> {
        let mut routes = self.snapshot.routes.iter();
        let at = routes.position(|route| route.name.as_ref() == name);
        at.map(|at| Target::Route(RouteId(at)))
            .ok_or_else(|| format!("no route is called `{name}`"))
    }

    /// A limit of the client or of the route: the request is turned away before anything is decided.
    fn full(&self, ask: &Ask, target: Target) -> Option<Full> {
        let used_up = &self.world.given().moment.used_up;
        let client = used_up
            .clients
            .iter()
            .find(|(name, _)| *name == ask.needs.caller.client);
        let route = || match target {
            Target::Route(id) => used_up
                .routes
                .iter()
                .find(|(name, _)| *name == self.snapshot.route(id).name),
            Target::Model(_) => None,
        };
        let client = client.map(|(name, reached)| full(Scope::Client(name.clone()), kind(*reached)));
        client.or_else(|| route().map(|(name, reached)| full(Scope::Route(name.clone()), kind(*reached))))
    }

    /// The request with its route's name, and what its other fields ask for.
    fn known(&self, target: Target, ask: &Ask) -> (Ask, String) {
        let (mut ask, route) = (ask.clone(), self.name(target));
        Arc::make_mut(&mut ask.needs.caller).route = route.as_str().into();
        if let (false, Ok(inbound)) = (ask.fields.is_empty(), body::inbound(&ask)) {
            let read = inbound.needs(&self.snapshot.priced_fields);
            ask.needs.audio |= read.audio;
            ask.needs.extras = read.extras;
        }
        (ask, route)
    }

    fn rules(&self) -> Rules<'_> {
        Rules {
            snapshot: &self.snapshot,
            effective: &self.effective,
        }
    }

    fn decided(&self, target: Target, ask: &Ask) -> (Decision, Scene<'_>, Option<Refusal>) {
        let (rules, needs) = (self.rules(), &ask.needs);
        let moment = &self.world.given().moment;
        let id = |name: &Arc<str>| self.snapshot.model_named(name);
        let attempted: Vec<ModelId> = moment.attempted.iter().filter_map(id).collect();
        let question = Question {
            target,
            needs,
            answers: &self.snapshot.selectors.ask(&needs.caller),
            at: self.now,
            patience: Duration::MAX,
            seed: 0,
            held: self.held(),
            attempted: &attempted,
        };
        let scene = Scene::new(&self.world, &self.snapshot, &needs.caller).shaping(rules, target, ask);
        let decision = decide::survey(rules, &question, &scene);
        let refused = decision.candidates.is_empty();
        let refusal = refused.then(|| decide::refusal(rules, &question, &decision));
        (decision, scene, refusal)
    }

    fn decide(&self, target: Target, ask: &Ask) -> Outcome {
        let (ask, route) = self.known(target, ask);
        let (decision, scene, refusal) = self.decided(target, &ask);
        let terms = decide::terms(self.rules(), target);
        let lines = decision.plans.iter().map(|plan| self.line(*plan));
        let dropped = scene.reshapes.iter().filter_map(|(id, reshaped)| {
            let fields = &reshaped.as_ref().ok()?.dropped;
            (!fields.is_empty()).then(|| (*id, fields.clone()))
        });
        let grounds = Grounds {
            stay: self.held().zip(decision.stay).map(|(held, stay)| (held.model, stay)),
            dropped: dropped.collect(),
            ..Grounds::of(&self.snapshot, &terms, &decision, lines.collect())
        };
        let mut explanation = Explanation::new(&grounds, &route, &ask.needs, self.now);
        let budget_left = self
            .world
            .share_left(&self.snapshot, &terms.candidates, &ask.needs.caller);
        let refused = refusal.map(|refusal| Refused::of(self.rules(), target, &refusal, &ask.needs.caller.client));
        let first = decision.candidates.first().map(|first| first.id);
        let keys = first.map(|id| scene.keys(self.snapshot.provider_of(id)));
        let outcome = Outcome {
            keys: keys.unwrap_or_default(),
            ..Outcome::new(&self.snapshot, target, decision, budget_left, refused)
        };
        explanation.mirror = self.mirrored(target, &ask);
        explanation.refused = outcome.refused.as_ref().map(ToString::to_string);
        outcome.explained(explanation)
    }

    fn held(&self) -> Option<Held> {
        let given = self.world.given().moment.conversation.as_ref()?;
        Some(Held {
            model: self.snapshot.model_named(&given.model)?,
            lock: given.lock.map(|lock| match lock {
                cases::Lock::ToolLoop => Lock::ToolLoop,
                cases::Lock::Reasoning => Lock::Reasoning,
            }),
            cached: given.cached,
            moved_from: given.from.as_ref().and_then(|name| self.snapshot.model_named(name)),
            replanned: given.replanned,
        })
    }

    /// Where a copy would go, were it of the mirror's share.
    fn mirrored(&self, target: Target, ask: &Ask) -> Option<MirrorLine> {
        let Target::Route(id) = target else {
            return None;
        };
        let mirror = self.snapshot.route(id).mirror.as_ref()?;
        let model = self.snapshot.serving(mirror.model, self.now);
        let needs = ask.needs.mirrored(&mirror.budget);
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
        let scene = Scene::new(&self.world, &self.snapshot, &needs.caller);
        let decided = decide::shadow(self.rules(), &question, &scene, model);
        Some(MirrorLine::new(&self.snapshot, mirror, model, decided))
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
