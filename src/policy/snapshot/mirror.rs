//! Shadow traffic: which share of a route's requests also goes to another model, and who pays for that.

use super::ModelId;
use std::sync::Arc;

/// The whole, in basis points.
const WHOLE: u64 = 10_000;
/// Other choices are drawn from the same seed, and this one has nothing to do with them.
const APART: u64 = 0x6d69_7272_6f72_6564;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    pub model: ModelId,
    /// In basis points, above 0.
    pub share: u32,
    /// Pays for these shadow calls, and for nothing but such.
    pub budget: Arc<str>,
}

impl Mirror {
    /// Is a request of this seed mirrored? A larger share takes the requests of a smaller one and more.
    pub fn takes(&self, seed: u64) -> bool {
        scattered(seed ^ APART) % WHOLE < u64::from(self.share)
    }
}

/// As splitmix64 ends: seeds that differ in one bit come to lie anywhere.
fn scattered(seed: u64) -> u64 {
    let seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    seed ^ (seed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mirror(share: u32) -> Mirror {
        Mirror {
            model: ModelId(0),
            share,
            budget: "shadow".into(),
        }
    }

    #[test]
    fn a_share_is_the_share_of_the_requests() {
        for share in [1_u32, 500, 5_000, 10_000] {
            let taken = (0..100_000).filter(|seed| mirror(share).takes(*seed)).count();
            let wanted = share as usize * 10;
            assert!(taken.abs_diff(wanted) <= 60 + wanted / 20, "{taken} of {wanted}");
        }
    }

    proptest! {
        #[test]
        fn the_same_request_is_chosen_again_and_by_every_larger_share(seed: u64, share in 1..10_000_u32, more in 0..10_000_u32) {
            let larger = (share + more).min(10_000);
            prop_assert_eq!(mirror(share).takes(seed), mirror(share).takes(seed));
            prop_assert!(!mirror(share).takes(seed) || mirror(larger).takes(seed));
            prop_assert!(mirror(10_000).takes(seed));
        }
    }
}
