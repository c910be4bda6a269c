//! The median worst case of the last requests: what "one more ordinary request" would need.

use crate::money::Money;
use std::collections::VecDeque;

/// How many requests are remembered.
const REMEMBERED: usize = 100;

/// The last worst cases in order of arrival, and the same sorted, so that the median is one look.
#[derive(Clone, Debug, Default)]
pub(super) struct WorstCases {
    arrived: VecDeque<Money>,
    sorted: Vec<Money>,
}

impl WorstCases {
    /// Free requests say nothing about money and are not remembered.
    pub(super) fn remember(&mut self, worst: Money) {
        if worst <= Money::ZERO {
            return;
        }
        if self.arrived.len() == REMEMBERED
            && let Some(oldest) = self.arrived.pop_front()
            && let Ok(at) = self.sorted.binary_search(&oldest)
        {
            self.sorted.remove(at);
        }
        self.arrived.push_back(worst);
        let at = self.sorted.binary_search(&worst).unwrap_or_else(|at| at);
        self.sorted.insert(at, worst);
    }

    /// The lower median; one nano-unit before any request, so that only an empty budget is exhausted.
    pub(super) fn median(&self) -> Money {
        let middle = self.sorted.len().saturating_sub(1) / 2;
        self.sorted.get(middle).copied().unwrap_or(Money::from_nanos(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_median_is_that_of_the_last_hundred(worst in proptest::collection::vec(1_i64..50, 1..300)) {
            let mut cases = WorstCases::default();
            for nanos in &worst {
                cases.remember(Money::from_nanos(*nanos));
            }
            let mut last = worst[worst.len().saturating_sub(REMEMBERED)..].to_vec();
            last.sort_unstable();
            prop_assert_eq!(cases.median().nanos(), last[(last.len() - 1) / 2]);
        }
    }
}
