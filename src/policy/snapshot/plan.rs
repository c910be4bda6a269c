//! Plans: a condition over live signals, and what changes while it holds.

use super::{Pick, RouteId, Terms};
use crate::policy::condition::{Selector, StateCondition};
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Plan {
    pub name: Arc<str>,
    pub when: StateCondition,
    /// Default: `when` no longer holds.
    pub until: Option<StateCondition>,
    pub after: Duration,
    pub at_least: Duration,
    pub only: Option<Selector>,
    pub avoid: Option<Selector>,
    /// In file order.
    pub change: Vec<(RouteId, RouteChange)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouteChange {
    pub pick: Option<Pick>,
    pub need_quality: Option<u8>,
}

impl RouteChange {
    pub fn applied_to(&self, terms: &Terms) -> Terms {
        Terms {
            pick: self.pick.unwrap_or(terms.pick),
            need_quality: self.need_quality.or(terms.need_quality),
            ..terms.clone()
        }
    }
}
