//! The recent mix of tokens on each route: what a usual request of it reads, finds cached and writes. Written by every
//! answer, read once a second, without a lock; what is known of a route stays with its name over a reload.
//!
//! Prices are compared over it, so that a model's price does not seem to change because other requests came to it.

use crate::policy::snapshot::{ModelId, RouteId, Snapshot};
use crate::usage::Usage;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Weight of the newest answer in the average, as a divisor.
const MEMORY: u64 = 64;
/// Tokens are averaged in thousandths, so that small requests are not rounded away.
const SCALE: u64 = 1_000;
/// Before any request: three tokens in for one out.
const UNKNOWN: Usage = Usage {
    input: 3_000,
    output: 1_000,
    ..Usage::NONE
};

#[derive(Debug, Default)]
pub struct Mixes {
    routes: Box<[Mix]>,
    /// By model: the routes that list it.
    listing: Box<[Vec<RouteId>]>,
}

#[derive(Debug, Default)]
struct Mix {
    answers: AtomicU64,
    /// Input, cache read, cache written, output, reasoning.
    means: [AtomicU64; 5],
}

impl Mixes {
    /// Those of a policy, with what is known from the one before.
    pub fn new(snapshot: &Snapshot, before: Option<(&Snapshot, &Self)>) -> Self {
        let before = before.map(|(old, mixes)| (old.routes_by_name(), mixes));
        let mix = |name: &str| {
            let (names, mixes) = before.as_ref()?;
            mixes.routes.get(names.get(name)?.0).map(Mix::copied)
        };
        let routes = snapshot.routes.iter();
        let mut listing = vec![Vec::new(); snapshot.models.len()];
        for (at, route) in snapshot.routes.iter().enumerate() {
            for id in route.terms.candidates.iter() {
                if let Some(routes) = listing.get_mut(id.0) {
                    routes.push(RouteId(at));
                }
            }
        }
        Self {
            routes: routes.map(|route| mix(&route.name).unwrap_or_default()).collect(),
            listing: listing.into(),
        }
    }

    /// A usual request of the routes that list the model.
    pub fn of_model(&self, id: ModelId) -> Usage {
        let routes = self.listing.get(id.0).map_or(&[][..], Vec::as_slice);
        self.over(routes.iter().copied())
    }

    /// An answer's own figures.
    pub fn answered(&self, route: RouteId, usage: &Usage) {
        if let Some(mix) = self.routes.get(route.0) {
            mix.add(usage);
        }
    }

    /// A usual request of the route; `None` before any.
    pub fn of(&self, route: RouteId) -> Option<Usage> {
        self.routes.get(route.0)?.usual()
    }

    /// A usual request over these routes, each with the same weight.
    fn over(&self, routes: impl Iterator<Item = RouteId>) -> Usage {
        let known: Vec<Usage> = routes.filter_map(|route| self.of(route)).collect();
        let mean = |of: fn(&Usage) -> u64| {
            let sum = known.iter().map(of).fold(0_u64, u64::saturating_add);
            sum / (known.len() as u64).max(1)
        };
        if known.is_empty() {
            return UNKNOWN;
        }
        Usage {
            input: mean(|usage| usage.input),
            cache_read: mean(|usage| usage.cache_read),
            cache_write: mean(|usage| usage.cache_write),
            output: mean(|usage| usage.output),
            reasoning: mean(|usage| usage.reasoning),
            thinking: known.iter().any(|usage| usage.thinking),
            ..Usage::NONE
        }
    }
}

impl Mix {
    fn copied(&self) -> Self {
        let copy = |cell: &AtomicU64| AtomicU64::new(cell.load(Relaxed));
        Self {
            answers: copy(&self.answers),
            means: [0, 1, 2, 3, 4].map(|at: usize| self.means.get(at).map(copy).unwrap_or_default()),
        }
    }

    /// Two answers at once may lose one of them, which an average bears.
    fn add(&self, usage: &Usage) {
        let seen = self.answers.fetch_add(1, Relaxed);
        let weight = (seen + 1).min(MEMORY);
        let written = usage.cache_write + usage.cache_write_1h + usage.cache_write_12h;
        let read = usage.cache_read + usage.cache_read_explicit;
        let newest = [usage.input, read, written, usage.output, usage.reasoning];
        for (mean, new) in self.means.iter().zip(newest) {
            let (old, new) = (mean.load(Relaxed), new.saturating_mul(SCALE));
            let next = if new >= old {
                old + (new - old) / weight
            } else {
                old - (old - new) / weight
            };
            mean.store(next, Relaxed);
        }
    }

    fn usual(&self) -> Option<Usage> {
        if self.answers.load(Relaxed) == 0 {
            return None;
        }
        let [input, cache_read, cache_write, output, reasoning] = [0, 1, 2, 3, 4].map(|at: usize| {
            let scaled = self.means.get(at).map_or(0, |mean| mean.load(Relaxed));
            scaled.div_ceil(SCALE)
        });
        Some(Usage {
            input,
            cache_read,
            cache_write,
            output,
            reasoning,
            thinking: reasoning > 0,
            ..Usage::NONE
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixes(routes: usize) -> Mixes {
        Mixes {
            routes: (0..routes).map(|_| Mix::default()).collect(),
            listing: Box::default(),
        }
    }

    fn usage(input: u64, cache_read: u64, output: u64) -> Usage {
        Usage {
            input,
            cache_read,
            output,
            ..Usage::NONE
        }
    }

    #[test]
    fn a_route_is_known_by_its_mean_request_and_follows_what_changes() {
        let mixes = mixes(1);
        assert_eq!(mixes.of(RouteId(0)), None);
        for _ in 0..10 {
            mixes.answered(RouteId(0), &usage(1_000, 800, 100));
            mixes.answered(RouteId(0), &usage(3_000, 0, 300));
        }
        let mean = mixes.of(RouteId(0)).unwrap();
        assert!(
            mean.input.abs_diff(2_000) < 20 && mean.cache_read.abs_diff(400) < 20,
            "{mean:?}"
        );
        for _ in 0..1_000 {
            mixes.answered(RouteId(0), &usage(10, 0, 5_000));
        }
        let mean = mixes.of(RouteId(0)).unwrap();
        assert!(
            mean.input.abs_diff(10) < 3 && mean.output.abs_diff(5_000) < 3,
            "{mean:?}"
        );
    }

    #[test]
    fn models_of_several_routes_meet_over_all_of_them() {
        let mixes = mixes(3);
        let all = || [0, 1, 2].map(RouteId).into_iter();
        assert_eq!(mixes.over(all()), UNKNOWN);
        mixes.answered(RouteId(0), &usage(100, 0, 10));
        mixes.answered(RouteId(1), &usage(300, 0, 30));
        assert_eq!(
            mixes.over(all()),
            usage(200, 0, 20),
            "a route without requests says nothing"
        );
    }
}
