//! The flap latch: a plan whose conditions turn it on and off again and again is held on.
//!
//! A toggle is an activation or a release by conditions; what a hand, a window of time or an edit does is none. The
//! third toggle within an hour latches: an activation stays, and a release does not happen. The latch is over once
//! `when` has not held for an hour, or when a hand says otherwise; then the count begins anew.

use super::Now;
use super::stretch::Stretch;
use std::time::Duration;

/// So long are toggles counted, and so long must a latched plan's `when` be quiet.
pub(super) const WITHIN: Duration = Duration::from_secs(3_600);
const TOGGLES: usize = 3;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Latch {
    /// The latest toggles, oldest first; never more than fill it.
    toggles: Vec<Stretch>,
    /// Of a latched plan: since when `when` has not held.
    latched: Option<Option<Stretch>>,
}

impl Latch {
    /// What was recorded before a restart: the quiet hour begins anew.
    pub fn restored(toggles: Vec<Stretch>, latched: bool) -> Self {
        let skip = toggles.len().saturating_sub(TOGGLES - 1);
        Self {
            toggles: toggles.into_iter().skip(skip).collect(),
            latched: latched.then_some(None),
        }
    }

    pub const fn holds(&self) -> bool {
        self.latched.is_some()
    }

    /// Counts a toggle that is about to happen. True where it is the one that latches.
    pub fn toggle(&mut self, now: Now) -> bool {
        self.toggles.retain(|toggle| toggle.lasted(now) < WITHIN);
        if self.toggles.len() + 1 < TOGGLES {
            self.toggles.push(Stretch::starting(now));
            return false;
        }
        self.toggles.clear();
        self.latched = Some(None);
        true
    }

    /// Told at every tick whether `when` holds; ends the latch after a quiet hour.
    pub fn look(&mut self, when: bool, now: Now) {
        let Some(quiet) = &mut self.latched else { return };
        *quiet = match (when, *quiet) {
            (true, _) => None,
            (false, None) => Some(Stretch::starting(now)),
            (false, since) => since,
        };
        if quiet.is_some_and(|since| since.lasted(now) >= WITHIN) {
            *self = Self::default();
        }
    }
}
