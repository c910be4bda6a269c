//! What would have to change for one model to be chosen: single changes first, then two together, then three.
//!
//! Each answer was tried: with exactly these changes the same decision chooses the model. What else might do it is not
//! claimed to be told.

mod tweak;

#[cfg(test)]
mod tests;

pub use tweak::Tweak;

use super::{Outcome, Stage, World};
use crate::decide::{Reason, Target};
use crate::money::Currency;
use crate::plan::Reading;
use crate::policy::cases::{Ask, Health};
use crate::policy::condition::signature::Live;
use crate::policy::snapshot::{ModelId, Pick, Provider, RouteId, Snapshot};
use std::fmt;
use std::sync::Arc;
use tweak::{change_ask, change_policy};

/// More changes together than that are no plan, but another policy.
const TOGETHER: usize = 3;
/// Of a budget's limit, as finely as its money is told.
const PARTS: u64 = 1_000;
/// Answers that are told.
const TOLD: usize = 5;

/// How the model stands now, and what would make it the one that is asked first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    pub model: Arc<str>,
    pub standing: Standing,
    /// The smallest first; empty where it is chosen already, or nothing was found.
    pub ways: Vec<Vec<Tweak>>,
    pub currency: Currency,
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
        currency: stage.snapshot.currency,
    };
    if matches!(wish.standing, Standing::Chosen | Standing::Unmatched) {
        return wish;
    }
    let mut open = vec![(Vec::new(), now)];
    for _ in 0..TOGETHER {
        let mut next: Vec<(Vec<Tweak>, Setting)> = Vec::new();
        for (done, setting) in &open {
            for tweak in setting.tweaks(model) {
                // The same things in another order are the same way.
                let same = |way: &Vec<Tweak>| way.contains(&tweak) && done.iter().all(|one| way.contains(one));
                if done.contains(&tweak) || wish.ways.iter().any(same) || next.iter().any(|(way, _)| same(way)) {
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
        // What brought a plan into force may end by itself.
        if !outcome.decision.plans.is_empty() {
            tweaks.extend(self.refilled(model));
            let down = |provider: &&Provider| {
                matches!(
                    self.stage.world.provider(&provider.name),
                    Health::Down | Health::Cooling(_)
                )
            };
            let down = snapshot.providers.iter().filter(down);
            tweaks.extend(down.map(|provider| Tweak::Up(provider.name.clone())));
        }
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
            Reason::Capability { lacks } => vec![
                Tweak::Ask("without", (*lacks).to_owned()),
                Tweak::Ability {
                    route: route.clone(),
                    what: lacks,
                },
            ],
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
            Reason::Context { has, .. } => {
                let least = Tweak::Context {
                    route: route.clone(),
                    least: *has,
                };
                self.shorter(model).into_iter().chain([least]).collect()
            }
            Reason::Slow { has, .. } => vec![Tweak::Speed {
                route: route.clone(),
                least: u32::try_from(*has).unwrap_or(u32::MAX),
            }],
            Reason::ServiceTier { .. } => vec![Tweak::Ask("without", "service_tier".to_owned())],
            Reason::Limited { .. } => vec![Tweak::Room(name)],
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
            | Reason::BudgetClosed { .. }
            | Reason::Unsupported { .. }
            | Reason::Untranslatable { .. }
            | Reason::Attempted => Vec::new(),
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
            let cheaper = |percent: u64| Tweak::Cheaper {
                model: name.clone(),
                than: than.clone(),
                percent: u8::try_from(percent).unwrap_or(0),
            };
            let chosen = |percent: u64| self.with(&cheaper(percent)).standing(model) == Standing::Chosen;
            let enough = most(99, chosen).map(cheaper);
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

    /// Budgets that need no more than more money, and how much.
    fn refilled(&self, model: ModelId) -> Vec<Tweak> {
        let budgets = self.stage.snapshot.budgets.iter();
        let each = budgets.filter_map(|budget| {
            let left = |gone: u64| Tweak::Left {
                budget: budget.name.clone(),
                money: budget
                    .limit
                    .minus(budget.limit.scaled_down(gone.cast_signed(), PARTS.cast_signed())),
            };
            let chosen = |gone: u64| self.with(&left(gone)).standing(model) == Standing::Chosen;
            most(PARTS, chosen).map(left)
        });
        each.collect()
    }

    /// The longest prompt that the model still takes.
    fn shorter(&self, model: ModelId) -> Option<Tweak> {
        let tweak = |input: u64| Tweak::Ask("input", input.to_string());
        let fits = |input: u64| {
            let outcome = self.with(&tweak(input));
            let standing = outcome.stage.ask(&outcome.ask);
            !matches!(reason(&standing, model), Some(Reason::Context { .. }))
        };
        most(self.ask.needs.input.saturating_sub(1), fits).map(tweak)
    }

    fn with(&self, tweak: &Tweak) -> Self {
        let mut snapshot = Snapshot::clone(&self.stage.snapshot);
        let mut given = self.stage.world.given().clone();
        let mut ask = self.ask.clone();
        match tweak {
            Tweak::ReleasePlan(plan) => {
                given.plans.retain(|(known, _)| known != plan);
                given.plans.push((plan.clone(), false));
            }
            Tweak::Left { budget, money } => {
                given.left.retain(|(known, _)| known != budget);
                given.left.push((budget.clone(), *money));
                // What was said of the budget says something else now.
                let of_budget = [Live::BudgetUsed, Live::BudgetRemaining, Live::BudgetExhausted];
                given
                    .signals
                    .retain(|(signal, _)| !of_budget.contains(&signal.live) || signal.name != *budget);
            }
            Tweak::Up(provider) => {
                let own = |model: &Arc<str>| {
                    let id = snapshot.model_named(model);
                    id.is_some_and(|id| snapshot.provider_of(id).name == *provider)
                };
                given.models.retain(|(model, _)| !own(model));
                given.moment.keys.retain(|(known, ..)| known != provider);
                given.providers.retain(|(known, _)| known != provider);
                given.providers.push((provider.clone(), Health::Up));
                let of_provider = [Live::ProviderUp, Live::ProviderCooling];
                given
                    .signals
                    .retain(|(signal, _)| !of_provider.contains(&signal.live) || signal.name != *provider);
            }
            Tweak::Room(model) => {
                let provider = snapshot
                    .model_named(model)
                    .map(|id| snapshot.provider_of(id).name.clone());
                let is_own = |name: &Arc<str>| Some(name) == provider.as_ref();
                given.moment.used_up.models.retain(|(known, _)| known != model);
                given.moment.used_up.providers.retain(|(known, _)| !is_own(known));
                given.moment.keys.retain(|(known, ..)| !is_own(known));
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
        let active = self.plans(&snapshot, &world);
        Self {
            stage: Stage::new(snapshot, world, &active, self.stage.now),
            ask,
        }
    }

    /// A plan of which the changed state says something else than before comes or goes; the others are as they were,
    /// whatever brought them into force.
    fn plans(&self, snapshot: &Snapshot, world: &World) -> Vec<bool> {
        let now = self.stage.now;
        let before = self.stage.world.signals(&self.stage.snapshot, now);
        let after = world.signals(snapshot, now);
        let plans = snapshot.plans.iter().zip(&self.stage.active);
        plans
            .map(|(plan, active)| {
                let hands = &world.given().plans;
                if let Some((_, word)) = hands.iter().find(|(name, _)| *name == plan.name) {
                    return *word;
                }
                let (was, is) = (Reading::of(plan, &before, now), Reading::of(plan, &after, now));
                if (was.when, was.until) == (is.when, is.until) {
                    return *active;
                }
                is.within && (is.when || (*active && is.until == Some(false)))
            })
            .collect()
    }
}

/// The largest up to `limit` that holds, where every smaller one does; `None` where not even nothing does.
fn most(limit: u64, holds: impl Fn(u64) -> bool) -> Option<u64> {
    let (mut least, mut beyond) = (0, limit.checked_add(1)?);
    if !holds(0) {
        return None;
    }
    while beyond - least > 1 {
        let middle = least + (beyond - least) / 2;
        if holds(middle) {
            least = middle;
        } else {
            beyond = middle;
        }
    }
    Some(least)
}

fn reason(outcome: &Outcome, model: ModelId) -> Option<&Reason> {
    let found = outcome.decision.excluded.iter().find(|exclusion| exclusion.id == model);
    found.map(|exclusion| &exclusion.reason)
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
            let tweaks: Vec<String> = way.iter().map(|tweak| tweak.told(self.currency)).collect();
            writeln!(f, "  - {}", tweaks.join(", and "))?;
        }
        Ok(())
    }
}
