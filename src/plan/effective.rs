//! What the active plans together make of a policy: an immutable value, built when a plan or the policy changes.
//!
//! Changes apply in file order, the last one wins; restrictions add up, and the first plan that shuts a model out is
//! the one that is named. What depends on the model alone is settled here, so that a request only evaluates what
//! depends on its caller.

use crate::policy::condition::{Answers, ModelFacts, Selector};
use crate::policy::snapshot::{ModelId, Plan, Route, RouteChange, RouteId, Scope, Snapshot, Terms};
use crate::uptime::Uptime;
use jiff::Timestamp;
use std::sync::Arc;

/// A route under the active plans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteNow {
    pub terms: Terms,
    /// The plans that made it differ from the policy, in file order, as indices into [`Snapshot::plans`].
    pub changed_by: Vec<usize>,
    /// The first active plan that sheds its requests.
    pub shed: Option<Shed>,
}

/// A plan that refuses requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shed {
    /// Index into [`Snapshot::plans`].
    pub plan: usize,
    /// What the client is told.
    pub message: Arc<str>,
}

#[derive(Clone, Debug)]
pub struct Effective {
    active: Vec<usize>,
    routes: Vec<RouteNow>,
    restrictions: Restrictions<Selector>,
    /// The first active plan that sheds everything.
    shed: Option<Shed>,
    /// By plan: not to be released before.
    stays_until: Vec<Uptime>,
    /// By plan: the signals that brought it into force, or who did.
    whys: Vec<Arc<str>>,
    /// When the next model makes room for its successor.
    due: Option<Timestamp>,
}

impl Effective {
    /// `active` is in the order of [`Snapshot::plans`], and so are all plans named by this value.
    pub fn compose(snapshot: &Snapshot, active: &[bool]) -> Self {
        let on = active
            .iter()
            .enumerate()
            .filter(|(_, active)| **active)
            .map(|(plan, _)| plan);
        let plans: Vec<(usize, &Plan)> = on.filter_map(|plan| Some((plan, snapshot.plans.get(plan)?))).collect();
        let list = plans
            .iter()
            .flat_map(|(index, plan)| restrictions_of(*index, plan))
            .collect();
        Self {
            active: plans.iter().map(|(index, _)| *index).collect(),
            routes: routes_under(
                &snapshot.routes,
                plans.iter().map(|(index, plan)| (*index, plan.change.as_slice())),
            ),
            restrictions: Restrictions::new(list, snapshot.selectors.models().iter().map(AsRef::as_ref)),
            shed: plans.iter().find_map(|(plan, words)| {
                let message = words.shed.clone()?;
                Some(Shed { plan: *plan, message })
            }),
            stays_until: Vec::new(),
            whys: Vec::new(),
            due: None,
        }
    }

    /// The same, with until when each plan stays at least, in the order of [`Snapshot::plans`].
    pub fn staying(self, stays_until: Vec<Uptime>) -> Self {
        Self { stays_until, ..self }
    }

    /// The same, with why each active plan became so, in the order of [`Snapshot::plans`].
    pub fn because(self, whys: Vec<Arc<str>>) -> Self {
        Self { whys, ..self }
    }

    /// The same, as it is at a time: models that have retired by then have made room for their successors.
    pub fn at(mut self, snapshot: &Snapshot, at: Timestamp) -> Self {
        for route in &mut self.routes {
            if let Some(terms) = snapshot.succeeded(&route.terms, at) {
                route.terms = terms;
            }
        }
        self.due = snapshot.next_succession(at);
        self
    }

    /// A model has retired since, and its successor is not in its place yet.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// The active plans.
    pub fn active(&self) -> &[usize] {
        &self.active
    }

    /// `None` only for a route of another snapshot.
    pub fn route(&self, route: RouteId) -> Option<&RouteNow> {
        self.routes.get(route.0)
    }

    /// The plan that sheds a route's requests, or without a route those for one model by name.
    pub fn shed(&self, route: Option<RouteId>) -> Option<&Shed> {
        let of_route = route.and_then(|route| self.routes.get(route.0)?.shed.as_ref());
        match (&self.shed, of_route) {
            (Some(all), Some(one)) if one.plan < all.plan => Some(one),
            (all, one) => all.as_ref().or(one),
        }
    }

    /// Until when a plan stays at least.
    pub fn stays_until(&self, plan: usize) -> Uptime {
        self.stays_until.get(plan).copied().unwrap_or_default()
    }

    /// Why a plan became active; nothing where nobody knows.
    pub fn why(&self, plan: usize) -> Arc<str> {
        self.whys.get(plan).cloned().unwrap_or_default()
    }

    /// The first plan that shuts this model out for the caller who is answered so.
    pub fn restriction(&self, model: ModelId, answers: &Answers) -> Option<usize> {
        self.restrictions.first(model, answers)
    }
}

impl RouteNow {
    fn take(&mut self, plan: usize, change: &RouteChange) {
        if let (Some(message), None) = (&change.shed, &self.shed) {
            let message = message.clone();
            self.shed = Some(Shed { plan, message });
        }
        let terms = change.applied_to(&self.terms);
        if terms != self.terms {
            self.terms = terms;
            if self.changed_by.last() != Some(&plan) {
                self.changed_by.push(plan);
            }
        }
    }
}

/// `changes`: each active plan's index and what it changes.
pub(super) fn routes_under<'a>(
    routes: &[Route],
    changes: impl Iterator<Item = (usize, &'a [(Scope, RouteChange)])>,
) -> Vec<RouteNow> {
    let as_written = |route: &Route| RouteNow {
        terms: route.terms.clone(),
        changed_by: Vec::new(),
        shed: None,
    };
    let mut routes: Vec<_> = routes.iter().map(as_written).collect();
    for (plan, changes) in changes {
        for (scope, change) in changes {
            let changed = match scope {
                Scope::All => routes.as_mut_slice(),
                Scope::Route(id) => routes.get_mut(id.0..=id.0).unwrap_or_default(),
            };
            changed.iter_mut().for_each(|route| route.take(plan, change));
        }
    }
    routes
}

fn restrictions_of(plan: usize, words: &Plan) -> impl Iterator<Item = Restriction<Selector>> {
    let only = words.only.clone().map(|selector| Restriction {
        plan,
        keeps: true,
        selector,
    });
    let avoid = words.avoid.clone().map(|selector| Restriction {
        plan,
        keeps: false,
        selector,
    });
    only.into_iter().chain(avoid)
}

/// What folding asks of a selector.
pub(super) trait Selects {
    type Asked;
    fn holds(&self, asked: &Self::Asked, model: ModelId) -> bool;
    fn folded(&self, model: &ModelFacts) -> Option<bool>;
}

impl Selects for Selector {
    type Asked = Answers;

    fn holds(&self, answers: &Answers, model: ModelId) -> bool {
        answers.hold(self, model.0)
    }

    fn folded(&self, model: &ModelFacts) -> Option<bool> {
        Self::folded(self, model)
    }
}

/// An `only` keeps what matches, an `avoid` the rest.
#[derive(Clone, Debug)]
pub(super) struct Restriction<S> {
    pub plan: usize,
    pub keeps: bool,
    pub selector: S,
}

#[derive(Clone, Debug)]
pub(super) struct Restrictions<S> {
    list: Vec<Restriction<S>>,
    models: Vec<Mask>,
}

/// What is left to ask for one model.
#[derive(Clone, Debug, Default)]
struct Mask {
    /// Restrictions that depend on the caller, in order.
    depends: Vec<usize>,
    /// The plan that shuts it out for every caller; what comes after it is never asked.
    shut_by: Option<usize>,
}

impl<S: Selects> Restrictions<S> {
    /// `list` is in the order in which plans are named.
    pub(super) fn new<'a>(list: Vec<Restriction<S>>, models: impl Iterator<Item = &'a ModelFacts>) -> Self {
        let models = models.map(|facts| {
            let mut mask = Mask::default();
            for (at, restriction) in list.iter().enumerate() {
                match restriction.selector.folded(facts) {
                    Some(matches) if matches == restriction.keeps => {}
                    Some(_) => {
                        mask.shut_by = Some(restriction.plan);
                        break;
                    }
                    None => mask.depends.push(at),
                }
            }
            mask
        });
        let models = models.collect();
        Self { list, models }
    }

    pub(super) fn first(&self, model: ModelId, asked: &S::Asked) -> Option<usize> {
        let mask = self.models.get(model.0)?;
        let left = mask.depends.iter().filter_map(|at| self.list.get(*at));
        let mut shut = left.filter(|restriction| restriction.selector.holds(asked, model) != restriction.keeps);
        shut.next().map(|restriction| restriction.plan).or(mask.shut_by)
    }
}
