//! What a plan changes of a route's terms while it is active.

use super::{ModelId, Need, Pick, RouteId, Stick, Terms};
use crate::money::Money;
use std::sync::Arc;

/// Which routes a change is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    All,
    Route(RouteId),
}

impl Scope {
    pub fn covers(self, route: RouteId) -> bool {
        match self {
            Self::All => true,
            Self::Route(one) => one == route,
        }
    }
}

/// `None` leaves a term as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteChange {
    pub pick: Option<Pick>,
    pub stick: Option<Stick>,
    pub weights: Option<Arc<[(ModelId, u32)]>>,
    /// What it names replaces what the route needs.
    pub need: Need,
    /// Tried first, in this order; the others come after them in their own.
    pub first: Option<Arc<[ModelId]>>,
    pub max_cost: Option<Money>,
    pub max_output: Option<u64>,
    pub attempts: Option<u8>,
    pub cap_output: Option<bool>,
    pub min_output: Option<u64>,
    /// Thinking is switched off where the model has a switch.
    pub thinking_off: bool,
    /// The route's requests are refused with this message.
    pub shed: Option<Arc<str>>,
}

impl RouteChange {
    pub fn applied_to(&self, terms: &Terms) -> Terms {
        let ordered = self.first.as_ref().map(|first| reordered(first, &terms.candidates));
        Terms {
            candidates: ordered.unwrap_or_else(|| terms.candidates.clone()),
            pick: self.pick.unwrap_or(terms.pick),
            stick: self.stick.or(terms.stick),
            weights: self.weights.clone().unwrap_or_else(|| terms.weights.clone()),
            need: terms.need.changed_by(&self.need),
            max_cost: self.max_cost.or(terms.max_cost),
            max_output: self.max_output.or(terms.max_output),
            attempts: self.attempts.unwrap_or(terms.attempts),
            cap_output: self.cap_output.unwrap_or(terms.cap_output),
            min_output: self.min_output.or(terms.min_output),
            thinking_off: self.thinking_off || terms.thinking_off,
        }
    }
}

/// The same models: those in `first` in its order, then the others as they were.
fn reordered(first: &[ModelId], candidates: &[ModelId]) -> Arc<[ModelId]> {
    let named = first.iter().filter(|id| candidates.contains(id));
    let others = candidates.iter().filter(|id| !first.contains(id));
    named.chain(others).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_change_of_the_order_brings_no_model_and_loses_none() {
        let ids = |list: &[usize]| list.iter().copied().map(ModelId).collect::<Arc<[ModelId]>>();
        assert_eq!(reordered(&ids(&[3, 9, 1]), &ids(&[0, 1, 2, 3])), ids(&[3, 1, 0, 2]));
        assert_eq!(reordered(&ids(&[]), &ids(&[0, 1])), ids(&[0, 1]));
    }

    fn changes() -> impl Strategy<Value = RouteChange> {
        let numbers = (
            prop::option::of(0u8..100),
            prop::option::of(1i64..9),
            prop::option::of(1u64..9),
            any::<bool>(),
        );
        (
            numbers,
            prop::option::of(prop::collection::vec(0usize..6, 0..4)),
            prop::option::of(1u8..4),
        )
            .prop_map(|((quality, cost, output, thinking_off), first, attempts)| RouteChange {
                need: Need {
                    quality,
                    ..Need::NOTHING
                },
                max_cost: cost.map(Money::from_nanos),
                max_output: output,
                min_output: output.map(|output| output * 2),
                // A model is named once.
                first: first.map(|first| BTreeSet::from_iter(first).into_iter().rev().map(ModelId).collect()),
                thinking_off,
                attempts,
                ..RouteChange::default()
            })
    }

    proptest! {
        /// Applied twice is applied once; a change that says nothing changes nothing; of two, the last word counts.
        #[test]
        fn changes_compose(one in changes(), two in changes()) {
            let route = Terms { candidates: (0..5).map(ModelId).collect(), ..Terms::direct(ModelId(0)) };
            let once = one.applied_to(&route);
            prop_assert_eq!(one.applied_to(&once), once.clone());
            prop_assert_eq!(RouteChange::default().applied_to(&once), once.clone());
            let both = two.applied_to(&once);
            prop_assert_eq!(both.max_cost, two.max_cost.or(one.max_cost));
            prop_assert_eq!(both.need.quality, two.need.quality.or(one.need.quality));
            prop_assert_eq!(both.thinking_off, one.thinking_off || two.thinking_off);
            let mut models = both.candidates.to_vec();
            models.sort();
            prop_assert_eq!(models, (0..5).map(ModelId).collect::<Vec<_>>());
        }
    }
}
