//! Plans: a condition over live signals, and what changes while it holds.

use super::{ModelId, Need, Pick, ProviderId, RouteId, Terms};
use crate::period::window::Window;
use crate::policy::condition::{Selector, StateCondition};
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Plan {
    pub name: Arc<str>,
    /// `None`: the window alone asks for it.
    pub when: Option<StateCondition>,
    /// Default: `when` no longer holds.
    pub until: Option<StateCondition>,
    /// It may be active in these only; at any time where there is none.
    pub during: Vec<Window>,
    pub after: Duration,
    pub at_least: Duration,
    pub only: Option<Selector>,
    pub avoid: Option<Selector>,
    /// Every request is refused with this message.
    pub shed: Option<Arc<str>>,
    /// What clients are told where its restrictions leave nothing.
    pub message: Option<Arc<str>>,
    /// Local servers that are kept running while it is active.
    pub warm: Vec<ProviderId>,
    /// In file order.
    pub change: Vec<(RouteId, RouteChange)>,
}

impl Plan {
    /// What activates it, as people read it.
    pub fn condition(&self) -> String {
        let windows: Vec<String> = self.during.iter().map(Window::to_string).collect();
        match (&self.when, windows.is_empty()) {
            (Some(when), true) => when.text().to_owned(),
            (Some(when), false) => format!("{} during {}", when.text(), windows.join(" or ")),
            (None, _) => format!("during {}", windows.join(" or ")),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteChange {
    pub pick: Option<Pick>,
    pub weights: Option<Arc<[(ModelId, u32)]>>,
    /// What it names replaces what the route needs.
    pub need: Need,
}

impl RouteChange {
    pub fn applied_to(&self, terms: &Terms) -> Terms {
        Terms {
            pick: self.pick.unwrap_or(terms.pick),
            weights: self.weights.clone().unwrap_or_else(|| terms.weights.clone()),
            need: terms.need.changed_by(&self.need),
            ..terms.clone()
        }
    }
}
