//! The course of one request over its candidates, as a state machine without I/O.
//!
//! Told what happened, it says what to do next. Each step owns the course, so that an attempt that was handed out is
//! ended exactly once and a wrong order does not compile. It holds the bounds: attempts, deadline, one further attempt
//! after an unknown bill, nothing after the first content. Money, health and the retry budget are asked by its driver.

mod failed;
#[cfg(test)]
mod tests;

pub use failed::Failed;

use crate::failure::{Billing, Class, Failure, Fallback, RetrySame, Scope};
use crate::policy::snapshot::{ModelId, ProviderId};
use crate::uptime::Uptime;
use std::time::Duration;

/// No wait for the same candidate is longer: the client is waiting too.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// A repeat must leave the provider this long before the deadline.
const LAST_MOMENT: Duration = Duration::from_secs(1);
/// First backoff where the provider gave no hint; it doubles with each attempt.
const BACKOFF: Duration = Duration::from_millis(500);

/// A model stands in the list once for each key that it may be tried with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub model: ModelId,
    pub provider: ProviderId,
    /// Tokens; `None` is unknown.
    pub context: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most attempts that may be sent.
    pub attempts: u8,
    pub deadline: Uptime,
    /// The route sends a request that one provider's filter refused to another.
    pub round_filters: bool,
}

/// Why a candidate was not sent to. None of these counts as an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    Money,
    /// Cooling, an open breaker or a probe under way.
    Resting {
        until: Uptime,
    },
    /// A limit of the policy is reached.
    Full {
        until: Uptime,
    },
    /// Its server has to be started first; it is waited for where there is nobody else.
    Cold,
    /// Its server did not come up.
    NotReady,
    /// The retry budget or the credential does not allow it.
    Barred,
}

/// What to do now. `candidate` is an index into the list that the course began with.
#[derive(Debug)]
#[must_use]
pub enum Step {
    /// Ask health, the retry budget for a repeat, and money; then send.
    Try(Turn),
    Wait(Pause),
    /// Nobody else is left: wait until this candidate's server is ready.
    Warm(Warming),
    Tell(Ending),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    Answered,
    /// The last failure decides what the client sees, unless others are found to go on with.
    Failed(Failed),
    /// A second candidate's answer was empty as well: it goes to the client as it is.
    AnsweredEmpty,
    /// Nothing was sent; why each candidate was not, in the order in which they were asked.
    NothingLeft(Vec<(usize, NotTaken)>),
    ClientLeft,
}

/// A candidate to be sent to.
#[derive(Debug)]
#[must_use]
pub struct Turn {
    course: Course,
    candidate: usize,
    repeat: bool,
    fresh_connection: bool,
    warmed: bool,
}

/// An attempt under way.
#[derive(Debug)]
#[must_use]
pub struct Attempt {
    course: Course,
    candidate: usize,
}

#[derive(Debug)]
#[must_use]
pub struct Pause {
    course: Course,
    candidate: usize,
    until: Uptime,
}

#[derive(Debug)]
#[must_use]
pub struct Warming {
    course: Course,
    candidate: usize,
}

/// Begins a course; the candidates are in the order of the decision. `seed` feeds the jitter.
pub fn begin(candidates: Vec<Candidate>, limits: Limits, seed: u64, now: Uptime) -> Step {
    let course = Course {
        places: untried(candidates),
        limits,
        seed,
        sent: 0,
        sends_left: limits.attempts,
        refusals: Vec::new(),
        last: None,
        empty_before: false,
    };
    course.next(now)
}

fn untried(candidates: Vec<Candidate>) -> Vec<Place> {
    let places = candidates.into_iter().map(|candidate| Place {
        candidate,
        state: State::Untried,
    });
    places.collect()
}

impl Turn {
    pub const fn candidate(&self) -> usize {
        self.candidate
    }

    /// The number that the attempt will have, from 1.
    pub const fn number(&self) -> u8 {
        self.course.sent + 1
    }

    /// The same candidate failed before: the retry budget is asked.
    pub const fn is_repeat(&self) -> bool {
        self.repeat
    }

    pub const fn fresh_connection(&self) -> bool {
        self.fresh_connection
    }

    pub fn refused(mut self, why: NotTaken, now: Uptime) -> Step {
        self.course.refusals.push((self.candidate, why));
        // A server that was waited for once and is cold again does not hold the request for ever.
        let waits = why == NotTaken::Cold && !self.warmed;
        // What keeps it from one key keeps it from all: the driver has looked at each.
        self.course.shut_model_of(self.candidate);
        self.course
            .set(self.candidate, if waits { State::Cold } else { State::Done });
        self.course.next(now)
    }

    /// The request goes out; from here on the attempt has an end.
    pub fn sent(mut self) -> Attempt {
        self.course.sent += 1;
        self.course.sends_left = self.course.sends_left.saturating_sub(1);
        self.course.set(self.candidate, State::Done);
        Attempt {
            course: self.course,
            candidate: self.candidate,
        }
    }

    pub fn client_left(self) -> Ending {
        Ending::ClientLeft
    }
}

impl Attempt {
    pub const fn candidate(&self) -> usize {
        self.candidate
    }

    pub fn succeeded(self) -> Ending {
        Ending::Answered
    }

    /// `committed`: content has reached the client. `may_repeat`: the retry budget has room.
    pub fn failed(self, failure: Failure, committed: bool, may_repeat: bool, now: Uptime) -> Step {
        self.course.after(self.candidate, failure, committed, may_repeat, now)
    }

    pub fn client_left(self) -> Ending {
        Ending::ClientLeft
    }
}

impl Pause {
    pub const fn candidate(&self) -> usize {
        self.candidate
    }

    pub const fn until(&self) -> Uptime {
        self.until
    }

    /// The wait is over.
    pub fn over(self, now: Uptime) -> Step {
        self.course.turn(self.candidate, true, false, now)
    }

    pub fn client_left(self) -> Ending {
        Ending::ClientLeft
    }
}

impl Warming {
    pub const fn candidate(&self) -> usize {
        self.candidate
    }

    /// The server answers its health path. `deadline` is the request's from here on: the wait for a server has a limit
    /// of its own.
    pub fn ready(mut self, deadline: Uptime, now: Uptime) -> Step {
        self.course.limits.deadline = deadline;
        match self.course.turn(self.candidate, false, false, now) {
            Step::Try(turn) => Step::Try(Turn { warmed: true, ..turn }),
            told => told,
        }
    }

    pub fn not_ready(mut self, now: Uptime) -> Step {
        self.course.refusals.push((self.candidate, NotTaken::NotReady));
        self.course.set(self.candidate, State::Done);
        self.course.next(now)
    }

    pub fn client_left(self) -> Ending {
        Ending::ClientLeft
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Untried,
    /// Would be taken once its server runs.
    Cold,
    /// Failed, and may be asked again from this time on.
    Again {
        at: Uptime,
        fresh_connection: bool,
    },
    Done,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    candidate: Candidate,
    state: State,
}

#[derive(Debug)]
struct Course {
    places: Vec<Place>,
    limits: Limits,
    seed: u64,
    sent: u8,
    sends_left: u8,
    refusals: Vec<(usize, NotTaken)>,
    last: Option<Box<Failure>>,
    /// An empty answer has had its one fallback.
    empty_before: bool,
}

impl Course {
    fn after(mut self, candidate: usize, failure: Failure, committed: bool, may_repeat: bool, now: Uptime) -> Step {
        if committed {
            self.sends_left = 0;
            self.last = Some(Box::new(failure));
            return self.tell();
        }
        if failure.billing == Billing::Hold {
            self.sends_left = self.sends_left.min(1);
        }
        if failure.fallback == Fallback::YesOnce {
            if self.empty_before {
                return Step::Tell(Ending::AnsweredEmpty);
            }
            self.empty_before = true;
        }
        self.narrow(candidate, &failure);
        let repeat = if may_repeat {
            self.repeat_at(&failure, now)
        } else {
            None
        };
        let fresh_connection = failure.retry_same == RetrySame::NowOnceFreshConnection;
        let closes = matches!(failure.fallback, Fallback::No | Fallback::PolicyOptIn if !self.may_move_on(&failure));
        self.last = Some(Box::new(failure));
        if closes {
            self.sends_left = 0;
            return self.tell();
        }
        if let Some(at) = repeat {
            self.set(candidate, State::Again { at, fresh_connection });
        }
        let at_once = repeat == Some(now);
        if at_once && usize::from(self.sends_left) > self.others() {
            return self.turn(candidate, true, fresh_connection, now);
        }
        self.next(now)
    }

    fn may_move_on(&self, failure: &Failure) -> bool {
        failure.fallback == Fallback::PolicyOptIn && self.limits.round_filters
    }

    /// When the same candidate may be asked again, if at all.
    fn repeat_at(&self, failure: &Failure, now: Uptime) -> Option<Uptime> {
        let wait = match failure.retry_same {
            RetrySame::No => return None,
            // Once: a second such failure of the request is no accident.
            RetrySame::NowOnce | RetrySame::NowOnceFreshConnection => {
                let connection = |class| matches!(class, Class::ConnectError | Class::ConnectionLost);
                let before = self.last.as_ref().is_some_and(|last| connection(last.class));
                return (!before && now + LAST_MOMENT <= self.limits.deadline).then_some(now);
            }
            RetrySame::AfterHint | RetrySame::AfterBackoff => {
                let rest = failure.cooldown.map_or(Duration::ZERO, |cooldown| cooldown.lasts);
                let doubled = BACKOFF * 2u32.saturating_pow(u32::from(self.sent.saturating_sub(1)));
                let wait = failure.hint.unwrap_or(doubled).max(rest);
                wait + self.jitter(wait.max(BACKOFF) / 4)
            }
        };
        let at = now + wait;
        (wait <= LONGEST_WAIT && at + LAST_MOMENT <= self.limits.deadline).then_some(at)
    }

    /// Shuts out the candidates that this failure makes pointless.
    fn narrow(&mut self, candidate: usize, failure: &Failure) {
        let Some(failed) = self.places.get(candidate).map(|place| place.candidate) else {
            return;
        };
        let of_key = failure
            .cooldown
            .is_some_and(|cooldown| matches!(cooldown.scope, Scope::Credential | Scope::CredentialModel));
        for place in &mut self.places {
            let other = place.candidate;
            // Another key of the same model helps where the key was the reason.
            let same = other.model == failed.model && !of_key;
            let pointless = match failure.fallback {
                Fallback::LargerContextOnly => {
                    !matches!((other.context, failed.context), (Some(other), Some(failed)) if other > failed)
                }
                // Nobody publishes how large a body may be; another endpoint has another limit.
                Fallback::LargerLimitOnly => other.provider == failed.provider,
                _ => false,
            };
            if pointless || same {
                place.state = State::Done;
            }
        }
    }

    fn next(mut self, now: Uptime) -> Step {
        if self.sends_left == 0 || now >= self.limits.deadline {
            return self.tell();
        }
        if let Some(candidate) = self.find(|state| state == State::Untried) {
            return self.turn(candidate, false, false, now);
        }
        // A repeat must not take the last attempt from a server that only has to be started.
        let cold = self.find(|state| state == State::Cold);
        if cold.is_none() || usize::from(self.sends_left) > self.others() {
            let again = self
                .places
                .iter()
                .enumerate()
                .filter_map(|(candidate, place)| match place.state {
                    State::Again { at, fresh_connection } => Some((at, candidate, fresh_connection)),
                    _ => None,
                });
            if let Some((at, candidate, fresh_connection)) = again.min() {
                self.set(candidate, State::Done);
                return match at > now {
                    true => Step::Wait(Pause {
                        course: self,
                        candidate,
                        until: at,
                    }),
                    false => self.turn(candidate, true, fresh_connection, now),
                };
            }
        }
        match cold {
            Some(candidate) => Step::Warm(Warming {
                course: self,
                candidate,
            }),
            None => self.tell(),
        }
    }

    fn turn(mut self, candidate: usize, repeat: bool, fresh_connection: bool, now: Uptime) -> Step {
        if now >= self.limits.deadline {
            return self.tell();
        }
        self.set(candidate, State::Done);
        Step::Try(Turn {
            course: self,
            candidate,
            repeat,
            fresh_connection,
            warmed: false,
        })
    }

    fn tell(mut self) -> Step {
        Step::Tell(match self.last.take() {
            Some(failure) => Ending::Failed(Failed::of(failure, &self)),
            None => Ending::NothingLeft(self.refusals),
        })
    }

    /// Models that have not had their chance.
    fn others(&self) -> usize {
        let mut models: Vec<ModelId> = Vec::new();
        for place in &self.places {
            let waits = matches!(place.state, State::Untried | State::Cold);
            if waits && !models.contains(&place.candidate.model) {
                models.push(place.candidate.model);
            }
        }
        models.len()
    }

    fn find(&self, is: impl Fn(State) -> bool) -> Option<usize> {
        self.places.iter().position(|place| is(place.state))
    }

    fn shut_model_of(&mut self, candidate: usize) {
        let Some(model) = self.places.get(candidate).map(|place| place.candidate.model) else {
            return;
        };
        for place in self.places.iter_mut().filter(|place| place.candidate.model == model) {
            place.state = State::Done;
        }
    }

    fn set(&mut self, candidate: usize, state: State) {
        if let Some(place) = self.places.get_mut(candidate) {
            place.state = state;
        }
    }

    /// Up to `most`, the same for the same seed and attempt.
    fn jitter(&self, most: Duration) -> Duration {
        let mut x = self
            .seed
            .wrapping_add(u64::from(self.sent).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let share = ((x ^ (x >> 31)) % 1000) as u32;
        most * share / 1000
    }
}
