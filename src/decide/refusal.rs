//! What to tell the client when no candidate is left: the first of the families that applies, with the nearest miss.

use super::{Barred, Decision, Exclusion, Family, Question, Reason, Rules, Standing, State, constraints, terms};
use crate::price;
use crate::uptime::Uptime;

/// The kind of refusal, from which the dialect makes its status and shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    pub family: Family,
    /// The model that came nearest, and why not it.
    pub nearest: Option<Exclusion>,
    /// The earliest time at which it may be otherwise, where time is the reason.
    pub retry_after: Option<Uptime>,
}

impl Refusal {
    /// The status that the client gets: the one table for the gateway and for whoever plays a policy through.
    pub fn status(&self) -> u16 {
        match (self.family, self.nearest.as_ref().map(|nearest| &nearest.reason)) {
            (Family::Need, _) => 400,
            // Our own limits; the others are providers'.
            (Family::Time, Some(Reason::Limited { .. })) => 429,
            (Family::Time | Family::Plan, _) => 503,
            (Family::Money, _) => 402,
            (Family::Credential, _) => 502,
            (Family::License, _) => 403,
        }
    }
}

/// For a decision whose `excluded` holds every model of the route.
pub fn refusal(rules: Rules<'_>, question: &Question<'_>, decision: &Decision) -> Refusal {
    let terms = terms(rules, question.target);
    let unmet = |exclusion: &Exclusion| {
        let patience = question.patience_with(rules.snapshot, exclusion.id);
        let moment = price::Moment::of(question.needs, question.at, patience);
        let standing = Standing {
            disabled: None,
            misfit: None,
            barred: Barred::of(rules.snapshot, rules.snapshot.model(exclusion.id), question, |_| None),
            id: exclusion.id,
            model: rules.snapshot.model(exclusion.id),
            shut_by: None,
            attempted: false,
            stops_thinking: rules.snapshot.thinking_switch(exclusion.id).is_some(),
            thinks_outside_bound: rules
                .snapshot
                .provider_of(exclusion.id)
                .vendor
                .facts()
                .thinking_outside_bound,
            quote: rules
                .snapshot
                .model(exclusion.id)
                .price
                .as_ref()
                .map(|price| price.quote(&moment)),
            speed: None,
            state: State::default(),
        };
        let reason = match exclusion.reason.family() {
            Family::Need => Some(exclusion.reason.clone()),
            _ => constraints::unmet(&terms, question.needs, &standing),
        };
        reason.map(|reason| Exclusion {
            id: exclusion.id,
            reason,
        })
    };
    of(&decision.excluded, unmet)
}

/// `unmet` says what the request or the route's need has against a model that was excluded, for whatever reason.
pub(super) fn of(excluded: &[Exclusion], unmet: impl Fn(&Exclusion) -> Option<Exclusion>) -> Refusal {
    let missed: Vec<Option<Exclusion>> = excluded.iter().map(unmet).collect();
    if missed.iter().all(Option::is_some) {
        let nearest = missed
            .into_iter()
            .flatten()
            .min_by(|a, b| a.reason.excess().total_cmp(&b.reason.excess()));
        return Refusal {
            family: Family::Need,
            nearest,
            retry_after: None,
        };
    }
    // Of the models that the needs leave.
    let left = || {
        excluded
            .iter()
            .zip(&missed)
            .filter(|(_, missed)| missed.is_none())
            .map(|(one, _)| one)
    };
    let of = |family: Family| left().filter(move |exclusion| exclusion.reason.family() == family);
    let waits = |exclusion: &Exclusion| match exclusion.reason {
        Reason::Cooling { wait, .. } | Reason::BreakerOpen { wait, .. } | Reason::Limited { wait, .. } => Some(wait),
        _ => None,
    };
    if let Some(nearest) = of(Family::Time).min_by_key(|exclusion| waits(exclusion)) {
        return Refusal {
            family: Family::Time,
            nearest: Some(nearest.clone()),
            retry_after: waits(nearest),
        };
    }
    let families = [Family::Money, Family::Credential, Family::License, Family::Plan];
    let first = families
        .into_iter()
        .find_map(|family| of(family).next().map(|nearest| (family, nearest)));
    let (family, nearest) = first.map_or((Family::Need, None), |(family, nearest)| (family, Some(nearest)));
    Refusal {
        family,
        nearest: nearest.cloned(),
        retry_after: None,
    }
}
