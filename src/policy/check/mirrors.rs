//! Mirrors that never send anything.

use crate::policy::read::{self, Policy};
use crate::policy::report::Report;
use crate::policy::snapshot::{Enforce, Mirror, Route, Snapshot};

pub(super) fn warn(snapshot: &Snapshot, written: &Policy, report: &mut Report) {
    for (route, words) in snapshot.routes.iter().zip(&written.routes) {
        if let (Some(mirror), Some(words)) = (&route.mirror, &words.mirror) {
            served_by_itself(snapshot, route, mirror, words, report);
            unpriced(snapshot, mirror, words, report);
        }
    }
}

fn served_by_itself(snapshot: &Snapshot, route: &Route, mirror: &Mirror, words: &read::Mirror, report: &mut Report) {
    if route.terms.candidates.iter().all(|id| *id == mirror.model) {
        let name = &snapshot.model(mirror.model).name;
        let message = format!(
            "route `{}` is served by `{name}` alone, and is never mirrored to it",
            route.name
        );
        let place = words.model.as_ref().map_or(words.place, |word| word.place);
        report
            .warning(place, "no-effect", message)
            .help("name a model to compare with; what it served itself is not sent to it again");
    }
}

fn unpriced(snapshot: &Snapshot, mirror: &Mirror, words: &read::Mirror, report: &mut Report) {
    let model = snapshot.model(mirror.model);
    let mut budgets = snapshot.budgets.iter();
    let hard = budgets.any(|budget| budget.name == mirror.budget && budget.enforce == Enforce::Hard);
    if model.price.is_none() && hard {
        let message = format!(
            "model `{}` has no price, so nothing is mirrored to it under budget `{}`",
            model.name, mirror.budget
        );
        let place = words.model.as_ref().map_or(words.place, |word| word.place);
        report
            .warning(place, "unpriced", message)
            .help("give it `price: {input: … USD/M, output: … USD/M}`");
    }
}
