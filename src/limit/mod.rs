//! Rates, tokens and requests in flight of clients, routes, providers, keys and models, and who waits for them in turn.
//!
//! A request enters all its scopes at once or none. It owns no clock and no task: time is an argument, and who waits is
//! woken through what it gave. Kept by name, so that a reload keeps the counts.

mod bucket;
#[cfg(test)]
mod tests;

use crate::policy::snapshot::Limits;
use crate::uptime::Uptime;
use bucket::Bucket;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Whose limits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    Client(Arc<str>),
    Route(Arc<str>),
    Provider(Arc<str>),
    /// Of a provider, by the credential's label.
    Key(Arc<str>, Arc<str>),
    Model(Arc<str>),
}

impl Scope {
    /// Whose it is, for metrics.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Client(_) => "client",
            Self::Route(_) => "route",
            Self::Provider(_) => "provider",
            Self::Key(..) => "key",
            Self::Model(_) => "model",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(name) => write!(f, "client `{name}`"),
            Self::Route(name) => write!(f, "route `{name}`"),
            Self::Provider(name) => write!(f, "provider `{name}`"),
            Self::Key(provider, _) => write!(f, "a key of provider `{provider}`"),
            Self::Model(name) => write!(f, "model `{name}`"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Requests,
    Tokens,
    InFlight,
}

impl Kind {
    /// As the policy calls it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::InFlight => "in_flight",
        }
    }
}

/// Not now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Full {
    pub scope: Scope,
    pub kind: Kind,
    /// When it may be otherwise; of requests in flight nobody knows.
    pub after: Duration,
    /// How long one may wait in its queue, where there is a place.
    pub wait: Option<Duration>,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`limits.{}` of {} is reached", self.kind.word(), self.scope)
    }
}

/// A place in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat(u64);

/// Wakes who waits.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

struct Waiting {
    seat: Seat,
    wake: Wake,
}

/// What a rate has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    pub limit: u64,
    pub remaining: u64,
    /// Until it is full again.
    pub reset: Duration,
}

/// Where nobody can say when a request in flight ends.
const SOON: Duration = Duration::from_secs(1);

struct Meter {
    limits: Limits,
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
    in_flight: u32,
    queue: VecDeque<Waiting>,
    /// What its queue waits for.
    busy: Kind,
}

impl Meter {
    fn new(limits: &Limits) -> Self {
        Self {
            requests: limits.requests.map(Bucket::new),
            tokens: limits.tokens.map(Bucket::new),
            limits: limits.clone(),
            in_flight: 0,
            queue: VecDeque::new(),
            busy: Kind::InFlight,
        }
    }

    fn look(&mut self, tokens: u64, seat: Option<Seat>, now: Uptime) -> Result<(), (Kind, Duration)> {
        let turn = self.queue.front().is_none_or(|first| Some(first.seat) == seat);
        if !turn {
            return Err((self.busy, SOON));
        }
        if self.limits.in_flight.is_some_and(|most| self.in_flight >= most) {
            return Err((Kind::InFlight, SOON));
        }
        let requests = self.requests.as_mut().map_or(Ok(()), |rate| rate.look(1, now));
        requests.map_err(|after| (Kind::Requests, after))?;
        let rate = self.tokens.as_mut().map_or(Ok(()), |rate| rate.look(tokens, now));
        rate.map_err(|after| (Kind::Tokens, after))
    }

    /// Half of everything would stay free.
    fn spares_half(&self, tokens: u64, now: Uptime) -> bool {
        let rate = |rate: &Option<Bucket>, units: u64| {
            let left = |rate: &Bucket| rate.left(now).0.saturating_sub(units).saturating_mul(2) >= rate.rate.count;
            rate.as_ref().is_none_or(left)
        };
        let flight = self
            .limits
            .in_flight
            .is_none_or(|most| (self.in_flight + 1) * 2 <= most);
        flight && self.queue.is_empty() && rate(&self.requests, 1) && rate(&self.tokens, tokens)
    }

    fn take(&mut self, tokens: u64, now: Uptime) {
        self.in_flight += 1;
        for (rate, units) in [(&mut self.requests, 1), (&mut self.tokens, tokens)] {
            if let Some(rate) = rate {
                // It was looked at under the same lock.
                let _ = rate.take(units, now);
            }
        }
    }

    fn wake_first(&self) {
        if let Some(first) = self.queue.front() {
            (first.wake)();
        }
    }
}

#[derive(Default)]
pub struct Book {
    meters: HashMap<Scope, Meter>,
    seats: u64,
}

impl Book {
    /// Takes the policy's limits over; what was counted stays counted.
    pub fn install(&mut self, limits: impl IntoIterator<Item = (Scope, Limits)>, now: Uptime) {
        let mut before = std::mem::take(&mut self.meters);
        for (scope, limits) in limits {
            let mut meter = Meter::new(&limits);
            if let Some(old) = before.remove(&scope) {
                for (rate, old) in [(&mut meter.requests, &old.requests), (&mut meter.tokens, &old.tokens)] {
                    if let (Some(rate), Some(old)) = (rate, old) {
                        rate.carry(old, now);
                    }
                }
                (meter.in_flight, meter.queue, meter.busy) = (old.in_flight, old.queue, old.busy);
            }
            meter.wake_first();
            self.meters.insert(scope, meter);
        }
        for (scope, gone) in before {
            gone.queue.iter().for_each(|waiting| (waiting.wake)());
            // Those under way still count, should the limit come back before they end.
            if gone.in_flight > 0 {
                let mut meter = Meter::new(&Limits::default());
                meter.in_flight = gone.in_flight;
                self.meters.insert(scope, meter);
            }
        }
    }

    /// Would the request enter now, or be let into a queue? Changes nothing.
    pub fn look(&mut self, scopes: &[Scope], tokens: u64, now: Uptime) -> Result<(), Full> {
        match self.first_full(scopes, tokens, None, now) {
            Some(full) if full.wait.is_none() => Err(full),
            _ => Ok(()),
        }
    }

    /// Would the request enter now?
    pub fn is_free(&mut self, scopes: &[Scope], tokens: u64, now: Uptime) -> bool {
        self.first_full(scopes, tokens, None, now).is_none()
    }

    /// Enters every scope, or none. A `seat` is given up with it.
    pub fn enter(&mut self, scopes: &[Scope], tokens: u64, seat: Option<Seat>, now: Uptime) -> Result<(), Full> {
        if let Some(full) = self.first_full(scopes, tokens, seat, now) {
            if let Some(meter) = self.meters.get_mut(&full.scope)
                && meter.queue.front().is_none_or(|first| Some(first.seat) == seat)
            {
                meter.busy = full.kind;
            }
            return Err(full);
        }
        for scope in scopes {
            if let Some(meter) = self.meters.get_mut(scope) {
                meter.take(tokens, now);
            }
        }
        if let Some(seat) = seat {
            self.leave(seat);
        }
        Ok(())
    }

    /// Enters every scope, or none: only where nobody waits, and half of each limit stays free for others.
    pub fn enter_beside(&mut self, scopes: &[Scope], tokens: u64, now: Uptime) -> bool {
        let spares = |scope: &Scope| {
            self.meters
                .get(scope)
                .is_none_or(|meter| meter.spares_half(tokens, now))
        };
        scopes.iter().all(spares) && self.enter(scopes, tokens, None, now).is_ok()
    }

    /// The last place in the scope's queue, if it has one free.
    pub fn join(&mut self, scope: &Scope, wake: Wake) -> Option<Seat> {
        let meter = self.meters.get_mut(scope)?;
        if meter.queue.len() >= meter.limits.queue as usize {
            return None;
        }
        self.seats += 1;
        let seat = Seat(self.seats);
        meter.queue.push_back(Waiting { seat, wake });
        Some(seat)
    }

    /// Gives a place up, wherever it is.
    pub fn leave(&mut self, seat: Seat) {
        for meter in self.meters.values_mut() {
            let before = meter.queue.len();
            meter.queue.retain(|waiting| waiting.seat != seat);
            if meter.queue.len() != before {
                meter.wake_first();
            }
        }
    }

    /// The request has ended: `reserved` tokens were taken, and `used` it came to.
    pub fn release(&mut self, scopes: &[Scope], reserved: u64, used: u64) {
        for scope in scopes {
            let Some(meter) = self.meters.get_mut(scope) else {
                continue;
            };
            meter.in_flight = meter.in_flight.saturating_sub(1);
            if let Some(tokens) = &mut meter.tokens {
                tokens.correct(reserved, used);
            }
            meter.wake_first();
        }
    }

    /// A request that was never sent is none.
    pub fn give_back(&mut self, scopes: &[Scope]) {
        for scope in scopes {
            if let Some(requests) = self.meters.get_mut(scope).and_then(|meter| meter.requests.as_mut()) {
                requests.correct(1, 0);
            }
        }
    }

    /// What the tightest of these has left, of requests and of tokens.
    pub fn left(&self, scopes: &[Scope], now: Uptime) -> (Option<Left>, Option<Left>) {
        let of = |pick: fn(&Meter) -> Option<&Bucket>| {
            let buckets = scopes.iter().filter_map(|scope| pick(self.meters.get(scope)?));
            let lefts = buckets.map(|bucket| {
                let (remaining, reset) = bucket.left(now);
                Left {
                    limit: bucket.rate.count,
                    remaining,
                    reset,
                }
            });
            lefts.min_by_key(|left| left.remaining)
        };
        (of(|meter| meter.requests.as_ref()), of(|meter| meter.tokens.as_ref()))
    }

    fn first_full(&mut self, scopes: &[Scope], tokens: u64, seat: Option<Seat>, now: Uptime) -> Option<Full> {
        scopes.iter().find_map(|scope| {
            let meter = self.meters.get_mut(scope)?;
            let (kind, after) = meter.look(tokens, seat, now).err()?;
            let seated = meter.queue.iter().any(|waiting| Some(waiting.seat) == seat);
            let room = seated || meter.queue.len() < meter.limits.queue as usize;
            Some(Full {
                scope: scope.clone(),
                kind,
                after,
                wait: room.then_some(meter.limits.wait),
            })
        })
    }
}
