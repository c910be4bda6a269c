//! What is wrong or unwise about parts that are each right: needs that nothing can meet, plans that leave nothing,
//! budgets that count nothing. One file a kind.
//!
//! Adds to the report and changes nothing. Beside errors, warnings are given about what does not depend on a broken part.

mod budgets;
mod combinations;
mod mask;
mod mirrors;
mod models;
mod needs;
mod plans;
mod routes;
mod signals;
mod sound;
mod successors;
mod supply;
mod terms;

use super::read::Policy;
use super::report::Report;
use super::snapshot::{Plan, Snapshot};
use super::source::Place;
use jiff::Timestamp;
use sound::Section::{Budgets, Licenses, Models, Plans, Providers, Routes};
use sound::Sound;

pub(super) fn check(snapshot: &Snapshot, written: &Policy, now: Timestamp, report: &mut Report) {
    routes::require(snapshot, written, report);
    successors::require(snapshot, written, report);
    terms::require_one_space(snapshot, written, report);
    let sound = &Sound::of(written, report);
    routes::warn(snapshot, written, sound, report);
    supply::warn(snapshot, written, now, sound, report);
    models::warn(snapshot, written, now, sound, report);
    plans::warn(snapshot, written, now, sound, report);
    terms::warn(snapshot, written, now, sound, report);
    let all = [Licenses, Providers, Models, Routes, Budgets, Plans];
    // These look at everything together.
    if sound.whole(&all[..5]) {
        budgets::warn(snapshot, written, now, report);
        mirrors::warn(snapshot, written, report);
    }
    if sound.whole(&all) {
        combinations::warn(snapshot, written, now, report);
    }
}

fn plan_place(written: &Policy, plan: &Plan) -> Place {
    let words = written.plans.iter().filter_map(|plan| plan.name.as_ref());
    let mut named = words.filter(|word| word.text == plan.name);
    named.next().map_or(Place::START, |word| word.place)
}
