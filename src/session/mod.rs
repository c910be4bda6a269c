//! Which model answered a conversation last, and what of its prompt is likely to be in that model's cache.
//!
//! Kept by a keyed hash: nothing of a prompt is stored, and nobody can test a guess without the key. Bounded: of a crowd
//! the conversations that were quiet longest are forgotten. Values in, values out; what follows for the order of models
//! is `decide`.

mod key;
mod repeats;

pub use key::{Keyer, SessionKey};
pub use repeats::{Repeats, Standing};

use crate::uptime::Uptime;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Conversations in each of the two generations that are kept.
const GENERATION: usize = 10_000;
/// A conversation that was quiet so long is a new one: nobody answers to a tool call any more.
const FORGOTTEN: Duration = Duration::from_secs(24 * 3_600);
/// Shares are in basis points.
const WHOLE: u32 = 10_000;

/// What is known of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The policy's name of the model that answered last.
    pub model: Arc<str>,
    /// The label of the credential that it was asked with: the cache, and what a provider stores, are an account's.
    pub key: Arc<str>,
    /// The model that answered before that one, where the conversation has moved.
    pub moved_from: Option<Arc<str>>,
    /// Tokens of the last prompt and its answer: the most that its model may have cached.
    pub cached: u64,
    /// How much of that was found in the cache lately, in basis points.
    pub hits: u32,
    /// When the cache expires.
    pub warm_until: Uptime,
    /// Which plans were active.
    pub plans: u64,
    last: Uptime,
}

impl Session {
    pub fn is_warm(&self, now: Uptime) -> bool {
        now < self.warm_until
    }

    /// The share of a prompt of so many tokens that is likely to be cached, in basis points; nothing once it is cold.
    pub fn cached_share(&self, input: u64, now: Uptime) -> u32 {
        if !self.is_warm(now) {
            return 0;
        }
        let tokens = u128::from(self.cached.min(input)) * u128::from(self.hits) / u128::from(WHOLE);
        let share = (tokens * u128::from(WHOLE)).checked_div(u128::from(input)).unwrap_or(0);
        u32::try_from(share).unwrap_or(WHOLE).min(WHOLE)
    }
}

/// An answer that a conversation got.
#[derive(Clone, Debug)]
pub struct Answered {
    pub model: Arc<str>,
    pub key: Arc<str>,
    pub input: u64,
    /// `None` where the provider did not say: nothing is learned of its cache then.
    pub cache_read: Option<u64>,
    pub output: u64,
    /// How long its provider keeps a prompt.
    pub lifetime: Duration,
    pub plans: u64,
    pub now: Uptime,
}

#[derive(Debug, Default)]
pub struct Sessions {
    young: HashMap<SessionKey, Session>,
    old: HashMap<SessionKey, Session>,
}

impl Sessions {
    pub fn get(&self, key: SessionKey, now: Uptime) -> Option<&Session> {
        let found = self.young.get(&key).or_else(|| self.old.get(&key))?;
        (now.saturating_sub(found.last) < FORGOTTEN).then_some(found)
    }

    pub fn answered(&mut self, key: SessionKey, answer: Answered) {
        let before = self.young.remove(&key).or_else(|| self.old.remove(&key));
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, Session::after(before, answer));
    }

    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Session {
    fn after(before: Option<Self>, answer: Answered) -> Self {
        let same = |before: &&Self| before.model == answer.model && before.key == answer.key;
        // Of a first answer nothing could be cached: it says nothing of the next.
        let stayed = before.as_ref().filter(same).filter(|before| before.is_warm(answer.now));
        let hits = stayed.map_or(WHOLE, |before| {
            let found = answer.cache_read.and_then(|read| {
                let could = before.cached.min(answer.input);
                let share = read.saturating_mul(u64::from(WHOLE)).checked_div(could)?;
                Some(u32::try_from(share).unwrap_or(WHOLE).min(WHOLE))
            });
            found.unwrap_or(before.hits)
        });
        let moved_from = match before {
            Some(before) if before.model == answer.model => before.moved_from,
            Some(before) => Some(before.model),
            None => None,
        };
        Self {
            model: answer.model,
            key: answer.key,
            moved_from,
            cached: answer.input.saturating_add(answer.output),
            hits,
            warm_until: answer.now.saturating_add(answer.lifetime),
            plans: answer.plans,
            last: answer.now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Uptime {
        Duration::from_secs(seconds)
    }

    fn answer(model: &str, input: u64, cache_read: u64, seconds: u64) -> Answered {
        Answered {
            model: model.into(),
            key: "k".into(),
            input,
            cache_read: Some(cache_read),
            output: 0,
            lifetime: Duration::from_secs(300),
            plans: 1,
            now: at(seconds),
        }
    }

    fn key(number: u128) -> SessionKey {
        SessionKey::of(number)
    }

    #[test]
    fn a_cache_is_worth_what_it_holds_until_it_expires() {
        let mut sessions = Sessions::default();
        sessions.answered(key(1), answer("a", 8_000, 0, 0));
        let session = sessions.get(key(1), at(1)).unwrap();
        assert_eq!(session.cached_share(10_000, at(299)), 8_000);
        assert_eq!(session.cached_share(4_000, at(299)), 10_000);
        assert_eq!(session.cached_share(10_000, at(300)), 0);
        assert_eq!(session.cached_share(0, at(1)), 0);
    }

    #[test]
    fn a_provider_that_finds_nothing_in_its_cache_has_none_to_lose() {
        let mut sessions = Sessions::default();
        sessions.answered(key(1), answer("a", 8_000, 0, 0));
        sessions.answered(key(1), answer("a", 9_000, 4_000, 10));
        assert_eq!(sessions.get(key(1), at(20)).unwrap().cached_share(9_000, at(20)), 5_000);
        sessions.answered(key(1), answer("a", 9_000, 0, 20));
        assert_eq!(sessions.get(key(1), at(30)).unwrap().cached_share(9_000, at(30)), 0);
    }

    #[test]
    fn another_keys_cache_is_another_one_and_silence_teaches_nothing() {
        let mut sessions = Sessions::default();
        sessions.answered(key(1), answer("a", 8_000, 0, 0));
        sessions.answered(key(1), answer("a", 8_000, 2_000, 10));
        let silent = Answered {
            cache_read: None,
            ..answer("a", 8_000, 0, 20)
        };
        sessions.answered(key(1), silent);
        assert_eq!(sessions.get(key(1), at(20)).unwrap().hits, 2_500);
        let other = Answered {
            key: "l".into(),
            ..answer("a", 8_000, 0, 30)
        };
        sessions.answered(key(1), other);
        let session = sessions.get(key(1), at(30)).unwrap();
        assert_eq!((session.hits, session.key.as_ref()), (WHOLE, "l"));
    }

    #[test]
    fn a_move_is_remembered_with_where_it_came_from() {
        let mut sessions = Sessions::default();
        sessions.answered(key(1), answer("a", 1, 0, 0));
        sessions.answered(key(1), answer("b", 1, 0, 1));
        sessions.answered(key(1), answer("b", 1, 0, 2));
        let session = sessions.get(key(1), at(3)).unwrap();
        assert_eq!(
            (session.model.as_ref(), session.moved_from.as_deref()),
            ("b", Some("a"))
        );
        assert_eq!(sessions.get(key(2), at(3)), None);
    }

    #[test]
    fn a_crowd_is_bounded_and_whoever_spoke_lately_stays() {
        let mut sessions = Sessions::default();
        for number in 0..50_000_u128 {
            sessions.answered(key(number), answer("a", 1, 0, 1));
            sessions.answered(key(0), answer("a", 1, 0, 1));
        }
        assert!(sessions.len() <= 2 * GENERATION + 1, "{}", sessions.len());
        assert!(sessions.get(key(0), at(2)).is_some());
        assert!(sessions.get(key(1), at(2)).is_none());
        assert!(sessions.get(key(0), at(2) + FORGOTTEN).is_none());
    }
}
