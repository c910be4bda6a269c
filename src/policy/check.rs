//! What is wrong or unwise about parts that are each right: needs that nothing can meet, plans that leave nothing,
//! budgets that count nothing. One file a kind.
//!
//! Adds to the report and changes nothing. Warnings are only given about a policy without errors.

mod budgets;
mod combinations;
mod mask;
mod mirrors;
mod models;
mod needs;
mod plans;
mod routes;
mod signals;
mod supply;
mod terms;

use super::read::Policy;
use super::report::Report;
use super::snapshot::{Plan, Snapshot};
use super::source::Place;
use jiff::Timestamp;

pub(super) fn check(snapshot: &Snapshot, written: &Policy, now: Timestamp, report: &mut Report) {
    routes::require(snapshot, written, report);
    terms::require_one_space(snapshot, written, report);
    if report.has_errors() {
        return;
    }
    routes::warn(snapshot, written, report);
    supply::warn(snapshot, written, now, report);
    models::warn(snapshot, written, now, report);
    budgets::warn(snapshot, written, now, report);
    mirrors::warn(snapshot, written, report);
    plans::warn(snapshot, written, now, report);
    combinations::warn(snapshot, written, now, report);
    terms::warn(snapshot, written, now, report);
}

fn plan_place(written: &Policy, plan: &Plan) -> Place {
    let words = written.plans.iter().filter_map(|plan| plan.name.as_ref());
    let mut named = words.filter(|word| word.text == plan.name);
    named.next().map_or(Place::START, |word| word.place)
}
