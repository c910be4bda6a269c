//! Routes: what clients name in `model`, the models that may serve it, and on which terms.

use super::{ModelId, Timeouts};
use crate::money::Money;
use std::sync::Arc;

/// A name in `match: {model: […]}`; `*` stands for any run of characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(pub Arc<str>);

impl Pattern {
    pub fn is_literal(&self) -> bool {
        !self.0.contains('*')
    }

    /// Iterative so that no pattern can make it exponential.
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut p, mut n, mut star) = (0, 0, None);
        while n < name.len() {
            if pattern.get(p) == Some(&b'*') {
                star = Some((p, n));
                p += 1;
            } else if pattern.get(p) == Some(&name[n]) {
                (p, n) = (p + 1, n + 1);
            } else if let Some((at, from)) = star {
                (p, n, star) = (at + 1, from + 1, Some((at, from + 1)));
            } else {
                return false;
            }
        }
        pattern[p..].iter().all(|byte| *byte == b'*')
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    InOrder,
    Cheapest,
}

impl Pick {
    pub const fn word(self) -> &'static str {
        match self {
            Self::InOrder => "in_order",
            Self::Cheapest => "cheapest",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDisconnect {
    Cancel,
    Finish,
}

/// On which terms a route serves: what plans may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    pub pick: Pick,
    pub need_quality: Option<u8>,
    /// The most that one attempt may cost.
    pub max_cost: Option<Money>,
    /// Attempts a request, 1 to 3.
    pub attempts: u8,
    /// The most output tokens a request may ask for.
    pub max_output: Option<u64>,
}

impl Terms {
    /// Those of one model asked for by name: nothing is asked of it but itself.
    pub const DIRECT: Self = Self {
        pick: Pick::InOrder,
        need_quality: None,
        max_cost: None,
        attempts: 1,
        max_output: None,
    };
}

#[derive(Clone, Debug)]
pub struct Route {
    pub name: Arc<str>,
    /// The route's own name matches always, besides these.
    pub matches: Vec<Pattern>,
    pub candidates: Vec<ModelId>,
    /// As written; [`crate::plan::Effective`] has them as the active plans leave them.
    pub terms: Terms,
    pub timeouts: Timeouts,
    pub on_disconnect: OnDisconnect,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        let matches = |pattern: &str, name: &str| Pattern(pattern.into()).matches(name);
        assert!(matches("gpt-*", "gpt-6"));
        assert!(matches("*", ""));
        assert!(matches("a*b*c", "aXXbYYbc"));
        assert!(!matches("a*b*c", "aXXbYY"));
        assert!(!matches("chat", "chatty"));
        assert!(!matches("gpt-*", "my-gpt-6"));
    }
}
