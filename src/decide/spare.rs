//! The lists of decisions that a thread dropped, for its next ones: deciding over any policy allocates nothing then.

use super::{Candidate, Decision, Exclusion};
use std::cell::RefCell;

/// More are not kept: a thread that let go of a crowd's decisions gives the rest back.
const KEPT: usize = 32;
/// Longer lists are not kept.
const LONGEST: usize = 1_024;

#[derive(Default)]
struct Room {
    candidates: Vec<Candidate>,
    excluded: Vec<Exclusion>,
    plans: Vec<usize>,
}

thread_local! {
    static SPARE: RefCell<Vec<Room>> = const { RefCell::new(Vec::new()) };
}

/// An empty decision with room from earlier ones.
pub(super) fn decision() -> Decision {
    let spare = SPARE.try_with(|spare| spare.try_borrow_mut().ok()?.pop());
    let Room {
        candidates,
        excluded,
        plans,
    } = spare.ok().flatten().unwrap_or_default();
    Decision {
        candidates,
        excluded,
        plans,
        unrestricted: None,
        wished: None,
        stay: None,
    }
}

impl Drop for Decision {
    fn drop(&mut self) {
        let room = self.candidates.capacity().max(self.excluded.capacity());
        if room == 0 || room > LONGEST {
            return;
        }
        let mut room = Room {
            candidates: std::mem::take(&mut self.candidates),
            excluded: std::mem::take(&mut self.excluded),
            plans: std::mem::take(&mut self.plans),
        };
        room.candidates.clear();
        room.excluded.clear();
        room.plans.clear();
        // A thread that is ending has nobody to keep it for.
        let _ = SPARE.try_with(|spare| {
            if let Ok(mut spare) = spare.try_borrow_mut()
                && spare.len() < KEPT
            {
                spare.push(room);
            }
        });
    }
}
