//! What plans leave of each route, alone and in pairs: whoever asks, is any model left?
//!
//! A route that sheds refuses on purpose and is left alone. Plans that do nothing to a route are left out of its pairs,
//! and those that keep out the same models count as one, so that a large policy is checked in milliseconds.

use super::mask::Mask;
use super::{needs, plan_place};
use crate::policy::read::Policy;
use crate::policy::report::Report;
use crate::policy::snapshot::{ModelId, Plan, Route, RouteChange, RouteId, Snapshot, Terms};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};

/// More pairs are not looked for: nobody reads them.
const MOST_PAIRS: usize = 100;
const ROUTES_NAMED: usize = 3;

pub(super) fn warn(snapshot: &Snapshot, written: &Policy, now: Timestamp, report: &mut Report) {
    let kept: Vec<Vec<bool>> = snapshot.plans.iter().map(|plan| kept_by(snapshot, plan)).collect();
    let mut empty = Empty::default();
    for at in 0..snapshot.routes.len() {
        Considered::of(snapshot, RouteId(at), &kept, now).look(&mut empty);
    }
    for (plan, routes) in &empty.alone {
        let plan = &snapshot.plans[*plan];
        let message = format!("plan `{}` leaves {} no model", plan.name, named(snapshot, routes));
        report
            .warning(plan_place(written, plan), "nothing-left", message)
            .help("while it is active, such requests are refused; lower the route's `need` in its `change`, or give it `message`");
    }
    for ((one, two), routes) in &empty.together {
        let (one, two) = (&snapshot.plans[*one], &snapshot.plans[*two]);
        let message = format!(
            "plans `{}` and `{}` together leave {} no model",
            one.name,
            two.name,
            named(snapshot, routes)
        );
        report
            .warning(plan_place(written, two), "nothing-left", message)
            .related(plan_place(written, one), "with this one");
    }
}

/// By plan and by pair of plans, in file order: the routes that they leave without a model.
#[derive(Default)]
struct Empty {
    alone: BTreeMap<usize, Vec<RouteId>>,
    together: BTreeMap<(usize, usize), Vec<RouteId>>,
}

/// By model: what depends on the caller counts as kept.
fn kept_by(snapshot: &Snapshot, plan: &Plan) -> Vec<bool> {
    let kept = |id: usize| {
        let facts = snapshot.facts(ModelId(id));
        let by_only = plan.only.as_ref().is_none_or(|only| only.folded(facts) != Some(false));
        by_only
            && plan
                .avoid
                .as_ref()
                .is_none_or(|avoid| avoid.folded(facts) != Some(true))
    };
    let restricts = plan.only.is_some() || plan.avoid.is_some();
    (0..snapshot.models.len()).map(|id| !restricts || kept(id)).collect()
}

/// Plans that do the same to a route.
struct Group {
    keeps: Mask,
    /// Which of [`Considered::changes`] it makes.
    changes: Option<usize>,
    /// What serves under its changes alone.
    serves: Mask,
    plans: Vec<usize>,
}

/// What serves under two changes, one after the other: many plans make the same.
type Together = HashMap<(usize, usize), Mask>;

struct Considered<'a> {
    snapshot: &'a Snapshot,
    id: RouteId,
    route: &'a Route,
    /// Its models that may serve now: masks have a bit for each.
    models: Vec<ModelId>,
    groups: Vec<Group>,
    /// What plans change of it, each once.
    changes: Vec<Vec<&'a RouteChange>>,
    /// What serves without any plan.
    serves: Mask,
}

impl<'a> Considered<'a> {
    fn of(snapshot: &'a Snapshot, id: RouteId, kept: &[Vec<bool>], now: Timestamp) -> Self {
        let route = &snapshot.routes[id.0];
        let models = needs::serving(snapshot, &route.terms, now);
        let mut this = Self {
            snapshot,
            id,
            route,
            groups: Vec::new(),
            changes: Vec::new(),
            serves: serving(snapshot, &models, &route.terms),
            models,
        };
        let mut by_mask: HashMap<Mask, usize> = HashMap::new();
        for (at, (plan, kept)) in snapshot.plans.iter().zip(kept).enumerate() {
            let changes: Vec<&RouteChange> = plan.changes_of(id).collect();
            if plan.shed.is_some() || changes.iter().any(|change| change.shed.is_some()) {
                continue;
            }
            let keeps = Mask::of(this.models.iter().map(|id| kept[id.0]));
            if changes.is_empty() {
                if keeps.holds_all_of(&this.serves) {
                    continue;
                }
                if let Some(group) = by_mask.get(&keeps) {
                    this.groups[*group].plans.push(at);
                    continue;
                }
                by_mask.insert(keeps.clone(), this.groups.len());
            }
            let (changes, serves) = this.changing(changes);
            this.groups.push(Group {
                keeps,
                changes,
                serves,
                plans: vec![at],
            });
        }
        this
    }

    /// Where these changes stand among all, and what serves under them.
    fn changing(&mut self, changes: Vec<&'a RouteChange>) -> (Option<usize>, Mask) {
        if changes.is_empty() {
            return (None, self.serves.clone());
        }
        if let Some(at) = self.changes.iter().position(|known| *known == changes) {
            let mut alike = self.groups.iter().filter(|group| group.changes == Some(at));
            let serves = alike.next().map(|group| group.serves.clone());
            return (Some(at), serves.unwrap_or_else(|| self.under(&changes)));
        }
        let serves = self.under(&changes);
        self.changes.push(changes);
        (Some(self.changes.len() - 1), serves)
    }

    /// What serves under these changes, in their order.
    fn under(&self, changes: &[&RouteChange]) -> Mask {
        let terms = changes
            .iter()
            .fold(self.route.terms.clone(), |terms, change| change.applied_to(&terms));
        serving(self.snapshot, &self.models, &terms)
    }

    fn look(&self, empty: &mut Empty) {
        if !self.serves.meet(&self.serves, &self.serves) {
            return;
        }
        let alone: Vec<bool> = self
            .groups
            .iter()
            .map(|group| group.keeps.meet(&group.serves, &group.serves))
            .collect();
        for (group, _) in self.groups.iter().zip(&alone).filter(|(_, serves)| !**serves) {
            for plan in &group.plans {
                empty.alone.entry(*plan).or_default().push(self.id);
            }
        }
        let mut together = Together::new();
        let left: Vec<&Group> = self
            .groups
            .iter()
            .zip(alone)
            .filter_map(|(group, serves)| serves.then_some(group))
            .collect();
        for (at, one) in left.iter().enumerate() {
            for two in &left[at + 1..] {
                if !self.serve_together(one, two, &mut together) {
                    self.note(one, two, empty);
                }
            }
        }
    }

    /// Groups are in the order of their first plans. Two with changes are one plan each, so that their order is known.
    fn serve_together(&self, one: &Group, two: &Group, together: &mut Together) -> bool {
        match (one.changes, two.changes) {
            (_, None) => one.keeps.meet(&two.keeps, &one.serves),
            (None, Some(_)) => one.keeps.meet(&two.keeps, &two.serves),
            (Some(first), Some(then)) => {
                let serves = together.entry((first, then)).or_insert_with(|| {
                    let both = self.changes[first].iter().chain(&self.changes[then]);
                    self.under(&both.copied().collect::<Vec<_>>())
                });
                one.keeps.meet(&two.keeps, serves)
            }
        }
    }

    fn note(&self, one: &Group, two: &Group, empty: &mut Empty) {
        for a in &one.plans {
            for b in &two.plans {
                let pair = (*a.min(b), *a.max(b));
                if empty.together.len() < MOST_PAIRS || empty.together.contains_key(&pair) {
                    empty.together.entry(pair).or_default().push(self.id);
                }
            }
        }
    }
}

/// Which of a route's models meet these terms: in the route's own order whatever a change makes of it, so that masks are of
/// the same bits.
fn serving(snapshot: &Snapshot, models: &[ModelId], terms: &Terms) -> Mask {
    Mask::of(models.iter().map(|id| needs::meets(snapshot, *id, terms)))
}

fn named(snapshot: &Snapshot, routes: &[RouteId]) -> String {
    let names: Vec<String> = routes
        .iter()
        .take(ROUTES_NAMED)
        .map(|id| format!("`{}`", snapshot.routes[id.0].name))
        .collect();
    match (names.as_slice(), routes.len().saturating_sub(ROUTES_NAMED)) {
        ([one], 0) => format!("route {one}"),
        (some, 0) => format!("routes {}", some.join(", ")),
        (some, more) => format!("routes {} and {more} more", some.join(", ")),
    }
}
