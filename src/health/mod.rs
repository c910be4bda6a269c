//! What planb knows of its upstreams' health: breakers, cooling and retry budgets, fed with outcomes and time.
//!
//! Kept by endpoint, upstream model and credential and not by the policy's names, so that a reload keeps it. An attempt is claimed
//! with [`Health::ask`] and answered with [`Health::end`]; a decision only reads [`Health::verdict`]. It owns no clock,
//! no task and no lock, and it does not decide where a request goes.

mod breaker;
mod cooling;
mod level;
mod quota;
mod retry_budget;
mod rotation;

#[cfg(test)]
mod tests;

pub use breaker::Trip;
pub use level::Level;
pub use quota::Quotas;

use crate::failure::{BreakerEffect, Class, Failure, Length};
use crate::policy::snapshot::Provider;
use crate::uptime::Uptime;
use breaker::{Answer, Breaker, Grant};
use cooling::{Cooling, Place};
use level::{ErrorRate, FirstTokens};
use quota::Told;
use retry_budget::RetryBudget;
use rotation::Rotation;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Weight of the newest first-token time in the moving average, as a divisor.
const LATENCY_MEMORY: u32 = 8;

/// One upstream model as reached with one credential.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModelKey {
    /// Base URL with its path.
    pub endpoint: Arc<str>,
    pub upstream_model: Arc<str>,
    /// Names the credential without telling it; empty where there is none.
    pub credential: Arc<str>,
}

/// False for `breaker: none` and `cooldown: none` on the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    pub breaker: bool,
    pub cooldown: bool,
}

impl Options {
    pub const fn of(provider: &Provider) -> Self {
        Self {
            breaker: provider.breaker,
            cooldown: provider.cooldown,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitReason {
    Cooling(Class),
    BreakerOpen(Trip),
    /// The one attempt that finds out is under way.
    Probing(Trip),
    /// Just back: traffic returns in steps.
    Ramping,
}

impl WaitReason {
    /// The reason as the breaker or the failure named it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cooling(class) => class.word(),
            Self::BreakerOpen(trip) => trip.word(),
            Self::Probing(_) => "probing",
            Self::Ramping => "ramping",
        }
    }

    /// The same code as a decision gives for it.
    pub const fn code(self) -> &'static str {
        if self.is_breaker() { "breaker_open" } else { "cooling" }
    }

    pub const fn is_breaker(self) -> bool {
        !matches!(self, Self::Cooling(_))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Ready,
    Wait { until: Uptime, reason: WaitReason },
}

/// Leave for one attempt; [`Health::end`] takes it back.
#[derive(Debug)]
#[must_use = "a claimed attempt must be ended, or a probe stays open"]
pub struct Claim {
    key: ModelKey,
    grant: Grant,
    options: Options,
}

impl Claim {
    /// This attempt finds out whether the model is back.
    pub const fn is_probe(&self) -> bool {
        self.grant.is_probe()
    }
}

#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    Ok,
    Failed(&'a Failure),
    /// The client left before the end: frees what was claimed, counts nothing.
    Abandoned,
}

/// What asking a provider's free listing showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// Answered, with the key accepted.
    Alive,
    /// Answered, but there is no listing to judge the key by (404).
    Reachable,
    /// The key was refused.
    Refused,
    Dead,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderHealth {
    Up,
    Cooling { until: Uptime, reason: Class },
    Down { reason: Trip, since: Uptime },
}

impl ProviderHealth {
    /// What conditions mean by `up`.
    pub const fn is_up(self) -> bool {
        !matches!(self, Self::Down { .. })
    }
}

/// Orders what happened at the same instant.
type Turn = u64;

#[derive(Debug, Default)]
struct ModelState {
    breaker: Breaker,
    /// When the breaker last opened, in turns.
    opened: Turn,
    succeeded: Turn,
    first_token: Option<Duration>,
}

#[derive(Debug, Default)]
struct EndpointState {
    retries: RetryBudget,
    /// The last time its listing said that it lives, in turns.
    alive: Turn,
    errors: ErrorRate,
    first_tokens: FirstTokens,
    /// By credential.
    quotas: HashMap<Arc<str>, Told>,
}

#[derive(Debug, Default)]
pub struct Health {
    models: HashMap<ModelKey, ModelState>,
    rotation: Rotation,
    endpoints: HashMap<Arc<str>, EndpointState>,
    cooling: Cooling,
    turn: Turn,
}

impl Health {
    /// May an attempt be sent now? Changes nothing, so that a decision can be repeated.
    pub fn verdict(&self, key: &ModelKey, options: Options, now: Uptime) -> Verdict {
        if options.cooldown
            && let Some((until, class)) = self.cooling.of(key, now)
        {
            return Verdict::Wait {
                until,
                reason: WaitReason::Cooling(class),
            };
        }
        match self.models.get(key) {
            Some(state) if options.breaker => state.breaker.verdict(now),
            _ => Verdict::Ready,
        }
    }

    /// May an attempt be sent now that takes neither a probe nor a step of a ramp from others?
    pub fn is_sound(&self, key: &ModelKey, options: Options, now: Uptime) -> bool {
        let closed = |state: &ModelState| !options.breaker || state.breaker.is_closed();
        self.verdict(key, options, now) == Verdict::Ready && self.models.get(key).is_none_or(closed)
    }

    /// As [`Health::verdict`], of the key that may be used first.
    pub fn best_verdict<'k>(&self, keys: impl Iterator<Item = &'k ModelKey>, options: Options, now: Uptime) -> Verdict {
        let verdicts = keys.map(|key| self.verdict(key, options, now));
        let first = verdicts.min_by_key(|verdict| match verdict {
            Verdict::Ready => Uptime::ZERO,
            Verdict::Wait { until, .. } => *until,
        });
        first.unwrap_or(Verdict::Ready)
    }

    /// Claims an attempt: the one probe, a step of the ramp, or plain passage.
    pub fn ask(&mut self, key: &ModelKey, options: Options, now: Uptime) -> Result<Claim, Verdict> {
        match self.verdict(key, options, now) {
            Verdict::Ready => {}
            wait => return Err(wait),
        }
        let state = self.models.entry(key.clone()).or_default();
        let grant = if options.breaker {
            state.breaker.claim(now)
        } else {
            Grant::default()
        };
        self.endpoints
            .entry(key.endpoint.clone())
            .or_default()
            .retries
            .earn(now);
        Ok(Claim {
            key: key.clone(),
            grant,
            options,
        })
    }

    /// Whose turn it is among a provider's keys (credential and weight); `usable` says which may be chosen, `wanted`
    /// which one of those a conversation stays with.
    pub fn next_key(
        &mut self,
        provider: &Arc<str>,
        keys: &[(Arc<str>, u32)],
        wanted: Option<usize>,
        usable: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        self.rotation.next(provider, keys, wanted, usable)
    }

    /// The first meaningful event came: a probe has its answer long before a stream's end.
    pub fn answering(&mut self, claim: &mut Claim, first_token: Duration, now: Uptime) {
        self.turn += 1;
        let turn = self.turn;
        let state = self.models.entry(claim.key.clone()).or_default();
        let known = state.first_token.unwrap_or(first_token);
        state.first_token = Some(known - known / LATENCY_MEMORY + first_token / LATENCY_MEMORY);
        state.succeeded = turn;
        if claim.options.breaker {
            state.breaker.answering(&mut claim.grant);
        }
        let endpoint = self.endpoints.entry(claim.key.endpoint.clone()).or_default();
        endpoint.first_tokens.note(first_token, now);
    }

    /// An answer told what is left of the credential's quotas.
    pub fn told(&mut self, key: &ModelKey, quotas: Quotas, now: Uptime) {
        let endpoint = self.endpoints.entry(key.endpoint.clone()).or_default();
        endpoint.quotas.insert(key.credential.clone(), Told::new(quotas, now));
    }

    /// Answers a claim.
    pub fn end(&mut self, claim: Claim, outcome: Outcome<'_>, now: Uptime) {
        self.turn += 1;
        let turn = self.turn;
        let Claim { key, grant, options } = claim;
        let failed = match outcome {
            Outcome::Ok => Some(false),
            Outcome::Failed(failure) => (failure.breaker != BreakerEffect::Ignore).then_some(true),
            Outcome::Abandoned => None,
        };
        if let (Some(failed), Some(endpoint)) = (failed, self.endpoints.get_mut(&key.endpoint)) {
            endpoint.errors.note(failed, now);
        }
        let state = self.models.entry(key.clone()).or_default();
        let answer = match outcome {
            Outcome::Ok => {
                state.succeeded = turn;
                self.cooling.succeeded(&key, now);
                Answer::Ok
            }
            Outcome::Abandoned => Answer::Abandoned,
            Outcome::Failed(failure) => answer_of(failure, now),
        };
        if options.breaker {
            let was_open = state.breaker.trip().is_some();
            state.breaker.end(grant, answer, now);
            let anew = !was_open || grant.is_probe() || matches!(answer, Answer::Tripped { .. });
            if state.breaker.trip().is_some() && anew && answer != Answer::Abandoned {
                state.opened = turn;
            }
        }
        if let Outcome::Failed(Failure {
            class,
            cooldown: Some(cooldown),
            ..
        }) = outcome
            && options.cooldown
        {
            let place = self.cooling.begin(&key, *class, *cooldown, now);
            self.ramp_after(&place);
        }
    }

    /// Has the endpoint's retry budget room for a repeat?
    pub fn may_repeat(&self, endpoint: &str, now: Uptime) -> bool {
        self.endpoints
            .get(endpoint)
            .is_none_or(|state| state.retries.allows(now))
    }

    /// Takes a repeat to the same provider from its retry budget; false when there is none left.
    pub fn repeat(&mut self, endpoint: &Arc<str>, now: Uptime) -> bool {
        self.endpoints.entry(endpoint.clone()).or_default().retries.take(now)
    }

    /// The state of a provider with these models. A model without traffic says nothing.
    pub fn provider_state(&self, endpoint: &str, models: &[ModelKey], now: Uptime) -> ProviderHealth {
        let states = || models.iter().filter_map(|key| self.models.get(key));
        let alive = self.endpoints.get(endpoint).map_or(0, |state| state.alive);
        let sign = states().map(|state| state.succeeded).max().unwrap_or(0);
        let down = states()
            .filter(|state| state.opened > sign)
            .filter_map(|state| Some((state, state.breaker.trip()?)))
            .filter(|(state, trip)| state.opened > alive || state.breaker.is_firm(now) && trip.is_money())
            .filter_map(|(state, trip)| Some((state.breaker.since()?, trip)))
            .min_by_key(|(since, _)| *since);
        if let Some((since, reason)) = down {
            return ProviderHealth::Down { reason, since };
        }
        if let Some((since, class)) = models.iter().find_map(|key| self.cooling.refused_since(key, now)) {
            return ProviderHealth::Down {
                reason: Trip::Told(class),
                since,
            };
        }
        let cooling = models
            .iter()
            .filter_map(|key| self.cooling.of(key, now))
            .max_by_key(|(until, _)| *until);
        match cooling {
            Some((until, reason)) => ProviderHealth::Cooling { until, reason },
            None => ProviderHealth::Up,
        }
    }

    /// A provider that is kept from traffic answered its listing, or did not. What is known of money outlives a good
    /// answer until its own minimum has passed: a listing is free.
    pub fn listed(&mut self, endpoint: &Arc<str>, credential: &str, listing: Listing, now: Uptime) {
        self.turn += 1;
        let turn = self.turn;
        let alive = matches!(listing, Listing::Alive | Listing::Reachable);
        let at = self.endpoints.entry(endpoint.clone()).or_default();
        at.alive = if alive { turn } else { 0 };
        at.errors.note(!alive, now);
        if !alive {
            return;
        }
        if listing == Listing::Alive {
            self.cooling.key_accepted(endpoint, credential);
        }
        let mut refused = false;
        for state in self
            .models
            .iter_mut()
            .filter(|(key, _)| key.endpoint == *endpoint && *key.credential == *credential)
            .map(|(_, state)| state)
        {
            match state.breaker.trip() {
                Some(Trip::Told(Class::Auth)) if listing == Listing::Reachable => refused = true,
                Some(_) => state.breaker.resume(now),
                None => {}
            }
        }
        if refused && let Some(at) = self.endpoints.get_mut(endpoint) {
            at.alive = 0;
        }
    }

    /// A credential has a new value: what was held against the old one ends.
    pub fn key_changed(&mut self, credential: &str, now: Uptime) {
        self.cooling.key_changed(credential);
        for (_, state) in self
            .models
            .iter_mut()
            .filter(|(key, _)| key.credential.as_ref() == credential)
        {
            state.breaker.forgive(now);
        }
    }

    /// A policy was loaded: failures that only an operator can mend are tried anew, one probe each.
    pub fn reloaded(&mut self, now: Uptime) {
        self.cooling.reloaded();
        let mendable = |trip| matches!(trip, Trip::Told(Class::Auth | Class::Permission | Class::ModelNotFound));
        for state in self.models.values_mut() {
            if state.breaker.trip().is_some_and(mendable) {
                state.breaker.forgive(now);
            }
        }
    }

    /// Forgets models and keys that no policy names any more.
    pub fn keep(&mut self, named: impl Fn(&ModelKey) -> bool) {
        self.models.retain(|key, _| named(key));
        let endpoints: Vec<_> = self.models.keys().map(|key| key.endpoint.clone()).collect();
        let credentials: Vec<_> = self.models.keys().map(|key| key.credential.clone()).collect();
        self.rotation
            .keep(|credential| credentials.iter().any(|known| **known == *credential));
        self.endpoints.retain(|endpoint, _| endpoints.contains(endpoint));
    }

    /// Moving average of the time to the first token.
    pub fn first_token(&self, key: &ModelKey) -> Option<Duration> {
        self.models.get(key)?.first_token
    }

    /// The share of attempts that the endpoint failed of late.
    pub fn error_rate(&self, endpoint: &str, now: Uptime) -> Option<Level> {
        self.endpoints.get(endpoint)?.errors.level(now)
    }

    /// The time to first content, in seconds, that 95 of 100 streams of the endpoint kept of late.
    pub fn first_token_p95(&self, endpoint: &str, now: Uptime) -> Option<Level> {
        self.endpoints.get(endpoint)?.first_tokens.level(now)
    }

    /// The scarcest quota of the credential at the endpoint that has most left.
    pub fn quota_left(&self, endpoint: &str, credentials: &[Arc<str>], now: Uptime) -> Option<Level> {
        let quotas = &self.endpoints.get(endpoint)?.quotas;
        let levels = credentials.iter().filter_map(|key| quotas.get(key)?.level(now));
        levels.max_by(|one, other| one.value.total_cmp(&other.value))
    }

    /// Whatever shared the cooling comes back in steps, or everyone who waited comes at once.
    fn ramp_after(&mut self, place: &Place) {
        for (key, state) in &mut self.models {
            if place.covers(key) {
                state.breaker.ramp();
            }
        }
    }
}

fn answer_of(failure: &Failure, now: Uptime) -> Answer {
    match failure.breaker {
        BreakerEffect::Count => Answer::Failed,
        BreakerEffect::Ignore => Answer::Neutral,
        BreakerEffect::Trip => {
            let fixed = failure.cooldown.filter(|cooldown| cooldown.length == Length::Fixed);
            let firm = fixed.map_or(now, |cooldown| now + cooldown.min);
            Answer::Tripped {
                trip: Trip::Told(failure.class),
                firm,
            }
        }
    }
}
