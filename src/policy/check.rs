//! What is wrong or unwise about parts that are each right: needs that nothing can meet, plans that leave nothing.
//!
//! Adds to the report and changes nothing. Warnings are only given about a policy without errors.

mod routes;

use super::read::Policy;
use super::report::Report;
use super::snapshot::{Budget, Enforce, ModelId, Plan, Route, RouteId, Snapshot};
use super::source::Place;
use jiff::Timestamp;

pub(super) fn check(snapshot: &Snapshot, written: &Policy, now: Timestamp, report: &mut Report) {
    past_windows(snapshot, written, now, report);
    routes::require(snapshot, written, report);
    if report.has_errors() {
        return;
    }
    routes::warn(snapshot, written, report);
    unpriced_models(snapshot, written, report);
    oversized_outputs(snapshot, written, report);
    empty_plans(snapshot, written, report);
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
    let changed = changes.filter(|(route, _)| *route == id);
    let terms = changed.fold(route.terms.clone(), |terms, (_, change)| change.applied_to(&terms));
    terms.candidates.iter().any(|candidate| {
        let model = snapshot.model(*candidate);
        let facts = snapshot.facts(*candidate);
        let allowed = plans.iter().all(|plan| {
            let kept = plan.only.as_ref().is_none_or(|only| only.folded(facts) != Some(false));
            kept && plan
                .avoid
                .as_ref()
                .is_none_or(|avoid| avoid.folded(facts) != Some(true))
        });
        allowed && terms.need.unmet(model).is_none()
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
