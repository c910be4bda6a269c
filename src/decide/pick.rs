//! The order of what the constraints left. Ties break by declared order; a cold server comes after warm models.
//!
//! Chance is a seed: requests of one conversation have the same, and the same request is always decided alike.

use super::{Candidate, Held, Standing, Terms, View};
use crate::money::Money;
use crate::policy::snapshot::{ModelId, Pick, Snapshot};
use crate::price::Quote;
use crate::usage::Usage;
use std::cell::RefCell;
use std::time::Duration;

/// Output tokens that an answer is expected to have before any was seen.
pub const DEFAULT_OUTPUT: u64 = 500;
/// One request in so many goes to a model whose speed is not known first, so that it becomes known.
const EXPLORES: u64 = 10;
/// The key of what comes last among the warm.
const LAST: u64 = (u64::MAX >> 1) - 2;
/// So much of the time to the first token, in percent, is saved where the whole prompt is cached.
const SAVED_BY_CACHE: u32 = 80;

/// What sorting needs: keys with places, so that it moves little, and room for the result.
#[derive(Default)]
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

/// The places of candidates, found as each is found to be one.
pub(super) struct Order<'v, 'a> {
    view: &'v View<'a>,
    terms: &'v Terms,
    bench: Bench,
    any_cold: bool,
}

impl<'v, 'a> Order<'v, 'a> {
    pub fn new(view: &'v View<'a>, terms: &'v Terms) -> Self {
        let mut bench = BENCH.take();
        bench.keys.clear();
        Self {
            view,
            terms,
            bench,
            any_cold: false,
        }
    }

    /// The next in declared order.
    pub fn add(&mut self, candidate: &Candidate, standing: &Standing<'_>) {
        let place = u32::try_from(self.bench.keys.len()).unwrap_or(u32::MAX);
        let key = key(self.view, self.terms, place, candidate, standing);
        self.any_cold |= candidate.cold;
        self.bench.keys.push((key, place));
    }

    /// Puts those that were added, and only those, into their order.
    pub fn apply(mut self, candidates: &mut Vec<Candidate>) {
        let Bench { keys, sorted } = &mut self.bench;
        let in_place = is_by_place(self.terms) && self.view.held.is_none() && !self.any_cold;
        if candidates.len() >= 2 && !in_place {
            if let Some(held) = self.view.held {
                hold(held, self.terms, candidates, keys);
            }
            keys.sort_unstable();
            sorted.clear();
            sorted.extend(keys.iter().filter_map(|(_, place)| candidates.get(*place as usize)));
            std::mem::swap(sorted, candidates);
        }
        BENCH.set(self.bench);
    }
}

/// The smallest goes first. The top bit sets cold ones behind.
fn key(view: &View<'_>, terms: &Terms, place: u32, candidate: &Candidate, standing: &Standing<'_>) -> u64 {
    let seed = view.question.seed;
    let key = match terms.pick {
        Pick::InOrder => u64::from(place),
        // Nobody knows what it costs: not nothing.
        Pick::Cheapest => standing.quote.as_ref().map_or(u64::MAX, |quote| {
            u64::try_from(expected_by(view, candidate.id, quote).nanos()).unwrap_or(0)
        }),
        Pick::Fastest => match time(view, candidate.id) {
            Some(time) => 1 + u64::try_from(time.as_micros()).unwrap_or(u64::MAX >> 1),
            None if chance(seed, 0).is_multiple_of(EXPLORES) => 0,
            None => u64::MAX,
        },
        Pick::Weighted => lot(view.rules.snapshot, terms, seed, candidate.id),
    };
    (key.min(LAST) + 1) | u64::from(candidate.cold) << 63
}

/// A conversation's model goes first while it must, or while its cache is warm and no cost or speed speaks for another;
/// the model that it came from does not come before it until then.
fn hold(held: Held, terms: &Terms, candidates: &[Candidate], keys: &mut [(u64, u32)]) {
    let place = |id: ModelId| candidates.iter().position(|candidate| candidate.id == id);
    let Some(own) = place(held.model) else { return };
    let by_measure = matches!(terms.pick, Pick::Cheapest | Pick::Fastest);
    let stays = held.lock.is_some() || (held.cached.is_some() && !by_measure && !held.replanned);
    let from = held.moved_from.filter(|_| held.cached.is_some()).and_then(place);
    let Some((key, _)) = keys.get_mut(own) else { return };
    if stays {
        // Below every other: those begin at one.
        *key = 0;
    }
    let key = *key;
    // Equal keys go by place, so that one more is needed to come after.
    if let Some((before, _)) = from.and_then(|from| keys.get_mut(from)) {
        *before = (*before).max(key.saturating_add(1));
    }
}

/// What the request would most likely cost on this model: its input, and as much output as answers here lately had.
pub(super) fn expected(view: &View<'_>, id: ModelId) -> Money {
    let quote = view.quote(id);
    quote.map_or(Money::ZERO, |quote| expected_by(view, id, &quote))
}

fn expected_by(view: &View<'_>, id: ModelId, quote: &Quote<'_>) -> Money {
    let output = expected_output(view, id);
    let input = view.needs(id).input;
    let read = u128::from(input) * u128::from(cached(view, id)) / 10_000;
    let usage = Usage {
        cache_read: u64::try_from(read).unwrap_or(0),
        time: view.present.speed(id).map_or(Duration::ZERO, |speed| speed.of(output)),
        ..quote.expected_usage(input, output)
    };
    quote.marginal(&usage)
}

/// How long a whole answer most likely takes.
fn time(view: &View<'_>, id: ModelId) -> Option<Duration> {
    let speed = view.present.speed(id)?;
    let saved = speed.first_token * SAVED_BY_CACHE / 100 * cached(view, id) / 10_000;
    Some(speed.of(expected_output(view, id)).saturating_sub(saved))
}

/// The share of the prompt that the model is likely to have in its cache, in basis points.
fn cached(view: &View<'_>, id: ModelId) -> u32 {
    let held = view.held.filter(|held| held.model == id);
    held.and_then(|held| held.cached).unwrap_or(0)
}

/// The client's own bound counts, a model's does not: an answer that is cut short is not a cheaper one.
fn expected_output(view: &View<'_>, id: ModelId) -> u64 {
    let needs = view.needs(id);
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
