//! Decides whether one model may be tried, from how its attempts ended.
//!
//! It opens on a run of failures, on a bad rate over the last minute, or at once when the provider said that waiting
//! will not help. Open, it lets one probe through when its wait is over; after a success traffic returns in steps.
//! Every grant belongs to a generation: an attempt that began before the breaker changed its mind cannot end a probe,
//! nor lengthen a wait.

#[cfg(test)]
mod tests;

use super::{Verdict, WaitReason};
use crate::failure::Class;
use crate::uptime::Uptime;
use std::time::Duration;

/// Why it opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trip {
    /// A run of failures.
    Run,
    /// Too few of the last minute's attempts succeeded.
    Rate,
    /// One failure that says that waiting a little will not help.
    Told(Class),
}

impl Trip {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Run => "failures_in_a_row",
            Self::Rate => "success_rate",
            Self::Told(class) => class.word(),
        }
    }

    pub(super) const fn is_money(self) -> bool {
        matches!(self, Self::Told(Class::QuotaExhausted))
    }
}

/// Five in a row: one bad connection is noise, five are an outage.
const RUN: u32 = 5;
/// First wait; each failed probe doubles it.
const WAIT: Duration = Duration::from_secs(2);
const WAIT_MAX: Duration = Duration::from_secs(120);
/// How long a probe may be out before another goes: longer than any request lives by default.
const PROBE_LOST: Duration = Duration::from_secs(15 * 60);
/// When those who wait for a probe or a step may look again.
const SOON: Duration = Duration::from_secs(1);
/// From here on a ramp is no limit any more.
const RAMPED: u32 = 64;
/// The rate is judged over `SLOTS` × `SLOT`, from `ENOUGH` attempts on; below half of them good it opens.
const SLOT: Duration = Duration::from_secs(10);
const SLOTS: usize = 6;
const ENOUGH: u32 = 20;

/// What an attempt was let through as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Grant {
    generation: u64,
    probe: bool,
    /// Its success was counted with the first token.
    answered: bool,
}

impl Grant {
    pub(super) const fn is_probe(self) -> bool {
        self.probe
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Ok,
    Failed,
    /// `firm`: until then no listing, only the end of the wait, lets a probe through.
    Tripped {
        trip: Trip,
        firm: Uptime,
    },
    /// A failure that says nothing of the model's health.
    Neutral,
    Abandoned,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        trip: Trip,
        since: Uptime,
        until: Uptime,
        wait: Duration,
        firm: Uptime,
        probing: Option<Uptime>,
    },
    /// At most `allowance` at once; each success doubles it.
    Ramp {
        running: u32,
        allowance: u32,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Breaker {
    state: State,
    generation: u64,
    window: Window,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            state: State::Closed { failures: 0 },
            generation: 0,
            window: Window::default(),
        }
    }
}

impl Breaker {
    pub(super) fn verdict(&self, now: Uptime) -> Verdict {
        let (until, reason) = match self.state {
            State::Open { trip, until, .. } if now < until => (until, WaitReason::BreakerOpen(trip)),
            State::Open {
                trip,
                probing: Some(since),
                ..
            } if now < since + PROBE_LOST => (now + SOON, WaitReason::Probing(trip)),
            State::Ramp { running, allowance } if running >= allowance => (now + SOON, WaitReason::Ramping),
            _ => return Verdict::Ready,
        };
        Verdict::Wait { until, reason }
    }

    /// Attempts pass without being counted one by one.
    pub(super) const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    /// Takes what [`Breaker::verdict`] found ready.
    pub(super) fn claim(&mut self, now: Uptime) -> Grant {
        let mut probe = false;
        match &mut self.state {
            State::Closed { .. } => {}
            State::Open { probing, .. } => {
                // A probe that was lost must not end the next one.
                self.generation += 1;
                *probing = Some(now);
                probe = true;
            }
            State::Ramp { running, .. } => *running += 1,
        }
        Grant {
            generation: self.generation,
            probe,
            answered: false,
        }
    }

    /// An attempt that answers has succeeded for a probe's and a ramp's purpose, whatever becomes of its stream.
    pub(super) fn answering(&mut self, grant: &mut Grant) {
        if grant.answered || grant.generation != self.generation {
            return;
        }
        if grant.probe {
            self.become_ramp(2, 1);
            *grant = Grant {
                generation: self.generation,
                probe: false,
                answered: true,
            };
        } else if let State::Ramp { running, allowance } = self.state
            && allowance < RAMPED
        {
            self.state = State::Ramp {
                running,
                allowance: allowance * 2,
            };
            grant.answered = true;
        }
    }

    pub(super) fn end(&mut self, grant: Grant, answer: Answer, now: Uptime) {
        if let Answer::Tripped { trip, firm } = answer {
            return self.open(trip, WAIT_MAX, firm, now);
        }
        if grant.generation != self.generation {
            return;
        }
        match (self.state, answer) {
            (State::Open { .. }, Answer::Ok | Answer::Neutral) if grant.probe => self.become_ramp(1, 0),
            (State::Open { trip, wait, firm, .. }, Answer::Failed) if grant.probe => {
                self.open(trip, (wait * 2).min(WAIT_MAX), firm, now);
            }
            (State::Open { .. }, Answer::Abandoned) if grant.probe => {
                if let State::Open { probing, .. } = &mut self.state {
                    *probing = None;
                }
            }
            (State::Open { .. }, _) => {}
            (State::Ramp { running, allowance }, answer) => {
                let counted = grant.answered && answer == Answer::Ok && allowance < RAMPED;
                let answer = if counted { Answer::Neutral } else { answer };
                self.step(running.saturating_sub(1), allowance, answer, now);
            }
            (State::Closed { failures }, answer) => self.count(failures, answer, now),
        }
    }

    /// A sign of life from elsewhere: the next attempt is a probe now.
    pub(super) fn resume(&mut self, now: Uptime) {
        match &mut self.state {
            State::Open { until, firm, .. } if now >= *firm => *until = now.min(*until),
            _ => {}
        }
    }

    /// The cause was mended: as [`Breaker::resume`], and nothing is firm any more.
    pub(super) fn forgive(&mut self, now: Uptime) {
        if let State::Open { until, firm, wait, .. } = &mut self.state {
            (*until, *firm, *wait) = (now, now, WAIT);
        }
    }

    /// Traffic stopped for a while and is to come back in steps.
    pub(super) fn ramp(&mut self) {
        if !matches!(self.state, State::Open { .. }) {
            self.become_ramp(1, 0);
        }
    }

    /// Why it is open; `None` while attempts pass.
    pub(super) const fn trip(&self) -> Option<Trip> {
        match self.state {
            State::Open { trip, .. } => Some(trip),
            _ => None,
        }
    }

    /// Since when it is open, failed probes included.
    pub(super) const fn since(&self) -> Option<Uptime> {
        match self.state {
            State::Open { since, .. } => Some(since),
            _ => None,
        }
    }

    /// No listing may speak for it yet.
    pub(super) fn is_firm(&self, now: Uptime) -> bool {
        matches!(self.state, State::Open { firm, .. } if now < firm)
    }

    fn open(&mut self, trip: Trip, wait: Duration, firm: Uptime, now: Uptime) {
        let since = self.since().unwrap_or(now);
        self.generation += 1;
        self.window = Window::default();
        self.state = State::Open {
            trip,
            since,
            until: now + wait,
            wait,
            firm,
            probing: None,
        };
    }

    fn become_ramp(&mut self, allowance: u32, running: u32) {
        self.generation += 1;
        self.state = State::Ramp { running, allowance };
    }

    fn step(&mut self, running: u32, allowance: u32, answer: Answer, now: Uptime) {
        match answer {
            Answer::Failed => self.open(Trip::Run, WAIT, now, now),
            Answer::Ok if allowance >= RAMPED => self.state = State::Closed { failures: 0 },
            Answer::Ok => {
                self.state = State::Ramp {
                    running,
                    allowance: allowance * 2,
                }
            }
            _ => self.state = State::Ramp { running, allowance },
        }
    }

    fn count(&mut self, failures: u32, answer: Answer, now: Uptime) {
        match answer {
            Answer::Ok => {
                self.window.add(true, now);
                self.state = State::Closed { failures: 0 };
            }
            Answer::Failed => {
                self.window.add(false, now);
                if failures + 1 >= RUN {
                    self.open(Trip::Run, WAIT, now, now);
                } else if self.window.is_bad(now) {
                    self.open(Trip::Rate, WAIT, now, now);
                } else {
                    self.state = State::Closed { failures: failures + 1 };
                }
            }
            _ => {}
        }
    }
}

/// Successes and failures of the last minute, in slots of ten seconds.
#[derive(Clone, Debug, Default)]
struct Window {
    /// Slot number, successes, failures.
    slots: [(u64, u32, u32); SLOTS],
}

impl Window {
    fn add(&mut self, ok: bool, now: Uptime) {
        let number = slot_at(now);
        let place = usize::try_from(number).unwrap_or_default() % SLOTS;
        if let Some(slot) = self.slots.get_mut(place) {
            if slot.0 != number {
                *slot = (number, 0, 0);
            }
            if ok { slot.1 += 1 } else { slot.2 += 1 }
        }
    }

    fn is_bad(&self, now: Uptime) -> bool {
        let oldest = (slot_at(now) + 1).saturating_sub(SLOTS as u64);
        let recent = self.slots.iter().filter(|slot| slot.0 >= oldest);
        let (good, bad) = recent.fold((0, 0), |(good, bad), slot| (good + slot.1, bad + slot.2));
        good + bad >= ENOUGH && bad > good
    }
}

const fn slot_at(now: Uptime) -> u64 {
    now.as_secs() / SLOT.as_secs()
}
