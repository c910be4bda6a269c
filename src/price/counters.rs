//! Where every meter stands, and how the time of machines is shared: a state machine, told what happens.
//!
//! Positions only rise within a period, whatever is told in which order; a new period starts at nothing. It holds no
//! lock, reads no clock and writes nothing down: what changed is handed back as [`MeterChange`]s.

use super::meter::{Meter, Position, Positions};
use super::quote::Drawn;
use super::version::Version;
use super::{LadderKind, Price};
use crate::money::Money;
use crate::uptime::Uptime;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// A forecast is silent before this share of its period, in hundredths.
const SILENT: i64 = 2;
/// Periods that ended longer ago are forgotten: no request under way is older.
const REMEMBERED: jiff::SignedDuration = jiff::SignedDuration::from_hours(48);

#[derive(Debug, Default)]
pub struct Counters {
    meters: HashMap<(Arc<str>, Timestamp), Count>,
    machines: HashMap<Arc<str>, Machine>,
}

#[derive(Clone, Debug, Default)]
struct Count {
    end: Timestamp,
    used: u64,
    /// What was promised and is not settled: of a free quota only what is free.
    pending: u64,
    /// What its volume would have cost at each step of a ladder that re-rates the whole.
    steps: Vec<Money>,
}

/// A model whose time is billed.
#[derive(Clone, Copy, Debug, Default)]
struct Machine {
    running: u32,
    /// The time that one of those running all along would have been billed for.
    shared: Duration,
    since: Uptime,
}

/// What an attempt under way may still add to the meters of its price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Promise {
    tokens: u64,
    /// Of them, those that are free whatever others draw meanwhile.
    free: u64,
}

/// What an attempt added to a meter, for the books that outlive the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeterChange {
    pub name: Arc<str>,
    pub unit: &'static str,
    pub start: Timestamp,
    pub end: Timestamp,
    pub added: u64,
    /// By step, as far as a ladder has several.
    pub steps: Vec<Money>,
}

/// A meter as it was written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeterRow {
    pub name: Arc<str>,
    pub start: Timestamp,
    pub end: Timestamp,
    pub used: u64,
    pub steps: Vec<Money>,
}

/// What an attempt came to: what it adds, and what a threshold that it crossed corrects of what was posted before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    pub changes: Vec<MeterChange>,
    pub adjustment: Option<Money>,
}

impl Counters {
    /// What was written down before the start.
    pub fn restore(&mut self, rows: Vec<MeterRow>) {
        for row in rows {
            let count = self.meters.entry((row.name, row.start)).or_default();
            (count.end, count.used, count.steps) = (row.end, row.used, row.steps);
        }
    }

    /// Where the meters of a price stand at an instant.
    pub fn positions(&self, price: &Price, at: Timestamp) -> Positions {
        let Some(version) = price.version(at) else {
            return Positions::START;
        };
        let stands = |meter: Option<&Meter>| meter.map_or_else(Position::default, |meter| self.position(meter, at));
        Positions {
            ladder: stands(version.ladder.as_ref().map(|ladder| &ladder.meter)),
            free: stands(version.free.as_ref().map(|quota| &quota.meter)),
            commitment: stands(version.commitment.as_ref().map(|commitment| &commitment.meter)),
        }
    }

    /// Where they stand for the attempt that settles what it was promised: what others were promised of a free quota is
    /// theirs, so that nobody pays for tokens that were reserved as free.
    pub fn positions_of(&self, promise: Promise, price: &Price, at: Timestamp) -> Positions {
        let mut positions = self.positions(price, at);
        let free = &mut positions.free;
        free.used = free.used.saturating_add(free.pending.saturating_sub(promise.free));
        positions
    }

    /// An attempt of at most so many tokens is under way. What is left of a free quota is its own from here on.
    pub fn promise(&mut self, price: &Price, at: Timestamp, tokens: u64) -> Promise {
        let mut promise = Promise { tokens, free: 0 };
        let Some(version) = price.version(at) else {
            return promise;
        };
        if let Some(quota) = version.free_at(at) {
            let count = self.count(&quota.meter, at);
            let left = quota.tokens.saturating_sub(count.used).saturating_sub(count.pending);
            promise.free = tokens.min(left);
        }
        self.each_pending(version, at, promise, u64::saturating_add);
        promise
    }

    /// It is not any more.
    pub fn release(&mut self, price: &Price, at: Timestamp, promise: Promise) {
        if let Some(version) = price.version(at) {
            self.each_pending(version, at, promise, u64::saturating_sub);
        }
    }

    /// Counts what an attempt used. `at_steps` is what it would have cost at each step of its ladder.
    pub fn draw(&mut self, price: &Price, at: Timestamp, drawn: Drawn, at_steps: &[Money]) -> Counted {
        let mut counted = Counted::default();
        let Some(version) = price.version(at) else {
            return counted;
        };
        let meters = [
            (
                version.ladder.as_ref().map(|ladder| &ladder.meter),
                drawn.ladder,
                at_steps,
            ),
            (version.free.as_ref().map(|quota| &quota.meter), drawn.free, &[]),
            (
                version.commitment.as_ref().map(|commitment| &commitment.meter),
                drawn.commitment,
                &[],
            ),
        ];
        for (meter, added, steps) in meters {
            let Some(meter) = meter.filter(|_| added > 0) else {
                continue;
            };
            let span = meter.span(at);
            let count = self.count(meter, at);
            let before = count.clone();
            count.used = count.used.saturating_add(added);
            count.steps.resize(count.steps.len().max(steps.len()), Money::ZERO);
            for (sum, step) in count.steps.iter_mut().zip(steps) {
                *sum = sum.plus(*step);
            }
            if let Some(ladder) = version.ladder.as_ref().filter(|_| !steps.is_empty()) {
                let (from, to) = (ladder.step(before.used), ladder.step(count.used));
                let cost = |step: usize| before.steps.get(step).copied().unwrap_or(Money::ZERO);
                let adjustment = cost(to).minus(cost(from));
                counted.adjustment =
                    (ladder.kind == LadderKind::Whole && adjustment != Money::ZERO).then_some(adjustment);
            }
            counted.changes.push(MeterChange {
                name: meter.name.clone(),
                unit: meter.unit.word(),
                start: span.start,
                end: span.end,
                added,
                steps: steps.to_vec(),
            });
        }
        counted
    }

    /// Forgets periods that are long over, and machines on which nothing runs.
    pub fn tidy(&mut self, now: Timestamp) {
        self.machines.retain(|_, machine| machine.running > 0);
        self.meters
            .retain(|_, count| count.pending > 0 || count.end.saturating_add(REMEMBERED).is_ok_and(|end| end > now));
    }

    /// An answer begins to take a machine's time; what it is given belongs to [`Counters::finish`].
    pub fn begin(&mut self, model: &Arc<str>, now: Uptime) -> Duration {
        let machine = self.machines.entry(model.clone()).or_default();
        machine.pass(now);
        machine.running += 1;
        machine.shared
    }

    /// The machine's time that fell to it among those that ran with it.
    pub fn finish(&mut self, model: &str, began: Duration, now: Uptime) -> Duration {
        let Some(machine) = self.machines.get_mut(model) else {
            return Duration::ZERO;
        };
        machine.pass(now);
        machine.running = machine.running.saturating_sub(1);
        machine.shared.saturating_sub(began)
    }

    fn position(&self, meter: &Meter, at: Timestamp) -> Position {
        let span = meter.span(at);
        let Some(count) = self.meters.get(&(meter.name.clone(), span.start)) else {
            return Position::default();
        };
        let (passed, whole) = (
            at.as_second() - span.start.as_second(),
            span.end.as_second() - span.start.as_second(),
        );
        let forecast = (meter.per.is_some() && passed * 100 >= whole * SILENT && passed > 0).then(|| {
            let volume = i128::from(count.used) * i128::from(whole) / i128::from(passed);
            u64::try_from(volume).unwrap_or(u64::MAX)
        });
        Position {
            used: count.used,
            pending: count.pending,
            forecast,
        }
    }

    fn each_pending(&mut self, version: &Version, at: Timestamp, promise: Promise, change: fn(u64, u64) -> u64) {
        let ladder = version.ladder.as_ref().map(|ladder| (&ladder.meter, promise.tokens));
        let free = version.free.as_ref().map(|quota| (&quota.meter, promise.free));
        for (meter, tokens) in ladder.into_iter().chain(free).filter(|(_, tokens)| *tokens > 0) {
            let count = self.count(meter, at);
            count.pending = change(count.pending, tokens);
        }
    }

    fn count(&mut self, meter: &Meter, at: Timestamp) -> &mut Count {
        let span = meter.span(at);
        let count = self.meters.entry((meter.name.clone(), span.start)).or_default();
        count.end = span.end;
        count
    }
}

impl Machine {
    fn pass(&mut self, now: Uptime) {
        if self.running > 0 {
            self.shared += now.saturating_sub(self.since) / self.running;
        }
        self.since = now;
    }
}
