//! A course that has failed with the candidates that it had: what it leaves to others that are found since.

use super::{Candidate, Course, Limits, Step, untried};
use crate::failure::{Failure, Fallback};
use crate::uptime::Uptime;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The last one, which decides what the client sees.
    pub failure: Box<Failure>,
    limits: Limits,
    seed: u64,
    sent: u8,
    /// None where the failure ends the request whoever else is there.
    sends_left: u8,
    empty_before: bool,
}

impl Failed {
    pub(super) fn of(failure: Box<Failure>, course: &Course) -> Self {
        // What only a larger model may answer is not for whoever else comes.
        let open = matches!(
            failure.fallback,
            Fallback::Yes | Fallback::YesOnce | Fallback::IfUncommitted
        );
        Self {
            failure,
            limits: course.limits,
            seed: course.seed,
            sent: course.sent,
            sends_left: if open { course.sends_left } else { 0 },
            empty_before: course.empty_before,
        }
    }

    /// Another model might still answer.
    pub fn may_go_on(&self, now: Uptime) -> bool {
        self.sends_left > 0 && now < self.limits.deadline
    }

    /// Goes on with candidates that were found since, none of which it was sent to before.
    pub fn go_on(self, candidates: Vec<Candidate>, now: Uptime) -> Step {
        let course = Course {
            places: untried(candidates),
            limits: self.limits,
            seed: self.seed,
            sent: self.sent,
            sends_left: self.sends_left,
            refusals: Vec::new(),
            last: Some(self.failure),
            empty_before: self.empty_before,
        };
        course.next(now)
    }
}
