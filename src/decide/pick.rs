//! The order of what the constraints left. Ties break by declared order; a cold server comes after warm models.
//!
//! Chance is a seed: requests of one conversation have the same, and the same request is always decided alike.

use super::{Candidate, Terms, View};
use crate::money::Money;
use crate::policy::snapshot::{ModelId, Pick, Snapshot};
use std::cell::RefCell;
use std::time::Duration;

/// Output tokens that an answer is expected to have before any was seen.
pub const DEFAULT_OUTPUT: u64 = 500;
/// One request in so many goes to a model whose speed is not known first, so that it becomes known.
const EXPLORES: u64 = 10;

/// What sorting needs: keys with places, so that it moves little, and room for the result.
struct Bench {
    keys: Vec<(u64, u32)>,
    sorted: Vec<Candidate>,
}

thread_local! {
    /// Kept, so that sorting allocates nothing.
    static BENCH: RefCell<Bench> = const { RefCell::new(Bench { keys: Vec::new(), sorted: Vec::new() }) };
}

/// Is the order the declared one?
pub(super) fn is_by_place(terms: &Terms) -> bool {
    terms.pick == Pick::InOrder
}

pub(super) fn order(view: &View<'_>, terms: &Terms, candidates: &mut Vec<Candidate>) {
    let seed = view.question.seed;
    let some_cold = candidates.iter().any(|candidate| candidate.cold);
    if candidates.len() < 2 || (is_by_place(terms) && !some_cold) {
        return;
    }
    let explores = terms.pick == Pick::Fastest && chance(seed, 0).is_multiple_of(EXPLORES);
    let key = |candidate: &Candidate| match terms.pick {
        Pick::InOrder => 0,
        Pick::Cheapest => u64::try_from(expected(view, candidate.id).nanos()).unwrap_or(0),
        Pick::Fastest => match view.present.speed(candidate.id) {
            Some(speed) => {
                let length = expected_output(view, candidate.id);
                1 + u64::try_from(speed.of(length).as_micros()).unwrap_or(u64::MAX)
            }
            None if explores => 0,
            None => u64::MAX,
        },
        Pick::Weighted => lot(view.rules.snapshot, terms, seed, candidate.id),
    };
    // The top bit sets cold ones behind.
    let placed = |candidate: &Candidate| key(candidate).min(u64::MAX >> 1) | u64::from(candidate.cold) << 63;
    BENCH.with(|bench| match bench.try_borrow_mut() {
        Ok(mut bench) => {
            let Bench { keys, sorted } = &mut *bench;
            keys.clear();
            keys.extend(
                (0_u32..)
                    .zip(candidates.iter())
                    .map(|(place, candidate)| (placed(candidate), place)),
            );
            keys.sort_unstable();
            sorted.clear();
            sorted.extend(
                keys.iter()
                    .filter_map(|(_, place)| candidates.get(*place as usize).copied()),
            );
            std::mem::swap(sorted, candidates);
        }
        Err(_) => candidates.sort_by_cached_key(placed),
    });
}

/// What the request would most likely cost on this model: its input, and as much output as answers here lately had.
pub(super) fn expected(view: &View<'_>, id: ModelId) -> Money {
    let Some(quote) = view.quote(id) else {
        return Money::ZERO;
    };
    let output = expected_output(view, id);
    let time = view.present.speed(id).map_or(Duration::ZERO, |speed| speed.of(output));
    quote.taking(time).expected(view.question.needs.input, output)
}

/// The client's own bound counts, a model's does not: an answer that is cut short is not a cheaper one.
fn expected_output(view: &View<'_>, id: ModelId) -> u64 {
    let needs = view.question.needs;
    let each = view.present.output(id).unwrap_or(DEFAULT_OUTPUT);
    let bounded = needs.output_bound.map_or(each, |bound| bound.min(each));
    bounded.saturating_mul(needs.choices.max(1))
}

/// A model's lot, the smallest of which wins: exponential with its weight as rate, so that the first is drawn by weight,
/// and of those that are left the next. Drawn for each model by itself: who leaves moves nobody else.
fn lot(snapshot: &Snapshot, terms: &Terms, seed: u64, id: ModelId) -> u64 {
    let weight = terms
        .weights
        .iter()
        .find(|(model, _)| *model == id)
        .map_or(0, |(_, weight)| *weight);
    if weight == 0 {
        return u64::MAX;
    }
    let name = fnv(snapshot.model(id).name.as_bytes());
    // Above zero and at most one.
    let share = ((chance(seed, name) >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    let lot = -share.ln() / f64::from(weight);
    // Positive floats are in the order of their bits.
    lot.to_bits()
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A well mixed number of two (the finish of splitmix64).
fn chance(seed: u64, of: u64) -> u64 {
    let mut mixed = seed ^ of.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
