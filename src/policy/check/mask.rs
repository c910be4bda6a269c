//! Sets of a route's candidates as bits, so that what two plans leave of them is a matter of a few words.

/// One bit for each candidate of a route, in its order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Mask(Box<[u64]>);

impl Mask {
    pub fn of(candidates: impl ExactSizeIterator<Item = bool>) -> Self {
        let mut words = vec![0; candidates.len().div_ceil(64)];
        for (at, kept) in candidates.enumerate() {
            words[at / 64] |= u64::from(kept) << (at % 64);
        }
        Self(words.into())
    }

    /// Is any candidate in all three? Masks of one route have one length.
    pub fn meet(&self, other: &Self, third: &Self) -> bool {
        let words = self.0.iter().zip(&other.0).zip(&third.0);
        words.into_iter().any(|((a, b), c)| a & b & c != 0)
    }

    pub fn holds_all_of(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a & b == *b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bits_say_what_sets_say(sets in prop::collection::vec(any::<[bool; 3]>(), 0..200)) {
            let mask = |which: usize| Mask::of(sets.iter().map(move |set| set[which]));
            let (a, b, c) = (mask(0), mask(1), mask(2));
            prop_assert_eq!(a.meet(&b, &c), sets.iter().any(|set| set.iter().all(|kept| *kept)));
            prop_assert_eq!(a.holds_all_of(&b), sets.iter().all(|set| set[0] || !set[1]));
        }
    }
}
