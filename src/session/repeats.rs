//! Requests that an SDK sends again under the same `Idempotency-Key`: which one is still under way, and what became of
//! the one before.
//!
//! Nothing is joined or replayed: who comes again while the first is under way is told so, and who comes later is a
//! request of its own that knows where the first one failed. Kept by keyed hash, bounded, forgotten after ten minutes.

use super::SessionKey;
use crate::uptime::Uptime;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Requests in each of the two generations that are kept.
const GENERATION: usize = 10_000;
const FORGOTTEN: Duration = Duration::from_secs(600);

/// How a request stands to one that was sent before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The first of its kind, as far as anybody remembers.
    First,
    /// The one before has not ended.
    UnderWay,
    Again {
        /// The decision of the one before.
        of: Arc<str>,
        /// Models that failed it.
        failed: Vec<Arc<str>>,
    },
}

#[derive(Clone, Debug)]
struct Repeat {
    decision: Arc<str>,
    failed: Vec<Arc<str>>,
    under_way: bool,
    last: Uptime,
}

#[derive(Debug, Default)]
pub struct Repeats {
    young: HashMap<SessionKey, Repeat>,
    old: HashMap<SessionKey, Repeat>,
}

impl Repeats {
    /// A request comes in under this key; unless one is under way it is the one to compare with from now on.
    pub fn begin(&mut self, key: SessionKey, decision: &Arc<str>, now: Uptime) -> Standing {
        let before = self.take(key);
        if let Some(before) = before.as_ref().filter(|before| before.under_way) {
            self.keep(key, before.clone());
            return Standing::UnderWay;
        }
        let before = before.filter(|before| now.saturating_sub(before.last) < FORGOTTEN);
        let failed = before.as_ref().map_or_else(Vec::new, |before| before.failed.clone());
        let repeat = Repeat {
            decision: decision.clone(),
            failed: failed.clone(),
            under_way: true,
            last: now,
        };
        self.keep(key, repeat);
        before.map_or(Standing::First, |before| Standing::Again {
            of: before.decision,
            failed,
        })
    }

    /// It has ended; these models failed it.
    pub fn end(&mut self, key: SessionKey, decision: &str, failed: Vec<Arc<str>>, now: Uptime) {
        let known = self.young.get_mut(&key).or_else(|| self.old.get_mut(&key));
        let Some(repeat) = known.filter(|repeat| repeat.decision.as_ref() == decision) else {
            return;
        };
        (repeat.under_way, repeat.last) = (false, now);
        for model in failed {
            if !repeat.failed.contains(&model) {
                repeat.failed.push(model);
            }
        }
    }

    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn take(&mut self, key: SessionKey) -> Option<Repeat> {
        self.young.remove(&key).or_else(|| self.old.remove(&key))
    }

    fn keep(&mut self, key: SessionKey, repeat: Repeat) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, repeat);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: SessionKey = SessionKey::of(7);

    fn at(seconds: u64) -> Uptime {
        Duration::from_secs(seconds)
    }

    fn id(text: &str) -> Arc<str> {
        text.into()
    }

    #[test]
    fn one_under_way_is_told_and_one_that_ended_is_repeated_with_what_failed() {
        let mut repeats = Repeats::default();
        assert_eq!(repeats.begin(KEY, &id("a"), at(0)), Standing::First);
        assert_eq!(
            repeats.begin(KEY, &id("b"), at(5_000)),
            Standing::UnderWay,
            "however long it takes"
        );
        repeats.end(KEY, "b", vec![id("none of its business")], at(5_001));
        repeats.end(KEY, "a", vec![id("max")], at(5_002));
        let again = Standing::Again {
            of: id("a"),
            failed: vec![id("max")],
        };
        assert_eq!(repeats.begin(KEY, &id("c"), at(5_003)), again);
        repeats.end(KEY, "c", vec![id("plus"), id("max")], at(5_004));
        let third = Standing::Again {
            of: id("c"),
            failed: vec![id("max"), id("plus")],
        };
        assert_eq!(repeats.begin(KEY, &id("d"), at(5_005)), third);
    }

    #[test]
    fn after_ten_minutes_it_is_another_request() {
        let mut repeats = Repeats::default();
        let _first = repeats.begin(KEY, &id("a"), at(0));
        repeats.end(KEY, "a", Vec::new(), at(1));
        assert_eq!(repeats.begin(KEY, &id("b"), at(601)), Standing::First);
    }

    #[test]
    fn a_crowd_is_bounded() {
        let mut repeats = Repeats::default();
        for number in 0..50_000_u128 {
            let _new = repeats.begin(SessionKey::of(number), &id("a"), at(1));
        }
        assert!(repeats.len() <= 2 * GENERATION, "{}", repeats.len());
    }
}
