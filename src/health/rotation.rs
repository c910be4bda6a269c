//! Whose turn it is among the several keys of a provider: smooth, by weight, and the same for the same history.
//!
//! Each choice credits every key that may be used with its weight and takes the whole from the one that is chosen, so
//! that a heavy key is spread over the round rather than used in a row. A conversation may ask for the key that it was
//! answered with; others then get theirs later.

use std::collections::HashMap;
use std::sync::Arc;

#[derive(Debug, Default)]
pub(super) struct Rotation {
    /// By provider and key.
    credit: HashMap<(Arc<str>, Arc<str>), i64>,
}

impl Rotation {
    /// `keys`: credential and weight; `usable` says which may be chosen, `wanted` which one of those is chosen whoever's
    /// turn it is. The first wins a tie.
    pub(super) fn next(
        &mut self,
        provider: &Arc<str>,
        keys: &[(Arc<str>, u32)],
        wanted: Option<usize>,
        usable: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let wanted = wanted.filter(|at| *at < keys.len() && usable(*at));
        let mut best: Option<(usize, i64)> = None;
        let mut total = 0;
        for (at, (key, weight)) in keys.iter().enumerate().filter(|(at, _)| usable(*at)) {
            total += i64::from(*weight);
            let credit = self.credit.entry((provider.clone(), key.clone())).or_default();
            *credit += i64::from(*weight);
            let leads = best.is_none_or(|(_, most)| *credit > most);
            if wanted.map_or(leads, |wanted| wanted == at) {
                best = Some((at, *credit));
            }
        }
        let (chosen, _) = best?;
        let key = keys.get(chosen)?;
        if let Some(credit) = self.credit.get_mut(&(provider.clone(), key.0.clone())) {
            *credit -= total;
        }
        // Turns alone never owe more than a round; conversations that stay could for ever.
        let round = keys.iter().map(|(_, weight)| i64::from(*weight)).sum::<i64>();
        for (key, _) in keys {
            if let Some(credit) = self.credit.get_mut(&(provider.clone(), key.clone())) {
                *credit = (*credit).clamp(-round, round);
            }
        }
        Some(chosen)
    }

    /// Forgets keys that no policy names any more.
    pub(super) fn keep(&mut self, named: impl Fn(&str) -> bool) {
        self.credit.retain(|(_, key), _| named(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(weights: &[u32]) -> Vec<(Arc<str>, u32)> {
        let named = |(at, weight): (usize, &u32)| (format!("k{at}").into(), *weight);
        weights.iter().enumerate().map(named).collect()
    }

    fn turns(rotation: &mut Rotation, keys: &[(Arc<str>, u32)], count: usize) -> Vec<usize> {
        let mut next = || rotation.next(&"p".into(), keys, None, |_| true).unwrap();
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn turns_are_smooth_and_by_weight() {
        let mut rotation = Rotation::default();
        assert_eq!(turns(&mut rotation, &keys(&[5, 1, 1]), 7), [0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(
            turns(&mut Rotation::default(), &keys(&[1, 1, 1]), 6),
            [0, 1, 2, 0, 1, 2]
        );
    }

    #[test]
    fn a_key_that_rests_is_passed_over_and_owes_nothing_afterwards() {
        let (mut rotation, keys) = (Rotation::default(), keys(&[1, 1]));
        let only_second = |rotation: &mut Rotation| rotation.next(&"p".into(), &keys, None, |at| at == 1);
        for _ in 0..10 {
            assert_eq!(only_second(&mut rotation), Some(1));
        }
        assert_eq!(turns(&mut rotation, &keys, 4), [0, 1, 0, 1]);
        assert_eq!(rotation.next(&"p".into(), &keys, None, |_| false), None);
    }

    #[test]
    fn a_wanted_key_is_given_while_it_may_be_used_and_counts_as_its_turn() {
        let (mut rotation, keys) = (Rotation::default(), keys(&[1, 1]));
        let provider: Arc<str> = "p".into();
        for _ in 0..1_000 {
            assert_eq!(rotation.next(&provider, &keys, Some(0), |_| true), Some(0));
        }
        assert_eq!(rotation.next(&provider, &keys, Some(0), |at| at == 1), Some(1));
        // What it owes is bounded: the others are not sent elsewhere for ever.
        assert_eq!(turns(&mut rotation, &keys, 6).iter().filter(|at| **at == 0).count(), 2);
        assert!([Some(0), Some(1)].contains(&rotation.next(&provider, &keys, Some(7), |_| true)));
    }

    proptest! {
        #[test]
        fn a_round_gives_each_key_its_weight(weights in proptest::collection::vec(1_u32..20, 1..6)) {
            let total: u32 = weights.iter().sum();
            let turns = turns(&mut Rotation::default(), &keys(&weights), total as usize);
            for (at, weight) in weights.iter().enumerate() {
                prop_assert_eq!(turns.iter().filter(|turn| **turn == at).count(), *weight as usize);
            }
        }
    }
}
