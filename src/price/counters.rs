//! Where every meter stands, and how the time of machines is shared: a state machine, told what happens.
//!
//! Positions only rise within a period, whatever is told in which order; a new period starts at nothing. A meter that
//! comes into force within its period is unknown until what was used before is [found](Counters::found). It holds no lock,
//! reads no clock and writes nothing down: what changed is handed back as [`MeterChange`]s.

use super::bill::Drawn;
use super::machines::Machines;
use super::meter::{Meter, MeterKey, Position, Positions, Unit};
use super::places::{Places, rest, size};
use super::promise::{Promise, pending};
use super::quote::Quote;
use super::version::Ladder;
use super::{LadderKind, Price};
use crate::money::Money;
use crate::uptime::Uptime;
use crate::usage::Usage;
use jiff::{SignedDuration, Timestamp};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// A forecast is silent before this share of its period, in hundredths.
const SILENT: i64 = 2;
/// Periods that ended longer ago are forgotten: no request under way is older.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(48);
/// Periods are met so long before they begin: nothing can have been used in them, and nobody has to look.
const AHEAD: SignedDuration = SignedDuration::from_mins(1);

#[derive(Debug, Default)]
pub struct Counters {
    meters: HashMap<MeterKey, Count>,
    /// Meters that were in force and are not any more, until somebody writes that down.
    left: Vec<MeterKey>,
    machines: Machines,
}

#[derive(Clone, Debug, Default)]
struct Count {
    unit: Unit,
    end: Timestamp,
    used: u64,
    /// What was promised and is not settled: of a free quota only what is free.
    pending: u64,
    /// Promises that are not settled.
    open: u32,
    /// What its volume would have cost at each step of a ladder that re-rates the whole.
    steps: Vec<Money>,
    /// Of a ladder that rates each token in its own bracket.
    places: Places,
    /// Counts how often its places were laid anew: older ones are not given back.
    era: u32,
    standing: Standing,
}

/// What is known of a meter's use before it was met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Standing {
    #[default]
    Known,
    Unknown,
    /// It is being found; what is used meanwhile is counted already.
    Asked,
    /// No price in force has it, and what ends now is not all of its use.
    Left,
}

/// What an attempt added to a meter, for the books that outlive the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeterChange {
    pub key: MeterKey,
    pub unit: Unit,
    pub end: Timestamp,
    pub added: u64,
    /// By step, as far as a ladder has several.
    pub steps: Vec<Money>,
}

/// A meter as it was written down, or found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeterRow {
    pub key: MeterKey,
    pub unit: Unit,
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
            let count = self.meters.entry(row.key).or_default();
            (count.unit, count.end) = (row.unit, row.end);
            (count.used, count.steps) = (row.used, row.steps);
            count.places = Places::after(row.used);
        }
    }

    /// The meters of these prices are in force from now on, and no others.
    pub fn take_over<'p>(&mut self, prices: impl Iterator<Item = &'p Price>, now: Timestamp) {
        let soon = now.saturating_add(AHEAD).unwrap_or(now);
        let mut in_force = HashSet::new();
        for (meter, at) in prices
            .flat_map(Price::meters)
            .flat_map(|meter| [(meter, now), (meter, soon)])
        {
            let (key, span) = (meter.key(at), meter.span(at));
            let count = self.meters.entry(key.clone()).or_insert_with(|| Count {
                unit: meter.unit,
                end: span.end,
                standing: if span.start > now {
                    Standing::Known
                } else {
                    Standing::Unknown
                },
                ..Count::default()
            });
            if count.standing == Standing::Left {
                count.standing = Standing::Unknown;
            }
            in_force.insert(key);
        }
        let left = |(key, count): &(&MeterKey, &mut Count)| {
            count.end > now && count.standing != Standing::Left && !in_force.contains(*key)
        };
        let gone = self.meters.iter_mut().filter(left).map(|(key, count)| {
            count.standing = Standing::Left;
            key.clone()
        });
        self.left.extend(gone);
        self.meters
            .retain(|_, count| count.standing != Standing::Left || count.open > 0);
    }

    /// Some meter is to be asked for, or has left.
    pub fn has_news(&self) -> bool {
        let unknown = |count: &Count| count.standing == Standing::Unknown;
        !self.left.is_empty() || self.meters.values().any(unknown)
    }

    /// Meters that were in force and are not any more: what they have counted will not be all of their period.
    pub fn take_left(&mut self) -> Vec<MeterKey> {
        std::mem::take(&mut self.left)
    }

    /// Meters whose use so far is not known and that nobody was asked for. What is counted from here on is to be added to
    /// what is found.
    pub fn ask(&mut self) -> Vec<MeterRow> {
        let mut asked = Vec::new();
        for (key, count) in &mut self.meters {
            if count.standing == Standing::Unknown {
                (count.used, count.standing) = (0, Standing::Asked);
                count.steps.clear();
                asked.push(count.row(key));
            }
        }
        asked.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        asked
    }

    /// What was used before they were asked for; of each that was asked for.
    pub fn found(&mut self, rows: &[MeterRow]) {
        for row in rows {
            let asked = |count: &&mut Count| count.standing == Standing::Asked;
            let Some(count) = self.meters.get_mut(&row.key).filter(asked) else {
                continue;
            };
            count.used = count.used.saturating_add(row.used);
            count.places = Places::after(count.used);
            count.era += 1;
            add(&mut count.steps, &row.steps);
            count.standing = Standing::Known;
        }
    }

    /// It could not be found and is to be asked for again.
    pub fn not_found(&mut self, rows: &[MeterRow]) {
        for row in rows {
            let asked = |count: &&mut Count| count.standing == Standing::Asked;
            if let Some(count) = self.meters.get_mut(&row.key).filter(asked) {
                count.standing = Standing::Unknown;
            }
        }
    }

    /// How a meter stands, to be written down; `None` where nothing was counted.
    pub fn row(&self, key: &MeterKey) -> Option<MeterRow> {
        self.meters.get(key).map(|count| count.row(key))
    }

    /// Where the meters of a price stand at an instant.
    pub fn positions(&self, price: &Price, at: Timestamp) -> Positions {
        let Some(version) = price.version(at) else {
            return Positions::START;
        };
        let stands = |meter: Option<&Meter>| meter.map_or_else(Position::default, |meter| self.position(meter, at));
        let ladder = version.ladder.as_ref();
        Positions {
            ladder: ladder.map_or_else(Position::default, |ladder| self.on_ladder(ladder, at)),
            free: stands(version.free.as_ref().map(|quota| &quota.meter)),
            commitment: stands(version.commitment.as_ref().map(|commitment| &commitment.meter)),
        }
    }

    /// Where they stand for the attempt that settles what it was promised: what others were promised of a free quota is
    /// theirs, so that nobody pays for tokens that were reserved as free; and no ladder is climbed higher than was
    /// reserved for.
    pub fn positions_of(&self, promise: &Promise, tokens: u64, price: &Price, at: Timestamp) -> Positions {
        let mut positions = self.positions(price, at);
        let free = &mut positions.free;
        free.used = free.used.saturating_add(free.pending.saturating_sub(promise.free));
        let whole = |ladder: &&Ladder| ladder.kind == LadderKind::Whole && ladder.meter.unit == Unit::Tokens;
        let ladder = price.version(at).and_then(|version| version.ladder.as_ref());
        if ladder.filter(whole).is_some() && promise.top > 0 {
            let most = promise.top.saturating_sub(tokens);
            positions.ladder.used = positions.ladder.used.min(most);
        }
        positions
    }

    /// An attempt of at most so many tokens is under way. What is left of a free quota is its own from here on, and so are
    /// its places on a ladder.
    pub fn promise(&mut self, price: &Price, at: Timestamp, tokens: u64) -> Promise {
        let mut promise = Promise {
            tokens,
            ..Promise::default()
        };
        let Some(version) = price.version(at) else {
            return promise;
        };
        if let Some(quota) = version.free_at(at) {
            let count = self.count(&quota.meter, at);
            let left = quota.tokens.saturating_sub(count.used).saturating_sub(count.pending);
            promise.free = if count.is_known() { tokens.min(left) } else { 0 };
        }
        if let Some(ladder) = &version.ladder {
            let count = self.count(&ladder.meter, at);
            if count.is_known() {
                promise.top = count.used.saturating_add(count.pending).saturating_add(tokens);
                if ladder.is_placed() {
                    (promise.places, promise.era) = (count.places.take(tokens), count.era);
                }
            }
        }
        for (meter, tokens) in pending(version, &promise) {
            let count = self.count(meter, at);
            count.pending = count.pending.saturating_add(tokens);
            count.open += 1;
        }
        promise
    }

    /// Who settles more than was promised gets the places for it.
    pub fn reach(&mut self, promise: &mut Promise, tokens: u64, price: &Price, at: Timestamp) {
        let placed = |ladder: &&Ladder| ladder.is_placed();
        let ladder = price.version(at).and_then(|version| version.ladder.as_ref());
        let Some(ladder) = ladder.filter(placed) else { return };
        let count = self.count(&ladder.meter, at);
        let lacks = tokens.saturating_sub(size(&promise.places));
        if count.is_known() && lacks > 0 {
            promise.places.extend(count.places.take(lacks));
            promise.era = count.era;
        }
    }

    /// It is not any more, and has used so much of its ladder.
    pub fn release(&mut self, price: &Price, at: Timestamp, promise: &Promise, used: u64) {
        let Some(version) = price.version(at) else { return };
        for (meter, tokens) in pending(version, promise) {
            let count = self.count(meter, at);
            count.pending = count.pending.saturating_sub(tokens);
            count.open = count.open.saturating_sub(1);
        }
        if let Some(ladder) = &version.ladder {
            let count = self.count(&ladder.meter, at);
            if count.era == promise.era {
                rest(&promise.places, used).for_each(|stretch| count.places.give_back(stretch));
            }
        }
    }

    /// Counts what was used without a promise.
    pub fn draw(&mut self, price: &Price, at: Timestamp, drawn: Drawn, at_steps: &[Money]) -> Counted {
        if let Some(ladder) = price.version(at).and_then(|version| version.ladder.as_ref()) {
            self.count(&ladder.meter, at).places.take(drawn.ladder);
        }
        self.settle(price, at, drawn, at_steps, None)
    }

    /// Counts what an attempt used. `at_steps` is what it would have cost at each step of its ladder, `billed_at` the
    /// volume by which it was billed, where that is another than is reached now.
    pub fn settle(
        &mut self,
        price: &Price,
        at: Timestamp,
        drawn: Drawn,
        at_steps: &[Money],
        billed_at: Option<u64>,
    ) -> Counted {
        let mut counted = Counted::default();
        let Some(version) = price.version(at) else {
            return counted;
        };
        for (meter, added, steps) in version.drawn(drawn, at_steps) {
            let span = meter.span(at);
            let count = self.count(meter, at);
            let (before, was) = (count.used, count.steps.clone());
            count.used = count.used.saturating_add(added);
            add(&mut count.steps, steps);
            if let Some(ladder) = version.ladder.as_ref().filter(|_| !steps.is_empty()) {
                let volumes = (before, count.used, billed_at.unwrap_or(count.used));
                let known = count.is_known() && ladder.kind == LadderKind::Whole;
                counted.adjustment = known.then(|| correction(ladder, volumes, &was, steps)).flatten();
            }
            counted.changes.push(MeterChange {
                key: meter.key(at),
                unit: meter.unit,
                end: span.end,
                added,
                steps: steps.to_vec(),
            });
        }
        counted
    }

    /// What an attempt that was made under an earlier policy adds to the meters that this price has and that one had not.
    pub fn follow(&mut self, quote: Quote<'_>, own: &Price, price: &Price, usage: &Usage) -> Vec<MeterChange> {
        let at = quote.arrived();
        let known: HashSet<MeterKey> = own.meters().map(|meter| meter.key(at)).collect();
        let positions = self.positions(price, at);
        let quote = quote.at(&positions);
        let (bill, steps) = (quote.bill(usage), quote.at_each_step(usage));
        let Some(version) = price.version(at) else {
            return Vec::new();
        };
        let new = |meter: Option<&Meter>| meter.is_some_and(|meter| !known.contains(&meter.key(at)));
        let ladder = new(version.ladder.as_ref().map(|ladder| &ladder.meter));
        let drawn = Drawn {
            ladder: if ladder { bill.drawn.ladder } else { 0 },
            free: if new(version.free.as_ref().map(|quota| &quota.meter)) {
                bill.drawn.free
            } else {
                0
            },
            commitment: if new(version.commitment.as_ref().map(|commitment| &commitment.meter)) {
                bill.drawn.commitment
            } else {
                0
            },
        };
        // It was billed by the rules of its own policy: nothing is corrected by these.
        self.draw(price, at, drawn, if ladder { &steps } else { &[] }).changes
    }

    /// Forgets periods that are long over, and machines on which nothing runs.
    pub fn tidy(&mut self, now: Timestamp) {
        self.machines.tidy();
        self.meters
            .retain(|_, count| count.open > 0 || count.end.saturating_add(REMEMBERED).is_ok_and(|end| end > now));
    }

    /// An answer begins to take a machine's time; what it is given belongs to [`Counters::finish`].
    pub fn begin(&mut self, model: &Arc<str>, now: Uptime) -> Duration {
        self.machines.begin(model, now)
    }

    /// The machine's time that fell to it among those that ran with it.
    pub fn finish(&mut self, model: &str, began: Duration, now: Uptime) -> Duration {
        self.machines.finish(model, began, now)
    }

    /// A ladder that rates each token in its own bracket stands at the lowest place that nobody has.
    fn on_ladder(&self, ladder: &Ladder, at: Timestamp) -> Position {
        let position = self.position(&ladder.meter, at);
        let Some(count) = self.meters.get(&ladder.meter.key(at)).filter(|_| ladder.is_placed()) else {
            return position;
        };
        let first = count.places.first();
        Position {
            used: first,
            pending: count.places.next() - first,
            ..position
        }
    }

    fn position(&self, meter: &Meter, at: Timestamp) -> Position {
        let span = meter.span(at);
        let Some(count) = self.meters.get(&meter.key(at)) else {
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
            unknown: !count.is_known(),
        }
    }

    fn count(&mut self, meter: &Meter, at: Timestamp) -> &mut Count {
        let count = self.meters.entry(meter.key(at)).or_default();
        (count.unit, count.end) = (meter.unit, meter.span(at).end);
        count
    }
}

impl Count {
    fn row(&self, key: &MeterKey) -> MeterRow {
        MeterRow {
            key: key.clone(),
            unit: self.unit,
            end: self.end,
            used: self.used,
            steps: self.steps.clone(),
        }
    }

    const fn is_known(&self) -> bool {
        matches!(self.standing, Standing::Known | Standing::Left)
    }
}

/// What a ladder that re-rates the whole corrects: of the volume before, from the step that it had to the one that is
/// reached; and of this attempt, from the step by which it was billed.
fn correction(ladder: &Ladder, (before, now, billed): (u64, u64, u64), was: &[Money], own: &[Money]) -> Option<Money> {
    let cost = |steps: &[Money], volume| steps.get(ladder.step(volume)).copied().unwrap_or(Money::ZERO);
    let earlier = cost(was, now).minus(cost(was, before));
    let amount = earlier.plus(cost(own, now).minus(cost(own, billed)));
    (amount != Money::ZERO).then_some(amount)
}

fn add(sums: &mut Vec<Money>, steps: &[Money]) {
    sums.resize(sums.len().max(steps.len()), Money::ZERO);
    for (sum, step) in sums.iter_mut().zip(steps) {
        *sum = sum.plus(*step);
    }
}
