//! Which credentials, models and endpoints are left alone, until when and why.
//!
//! A failure cools a place; the longest cooling of a place wins, and a model is cool while any place that it is at is.
//! A length of our own guess doubles while the place keeps failing and starts anew after a success.

use super::ModelKey;
use crate::failure::{Class, Cooldown, Length, Scope};
use crate::uptime::Uptime;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// What a scope comes to for one model.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// At one endpoint: two providers may name one key.
    Credential(Arc<str>, Arc<str>),
    CredentialModel(ModelKey),
    EndpointModel(Arc<str>, Arc<str>),
    Endpoint(Arc<str>),
}

impl Place {
    fn of(scope: Scope, key: &ModelKey) -> Self {
        match scope {
            Scope::Credential => Self::Credential(key.endpoint.clone(), key.credential.clone()),
            Scope::CredentialModel => Self::CredentialModel(key.clone()),
            Scope::EndpointModel => Self::EndpointModel(key.endpoint.clone(), key.upstream_model.clone()),
            Scope::Endpoint => Self::Endpoint(key.endpoint.clone()),
        }
    }

    /// Is this model, as reached with this credential, at the place?
    pub(super) fn covers(&self, key: &ModelKey) -> bool {
        SCOPES.iter().any(|scope| *self == Self::of(*scope, key))
    }

    fn credential(&self) -> Option<&str> {
        match self {
            Self::Credential(_, credential) => Some(credential),
            Self::CredentialModel(key) => Some(&key.credential),
            Self::EndpointModel(..) | Self::Endpoint(_) => None,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Rest {
    until: Uptime,
    class: Class,
    length: Length,
    since: Uptime,
    /// How long the last guess was; doubled by the next.
    guess: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Cooling {
    rests: HashMap<Place, Rest>,
}

/// A place that stayed calm for so long has its guesses start anew.
const CALM: Duration = Duration::from_secs(600);

const SCOPES: [Scope; 4] = [
    Scope::Credential,
    Scope::CredentialModel,
    Scope::EndpointModel,
    Scope::Endpoint,
];

impl Cooling {
    /// The longest rest that this model is under.
    pub(super) fn of(&self, key: &ModelKey, now: Uptime) -> Option<(Uptime, Class)> {
        if self.rests.is_empty() {
            return None;
        }
        SCOPES
            .iter()
            .filter_map(|scope| self.rests.get(&Place::of(*scope, key)))
            .filter(|rest| rest.until > now)
            .map(|rest| (rest.until, rest.class))
            .max_by_key(|(until, _)| *until)
    }

    /// Since when the credential is known to be refused or out of money, for as long as it rests.
    pub(super) fn refused_since(&self, key: &ModelKey, now: Uptime) -> Option<(Uptime, Class)> {
        let rest = self.rests.get(&Place::of(Scope::Credential, key))?;
        let refused = rest.until > now && matches!(rest.class, Class::Auth | Class::QuotaExhausted);
        refused.then_some((rest.since, rest.class))
    }

    pub(super) fn begin(&mut self, key: &ModelKey, class: Class, cooldown: Cooldown, now: Uptime) -> Place {
        self.rests.retain(|_, rest| rest.until + CALM > now);
        let place = Place::of(cooldown.scope, key);
        let known = self.rests.get(&place).copied();
        let mut lasts = cooldown.lasts;
        if let (Length::Backoff, Some(rest)) = (cooldown.length, known) {
            // A failure of the same burst is no second one: the guess grows once its rest has been kept.
            lasts = if rest.until > now {
                rest.guess.max(lasts)
            } else {
                (rest.guess * 2).max(lasts)
            };
        }
        let lasts = lasts.clamp(cooldown.min, cooldown.max);
        let guess = if cooldown.length == Length::Backoff {
            lasts
        } else {
            Duration::ZERO
        };
        let rest = Rest {
            until: now + lasts,
            class,
            length: cooldown.length,
            since: now,
            guess,
        };
        match known {
            Some(known) if known.until > rest.until => {}
            _ => {
                self.rests.insert(place.clone(), rest);
            }
        }
        place
    }

    /// A kept rest was enough: the next guess starts anew. One still running is not ended by an older attempt's luck.
    pub(super) fn succeeded(&mut self, key: &ModelKey, now: Uptime) {
        if self.rests.is_empty() {
            return;
        }
        for place in SCOPES.map(|scope| Place::of(scope, key)) {
            if self.rests.get(&place).is_some_and(|rest| rest.until <= now) {
                self.rests.remove(&place);
            }
        }
    }

    /// The key works at this endpoint: what was held against the key itself ends there, and nothing else.
    pub(super) fn key_accepted(&mut self, endpoint: &Arc<str>, credential: &str) {
        let place = Place::Credential(endpoint.clone(), credential.into());
        if self.rests.get(&place).is_some_and(|rest| rest.class == Class::Auth) {
            self.rests.remove(&place);
        }
    }

    pub(super) fn key_changed(&mut self, credential: &str) {
        self.rests.retain(|place, _| place.credential() != Some(credential));
    }

    pub(super) fn reloaded(&mut self) {
        self.rests.retain(|_, rest| rest.length != Length::UntilReload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(endpoint: &str, model: &str, credential: &str) -> ModelKey {
        ModelKey {
            endpoint: endpoint.into(),
            upstream_model: model.into(),
            credential: credential.into(),
        }
    }

    fn at(seconds: u64) -> Uptime {
        Duration::from_secs(seconds)
    }

    fn cooldown(scope: Scope, lasts: u64, length: Length) -> Cooldown {
        Cooldown {
            scope,
            min: at(1),
            max: at(300),
            lasts: at(lasts),
            length,
        }
    }

    #[test]
    fn a_scope_cools_what_it_names_and_nothing_else() {
        let cases = [
            (Scope::Credential, [true, true, false, false]),
            (Scope::CredentialModel, [true, false, false, false]),
            (Scope::EndpointModel, [true, false, true, false]),
            (Scope::Endpoint, [true, true, true, false]),
        ];
        let keys = [
            key("e", "m", "k"),
            key("e", "other", "k"),
            key("e", "m", "second"),
            key("far", "m", "k"),
        ];
        for (scope, cool) in cases {
            let mut cooling = Cooling::default();
            let place = cooling.begin(&keys[0], Class::Overloaded, cooldown(scope, 5, Length::Fixed), at(0));
            for (key, cool) in keys.iter().zip(cool) {
                assert_eq!(cooling.of(key, at(4)).is_some(), cool, "{scope:?} {key:?}");
                assert_eq!(place.covers(key), cool);
                assert_eq!(cooling.of(key, at(5)), None);
            }
        }
    }

    #[test]
    fn the_longest_wins() {
        let (mut cooling, key) = (Cooling::default(), key("e", "m", "k"));
        cooling.begin(
            &key,
            Class::RateLimited,
            cooldown(Scope::CredentialModel, 60, Length::Told),
            at(0),
        );
        cooling.begin(
            &key,
            Class::RateLimited,
            cooldown(Scope::CredentialModel, 2, Length::Told),
            at(1),
        );
        cooling.begin(&key, Class::NotReady, cooldown(Scope::Endpoint, 9, Length::Told), at(1));
        assert_eq!(cooling.of(&key, at(2)), Some((at(60), Class::RateLimited)));
    }

    #[test]
    fn a_guess_doubles_to_its_cap_and_starts_anew_after_a_success() {
        let (mut cooling, key) = (Cooling::default(), key("e", "m", "k"));
        let guess = cooldown(Scope::CredentialModel, 4, Length::Backoff);
        let (mut now, mut lasts) = (at(0), Vec::new());
        for _ in 0..8 {
            cooling.begin(&key, Class::RateLimited, guess, now);
            let (until, _) = cooling.of(&key, now).unwrap();
            lasts.push((until - now).as_secs());
            now = until;
        }
        assert_eq!(lasts, [4, 8, 16, 32, 64, 128, 256, 300]);
        cooling.succeeded(&key, now);
        cooling.begin(&key, Class::RateLimited, guess, now);
        assert_eq!(cooling.of(&key, now), Some((now + at(4), Class::RateLimited)));
    }

    #[test]
    fn a_burst_of_refusals_is_one_and_an_older_success_ends_nothing() {
        let (mut cooling, key) = (Cooling::default(), key("e", "m", "k"));
        let guess = cooldown(Scope::CredentialModel, 4, Length::Backoff);
        (0..50).for_each(|_| drop(cooling.begin(&key, Class::RateLimited, guess, at(0))));
        cooling.succeeded(&key, at(1));
        assert_eq!(cooling.of(&key, at(1)), Some((at(4), Class::RateLimited)));
    }

    #[test]
    fn a_new_key_and_a_reload_end_what_they_can_mend() {
        let (mut cooling, key) = (Cooling::default(), key("e", "m", "k"));
        cooling.begin(
            &key,
            Class::Auth,
            cooldown(Scope::Credential, 300, Length::UntilReload),
            at(0),
        );
        cooling.begin(
            &key,
            Class::Overloaded,
            cooldown(Scope::EndpointModel, 60, Length::Told),
            at(0),
        );
        cooling.key_changed("k");
        assert_eq!(cooling.of(&key, at(1)), Some((at(60), Class::Overloaded)));
        cooling.begin(
            &key,
            Class::Permission,
            cooldown(Scope::CredentialModel, 300, Length::UntilReload),
            at(0),
        );
        cooling.reloaded();
        assert_eq!(cooling.of(&key, at(1)), Some((at(60), Class::Overloaded)));
    }
}
