//! Routes that cannot do what they say: needs that nothing meets, weights without effect, names that never arrive.

use super::sound::{Section, Sound};
use crate::license::Breach;
use crate::policy::read::{self, Policy};
use crate::policy::report::Report;
use crate::policy::snapshot::{Pick, Route, RouteId, Snapshot, Unmet};
use crate::policy::source::{Place, Word};

/// What a route cannot be served with.
pub(super) fn require(snapshot: &Snapshot, written: &Policy, report: &mut Report) {
    for (at, (route, words)) in snapshot.routes.iter().zip(&written.routes).enumerate() {
        require_qualities(snapshot, route, words, written, report);
        require_weights(snapshot, RouteId(at), words, written, report);
    }
}

pub(super) fn warn(snapshot: &Snapshot, written: &Policy, sound: &Sound, report: &mut Report) {
    let (matched, planned) = (sound.whole(&[Section::Routes]), sound.whole(&[Section::Plans]));
    for (at, (route, words)) in snapshot.routes.iter().zip(&written.routes).enumerate() {
        if matched {
            shadowed_names(snapshot, RouteId(at), words, report);
        }
        if !sound.route(snapshot, at) {
            continue;
        }
        unmet_needs(snapshot, route, words, report);
        if planned {
            idle_weights(snapshot, RouteId(at), words, report);
        }
        idle_minimum(route, words, report);
    }
}

/// A route that allows so little is meant to be served with it: its least answer is the longest that it allows.
fn idle_minimum(route: &Route, words: &read::Route, report: &mut Report) {
    let (Some(least), Some(most), Some(word)) = (route.terms.min_output, route.terms.max_output, &words.min_output)
    else {
        return;
    };
    if least > most {
        let message = format!(
            "`min_output` keeps nothing from being started: `limits.output` of route `{}` allows {most} tokens",
            route.name
        );
        report
            .warning(word.place, "no-effect", message)
            .help("lower `min_output`, or raise `limits.output`");
    }
}

/// A need compares numbers, so every candidate of such a route has one.
fn require_qualities(snapshot: &Snapshot, route: &Route, words: &read::Route, written: &Policy, report: &mut Report) {
    let changes = written.plans.iter().flat_map(|plan| &plan.change);
    let changed = changes.filter(|change| change.is_of(&route.name));
    let mut needs = changed
        .filter_map(|change| change.need.as_ref()?.quality.as_ref())
        .chain(words.need.quality.as_ref())
        .filter(|word| word.text.parse::<u8>().is_ok_and(|quality| quality > 0));
    let Some(need) = needs.next_back() else {
        return;
    };
    for candidate in route.terms.candidates.iter() {
        let unmeasured = snapshot
            .models
            .get(candidate.0)
            .is_some_and(|model| model.quality.is_none());
        let Some(model) = written.models.get(candidate.0).filter(|_| unmeasured) else {
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

/// Weights are of models that the route tries, and one of them is above zero where they decide.
fn require_weights(snapshot: &Snapshot, id: RouteId, words: &read::Route, written: &Policy, report: &mut Report) {
    let route = snapshot.route(id);
    let tries = |name: &str| {
        let mut tried = route.terms.candidates.iter();
        tried.any(|model| snapshot.model(*model).name.as_ref() == name)
    };
    let changes = written.plans.iter().flat_map(|plan| &plan.change);
    let changed: Vec<_> = changes.filter(|change| change.route.text == route.name).collect();
    for name in changed.iter().flat_map(|change| change.tried.iter().flatten()) {
        if !name.broken && snapshot.model_named(&name.text).is_some() && !tries(&name.text) {
            let message = format!("route `{}` does not try `{}`", route.name, name.text);
            report
                .error(name.place, "unknown-name", message)
                .help("a plan orders the models of a route anew and brings none; add it to the route's `try`");
        }
    }
    for (name, _) in words
        .weights
        .iter()
        .chain(changed.iter().flat_map(|change| &change.weights))
    {
        if !name.broken && snapshot.model_named(&name.text).is_some() && !tries(&name.text) {
            let message = format!("route `{}` does not try `{}`", route.name, name.text);
            report
                .error(name.place, "unknown-name", message)
                .help("weights share the requests among the models in `try`");
        }
    }
    let unweighted = |pick: Option<&Word>, weights: &[(crate::policy::snapshot::ModelId, u32)]| {
        pick.map(|word| word.place)
            .filter(|_| weights.iter().all(|(_, weight)| *weight == 0))
    };
    let mut places: Vec<Place> = Vec::new();
    if route.terms.pick == Pick::Weighted {
        places.extend(unweighted(words.pick.as_ref(), &route.terms.weights));
    }
    let pairs = written.plans.iter().zip(&snapshot.plans);
    for (words, change) in pairs.flat_map(|(words, plan)| words.change.iter().zip(&plan.change)) {
        if change.0.covers(id) && change.1.pick == Some(Pick::Weighted) {
            let weights = change.1.weights.as_ref().unwrap_or(&route.terms.weights);
            places.extend(unweighted(words.pick.as_ref(), weights));
        }
    }
    for place in places {
        report
            .error(
                place,
                "missing-key",
                "`pick: weighted` needs `weights`, with at least one above 0",
            )
            .help("write `weights: {MODEL: 50, OTHER: 50}`; a model without a weight comes after those that have one");
    }
}

fn unmet_needs(snapshot: &Snapshot, route: &Route, words: &read::Route, report: &mut Report) {
    let unmet: Vec<Option<Unmet>> = route
        .terms
        .candidates
        .iter()
        .map(|id| route.terms.need.unmet(snapshot.model(*id), &snapshot.licenses))
        .collect();
    let Some(first) = unmet
        .first()
        .cloned()
        .flatten()
        .filter(|_| unmet.iter().all(Option::is_some))
    else {
        return;
    };
    let need = &words.need;
    let (word, wanted) = match first {
        Unmet::Quality { .. } => (&need.quality, "is that good"),
        Unmet::Context { .. } => (&need.context, "has room for that much"),
        Unmet::Residence | Unmet::Label(_) | Unmet::License { .. } => {
            let (list, wanted) = match first {
                Unmet::Residence => (&need.residence, "is known to keep data there"),
                Unmet::License {
                    breach: Breach::Territory { .. },
                    ..
                } => (&need.territories, "has a licence for all of that"),
                Unmet::License { .. } => (&need.uses, "has a licence for all of that"),
                _ => (&need.labels, "has all of these labels"),
            };
            let message = format!("no model of route `{}` {wanted}", route.name);
            if let Some(word) = list.as_ref().and_then(|words| words.first()) {
                report.warning(word.place, "nothing-left", message);
            }
            return;
        }
        Unmet::Capability(_) => (
            if need.reasoning.is_some() {
                &need.reasoning
            } else if need.tools.is_some() {
                &need.tools
            } else if need.images.is_some() {
                &need.images
            } else {
                &need.json_schema
            },
            "can do all that this route needs",
        ),
    };
    if let Some(word) = word {
        let message = format!(
            "no model of route `{}` {wanted}, so every request is refused",
            route.name
        );
        report.warning(word.place, "nothing-left", message);
    }
}

/// The first route that matches serves, so a name of a later one can be out of reach.
fn shadowed_names(snapshot: &Snapshot, id: RouteId, words: &read::Route, report: &mut Report) {
    let route = snapshot.route(id);
    for name in words.name.iter().chain(&words.matches.models) {
        let before = snapshot.routes_named(&name.text).take_while(|other| other.0 < id.0);
        let mut before = before.map(|other| snapshot.route(other));
        let Some(earlier) = before.find(|other| other.takes_all_of(route, &name.text)) else {
            continue;
        };
        let message = format!(
            "requests for `{}` go to route `{}`, which comes first",
            name.text, earlier.name
        );
        report
            .warning(name.place, "shadowed", message)
            .help("put this route before it, or narrow the other's `match`");
    }
}

/// Weights that neither the route nor a plan ever uses.
fn idle_weights(snapshot: &Snapshot, id: RouteId, words: &read::Route, report: &mut Report) {
    let route = snapshot.route(id);
    let mut changes = snapshot.plans.iter().flat_map(|plan| &plan.change);
    let used = route.terms.pick == Pick::Weighted
        || changes.any(|(scope, change)| scope.covers(id) && change.pick == Some(Pick::Weighted));
    if let (Some((name, _)), false) = (words.weights.first(), used) {
        report
            .warning(name.place, "no-effect", "weights count with `pick: weighted` only")
            .help("add `pick: weighted`, or take them out");
    }
}
