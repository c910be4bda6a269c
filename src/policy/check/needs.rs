//! Whether a model may serve at all on given terms, whoever asks and whatever a budget has left.

use crate::money::Money;
use crate::policy::defaults::MIN_OUTPUT;
use crate::policy::snapshot::{LicenseId, ModelId, Snapshot, Terms};
use crate::price::Moment;
use crate::request::Requirements;
use jiff::Timestamp;
use std::time::Duration;

/// Nothing that only the operator or a contract can change keeps it out: it is switched on, has not retired, and its terms
/// have not run out.
pub(super) fn may_serve(snapshot: &Snapshot, id: ModelId, now: Timestamp) -> bool {
    let model = snapshot.model(id);
    let expired = |id: LicenseId| {
        snapshot
            .licenses
            .get(id.0)
            .is_some_and(|license| license.has_expired(now))
    };
    let disabled = model.traits.disabled || snapshot.provider_of(id).disabled;
    !disabled && !model.traits.is_retired(now) && !model.licenses().any(expired)
}

/// Who of a route may serve now, in its order, successors in the place of those that have retired.
pub(super) fn serving(snapshot: &Snapshot, terms: &Terms, now: Timestamp) -> Vec<ModelId> {
    let succeeded = snapshot.succeeded(terms, now);
    let candidates = &succeeded.as_ref().unwrap_or(terms).candidates;
    let all = candidates.iter().copied();
    all.filter(|id| may_serve(snapshot, *id, now)).collect()
}

/// Its needs are met, and its cost cap buys the least answer that is worth starting.
pub(super) fn meets(snapshot: &Snapshot, id: ModelId, terms: &Terms) -> bool {
    let model = snapshot.model(id);
    let affordable = terms
        .max_cost
        .is_none_or(|cap| least_cost(snapshot, id, terms).is_some_and(|least| least <= cap));
    affordable && terms.need.unmet(model, &snapshot.licenses).is_none()
}

/// What the least answer on these terms costs with next to no input; `None` where nobody knows.
pub(super) fn least_cost(snapshot: &Snapshot, id: ModelId, terms: &Terms) -> Option<Money> {
    let model = snapshot.model(id);
    let usual = terms.min_output.or(model.min_output).unwrap_or(MIN_OUTPUT);
    let least = [model.max_output, terms.max_output]
        .into_iter()
        .flatten()
        .fold(usual, u64::min);
    let needs = Requirements::default();
    let moment = Moment::of(&needs, Timestamp::UNIX_EPOCH, Duration::ZERO);
    Some(model.price.as_ref()?.quote(&moment).worst(1, least))
}
