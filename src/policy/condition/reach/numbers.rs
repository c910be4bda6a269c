//! Sets of numbers as runs of values of the machine's own, and how the four operations move their ends.
//!
//! Ends are inclusive and never between two machine numbers, so that `< 1` ends with the number before 1 and what is
//! rounded is rounded as the evaluator does it. A set may be larger than it needs to be, never smaller.

use crate::policy::condition::syntax::Arithmetic;

/// More runs are joined: nobody writes so many holes.
const MOST_RUNS: usize = 16;

/// Ascending runs that do not touch.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    runs: Vec<(f64, f64)>,
    whole: bool,
}

impl Numbers {
    pub const NONE: Self = Self {
        runs: Vec::new(),
        whole: false,
    };

    /// From the first to the last, both of them in it.
    pub fn between(least: f64, most: f64) -> Self {
        let run = (least + 0.0, most + 0.0);
        Self {
            runs: std::iter::once(run).filter(|(least, most)| least <= most).collect(),
            whole: false,
        }
    }

    pub fn any() -> Self {
        Self::between(f64::MIN, f64::MAX)
    }

    pub fn point(value: f64) -> Self {
        Self::between(value, value)
    }

    /// Of these the whole ones.
    #[must_use]
    pub fn whole(self) -> Self {
        let runs = self.runs.into_iter().map(|(least, most)| (least.ceil(), most.floor()));
        Self {
            runs: runs.filter(|(least, most)| least <= most).collect(),
            whole: true,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The least and the greatest.
    pub fn ends(&self) -> Option<(f64, f64)> {
        Some((self.runs.first()?.0, self.runs.last()?.1))
    }

    /// The one value, where there is but one.
    pub fn only(&self) -> Option<f64> {
        match self.runs.as_slice() {
            [(least, most)] if least == most => Some(*least),
            _ => None,
        }
    }

    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut runs = Vec::new();
        for (a, b) in &self.runs {
            for (c, d) in &other.runs {
                let run = (a.max(*c), b.min(*d));
                if run.0 <= run.1 {
                    runs.push(run);
                }
            }
        }
        let both = Self { runs, whole: false };
        if self.whole || other.whole {
            both.whole()
        } else {
            both.bounded()
        }
    }

    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let mut all: Vec<(f64, f64)> = self.runs.iter().chain(&other.runs).copied().collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut runs: Vec<(f64, f64)> = Vec::new();
        for (least, most) in all {
            match runs.last_mut() {
                Some(last) if least <= last.1.next_up() => last.1 = last.1.max(most),
                _ => runs.push((least, most)),
            }
        }
        let whole = (self.whole || self.is_empty()) && (other.whole || other.is_empty());
        Self { runs, whole }.bounded()
    }

    #[must_use]
    pub fn without(&self, value: f64) -> Self {
        let hole = Self {
            runs: vec![(f64::NEG_INFINITY, value.next_down()), (value.next_up(), f64::INFINITY)],
            whole: false,
        };
        self.and(&hole)
    }

    #[must_use]
    pub fn negated(&self) -> Self {
        Self {
            runs: self
                .runs
                .iter()
                .rev()
                .map(|(least, most)| (0.0 - most, 0.0 - least))
                .collect(),
            whole: self.whole,
        }
    }

    fn bounded(mut self) -> Self {
        if self.runs.len() > MOST_RUNS
            && let Some(ends) = self.ends()
        {
            self.runs = vec![ends];
        }
        self
    }
}

/// What an operation may come to.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub values: Numbers,
    /// It may have no value, as a division by zero.
    pub undefined: bool,
}

impl Outcome {
    const fn none(undefined: bool) -> Self {
        Self {
            values: Numbers::NONE,
            undefined,
        }
    }

    fn unknown() -> Self {
        Self {
            values: Numbers::between(f64::NEG_INFINITY, f64::INFINITY),
            undefined: true,
        }
    }
}

pub(super) fn calculate(operator: Arithmetic, left: &Numbers, right: &Numbers) -> Outcome {
    let (Some((a, b)), Some((c, d))) = (left.ends(), right.ends()) else {
        return Outcome::none(false);
    };
    let corners: [f64; 4] = match operator {
        Arithmetic::Plus => [a + c, b + d, a + c, b + d],
        Arithmetic::Minus => [a - d, b - c, a - d, b - c],
        Arithmetic::Times => [a * c, a * d, b * c, b * d],
        Arithmetic::Over if right.only() == Some(0.0) => {
            return Outcome::none(true);
        }
        Arithmetic::Over if c <= 0.0 && d >= 0.0 => return Outcome::unknown(),
        Arithmetic::Over => [a / c, a / d, b / c, b / d],
    };
    if corners.iter().any(|corner| corner.is_nan()) {
        return Outcome::unknown();
    }
    let least = corners.into_iter().fold(f64::INFINITY, f64::min);
    let most = corners.into_iter().fold(f64::NEG_INFINITY, f64::max);
    Outcome {
        values: Numbers::between(least, most),
        undefined: false,
    }
}

/// Of the left side, what may come to `wanted` with some of the right; the other way round for the right one. All of it
/// where that cannot be told.
pub(super) fn sides(operator: Arithmetic, left: &Numbers, right: &Numbers, wanted: &Numbers) -> [Numbers; 2] {
    let all = || [left.clone(), right.clone()];
    let (Some(l), Some(r), Some(q)) = (left.ends(), right.ends(), wanted.ends()) else {
        return all();
    };
    if ![l.0, l.1, r.0, r.1].into_iter().all(f64::is_finite) {
        return all();
    }
    let kept =
        |of: &Numbers, run: Option<(f64, f64)>| run.map_or(Numbers::NONE, |(a, b)| of.and(&Numbers::between(a, b)));
    match operator {
        Arithmetic::Plus => [
            kept(left, rising(l, q, |x| x + r.0, |x| x + r.1)),
            kept(right, rising(r, q, |x| x + l.0, |x| x + l.1)),
        ],
        Arithmetic::Minus => [
            kept(left, rising(l, q, |x| x - r.1, |x| x - r.0)),
            kept(right, falling(r, q, |x| l.0 - x, |x| l.1 - x)),
        ],
        Arithmetic::Times => [
            factor(left, l, r, q, |x, y| x * y),
            factor(right, r, l, q, |x, y| x * y),
        ],
        Arithmetic::Over if r.0 > 0.0 || r.1 < 0.0 => [factor(left, l, r, q, |x, y| x / y), right.clone()],
        Arithmetic::Over => all(),
    }
}

/// Of what is multiplied or divided by something of one sign.
fn factor(of: &Numbers, own: (f64, f64), by: (f64, f64), wanted: (f64, f64), apply: fn(f64, f64) -> f64) -> Numbers {
    let least = |x: f64| apply(x, by.0).min(apply(x, by.1));
    let most = |x: f64| apply(x, by.0).max(apply(x, by.1));
    let run = match by {
        (from, _) if from >= 0.0 => rising(own, wanted, least, most),
        (_, to) if to <= 0.0 => falling(own, wanted, least, most),
        _ => return of.clone(),
    };
    run.map_or(Numbers::NONE, |(a, b)| of.and(&Numbers::between(a, b)))
}

/// Where something between `least` and `most`, which rise, may be what is wanted.
fn rising(
    (from, to): (f64, f64),
    wanted: (f64, f64),
    least: impl Fn(f64) -> f64,
    most: impl Fn(f64) -> f64,
) -> Option<(f64, f64)> {
    let first = first((from, to), |x| most(x) >= wanted.0)?;
    let last = last((from, to), |x| least(x) <= wanted.1)?;
    (first <= last).then_some((first, last))
}

/// The same where they fall.
fn falling(
    (from, to): (f64, f64),
    wanted: (f64, f64),
    least: impl Fn(f64) -> f64,
    most: impl Fn(f64) -> f64,
) -> Option<(f64, f64)> {
    let first = first((from, to), |x| least(x) <= wanted.1)?;
    let last = last((from, to), |x| most(x) >= wanted.0)?;
    (first <= last).then_some((first, last))
}

/// The least of a run that a promise which stays kept is kept for.
fn first((from, to): (f64, f64), kept: impl Fn(f64) -> bool) -> Option<f64> {
    if !kept(to) {
        return None;
    }
    let (mut low, mut high) = (rank(from), rank(to));
    while low < high {
        let middle = low.midpoint(high);
        // Towards the lower end, whatever the signs.
        let middle = if middle >= high { high - 1 } else { middle };
        if kept(at_rank(middle)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(at_rank(high))
}

/// The greatest of a run for which a promise that was kept is kept still.
fn last((from, to): (f64, f64), kept: impl Fn(f64) -> bool) -> Option<f64> {
    first((0.0 - to, 0.0 - from), |x| kept(0.0 - x)).map(|found| 0.0 - found)
}

/// Its place among all machine numbers; both zeros have one.
fn rank(value: f64) -> i64 {
    let bits = value.to_bits().cast_signed();
    if bits < 0 { i64::MIN.wrapping_sub(bits) } else { bits }
}

fn at_rank(rank: i64) -> f64 {
    let bits = if rank < 0 { i64::MIN.wrapping_sub(rank) } else { rank };
    f64::from_bits(bits.cast_unsigned())
}
