//! What would have to change for one model to be chosen: single changes first, then two together, then three.
//!
//! Each answer was tried: with exactly these changes the same decision chooses the model. What else might do it is not
//! claimed to be told.

use super::{Outcome, Stage, World};
use crate::decide::{Reason, Target};
use crate::money::Money;
use crate::policy::cases::{Ask, Health};
use crate::policy::condition::signature::Live;
use crate::policy::snapshot::{LicenseId, ModelId, Pick, RouteId, Snapshot};
use crate::price::Price;
use std::fmt;
use std::sync::Arc;

/// More changes together than that are no plan, but another policy.
const TOGETHER: usize = 3;
/// Answers that are told.
const TOLD: usize = 5;

/// One change of the policy, the state or the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tweak {
    ReleasePlan(Arc<str>),
    Left {
        budget: Arc<str>,
        money: Money,
    },
    Up(Arc<str>),
    Quality {
        route: Arc<str>,
        least: u8,
    },
    /// The route needs no residence and no labels.
    Anywhere {
        route: Arc<str>,
    },
    CostLimit {
        route: Arc<str>,
        most: Money,
    },
    OutputLimit {
        route: Arc<str>,
        most: u64,
    },
    Ask(&'static str, String),
    License(Arc<str>),
    Enable(Arc<str>),
    Priced(Arc<str>),
    Front {
        route: Arc<str>,
        model: Arc<str>,
    },
    Pick {
        route: Arc<str>,
        pick: Pick,
    },
    Cheaper {
        model: Arc<str>,
        than: Arc<str>,
        percent: u8,
    },
    Down(Arc<str>),
}

/// How the model stands now, and what would make it the one that is asked first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    pub model: Arc<str>,
    pub standing: Standing,
    /// The smallest first; empty where it is chosen already, or nothing was found.
    pub ways: Vec<Vec<Tweak>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    Chosen,
    /// Behind these, in their order.
    Behind(Vec<Arc<str>>),
    Excluded(String),
    /// The route does not name it.
    Unnamed(Arc<str>),
    /// No route takes the request.
    Unmatched,
}

/// What would have to change for the model to be asked first.
pub fn want(stage: &Stage, ask: &Ask, model: ModelId) -> Wish {
    let name = stage.snapshot.model(model).name.clone();
    let now = Setting {
        stage: stage.clone(),
        ask: ask.clone(),
    };
    let standing = now.standing(model);
    let mut wish = Wish {
        model: name,
        standing,
        ways: Vec::new(),
    };
    if matches!(wish.standing, Standing::Chosen | Standing::Unmatched) {
        return wish;
    }
    let mut open = vec![(Vec::new(), now)];
    for _ in 0..TOGETHER {
        let mut next = Vec::new();
        for (done, setting) in &open {
            for tweak in setting.tweaks(model) {
                if done.contains(&tweak) {
                    continue;
                }
                let changed = setting.with(&tweak);
                let mut way: Vec<Tweak> = done.clone();
                way.push(tweak);
                match changed.standing(model) {
                    Standing::Chosen => wish.ways.push(way),
                    _ => next.push((way, changed)),
                }
            }
        }
        if !wish.ways.is_empty() {
            break;
        }
        open = next;
    }
    wish.ways.truncate(TOLD);
    wish
}

/// A moment and a request, to be changed.
#[derive(Clone)]
struct Setting {
    stage: Stage,
    ask: Ask,
}

impl Setting {
    fn standing(&self, model: ModelId) -> Standing {
        let Some(target) = self.stage.target(&self.ask) else {
            return Standing::Unmatched;
        };
        let outcome = self.stage.ask(&self.ask);
        let place = outcome
            .decision
            .candidates
            .iter()
            .position(|candidate| candidate.id == model);
        let name = |id: ModelId| self.stage.snapshot.model(id).name.clone();
        match place {
            Some(0) => Standing::Chosen,
            Some(place) => {
                let before = outcome.decision.candidates.iter().take(place);
                Standing::Behind(before.map(|candidate| name(candidate.id)).collect())
            }
            None => reason(&outcome, model).map_or_else(
                || Standing::Unnamed(self.route(target).map_or_else(|| "".into(), |(_, name)| name)),
                |reason| Standing::Excluded(format!("{}: {reason}", reason.code())),
            ),
        }
    }

    fn route(&self, target: Target) -> Option<(RouteId, Arc<str>)> {
        match target {
            Target::Route(id) => Some((id, self.stage.snapshot.route(id).name.clone())),
            Target::Model(_) => None,
        }
    }

    /// What may bring the model forward from where it stands, the nearest change first.
    fn tweaks(&self, model: ModelId) -> Vec<Tweak> {
        let Some((id, route)) = self.stage.target(&self.ask).and_then(|target| self.route(target)) else {
            return Vec::new();
        };
        let snapshot = &self.stage.snapshot;
        let outcome = self.stage.ask(&self.ask);
        let mut tweaks: Vec<Tweak> = outcome
            .decision
            .plans
            .iter()
            .map(|plan| Tweak::ReleasePlan(snapshot.plans[*plan].name.clone()))
            .collect();
        match reason(&outcome, model) {
            Some(reason) => tweaks.extend(self.against(reason, model, &route)),
            None => tweaks.extend(self.forward(&outcome, id, model, &route)),
        }
        tweaks
    }

    fn against(&self, reason: &Reason, model: ModelId, route: &Arc<str>) -> Vec<Tweak> {
        let snapshot = &self.stage.snapshot;
        let known = snapshot.model(model);
        let name = known.name.clone();
        match reason {
            Reason::Capability { lacks } => vec![Tweak::Ask("without", (*lacks).to_owned())],
            Reason::Quality { has, .. } => {
                let least = has.unwrap_or(0);
                let mut tweaks = vec![Tweak::Quality {
                    route: route.clone(),
                    least,
                }];
                if self.ask.needs.min_quality.is_some_and(|asked| asked > least) {
                    tweaks.push(Tweak::Ask("min_quality", least.to_string()));
                }
                tweaks
            }
            Reason::Residence | Reason::Label { .. } => vec![Tweak::Anywhere { route: route.clone() }],
            Reason::Context { has, .. } => vec![Tweak::Ask("tokens", has.to_string())],
            Reason::Output { asks, allowed, .. } => vec![
                Tweak::OutputLimit {
                    route: route.clone(),
                    most: *asks,
                },
                Tweak::Ask("output", allowed.to_string()),
            ],
            Reason::CostCap { costs, .. } => vec![
                Tweak::CostLimit {
                    route: route.clone(),
                    most: *costs,
                },
                Tweak::Ask("max_cost", costs.to_string()),
            ],
            Reason::Budget { budget, needs, .. } => vec![Tweak::Left {
                budget: budget.clone(),
                money: *needs,
            }],
            Reason::MissingCredential { .. } | Reason::Cooling { .. } | Reason::BreakerOpen { .. } => {
                vec![Tweak::Up(snapshot.provider_of(model).name.clone())]
            }
            Reason::License { license, .. } => vec![Tweak::License(license.clone())],
            Reason::Disabled { .. } | Reason::SwitchedOff | Reason::Retired { .. } => vec![Tweak::Enable(name)],
            Reason::Unpriced { .. } | Reason::UnpricedUnderCap { .. } => vec![Tweak::Priced(name)],
            // Its release is among the plans that touch the request; the others leave nothing to change.
            Reason::Plan { .. }
            | Reason::Shed { .. }
            | Reason::ServiceTier { .. }
            | Reason::BudgetClosed { .. }
            | Reason::Unsupported { .. }
            | Reason::Attempted
            | Reason::Limited { .. } => Vec::new(),
        }
    }

    /// A candidate that others come before, or one that the route does not name.
    fn forward(&self, outcome: &Outcome, id: RouteId, model: ModelId, route: &Arc<str>) -> Vec<Tweak> {
        let snapshot = &self.stage.snapshot;
        let name = snapshot.model(model).name.clone();
        let mut tweaks = Vec::new();
        let words = outcome
            .explanation
            .as_ref()
            .map_or("", |explanation| explanation.pick.as_ref());
        let pick = Pick::ALL.into_iter().find(|pick| pick.word() == words);
        let pick = pick.unwrap_or(snapshot.route(id).terms.pick);
        let first = outcome.first().map(|first| first.id);
        if pick == Pick::Cheapest
            && let Some(first) = first
        {
            let than = snapshot.model(first).name.clone();
            let steps = [90, 75, 50, 25, 10, 0].map(|percent| Tweak::Cheaper {
                model: name.clone(),
                than: than.clone(),
                percent,
            });
            let enough = steps
                .into_iter()
                .find(|step| self.with(step).standing(model) == Standing::Chosen);
            tweaks.extend(enough);
        }
        tweaks.push(Tweak::Front {
            route: route.clone(),
            model: name,
        });
        let others = [Pick::InOrder, Pick::Cheapest]
            .into_iter()
            .filter(|other| *other != pick);
        tweaks.extend(others.map(|pick| Tweak::Pick {
            route: route.clone(),
            pick,
        }));
        let before = outcome
            .decision
            .candidates
            .iter()
            .take_while(|candidate| candidate.id != model);
        tweaks.extend(before.map(|candidate| Tweak::Down(snapshot.model(candidate.id).name.clone())));
        tweaks
    }

    fn with(&self, tweak: &Tweak) -> Self {
        let mut snapshot = Snapshot::clone(&self.stage.snapshot);
        let mut given = self.stage.world.given().clone();
        let mut active = self.stage.active.clone();
        let mut ask = self.ask.clone();
        match tweak {
            Tweak::ReleasePlan(plan) => {
                for (known, active) in snapshot.plans.iter().zip(&mut active) {
                    *active &= known.name != *plan;
                }
            }
            Tweak::Left { budget, money } => {
                given.left.retain(|(known, _)| known != budget);
                given.left.push((budget.clone(), *money));
            }
            Tweak::Up(provider) => {
                let own = |model: &Arc<str>| {
                    let id = snapshot.model_named(model);
                    id.is_some_and(|id| snapshot.provider_of(id).name == *provider)
                };
                given.models.retain(|(model, _)| !own(model));
                given.providers.retain(|(known, _)| known != provider);
                given.providers.push((provider.clone(), Health::Up));
                given
                    .signals
                    .retain(|(signal, _)| signal.live != Live::ProviderUp || signal.name != *provider);
            }
            Tweak::Down(model) => {
                given.models.retain(|(known, _)| known != model);
                given.models.push((model.clone(), Health::Down));
            }
            Tweak::Ask(what, value) => change_ask(&mut ask, what, value),
            policy => change_policy(&mut snapshot, policy),
        }
        let snapshot = Arc::new(snapshot);
        let world = World::of(&snapshot, &given);
        Self {
            stage: Stage::new(snapshot, world, &active, self.stage.now),
            ask,
        }
    }
}

fn reason(outcome: &Outcome, model: ModelId) -> Option<&Reason> {
    let found = outcome.decision.excluded.iter().find(|exclusion| exclusion.id == model);
    found.map(|exclusion| &exclusion.reason)
}

fn change_ask(ask: &mut Ask, what: &str, value: &str) {
    let needs = &mut ask.needs;
    match (what, value) {
        ("without", "tools") => needs.tools = false,
        ("without", "images") => needs.images = false,
        ("without", "a JSON schema") => needs.json_schema = false,
        ("without", _) => needs.audio = false,
        ("min_quality", least) => needs.min_quality = least.parse().ok(),
        ("output", most) => needs.output_bound = most.parse().ok(),
        ("max_cost", most) => needs.max_cost = Money::parse(most),
        // Half of the context for what goes in leaves the other half for the answer.
        ("tokens", has) => needs.input = has.parse::<u64>().unwrap_or(needs.input) / 2,
        _ => {}
    }
}

fn change_policy(snapshot: &mut Snapshot, tweak: &Tweak) {
    let of_route = |snapshot: &Snapshot, name: &Arc<str>| snapshot.routes.iter().position(|route| route.name == *name);
    match tweak {
        Tweak::Quality { route, least } => {
            if let Some(at) = of_route(snapshot, route) {
                snapshot.routes[at].terms.need.quality = Some(*least);
            }
        }
        Tweak::Anywhere { route } => {
            if let Some(at) = of_route(snapshot, route) {
                let need = &mut snapshot.routes[at].terms.need;
                (need.residence, need.labels) = Default::default();
            }
        }
        Tweak::CostLimit { route, most } => {
            if let Some(at) = of_route(snapshot, route) {
                snapshot.routes[at].terms.max_cost = Some(*most);
            }
        }
        Tweak::OutputLimit { route, most } => {
            if let Some(at) = of_route(snapshot, route) {
                snapshot.routes[at].terms.max_output = Some(*most);
            }
        }
        Tweak::Pick { route, pick } => {
            if let Some(at) = of_route(snapshot, route) {
                snapshot.routes[at].terms.pick = *pick;
            }
        }
        Tweak::Front { route, model } => {
            if let (Some(at), Some(id)) = (of_route(snapshot, route), snapshot.model_named(model)) {
                let terms = &mut snapshot.routes[at].terms;
                let rest = terms.candidates.iter().copied().filter(|known| *known != id);
                terms.candidates = std::iter::once(id).chain(rest).collect();
            }
        }
        Tweak::License(name) => {
            let is = |id: &LicenseId| snapshot.licenses.get(id.0).is_some_and(|known| known.name == *name);
            for model in &mut snapshot.models {
                model.traits.license = model.traits.license.filter(|id| !is(id));
                model.traits.weights_license = model.traits.weights_license.filter(|id| !is(id));
            }
        }
        Tweak::Enable(name) => {
            if let Some(id) = snapshot.model_named(name) {
                let model = &mut snapshot.models[id.0];
                (model.traits.disabled, model.traits.retires) = (false, None);
                let provider = model.provider;
                snapshot.providers[provider.0].disabled = false;
            }
        }
        Tweak::Priced(name) => {
            if let Some(id) = snapshot.model_named(name) {
                snapshot.models[id.0].price = Some(Price::FREE);
            }
        }
        Tweak::Cheaper { model, percent, .. } => {
            if let Some(id) = snapshot.model_named(model) {
                let model = &mut snapshot.models[id.0];
                model.price = model.price.as_ref().map(|price| price.at_percent(*percent));
            }
        }
        Tweak::ReleasePlan(_) | Tweak::Left { .. } | Tweak::Up(_) | Tweak::Ask(..) | Tweak::Down(_) => {}
    }
}

impl fmt::Display for Tweak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReleasePlan(plan) => write!(f, "plan `{plan}` is released"),
            Self::Left { budget, money } => write!(f, "budget `{budget}` has {money} left"),
            Self::Up(provider) => write!(f, "provider `{provider}` is up and has its key"),
            Self::Quality { route, least } => write!(f, "route `{route}` needs a quality of {least} only"),
            Self::Anywhere { route } => write!(f, "route `{route}` needs no residence and no labels"),
            Self::CostLimit { route, most } => write!(f, "`limits.cost` of route `{route}` is {most} or more"),
            Self::OutputLimit { route, most } => write!(f, "`limits.output` of route `{route}` is {most} or more"),
            Self::Ask("without", what) => write!(f, "the request goes without {what}"),
            Self::Ask("min_quality", least) => write!(f, "the request asks for a quality of {least} only"),
            Self::Ask("output", most) => write!(f, "the request bounds its answer to {most} tokens"),
            Self::Ask("max_cost", most) => write!(f, "the request allows a cost of {most}"),
            Self::Ask(_, has) => write!(f, "the request is short enough for {has} tokens of context"),
            Self::License(license) => write!(f, "licence `{license}` permits it"),
            Self::Enable(model) => write!(f, "`{model}` is neither switched off nor retired"),
            Self::Priced(model) => write!(f, "`{model}` has a price"),
            Self::Front { route, model } => write!(f, "route `{route}` tries `{model}` first"),
            Self::Pick { route, pick } => write!(f, "route `{route}` picks `{}`", pick.word()),
            Self::Cheaper {
                model,
                than,
                percent: 0,
            } => write!(f, "`{model}` is free, and so not dearer than `{than}`"),
            Self::Cheaper { model, than, percent } => {
                write!(
                    f,
                    "`{model}` costs {percent} % of its price or less, and so less than `{than}`"
                )
            }
            Self::Down(model) => write!(f, "`{model}` is not there"),
        }
    }
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let model = &self.model;
        match &self.standing {
            Standing::Chosen => return writeln!(f, "`{model}` is chosen already"),
            Standing::Unmatched => return writeln!(f, "no route takes this request"),
            Standing::Behind(before) => {
                let before: Vec<String> = before.iter().map(|name| format!("`{name}`")).collect();
                writeln!(f, "`{model}` is a candidate, behind {}", before.join(", "))?;
            }
            Standing::Excluded(reason) => writeln!(f, "`{model}` is no candidate ({reason})")?,
            Standing::Unnamed(route) => writeln!(f, "route `{route}` does not name `{model}`")?,
        }
        if self.ways.is_empty() {
            return writeln!(
                f,
                "no change of up to {TOGETHER} things was found that makes it the choice"
            );
        }
        writeln!(f, "it would be chosen if")?;
        for way in &self.ways {
            let tweaks: Vec<String> = way.iter().map(Tweak::to_string).collect();
            writeln!(f, "  - {}", tweaks.join(", and "))?;
        }
        Ok(())
    }
}
