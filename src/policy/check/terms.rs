//! Licences, retirements and vector spaces: what cannot be served, what ends soon, what the terms ask of people.

use super::budgets::may_cover;
use super::sound::{Section, Sound};
use crate::catalog;
use crate::license::{Ask, DutyKind, License};
use crate::policy::read::{self, Policy};
use crate::policy::report::Report;
use crate::policy::snapshot::{LicenseId, Model, ModelId, Route, Snapshot};
use crate::policy::source::Place;
use jiff::{SignedDuration, Timestamp};

/// What ends within it is worth a word where no budget has a period.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The longest period of the budgets that cover a model, and whose it is: who plans that far must know what ends.
struct Horizon<'a> {
    budget: Option<&'a str>,
    reach: SignedDuration,
}

impl<'a> Horizon<'a> {
    fn of(snapshot: &'a Snapshot, id: ModelId, now: Timestamp) -> Self {
        let covering = snapshot.budgets.iter().filter(|budget| may_cover(budget, snapshot, id));
        let cyclic = covering.filter(|budget| budget.has_periods() || budget.rolling().is_some());
        let reaches = cyclic.map(|budget| {
            let span = budget.span(now, &snapshot.timezone);
            (span.end.duration_since(span.start), budget)
        });
        match reaches.max_by_key(|(reach, _)| *reach) {
            Some((reach, budget)) => Self {
                budget: Some(&budget.name),
                reach,
            },
            None => Self {
                budget: None,
                reach: SOON,
            },
        }
    }

    fn contains(&self, end: Timestamp, now: Timestamp) -> bool {
        now < end && end.duration_since(now) <= self.reach
    }

    /// Behind what ends.
    fn words(&self) -> String {
        match self.budget {
            Some(budget) => format!(", within a period of budget `{budget}`"),
            None => String::new(),
        }
    }
}

/// Vectors of two spaces do not compare, so no route may mix them.
pub(super) fn require_one_space(snapshot: &Snapshot, written: &Policy, report: &mut Report) {
    for (route, words) in snapshot.routes.iter().zip(&written.routes) {
        let Some(first) = candidates(route).next() else {
            continue;
        };
        let space = |id: ModelId| snapshot.model(id).traits.space.as_deref();
        // A line of successors that leads in a circle is walked once.
        let line = |id| std::iter::successors(Some(id), |id| snapshot.model(*id).traits.successor);
        let mut served = candidates(route).flat_map(|id| line(id).take(snapshot.models.len()));
        let Some(other) = served.find(|id| space(*id) != space(first)) else {
            continue;
        };
        let place = words.name.as_ref().map_or(words.place, |name| name.place);
        let named = |id: ModelId| match space(id) {
            Some(space) => format!("`{}` makes vectors of `{space}`", snapshot.model(id).name),
            None => format!("`{}` makes none that is known", snapshot.model(id).name),
        };
        let message = format!(
            "route `{}` mixes vector spaces: {}, {}",
            route.name,
            named(first),
            named(other)
        );
        report
            .error(place, "mixed-spaces", message)
            .help("give each space a route of its own, or the models the same `space` where their vectors compare");
    }
}

pub(super) fn warn(snapshot: &Snapshot, written: &Policy, now: Timestamp, sound: &Sound, report: &mut Report) {
    // Without every budget nobody knows how far somebody plans.
    let planned = sound.whole(&[Section::Budgets]);
    for (at, (model, words)) in snapshot.models.iter().zip(&written.models).enumerate() {
        if !sound.model(snapshot, ModelId(at)) {
            continue;
        }
        if planned {
            let horizon = Horizon::of(snapshot, ModelId(at), now);
            retirement(model, words, &horizon, now, report);
        }
        ended_name(snapshot, model, words, report);
        for id in model.licenses() {
            let Some(license) = snapshot.licenses.get(id.0) else {
                continue;
            };
            use_of(license, model, words, now, report);
        }
    }
    for (at, license) in snapshot.licenses.iter().enumerate() {
        let named = written.licenses.get(at);
        // Whoever is under it may be broken.
        if !sound.license(LicenseId(at)) || !sound.whole(&[Section::Models]) {
            continue;
        }
        let under: Vec<ModelId> = models_under(snapshot, LicenseId(at)).collect();
        let Some(first) = under.first() else {
            if let Some(words) = named {
                let message = format!("no model is under licence `{}`", license.name);
                report.warning(words.name.place, "no-effect", message);
            }
            continue;
        };
        let place = match named {
            Some(words) => words.name.place,
            None => written
                .models
                .get(first.0)
                .map_or(Place::START, |words| words.name.place),
        };
        let horizons = under.iter().map(|id| Horizon::of(snapshot, *id, now));
        if let Some(horizon) = horizons.max_by_key(|horizon| horizon.reach).filter(|_| planned) {
            ends(license, &horizon, place, now, report);
        }
        duties(license, named.is_some(), place, report);
    }
}

fn candidates(route: &Route) -> impl Iterator<Item = ModelId> {
    route.terms.candidates.iter().copied()
}

fn models_under(snapshot: &Snapshot, license: LicenseId) -> impl Iterator<Item = ModelId> {
    let under = move |(_, model): &(usize, &Model)| model.licenses().any(|id| id == license);
    snapshot
        .models
        .iter()
        .enumerate()
        .filter(under)
        .map(|(at, _)| ModelId(at))
}

fn retirement(model: &Model, words: &read::Model, horizon: &Horizon<'_>, now: Timestamp, report: &mut Report) {
    let Some(retirement) = model.traits.retires else {
        return;
    };
    let place = words.retires.as_ref().map_or(words.name.place, |word| word.place);
    let (name, day) = (&model.name, retirement.day);
    let found = if retirement.at <= now {
        report.warning(place, "retired", format!("model `{name}` retired on {day}"))
    } else if horizon.contains(retirement.at, now) {
        let message = format!("model `{name}` retires on {day}{}", horizon.words());
        report.warning(place, "ends-soon", message)
    } else {
        return;
    };
    if model.traits.successor.is_none() {
        found.help("name its `successor`, or write `retires: never` if you know better");
    }
}

fn ended_name(snapshot: &Snapshot, model: &Model, words: &read::Model, report: &mut Report) {
    let Some(record) = catalog::find(&snapshot.provider(model.provider).place, &model.upstream) else {
        return;
    };
    if let Some(day) = record.name_ended(&model.upstream) {
        let message = format!("the name `{}` ended on {day}", model.upstream);
        report
            .warning(words.name.place, "retired", message)
            .help(format!("it is called `{}` now", record.name));
    }
}

/// Terms that refuse every request, or every one that does not say more of itself.
fn use_of(license: &License, model: &Model, words: &read::Model, now: Timestamp, report: &mut Report) {
    let said = |what: &dyn std::fmt::Display| format!("licence `{}` of model `{}` {what}", license.name, model.name);
    if let Err(breach) = license.holds(now) {
        let message = said(&breach);
        report
            .warning(words.name.place, "not-licensed", message)
            .help("the model is no candidate until its licence is another");
    } else if let Err(breach) = license.permits(Ask::default(), now) {
        let message = said(&breach);
        report.warning(words.name.place, "not-licensed", message);
    }
}

/// Within the period of a budget, or within the warning that the licence itself asks for.
fn ends(license: &License, horizon: &Horizon<'_>, place: Place, now: Timestamp, report: &mut Report) {
    let Some(term) = license.term else { return };
    let within = horizon.contains(term.end, now);
    if within || license.is_expiring(now) {
        let why = if within { horizon.words() } else { String::new() };
        let message = format!("licence `{}` ends with {}{why}", license.name, term.last_day);
        report
            .warning(place, "ends-soon", message)
            .help("from then on its models are no candidates");
    }
}

/// What must be shown is always told; the rest of what a licence asks, where the policy names it.
fn duties(license: &License, named: bool, place: Place, report: &mut Report) {
    for duty in license
        .duties_now()
        .filter(|duty| named || duty.kind == DutyKind::Display)
    {
        let message = format!("licence `{}` asks ({}): {}", license.name, duty.kind.word(), duty.text);
        let found = report.warning(place, "duty", message);
        if duty.kind != DutyKind::Purposes {
            found.help(format!(
                "once it is seen to, write `{}: done` under `licenses`",
                duty.kind.word()
            ));
        }
    }
}
