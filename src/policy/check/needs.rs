//! Whether a model may serve at all on given terms, whoever asks and whatever a budget has left.

use crate::money::Money;
use crate::policy::defaults::MIN_OUTPUT;
use crate::policy::snapshot::{ModelId, Snapshot, Terms};
use crate::price::Moment;
use crate::request::Requirements;
use jiff::Timestamp;
use std::time::Duration;

/// Its needs are met, and its cost cap buys the least answer that is worth starting.
pub(super) fn meets(snapshot: &Snapshot, id: ModelId, terms: &Terms) -> bool {
    let model = snapshot.model(id);
    let affordable = terms
        .max_cost
        .is_none_or(|cap| least_cost(snapshot, id, terms).is_some_and(|least| least <= cap));
    affordable && terms.need.unmet(model).is_none()
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
