//! What to tell the client when no candidate is left: the first of the families that applies, with the nearest miss.

use super::{Exclusion, Family, Reason};
use crate::uptime::Uptime;

/// The kind of refusal, from which the dialect makes its status and shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal<'a> {
    pub family: Family,
    /// The model that came nearest, and why not it.
    pub nearest: Option<&'a Exclusion>,
    /// The earliest time at which it may be otherwise, where time is the reason.
    pub retry_after: Option<Uptime>,
}

/// `excluded` holds every model of the route.
pub fn refusal(excluded: &[Exclusion]) -> Refusal<'_> {
    let of = |family: Family| {
        excluded
            .iter()
            .filter(move |exclusion| exclusion.reason.family() == family)
    };
    if of(Family::Need).count() == excluded.len() {
        let nearest = excluded
            .iter()
            .min_by(|a, b| a.reason.excess().total_cmp(&b.reason.excess()));
        return Refusal {
            family: Family::Need,
            nearest,
            retry_after: None,
        };
    }
    let waits = |exclusion: &Exclusion| match exclusion.reason {
        Reason::Cooling { wait, .. } | Reason::BreakerOpen { wait, .. } => Some(wait),
        _ => None,
    };
    if let Some(nearest) = of(Family::Time).min_by_key(|exclusion| waits(exclusion)) {
        return Refusal {
            family: Family::Time,
            nearest: Some(nearest),
            retry_after: waits(nearest),
        };
    }
    let families = [Family::Money, Family::Credential, Family::Plan];
    let first = families
        .into_iter()
        .find_map(|family| of(family).next().map(|nearest| (family, nearest)));
    let (family, nearest) = first.map_or((Family::Need, None), |(family, nearest)| (family, Some(nearest)));
    Refusal {
        family,
        nearest,
        retry_after: None,
    }
}
