//! The shape of a week: what each of its 168 hours costs against an average one.
//!
//! Little is known at first. So an hour of the day is drawn toward the average hour, a weekday toward the average day, and
//! each hour of the week toward what its hour and its weekday say, all the less the oftener it was seen.

use super::ONE;
use super::history::{History, SECONDS, Watched, hour_at};
use jiff::tz::TimeZone;

pub const HOURS_OF_WEEK: usize = 168;
const HOURS: usize = 24;
const DAYS: usize = 7;

/// As if so many average ones had been seen before: of an hour of the day, hours of a weekday, an hour of the week.
const OF_HOUR: u64 = 2;
const OF_DAY: u64 = 12;
const OF_SLOT: u64 = 4;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Week {
    /// Millionths of an average hour, from Monday midnight on.
    weights: [u64; HOURS_OF_WEEK],
    /// How many hours of each weekday were seen.
    seen: [u64; DAYS],
}

/// What was spent in so many hours, in millionths of an average one.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    spent: u64,
    hours: u64,
}

impl Sum {
    fn add(&mut self, spent: u64) {
        self.spent = self.spent.saturating_add(spent);
        self.hours += 1;
    }

    /// The mean of what was seen and of `pseudo` hours that cost `prior`.
    fn drawn_to(self, prior: u64, pseudo: u64) -> u64 {
        self.spent.saturating_add(prior.saturating_mul(pseudo)) / (self.hours + pseudo)
    }
}

impl Default for Week {
    fn default() -> Self {
        Self {
            weights: [ONE; HOURS_OF_WEEK],
            seen: [0; DAYS],
        }
    }
}

impl Week {
    pub(super) fn learn(history: &History, zone: &TimeZone) -> Self {
        // The hour in which watching began is no measure of its like.
        let whole = |watched: &Watched| watched.seconds == SECONDS.unsigned_abs();
        let hours: Vec<(usize, u64)> = history
            .watched()
            .filter(whole)
            .map(|watched| (slot(watched.hour, zone), watched.spent))
            .collect();
        let total: u128 = hours.iter().map(|(_, spent)| u128::from(*spent)).sum();
        let mut week = Self::default();
        for (slot, _) in &hours {
            count(&mut week.seen, slot / HOURS);
        }
        if total == 0 {
            return week;
        }
        let share = |spent: u64| {
            let scaled = u128::from(spent) * hours.len() as u128 * u128::from(ONE);
            u64::try_from(scaled / total).unwrap_or(u64::MAX)
        };
        let (mut of_hour, mut of_slot) = ([Sum::default(); HOURS], [Sum::default(); HOURS_OF_WEEK]);
        for (slot, spent) in &hours {
            add(&mut of_hour, slot % HOURS, share(*spent));
            add(&mut of_slot, *slot, share(*spent));
        }
        let by_hour = of_hour.map(|sum| sum.drawn_to(ONE, OF_HOUR));
        // What a weekday's hours cost against what they would on an average day.
        let mut days = [(OF_DAY * ONE, OF_DAY * ONE); DAYS];
        for (slot, spent) in &hours {
            if let (Some(day), Some(usual)) = (days.get_mut(slot / HOURS), by_hour.get(slot % HOURS)) {
                *day = (day.0.saturating_add(share(*spent)), day.1.saturating_add(*usual));
            }
        }
        let by_day = days.map(|(spent, usual)| product(spent, ONE, usual));
        for (at, (weight, sum)) in week.weights.iter_mut().zip(of_slot).enumerate() {
            let day = by_day.get(at / HOURS).copied().unwrap_or(ONE);
            let hour = by_hour.get(at % HOURS).copied().unwrap_or(ONE);
            *weight = sum.drawn_to(product(hour, day, ONE), OF_SLOT).max(1);
        }
        week
    }

    /// Millionths of an average hour, from Monday midnight on.
    pub const fn weights(&self) -> &[u64; HOURS_OF_WEEK] {
        &self.weights
    }

    /// What an hour of UTC weighs.
    pub(super) fn weight(&self, hour: i64, zone: &TimeZone) -> u64 {
        self.weights.get(slot(hour, zone)).copied().unwrap_or(ONE)
    }

    /// Its weekday has not been seen for half a day yet.
    pub(super) fn is_new(&self, hour: i64, zone: &TimeZone) -> bool {
        self.seen
            .get(slot(hour, zone) / HOURS)
            .is_none_or(|seen| *seen < OF_DAY)
    }
}

/// Which hour of the week an hour of UTC begins in, by the wall.
fn slot(hour: i64, zone: &TimeZone) -> usize {
    let wall = zone.to_datetime(hour_at(hour));
    let day = usize::try_from(wall.weekday().to_monday_zero_offset()).unwrap_or_default();
    let of_day = usize::try_from(wall.hour()).unwrap_or_default();
    day * HOURS + of_day
}

fn add<const N: usize>(sums: &mut [Sum; N], at: usize, spent: u64) {
    if let Some(sum) = sums.get_mut(at) {
        sum.add(spent);
    }
}

fn count<const N: usize>(counts: &mut [u64; N], at: usize) {
    if let Some(count) = counts.get_mut(at) {
        *count += 1;
    }
}

/// `a × b / c`.
fn product(a: u64, b: u64, c: u64) -> u64 {
    u64::try_from(u128::from(a) * u128::from(b) / u128::from(c.max(1))).unwrap_or(u64::MAX)
}
