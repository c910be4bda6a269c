//! Models whose cost nobody can count, whose price is old, or that promise more than they hold.

use super::budgets::may_cover;
use super::sound::{Section, Sound};
use crate::policy::read::{self, Policy};
use crate::policy::report::Report;
use crate::policy::snapshot::{Enforce, Model, ModelId, Snapshot};
use jiff::{Timestamp, ToSpan};

/// A price that nobody has looked at for so long is a guess.
const STALE_DAYS: i64 = 90;

pub(super) fn warn(snapshot: &Snapshot, written: &Policy, now: Timestamp, sound: &Sound, report: &mut Report) {
    let used = sound.whole(&[Section::Models, Section::Routes, Section::Budgets]);
    for (at, (model, words)) in snapshot.models.iter().zip(&written.models).enumerate() {
        if !sound.model(snapshot, ModelId(at)) {
            continue;
        }
        if used {
            unpriced(snapshot, ModelId(at), words, report);
        }
        stale(snapshot, model, words, now, report);
        oversized(model, words, report);
    }
}

fn unpriced(snapshot: &Snapshot, id: ModelId, words: &read::Model, report: &mut Report) {
    let model = snapshot.model(id);
    if model.price.is_some() {
        return;
    }
    let mut routes = snapshot
        .routes
        .iter()
        .filter(|route| route.terms.candidates.contains(&id));
    let capped = routes.clone().find(|route| route.terms.max_cost.is_some());
    let mut budgets = snapshot.budgets.iter();
    let hard = budgets.find(|budget| budget.enforce == Enforce::Hard && may_cover(budget, snapshot, id));
    let message = match (hard, capped) {
        (Some(budget), _) => format!(
            "model `{}` has no price, so it is never used under budget `{}`",
            model.name, budget.name
        ),
        (None, Some(route)) => format!(
            "model `{}` has no price, so it is never used under `limits.cost` of route `{}`",
            model.name, route.name
        ),
        (None, None) if routes.next().is_none() => return,
        (None, None) => format!(
            "model `{}` has no price, so what it costs is counted as nothing",
            model.name
        ),
    };
    report
        .warning(words.name.place, "unpriced", message)
        .help("give it `price: {input: … USD/M, output: … USD/M}`");
}

fn stale(snapshot: &Snapshot, model: &Model, words: &read::Model, now: Timestamp, report: &mut Report) {
    let Some(seen) = model.price.as_ref().and_then(|price| price.as_of(now)) else {
        return;
    };
    let today = now.to_zoned_datetime(snapshot.timezone.clone()).date();
    if seen.saturating_add(STALE_DAYS.days()) < today {
        let message = format!(
            "the price of model `{}` is as of {seen}, more than {STALE_DAYS} days ago",
            model.name
        );
        report
            .warning(words.name.place, "stale-price", message)
            .help("compare it with the vendor's list and write today's date into `as_of`");
    }
}

fn oversized(model: &Model, words: &read::Model, report: &mut Report) {
    let over = model
        .context
        .zip(model.max_output)
        .is_some_and(|(context, most)| most > context);
    if let (Some(word), true) = (&words.max_output, over) {
        let message = format!("model `{}` cannot answer with more than its context holds", model.name);
        report.warning(word.place, "no-effect", message);
    }
}
