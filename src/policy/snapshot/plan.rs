//! Plans: a condition over live signals, and what changes while it holds.

use super::{ProviderId, RouteChange, RouteId, Scope};
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
    /// In the order in which they apply: those of all routes, then those of one.
    pub change: Vec<(Scope, RouteChange)>,
}

impl Plan {
    /// What it changes of a route, in order.
    pub fn changes_of(&self, route: RouteId) -> impl Iterator<Item = &RouteChange> {
        let of_route = self.change.iter().filter(move |(scope, _)| scope.covers(route));
        of_route.map(|(_, change)| change)
    }

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
