//! One budget's period ahead: how much each of its hours weighs, at what level the last days went, and how far days
//! have been from what was expected of them.
//!
//! The interval is where the truth lies eight times in ten while the next days differ from their like no more than the
//! last ones did. With few days to judge by it is wide; weekdays that nobody has seen widen it.

use super::history::{History, SECONDS, hour_at, hour_of};
use super::week::Week;
use super::{HOURS_OF_WEEK, ONE};
use crate::money::Money;
use crate::period::Span;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A credit without an end is looked ahead of for so long.
const AHEAD: i64 = 90 * 24;
/// What a day counts a day later, of 65,536: half of it after two weeks.
const FADING: u64 = 62_370;
const FRESH: u64 = 65_536;
/// Before any day was seen they are taken to differ by so much, as if so many had.
const USUAL_SPREAD: u128 = 300_000;
const USUAL_DAYS: u128 = 4;
/// A day counts as at most so far from what was expected.
const FARTHEST: u128 = 4 * ONE as u128;
/// Older days say little of the level.
const LEVEL_HOURS: u64 = 28 * 24;
const DAY: u64 = 24 * ONE;
/// Eight of ten lie within so many hundredths of the spread.
const WITHIN: u64 = 128;
/// A key's own pace is that of a fiftieth of the period at least: a burst at its beginning is not the pace of the whole.
const LEAST: u64 = 50;

/// From the start of the period, or from now on where it has no end.
#[derive(Clone, Debug)]
pub struct Curve {
    span: Span,
    week: Week,
    level: Level,
    /// How far a day is from what was expected, in millionths of that.
    spread: u128,
    watched: u64,
    first: i64,
    /// Weight before each hour from `first` on: of all, and of weekdays that nobody has seen yet.
    before: Vec<(u64, u64)>,
}

/// Money for weight.
#[derive(Clone, Copy, Debug)]
struct Level {
    spent: u128,
    weight: u128,
    /// Hours that it rests on.
    hours: u64,
}

/// At what pace an account goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As the hours before; where others spend on it too, `own` of `all` is what these hours are a part of.
    Recorded { own: Money, all: Money },
    /// As since the period began: one key of many.
    Own,
}

/// How an account stands.
#[derive(Clone, Copy, Debug)]
pub struct Stand {
    pub now: Timestamp,
    pub spent: Money,
    pub limit: Money,
    pub pace: Pace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub expected: Money,
    pub low: Money,
    pub high: Money,
}

/// When the limit is reached; `None` where that is not within the period (or, of a credit, not within 90 days).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunsOut {
    pub expected: Option<Timestamp>,
    pub earliest: Option<Timestamp>,
    pub latest: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Projection {
    /// Spent by the period's end; `None` of a credit.
    pub end: Option<Range>,
    pub runs_out: RunsOut,
}

impl Curve {
    /// `None` while no hour was watched.
    pub fn learn(history: &History, zone: &TimeZone, span: Span, now: Timestamp) -> Option<Self> {
        let week = Week::learn(history, zone);
        let (level, spread, watched) = level_of(history, &week, zone)?;
        let start = if span.is_endless() { now } else { span.start };
        let ahead = SignedDuration::from_hours(AHEAD);
        let end = if span.is_endless() {
            now.saturating_add(ahead).unwrap_or(now)
        } else {
            span.end
        };
        let first = hour_of(start);
        let mut before = vec![(0, 0)];
        let mut sum = (0_u64, 0_u64);
        for hour in first..=hour_of(end) {
            let weight = week.weight(hour, zone);
            let new = if week.is_new(hour, zone) { weight } else { 0 };
            sum = (sum.0.saturating_add(weight), sum.1.saturating_add(new));
            before.push(sum);
        }
        Some(Self {
            span,
            week,
            level,
            spread,
            watched,
            first,
            before,
        })
    }

    pub const fn span(&self) -> Span {
        self.span
    }

    /// Hours that it was learned from.
    pub const fn watched(&self) -> u64 {
        self.watched
    }

    /// What burns in each hour of the week, from Monday midnight on.
    pub fn week(&self) -> [Money; HOURS_OF_WEEK] {
        self.week.weights().map(|weight| self.level.cost(weight))
    }

    /// Where the account will be. `None` while its pace is not known.
    pub fn project(&self, stand: &Stand) -> Option<Projection> {
        let stand = &Stand {
            now: stand.now.max(self.span.start),
            ..*stand
        };
        let level = self.level_for(stand)?;
        let end = (!self.span.is_endless()).then(|| self.ahead(stand, level, self.span.end));
        let when =
            |of: fn(&Range) -> Money| self.first_time(stand.now, |at| of(&self.ahead(stand, level, at)) >= stand.limit);
        let runs_out = RunsOut {
            expected: when(|range| range.expected),
            earliest: when(|range| range.high),
            latest: when(|range| range.low),
        };
        Some(Projection { end, runs_out })
    }

    fn level_for(&self, stand: &Stand) -> Option<Level> {
        match stand.pace {
            Pace::Recorded { own, all } if own == all => Some(self.level),
            Pace::Recorded { own, all } => {
                let (own, all) = (positive(own), positive(all));
                (own > 0).then(|| Level {
                    spent: self.level.spent.saturating_mul(all) / own,
                    ..self.level
                })
            }
            Pace::Own if self.span.is_endless() => None,
            Pace::Own => {
                let (whole, _) = self.weigh(self.span.start, self.span.end);
                let (passed, _) = self.weigh(self.span.start, stand.now);
                Some(Level {
                    spent: positive(stand.spent),
                    weight: u128::from(passed.max(whole / LEAST).max(1)),
                    hours: (passed / ONE).max(1),
                })
            }
        }
    }

    /// Spent by an instant.
    fn ahead(&self, stand: &Stand, level: Level, at: Timestamp) -> Range {
        let (weight, new) = self.weigh(stand.now, at);
        let expected = level.cost(weight);
        let margin = scaled(
            expected,
            self.spread_of(level, weight, new).saturating_mul(WITHIN) / 100,
        );
        Range {
            expected: stand.spent.plus(expected),
            low: stand.spent.plus(expected.minus(margin).max(Money::ZERO)),
            high: stand.spent.plus(expected.plus(margin)),
        }
    }

    /// In millionths: what is not known of the level, how the days to come will differ, and what is not known of days of
    /// which there was none yet.
    fn spread_of(&self, level: Level, weight: u64, new: u64) -> u64 {
        let (day, weight) = (u128::from(DAY), u128::from(weight.max(1)));
        let seen = u128::from(level.hours.clamp(1, LEVEL_HOURS)) * u128::from(ONE);
        let days = self.spread * self.spread * day;
        let half = u128::from(new) * u128::from(ONE) / weight / 2;
        let variance = days / seen + days / weight + half * half;
        u64::try_from(variance.isqrt()).unwrap_or(u64::MAX)
    }

    /// The weight from one instant to another, and that of new weekdays.
    fn weigh(&self, from: Timestamp, to: Timestamp) -> (u64, u64) {
        let (a, b) = (self.upto(from), self.upto(to));
        (b.0.saturating_sub(a.0), b.1.saturating_sub(a.1))
    }

    fn upto(&self, at: Timestamp) -> (u64, u64) {
        let hour = hour_of(at);
        let place = usize::try_from(hour - self.first).unwrap_or_default();
        let last = self.before.last().copied().unwrap_or_default();
        let of = |place: usize| self.before.get(place).copied().unwrap_or(last);
        let (begun, next) = (of(place), of(place + 1));
        let seconds = (at.as_second() - hour_at(hour).as_second())
            .clamp(0, SECONDS)
            .unsigned_abs();
        let part = |begun: u64, next: u64| begun + (next - begun) * seconds / SECONDS.unsigned_abs();
        (part(begun.0, next.0), part(begun.1, next.1))
    }

    /// The first minute from `now` to the end in which it holds; it is taken to hold from then on.
    fn first_time(&self, now: Timestamp, holds: impl Fn(Timestamp) -> bool) -> Option<Timestamp> {
        let last = hour_at(self.first + i64::try_from(self.before.len()).unwrap_or(i64::MAX) - 2);
        let end = if self.span.is_endless() { last } else { self.span.end };
        let after = |minutes: i64| {
            let at = now.saturating_add(SignedDuration::from_mins(minutes)).unwrap_or(end);
            at.min(end)
        };
        let (mut low, mut high) = (0, end.duration_since(now).as_mins().max(0) + 1);
        if !holds(after(high)) {
            return None;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if holds(after(middle)) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Some(after(low))
    }
}

impl Level {
    fn cost(self, weight: u64) -> Money {
        let cost = self.spent.saturating_mul(u128::from(weight)) / self.weight.max(1);
        Money::from_nanos(i64::try_from(cost).unwrap_or(i64::MAX))
    }
}

/// The level of the last days, how far days were from it, and how many hours were watched.
fn level_of(history: &History, week: &Week, zone: &TimeZone) -> Option<(Level, u128, u64)> {
    let until = history.until()?;
    let (mut spent, mut weight, mut seconds) = (0_u128, 0_u128, 0_u64);
    // By age in days.
    let mut days: Vec<(u128, u128, u64)> = Vec::new();
    let mut fading = vec![FRESH];
    for watched in history.watched() {
        let age = usize::try_from((until - 1 - watched.hour) / 24).unwrap_or_default();
        while fading.len() <= age {
            fading.push(fading.last().copied().unwrap_or_default() * FADING / FRESH);
        }
        let counts = u128::from(fading.get(age).copied().unwrap_or_default());
        let of_hour = u128::from(week.weight(watched.hour, zone) * watched.seconds / SECONDS.unsigned_abs());
        spent += counts * u128::from(watched.spent);
        weight += counts * of_hour;
        seconds += watched.seconds;
        if days.len() <= age {
            days.resize(age + 1, (0, 0, 0));
        }
        if let Some(day) = days.get_mut(age) {
            *day = (
                day.0 + u128::from(watched.spent),
                day.1 + of_hour,
                day.2 + watched.seconds,
            );
        }
    }
    let hours = seconds / SECONDS.unsigned_abs();
    let level = Level { spent, weight, hours };
    (hours > 0 && weight > 0).then_some(())?;
    let whole = days.iter().filter(|day| day.2 >= 24 * SECONDS.unsigned_abs());
    let (mut squares, mut count) = (USUAL_DAYS * USUAL_SPREAD * USUAL_SPREAD, USUAL_DAYS);
    for (real, weight, _) in whole {
        let expected = positive(level.cost(u64::try_from(*weight).unwrap_or(u64::MAX)));
        let off = real
            .abs_diff(expected)
            .saturating_mul(u128::from(ONE))
            .checked_div(expected);
        if let Some(off) = off.map(|off| off.min(FARTHEST)) {
            squares += off * off;
            count += 1;
        }
    }
    Some((level, (squares / count).isqrt(), hours))
}

fn positive(amount: Money) -> u128 {
    u128::from(amount.nanos().max(0).unsigned_abs())
}

/// So many millionths of an amount.
fn scaled(amount: Money, millionths: u64) -> Money {
    let product = positive(amount).saturating_mul(u128::from(millionths)) / u128::from(ONE);
    Money::from_nanos(i64::try_from(product).unwrap_or(i64::MAX))
}
