//! Whether one route's `match` takes everything that another's would: what the later of the two never gets to see.
//!
//! On the safe side: where it says yes, every request of the one is the other's.

use super::{Match, Pattern, Route};
use std::sync::Arc;

impl Route {
    /// Takes every request of `other` that asks for this name or pattern.
    pub fn takes_all_of(&self, other: &Self, name: &str) -> bool {
        let named = self.name.as_ref() == name || self.matches.models.iter().any(|pattern| pattern.matches(name));
        named && self.matches.is_as_wide_as(&other.matches)
    }
}

impl Match {
    /// Every criterion besides the name holds wherever those of `other` do.
    fn is_as_wide_as(&self, other: &Self) -> bool {
        let among = |mine: &[Arc<str>], theirs: &[Arc<str>]| {
            mine.is_empty() || !theirs.is_empty() && theirs.iter().all(|one| mine.contains(one))
        };
        let texts = |mine: &[(Arc<str>, Vec<Pattern>)], theirs: &[(Arc<str>, Vec<Pattern>)]| {
            mine.iter().all(|(name, wide)| {
                let narrow = theirs.iter().filter(|(known, _)| known == name);
                narrow.into_iter().any(|(_, narrow)| all_within(wide, narrow))
            })
        };
        let same = |mine: Option<bool>, theirs: Option<bool>| mine.is_none() || mine == theirs;
        among(&self.dialects, &other.dialects)
            && among(&self.clients, &other.clients)
            && texts(&self.tags, &other.tags)
            && texts(&self.headers, &other.headers)
            && self
                .above
                .is_none_or(|above| other.above.is_some_and(|theirs| theirs >= above))
            && self
                .up_to
                .is_none_or(|most| other.up_to.is_some_and(|theirs| theirs <= most))
            && same(self.tools, other.tools)
            && same(self.images, other.images)
            && (self.uses.is_empty() || !other.uses.is_empty() && other.uses.iter().all(|one| self.uses.contains(one)))
    }
}

/// A pattern's own text, stars and all, is matched only where each of its stars meets one of the wider pattern.
fn all_within(wide: &[Pattern], narrow: &[Pattern]) -> bool {
    narrow
        .iter()
        .all(|one| wide.iter().any(|pattern| pattern.matches(&one.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::snapshot::{Asked, HeaderValues};
    use crate::request::{Caller, Requirements, Tags};
    use proptest::prelude::*;

    fn patterns() -> impl Strategy<Value = Vec<Pattern>> {
        prop::collection::vec("[ab*]{1,3}", 1..3)
            .prop_map(|all| all.into_iter().map(|one| Pattern(one.into())).collect())
    }

    fn matches() -> impl Strategy<Value = Match> {
        let words = || prop::collection::vec(prop::sample::select(vec!["chat", "messages"]), 0..2);
        let texts = || {
            prop::option::of(patterns())
                .prop_map(|found| found.map(|texts| ("x".into(), texts)).into_iter().collect::<Vec<_>>())
        };
        let sizes = (
            prop::option::of(0u64..4),
            prop::option::of(3u64..7),
            prop::option::of(any::<bool>()),
        );
        (words(), words(), texts(), texts(), sizes).prop_map(
            |(dialects, clients, tags, headers, (above, up_to, tools))| Match {
                dialects: dialects.into_iter().map(Arc::from).collect(),
                clients: clients.into_iter().map(Arc::from).collect(),
                tags,
                headers,
                above,
                up_to,
                tools,
                ..Match::default()
            },
        )
    }

    struct Header(String);

    impl HeaderValues for Header {
        fn value(&self, name: &str) -> Option<&str> {
            (name == "x").then_some(&self.0)
        }
    }

    proptest! {
        /// What the narrower takes, the wider takes too, whatever the request.
        #[test]
        fn a_wider_match_takes_every_request_of_the_narrower(
            wide in matches(),
            narrow in matches(),
            words in ("[ab]{0,4}", "[ab]{0,4}"),
            of in (prop::sample::select(vec!["chat", "messages"]), prop::sample::select(vec!["chat", "messages", ""])),
            rest in (0u64..8, any::<bool>()),
        ) {
            prop_assert!(narrow.is_as_wide_as(&narrow));
            prop_assert!(Match::default().is_as_wide_as(&narrow));
            if wide.is_as_wide_as(&narrow) {
                let needs = Requirements {
                    caller: Arc::new(Caller { client: of.1.into(), tags: Tags::new([("x", words.0.as_str())]), ..Caller::default() }),
                    input: rest.0,
                    tools: rest.1,
                    ..Requirements::default()
                };
                let asked = Asked { model: "m", dialect: of.0, needs: &needs, headers: &Header(words.1), routes: None };
                prop_assert!(narrow.unmet(&asked).is_some() || wide.unmet(&asked).is_none());
            }
        }
    }
}
