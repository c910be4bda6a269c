//! What is wrong or unwise about parts that are each right: needs that nothing can meet, plans that leave nothing.
//!
//! Adds to the report and changes nothing. Warnings are only given about a policy without errors.

use super::read::{self, Policy};
use super::report::Report;
use super::snapshot::{Budget, Enforce, ModelId, Plan, Route, RouteId, Snapshot};
use super::source::{Place, Word};
use jiff::Timestamp;

pub(super) fn check(snapshot: &Snapshot, written: &Policy, now: Timestamp, report: &mut Report) {
    past_windows(snapshot, written, now, report);
    require_qualities(snapshot, written, report);
    if report.has_errors() {
        return;
    }
    for (route, words) in snapshot.routes.iter().zip(&written.routes) {
        unserved_needs(snapshot, route, words, report);
    }
    shadowed_routes(snapshot, written, report);
    unpriced_models(snapshot, written, report);
    oversized_outputs(snapshot, written, report);
    empty_plans(snapshot, written, report);
}

/// A need compares numbers, so every candidate of such a route has one.
fn require_qualities(snapshot: &Snapshot, written: &Policy, report: &mut Report) {
    for (route, words) in snapshot.routes.iter().zip(&written.routes) {
        let changes = written.plans.iter().flat_map(|plan| &plan.change);
        let changed = changes.filter(|change| change.route.text == route.name);
        let needs: Vec<&Word> = changed
            .filter_map(|change| change.quality.as_ref())
            .chain(words.quality.as_ref())
            .filter(|word| word.text.parse::<u8>().is_ok_and(|quality| quality > 0))
            .collect();
        let Some(need) = needs.last() else {
            continue;
        };
        for candidate in &route.candidates {
            let Some(model) = written.models.get(candidate.0).filter(|model| model.quality.is_none()) else {
                continue;
            };
            let message = format!(
                "route `{}` needs a quality, and model `{}` has none",
                route.name, model.name.text
            );
            report
                .error(need.place, "no-quality", message)
                .help("give the model `quality:`, from 0 to 100, on one scale for the whole route")
                .related(model.name.place, "this one");
        }
    }
}

fn unserved_needs(snapshot: &Snapshot, route: &Route, words: &read::Route, report: &mut Report) {
    let meets = |id: &ModelId| snapshot.model(*id).quality >= route.terms.need_quality;
    if let (Some(word), false) = (&words.quality, route.candidates.iter().any(meets)) {
        let message = format!(
            "no model of route `{}` is that good, so every request is refused",
            route.name
        );
        report.warning(word.place, "nothing-left", message);
    }
}

/// The first route that matches serves, so a later one's name can be out of reach.
fn shadowed_routes(snapshot: &Snapshot, written: &Policy, report: &mut Report) {
    for (at, (route, words)) in snapshot.routes.iter().zip(&written.routes).enumerate() {
        let Some(first) = snapshot.route_for(&route.name).filter(|first| first.0 < at) else {
            continue;
        };
        let (Some(name), Some(earlier)) = (&words.name, snapshot.routes.get(first.0)) else {
            continue;
        };
        let message = format!(
            "requests for `{}` go to route `{}`, which comes first",
            route.name, earlier.name
        );
        report
            .warning(name.place, "shadowed", message)
            .help("put this route before it, or narrow the other's `match`");
    }
}

fn unpriced_models(snapshot: &Snapshot, written: &Policy, report: &mut Report) {
    for (at, model) in snapshot
        .models
        .iter()
        .enumerate()
        .filter(|(_, model)| model.price.is_none())
    {
        let covers = |budget: &&Budget| budget.enforce == Enforce::Hard && may_cover(budget, snapshot, ModelId(at));
        let (Some(budget), Some(words)) = (snapshot.budgets.iter().find(covers), written.models.get(at)) else {
            continue;
        };
        let message = format!(
            "model `{}` has no price, so it is never used under budget `{}`",
            model.name, budget.name
        );
        report
            .warning(words.name.place, "unpriced", message)
            .help("give it `price: {input: … USD/M, output: … USD/M}`");
    }
}

fn oversized_outputs(snapshot: &Snapshot, written: &Policy, report: &mut Report) {
    for (model, words) in snapshot.models.iter().zip(&written.models) {
        let over = model
            .context
            .zip(model.max_output)
            .is_some_and(|(context, most)| most > context);
        if let (Some(word), true) = (&words.max_output, over) {
            let message = format!("model `{}` cannot answer with more than its context holds", model.name);
            report.warning(word.place, "no-effect", message);
        }
    }
}

/// A window whose last day is over never opens again.
fn past_windows(snapshot: &Snapshot, written: &Policy, now: Timestamp, report: &mut Report) {
    for plan in &snapshot.plans {
        let over = !plan.during.is_empty() && plan.during.iter().all(|window| window.is_over(now));
        if over {
            let message = format!("plan `{}` is never active again: its `during` is over", plan.name);
            report
                .warning(plan_place(written, plan), "never-holds", message)
                .help("take the plan out, or give it a later `until`");
        }
    }
}

/// Warns where a plan, or two together, leave a route without any model, whoever asks.
fn empty_plans(snapshot: &Snapshot, written: &Policy, report: &mut Report) {
    for (at, route) in snapshot.routes.iter().enumerate() {
        let id = RouteId(at);
        if !serves(snapshot, route, id, &[]) {
            continue;
        }
        for (number, plan) in snapshot.plans.iter().enumerate() {
            if !serves(snapshot, route, id, &[plan]) {
                let message = format!("plan `{}` leaves route `{}` no model", plan.name, route.name);
                report
                    .warning(plan_place(written, plan), "nothing-left", message)
                    .help("while it is active, such requests are refused; lower the route's `need` in its `change`");
                continue;
            }
            for other in snapshot.plans.iter().skip(number + 1) {
                let alone = serves(snapshot, route, id, &[other]);
                if alone && !serves(snapshot, route, id, &[plan, other]) {
                    let (one, two, of) = (&plan.name, &other.name, &route.name);
                    let message = format!("plans `{one}` and `{two}` together leave route `{of}` no model");
                    report
                        .warning(plan_place(written, other), "nothing-left", message)
                        .related(plan_place(written, plan), "with this one");
                }
            }
        }
    }
}

/// May any model serve the route while these plans are active? What depends on the caller counts as yes.
fn serves(snapshot: &Snapshot, route: &Route, id: RouteId, plans: &[&Plan]) -> bool {
    let changes = plans.iter().flat_map(|plan| &plan.change);
    let mut changed = changes
        .filter(|(route, _)| *route == id)
        .filter_map(|(_, change)| change.need_quality);
    let need = changed.next_back().or(route.terms.need_quality);
    route.candidates.iter().any(|candidate| {
        let model = snapshot.model(*candidate);
        let facts = snapshot.facts(*candidate);
        let allowed = plans.iter().all(|plan| {
            let kept = plan.only.as_ref().is_none_or(|only| only.folded(facts) != Some(false));
            kept && plan
                .avoid
                .as_ref()
                .is_none_or(|avoid| avoid.folded(facts) != Some(true))
        });
        allowed && model.quality.unwrap_or(0) >= need.unwrap_or(0)
    })
}

fn may_cover(budget: &Budget, snapshot: &Snapshot, model: ModelId) -> bool {
    let facts = snapshot.facts(model);
    budget
        .covers
        .as_ref()
        .is_none_or(|covers| covers.folded(facts) != Some(false))
}

fn plan_place(written: &Policy, plan: &Plan) -> Place {
    let words = written.plans.iter().filter_map(|plan| plan.name.as_ref());
    let mut named = words.filter(|word| word.text == plan.name);
    named.next().map_or(Place::START, |word| word.place)
}
