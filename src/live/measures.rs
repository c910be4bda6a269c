//! What answers have lately been like: how long on each route, and how fast each model was. Written by every answer,
//! read by every decision, without a lock; what is known of a name stays with it over a reload.

use crate::decide::Speed;
use crate::policy::snapshot::{ModelId, Route, RouteId, Snapshot};
use crate::uptime::Uptime;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// Weight of the newest answer in an average, as a divisor.
const MEMORY: u32 = 16;
/// A speed that was measured longer ago says nothing of now.
const FRESH: Duration = Duration::from_secs(600);
/// Answers before a speed counts as known.
const ENOUGH: u32 = 3;

#[derive(Debug, Default)]
pub struct Measures {
    served: Served,
    /// Output tokens a choice, by route and model that may serve it; zero is unknown.
    outputs: Box<[AtomicU32]>,
    /// The same by route, over all its models.
    by_route: Box<[AtomicU32]>,
    paces: Box<[Pace]>,
}

/// The models that may serve each route, those that succeed one of them too: what is kept of a route's models grows with
/// the lists in the policy, not with routes times models.
#[derive(Debug, Default)]
struct Served {
    /// By route, where its models begin; one more at the end.
    starts: Box<[usize]>,
    /// Ascending within a route.
    models: Box<[ModelId]>,
}

impl Served {
    fn of(snapshot: &Snapshot) -> Self {
        let (mut starts, mut models) = (vec![0], Vec::new());
        for route in &snapshot.routes {
            models.extend(served_by(snapshot, route));
            starts.push(models.len());
        }
        Self {
            starts: starts.into(),
            models: models.into(),
        }
    }

    fn by(&self, route: RouteId) -> &[ModelId] {
        let ends = self.starts.get(route.0).zip(self.starts.get(route.0 + 1));
        ends.and_then(|(start, end)| self.models.get(*start..*end))
            .unwrap_or_default()
    }

    /// Where what is known of a model on a route stands.
    fn cell(&self, route: RouteId, model: ModelId) -> Option<usize> {
        let at = self.by(route).binary_search(&model).ok()?;
        Some(self.starts.get(route.0)? + at)
    }
}

fn served_by(snapshot: &Snapshot, route: &Route) -> Vec<ModelId> {
    let mut models = route.terms.candidates.to_vec();
    let mut at = 0;
    while let Some(id) = models.get(at) {
        let heir = snapshot.model(*id).traits.successor;
        models.extend(heir.filter(|heir| !models.contains(heir)));
        at += 1;
    }
    models.sort_unstable();
    models.dedup();
    models
}

/// Medians in microseconds, zero where unknown.
#[derive(Debug, Default)]
struct Pace {
    first_token: AtomicU32,
    per_thousand: AtomicU32,
    answers: AtomicU32,
    /// Seconds of uptime.
    last: AtomicU32,
}

/// One answer that came whole.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    /// Over all choices, and how many there were.
    pub output: u64,
    pub choices: u64,
    /// `None` where it was not streamed.
    pub first_token: Option<Duration>,
    pub total: Duration,
    pub now: Uptime,
}

impl Measures {
    /// Those of a policy, with what is known from the one before.
    pub fn new(snapshot: &Snapshot, before: Option<(&Snapshot, &Self)>) -> Self {
        let (routes, models) = (snapshot.routes.len(), snapshot.models.len());
        let served = Served::of(snapshot);
        let measures = Self {
            outputs: served.models.iter().map(|_| AtomicU32::new(0)).collect(),
            served,
            by_route: (0..routes).map(|_| AtomicU32::new(0)).collect(),
            paces: (0..models).map(|_| Pace::default()).collect(),
        };
        if let Some((old, known)) = before {
            measures.take_over(snapshot, old, known);
        }
        measures
    }

    pub fn answered(&self, route: Option<RouteId>, model: ModelId, answer: Answered) {
        let each = answer.output / answer.choices.max(1);
        if let Some(route) = route {
            let cells = [self.cell(route, model), self.by_route.get(route.0)];
            for cell in cells.into_iter().flatten() {
                average(cell, each);
            }
        }
        if let Some(pace) = self.paces.get(model.0) {
            pace.answered(answer);
        }
    }

    /// Of this model on this route where it is known, else of the route.
    pub fn output(&self, route: Option<RouteId>, model: ModelId) -> Option<u64> {
        let route = route?;
        let known = |cell: Option<&AtomicU32>| cell.map(|cell| cell.load(Relaxed)).filter(|tokens| *tokens > 0);
        known(self.cell(route, model))
            .or_else(|| known(self.by_route.get(route.0)))
            .map(u64::from)
    }

    pub fn speed(&self, model: ModelId, now: Uptime) -> Option<Speed> {
        self.paces.get(model.0)?.speed(now)
    }

    fn cell(&self, route: RouteId, model: ModelId) -> Option<&AtomicU32> {
        self.outputs.get(self.served.cell(route, model)?)
    }

    fn take_over(&self, new: &Snapshot, old: &Snapshot, known: &Self) {
        let copy = |to: Option<&AtomicU32>, from: Option<&AtomicU32>| {
            if let (Some(to), Some(from)) = (to, from) {
                to.store(from.load(Relaxed), Relaxed);
            }
        };
        let models: Vec<Option<ModelId>> = new.models.iter().map(|model| old.model_named(&model.name)).collect();
        for (at, before) in models.iter().enumerate() {
            let Some(before) = before else { continue };
            let same = {
                let (is, was) = (new.model(ModelId(at)), old.model(*before));
                let endpoint = |snapshot: &Snapshot, id| snapshot.provider_of(id).base_url.clone();
                is.upstream == was.upstream && endpoint(new, ModelId(at)) == endpoint(old, *before)
            };
            if let (Some(to), Some(from), true) = (self.paces.get(at), known.paces.get(before.0), same) {
                for (to, from) in to.cells().into_iter().zip(from.cells()) {
                    copy(Some(to), Some(from));
                }
            }
        }
        let routes = old.routes_by_name();
        for (at, route) in new.routes.iter().enumerate() {
            let Some(was) = routes.get(route.name.as_ref()) else {
                continue;
            };
            copy(self.by_route.get(at), known.by_route.get(was.0));
            for model in self.served.by(RouteId(at)) {
                let Some(Some(before)) = models.get(model.0) else {
                    continue;
                };
                copy(self.cell(RouteId(at), *model), known.cell(*was, *before));
            }
        }
    }
}

impl Pace {
    fn cells(&self) -> [&AtomicU32; 4] {
        [&self.first_token, &self.per_thousand, &self.answers, &self.last]
    }

    /// An answer that was not streamed shows its first token with its last: all of its time is that of its tokens.
    fn answered(&self, answer: Answered) {
        // What it was like before a long silence says nothing: it is measured anew.
        if self.is_stale(answer.now) {
            self.cells().into_iter().for_each(|cell| cell.store(0, Relaxed));
        }
        let first = answer.first_token.unwrap_or_default();
        if let Some(first) = answer.first_token {
            median(&self.first_token, first.as_micros(), self.answers.load(Relaxed));
        }
        if answer.output > 0 {
            let rest = answer.total.saturating_sub(first).as_micros();
            let per_thousand = rest.saturating_mul(1_000) / u128::from(answer.output);
            median(&self.per_thousand, per_thousand, self.answers.load(Relaxed));
        }
        self.answers.fetch_add(1, Relaxed);
        self.last.store(seconds(answer.now), Relaxed);
    }

    fn is_stale(&self, now: Uptime) -> bool {
        let age = seconds(now).saturating_sub(self.last.load(Relaxed));
        u64::from(age) > FRESH.as_secs()
    }

    fn speed(&self, now: Uptime) -> Option<Speed> {
        if self.answers.load(Relaxed) < ENOUGH || self.is_stale(now) {
            return None;
        }
        let micros = |cell: &AtomicU32| Duration::from_micros(u64::from(cell.load(Relaxed)));
        Some(Speed {
            first_token: micros(&self.first_token),
            per_thousand: micros(&self.per_thousand),
        })
    }
}

/// Two answers at once may lose one of them, which an average bears.
fn average(cell: &AtomicU32, tokens: u64) {
    let new = u32::try_from(tokens).unwrap_or(u32::MAX).max(1);
    let old = cell.load(Relaxed);
    let next = match old {
        0 => new,
        // Rounded away from the old value, so that a small difference is learned too.
        _ if new >= old => old + (new - old).div_ceil(MEMORY),
        _ => old - (old - new).div_ceil(MEMORY),
    };
    cell.store(next.max(1), Relaxed);
}

/// A running median: a step towards each value, large while little is known. One value out of line moves it by no more
/// than any other.
fn median(cell: &AtomicU32, micros: u128, seen: u32) {
    let new = u32::try_from(micros).unwrap_or(u32::MAX).max(1);
    let old = cell.load(Relaxed);
    let step = old / (seen + 2).min(MEMORY) + 1;
    let next = match old {
        0 => new,
        _ if new > old => old.saturating_add(step).min(new),
        _ => old.saturating_sub(step).max(new),
    };
    cell.store(next, Relaxed);
}

fn seconds(uptime: Uptime) -> u32 {
    u32::try_from(uptime.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Sources, compile};

    fn snapshot(text: &str) -> Snapshot {
        let sources = Sources::single("p.yaml", std::env::temp_dir(), text);
        compile(&sources, jiff::Timestamp::UNIX_EPOCH).unwrap().snapshot
    }

    const ONE: &str = "providers: {p: {vendor: llama.cpp}}\nmodels:\n  a: {provider: p, supply: local}\n  b: {provider: p, supply: local}\nroutes:\n  - {name: r, try: [a, b]}\n";
    const OTHER: &str = "providers: {p: {vendor: llama.cpp}}\nmodels:\n  new: {provider: p, supply: local}\n  b: {provider: p, supply: local}\n  a: {provider: p, supply: local}\nroutes:\n  - {name: s, try: [new]}\n  - {name: r, try: [a, b]}\n";

    fn answer(output: u64, milliseconds: u64) -> Answered {
        Answered {
            output,
            choices: 1,
            first_token: Some(Duration::from_millis(milliseconds)),
            total: Duration::from_millis(milliseconds + 1_000),
            now: Duration::from_secs(100),
        }
    }

    #[test]
    fn an_average_is_by_route_and_model_and_of_the_route_where_the_model_is_unknown() {
        let measures = Measures::new(&snapshot(ONE), None);
        let route = Some(RouteId(0));
        assert_eq!(measures.output(route, ModelId(0)), None);
        for _ in 0..100 {
            measures.answered(route, ModelId(0), answer(300, 50));
        }
        assert_eq!(measures.output(route, ModelId(0)), Some(300));
        assert_eq!(measures.output(route, ModelId(1)), Some(300));
        measures.answered(route, ModelId(1), answer(100, 50));
        assert_eq!(measures.output(route, ModelId(1)), Some(100));
    }

    #[test]
    fn a_speed_is_a_median_and_ages() {
        let measures = Measures::new(&snapshot(ONE), None);
        let now = Duration::from_secs(100);
        for nth in 0..200_u64 {
            assert_eq!(measures.speed(ModelId(0), now).is_some(), nth >= u64::from(ENOUGH));
            measures.answered(None, ModelId(0), answer(1_000, if nth % 10 == 0 { 9_000 } else { 50 }));
        }
        let first = measures.speed(ModelId(0), now).unwrap().first_token;
        assert!(first < Duration::from_millis(70), "one in ten is slow: {first:?}");
        assert_eq!(measures.speed(ModelId(0), now + FRESH + Duration::from_secs(1)), None);
    }

    #[test]
    fn a_model_that_was_silent_for_long_is_measured_anew() {
        let measures = Measures::new(&snapshot(ONE), None);
        let later = Duration::from_secs(200) + FRESH;
        for now in [Duration::from_secs(100), later] {
            for nth in 0..20 {
                let slow = now < later;
                let answered = Answered {
                    total: Duration::from_secs(if slow { 100 } else { 1 }),
                    now,
                    ..answer(100, 0)
                };
                assert_eq!(measures.speed(ModelId(0), now).is_some(), nth >= ENOUGH);
                measures.answered(None, ModelId(0), answered);
            }
        }
        let speed = measures.speed(ModelId(0), later).unwrap();
        assert!(speed.per_second() > Some(50), "{speed:?}");
    }

    #[test]
    fn what_is_known_stays_with_its_name_over_a_reload() {
        let (before, after) = (snapshot(ONE), snapshot(OTHER));
        let old = Measures::new(&before, None);
        for _ in 0..5 {
            old.answered(Some(RouteId(0)), ModelId(0), answer(300, 50));
        }
        let new = Measures::new(&after, Some((&before, &old)));
        assert_eq!(new.output(Some(RouteId(1)), ModelId(2)), Some(300));
        assert_eq!(new.output(Some(RouteId(0)), ModelId(2)), None);
        let now = Duration::from_secs(100);
        assert_eq!(new.speed(ModelId(2), now), old.speed(ModelId(0), now));
        assert_eq!(new.speed(ModelId(0), now), None);
    }
}
