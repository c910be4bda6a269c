//! Routes that no plan can save: all their models fail together, or end together.

use super::needs::serving;
use super::sound::Sound;
use crate::policy::read::Policy;
use crate::policy::report::Report;
use crate::policy::snapshot::{ModelId, Route, Snapshot, Supply};
use jiff::Timestamp;

pub(super) fn warn(snapshot: &Snapshot, written: &Policy, now: Timestamp, sound: &Sound, report: &mut Report) {
    for (at, (route, words)) in snapshot.routes.iter().zip(&written.routes).enumerate() {
        if !sound.route(snapshot, at) {
            continue;
        }
        let (Some(why), Some(name)) = (shared(snapshot, route, now), &words.name) else {
            continue;
        };
        let message = format!("no plan can save route `{}`: {why}", route.name);
        report.warning(name.place, "no-plan-b", message).help(
            "add a model of another provider and another supply to its `try`, if only a small local one at the end",
        );
    }
}

/// What all that may serve have in common that can end for all of them at once.
fn shared(snapshot: &Snapshot, route: &Route, now: Timestamp) -> Option<String> {
    let candidates = serving(snapshot, &route.terms, now);
    let first = *candidates.first()?;
    let all = |same: &dyn Fn(ModelId) -> bool| candidates.iter().all(|id| same(*id));
    let of = |supply: Supply| all(&|id| snapshot.model(id).supply == supply);
    let domain = |id: ModelId| &snapshot.model(id).traits.domain;
    // One's own servers have no vendor whose price, quota or licence could end.
    if of(Supply::Local) {
        return None;
    }
    if let [only] = candidates.as_slice() {
        let others = route.terms.candidates.len() > 1;
        let now = if others { " that may serve now" } else { "" };
        return Some(format!("`{}` is its only model{now}", snapshot.model(*only).name));
    }
    if all(&|id| domain(id) == domain(first)) {
        let domain = domain(first);
        return Some(format!(
            "all its models are of the fault domain `{domain}` and fail together"
        ));
    }
    // Several competitors do not end together.
    of(Supply::Licensed).then(|| "all its models are `licensed`, and one change of terms ends them".to_owned())
}
