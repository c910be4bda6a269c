//! Budgets that count nothing, or that end a route when they are spent.

use super::needs::{least_cost, serving};
use crate::policy::read::Policy;
use crate::policy::report::Report;
use crate::policy::snapshot::{Budget, Enforce, ModelId, Route, Snapshot};
use crate::policy::source::Place;
use jiff::Timestamp;

pub(super) fn warn(snapshot: &Snapshot, written: &Policy, now: Timestamp, report: &mut Report) {
    // What pays for shadow calls is touched by no request and ends no route.
    for budget in snapshot.budgets.iter().filter(|budget| !budget.shadows) {
        let place = written.budgets.iter().find(|words| words.name.text == budget.name);
        let place = place.map_or(Place::START, |words| words.name.place);
        if !untouched(snapshot, budget, place, report) && budget.enforce == Enforce::Hard {
            dead_ends(snapshot, budget, place, now, report);
        }
    }
    for (route, words) in snapshot.routes.iter().zip(&written.routes) {
        if let Some(word) = &words.cost {
            cost_cap(snapshot, route, word.place, report);
        }
    }
}

/// Whether a request may touch it; what depends on the caller counts as covered.
pub(super) fn may_cover(budget: &Budget, snapshot: &Snapshot, id: ModelId) -> bool {
    let facts = snapshot.facts(id);
    let covers = budget.covers.as_ref();
    !budget.shadows && covers.is_none_or(|covers| covers.folded(facts) != Some(false))
}

fn untouched(snapshot: &Snapshot, budget: &Budget, place: Place, report: &mut Report) -> bool {
    let mut models = snapshot.routes.iter().flat_map(|route| route.terms.candidates.iter());
    if models.any(|id| may_cover(budget, snapshot, *id)) {
        return false;
    }
    let message = format!(
        "no request touches budget `{}`: no route has a model that it covers",
        budget.name
    );
    report
        .warning(place, "untouched", message)
        .help("widen its `covers`, or take it out; a condition that reads it sees 0 for ever");
    true
}

/// Routes that serve nobody once the budget is spent.
fn dead_ends(snapshot: &Snapshot, budget: &Budget, place: Place, now: Timestamp, report: &mut Report) {
    let free = |id: &ModelId| snapshot.model(*id).price.as_ref().is_some_and(|price| price.is_free());
    let goes_on = |id: &ModelId| !may_cover(budget, snapshot, *id) || free(id);
    let ended: Vec<String> = snapshot
        .routes
        .iter()
        .filter(|route| {
            let serving = serving(snapshot, &route.terms, now);
            !serving.is_empty() && !serving.iter().any(goes_on)
        })
        .map(|route| format!("`{}`", route.name))
        .collect();
    if ended.is_empty() {
        return;
    }
    let (all, more) = (ended.len(), ended.len().saturating_sub(3));
    let shown = ended.into_iter().take(3).collect::<Vec<_>>().join(", ");
    let routes = match (all, more) {
        (1, _) => format!("route {shown} serves nobody"),
        (_, 0) => format!("routes {shown} serve nobody"),
        _ => format!("routes {shown} and {more} more serve nobody"),
    };
    let message = format!("once budget `{}` is spent, {routes}", budget.name);
    report
        .warning(place, "no-fallback", message)
        .help("add a free local model to `try`, or take one model out of `covers`; a ceiling that is to refuse may stay as it is");
}

/// A cap under which not even the least answer fits.
fn cost_cap(snapshot: &Snapshot, route: &Route, place: Place, report: &mut Report) {
    let Some(cap) = route.terms.max_cost else { return };
    let candidates = &route.terms.candidates;
    // What has no price is never used under a cap, so it saves nobody.
    let costs = candidates
        .iter()
        .filter_map(|id| least_cost(snapshot, *id, &route.terms));
    let Some(least) = costs.min() else {
        if !candidates.is_empty() {
            unpriced_under_cap(route, place, report);
        }
        return;
    };
    if least > cap {
        let message = format!(
            "no model of route `{}` answers for that: the least answer worth starting costs {least} {}",
            route.name, snapshot.currency
        );
        report
            .warning(place, "cost-cap", message)
            .help("raise `limits.cost`, or lower `min_output`; a request with a smaller `max_tokens` of its own may still fit");
    }
}

fn unpriced_under_cap(route: &Route, place: Place, report: &mut Report) {
    let message = format!("no model of route `{}` answers under it: none has a price", route.name);
    report
        .warning(place, "cost-cap", message)
        .help("give its models a `price`, or take out `limits.cost`");
}
