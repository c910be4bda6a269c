//! The most that a request can cost: what is reserved, and how much output an amount buys at least.
//!
//! Nothing is promised: no cached read, no free quota that others may still draw, no cheaper hour, tier or bracket than the
//! dearest that the request may meet. Where only one table and bracket can be met, it is a line over the output's length,
//! which is drawn once.

use super::super::bill::{self, sum};
use super::super::kinds::{Kind, Rates};
use super::super::meter::{Position, Unit};
use super::super::sheet::LadderKind;
use super::super::version::{Ladder, Table, Version};
use super::Quote;
use crate::money::{Exact, Money, Rate, Ratio};
use crate::request::Thinking;
use crate::usage::{CacheLife, ServiceTier, Usage};
use std::ops::RangeInclusive;

/// A quote for an input of one length, asked about outputs of any.
#[derive(Clone, Copy, Debug)]
pub struct Ceiling<'q, 'p> {
    quote: &'q Quote<'p>,
    input: u64,
    line: Option<Line>,
}

/// What one table and bracket cost at worst: so much for input and fees, and so much for each output token.
#[derive(Clone, Copy, Debug)]
struct Line {
    fixed: Exact,
    each: Rate,
    /// Of the tokens; `fixed` has it already, and all is still over its denominator.
    times: Ratio,
    factor: Ratio,
}

impl Line {
    fn cost(&self, output: u64) -> Money {
        let answer = Exact::default().plus(output, self.each).times(self.times.numerator());
        let sum = self.fixed.and(answer);
        sum.rounded_up_at(self.factor, self.times.denominator())
    }

    /// The most output tokens that cost no more than `money`; `None` where they are free.
    fn output_within(&self, money: Money) -> Option<u64> {
        let within = Exact::within(money, self.factor, self.times.denominator());
        within.tokens_beyond(self.fixed, self.each, self.times.numerator())
    }
}

impl Ceiling<'_, '_> {
    /// As [`Quote::worst`].
    pub fn worst(&self, output: u64) -> Money {
        match &self.line {
            Some(line) => line.cost(output),
            None => self.quote.worst(self.input, output),
        }
    }

    /// As [`Quote::affordable_output`].
    pub fn affordable_output(&self, money: Money) -> Option<u64> {
        match &self.line {
            Some(line) => line.output_within(money),
            None => self.quote.affordable_output(money, self.input),
        }
    }
}

impl<'p> Quote<'p> {
    pub fn ceiling(&self, input: u64) -> Ceiling<'_, 'p> {
        Ceiling {
            quote: self,
            input,
            line: self.version.and_then(|version| self.only_line(version, input)),
        }
    }

    /// The most that so many tokens can cost, rounded up: what is reserved.
    pub fn worst(&self, input: u64, output: u64) -> Money {
        let Some(version) = self.version else {
            return Money::ZERO;
        };
        let free = self.free_left(version, true);
        let (paid_input, rest) = (input.saturating_sub(free), free.saturating_sub(input));
        let paid_output = output.saturating_sub(rest);
        let bounds = self.bounds(version);
        let mut worst = Money::ZERO;
        self.each_dearest(version, (input, output), |dearest| {
            let line = self.line(version, &bounds, dearest, paid_input);
            worst = worst.max(line.cost(paid_output));
        });
        worst
    }

    /// The most output tokens for which [`Quote::worst`] stays within `money`; `None` when output is free.
    pub fn affordable_output(&self, money: Money, input: u64) -> Option<u64> {
        let version = self.version?;
        if version.ladder.is_some() || version.free.is_some() {
            return self.searched_output(money, input);
        }
        let bounds = self.bounds(version);
        let mut most = None::<u64>;
        self.each_dearest(version, (input, 0), |dearest| {
            let line = self.line(version, &bounds, dearest, input);
            if let Some(tokens) = line.output_within(money) {
                most = Some(most.map_or(tokens, |least| least.min(tokens)));
            }
        });
        most
    }

    fn only_line(&self, version: &'p Version, input: u64) -> Option<Line> {
        if !version.windows.is_empty() || version.ladder.is_some() || version.free.is_some() {
            return None;
        }
        let table = version.table(0, 0);
        let mut reachable = table.reachable(input);
        let (rates, None) = (reachable.next()?, reachable.next()) else {
            return None;
        };
        Some(self.line(
            version,
            &self.bounds(version),
            self.dearest(version, table, rates),
            input,
        ))
    }

    fn line(&self, version: &Version, bounds: &Bounds, dearest: Dearest, input: u64) -> Line {
        let times = bounds.service.times(dearest.times);
        let tokens = Exact::default().plus(input, dearest.input);
        Line {
            fixed: sum(tokens, bounds.fees, times),
            each: dearest.output,
            times,
            factor: version.factor,
        }
    }

    fn bounds(&self, version: &Version) -> Bounds {
        Bounds {
            fees: self.worst_fees(version),
            service: self.dearest_service(version),
        }
    }

    fn searched_output(&self, money: Money, input: u64) -> Option<u64> {
        const MOST: u64 = 1 << 40;
        if self.worst(input, MOST) <= money {
            return None;
        }
        let (mut fits, mut exceeds) = (0, MOST);
        while exceeds - fits > 1 {
            let middle = fits + (exceeds - fits) / 2;
            if self.worst(input, middle) <= money {
                fits = middle;
            } else {
                exceeds = middle;
            }
        }
        Some(fits)
    }

    /// What every window, tier and step that a request of so many tokens may meet costs at its dearest. One that passes a
    /// threshold may meet the input of one step and the output of another.
    fn each_dearest(&self, version: &'p Version, (input, output): (u64, u64), mut see: impl FnMut(Dearest)) {
        let steps = self.steps(version, input.saturating_add(output));
        let mixes = version.ladder.as_ref().is_some_and(Ladder::is_placed) && steps.start() < steps.end();
        for window in (0..=version.windows.len()).filter(|window| self.windows >> window & 1 == 1) {
            let mut mixed: Option<Dearest> = None;
            for table in steps.clone().map(|step| version.table(window, step)) {
                for rates in table.reachable(input) {
                    let dearest = self.dearest(version, table, rates);
                    match mixed {
                        _ if !mixes => see(dearest),
                        Some(before) => mixed = Some(before.or(dearest)),
                        None => mixed = Some(dearest),
                    }
                }
            }
            mixed.into_iter().for_each(&mut see);
        }
    }

    /// The steps that a request of so many tokens may meet.
    fn steps(&self, version: &Version, tokens: u64) -> RangeInclusive<usize> {
        let Some(ladder) = &version.ladder else { return 0..=0 };
        let Position {
            used, pending, unknown, ..
        } = self.positions.ladder;
        if unknown {
            return 0..=version.steps() - 1;
        }
        let first = ladder.step(used);
        let top = used.saturating_add(pending).saturating_add(tokens);
        let last = match (ladder.meter.unit, ladder.kind) {
            (Unit::Money, _) => version.steps() - 1,
            (Unit::Tokens, LadderKind::Whole) => ladder.step(top),
            // The last of them is below.
            (Unit::Tokens, LadderKind::Marginal) => ladder.step(top.saturating_sub(1)),
        };
        first..=last.max(first)
    }

    fn dearest(&self, version: &Version, table: &Table, rates: &Rates) -> Dearest {
        Dearest {
            times: table.times,
            input: self.dearest_input(version, rates),
            output: self.dearest_output(rates),
        }
    }

    /// A tier that is asked for may be refused and the standard one billed; one that is left to the provider may be any
    /// that is served without being asked for.
    fn dearest_service(&self, version: &Version) -> Ratio {
        const UNASKED: [ServiceTier; 2] = [ServiceTier::Priority, ServiceTier::Scale];
        if self.moment.tier.is_none() && !self.moment.any_tier {
            return self.options;
        }
        let unasked = UNASKED.into_iter().filter(|_| self.moment.any_tier);
        let may_be = unasked
            .filter_map(|tier| version.service.get(tier))
            .map(|times| times.times(self.options));
        may_be.fold(self.options.dearer(self.service(version, None)), Ratio::dearer)
    }

    fn dearest_input(&self, version: &Version, rates: &Rates) -> Rate {
        let mut dearest = rates.get(Kind::Input).max(rates.get(Kind::CacheRead));
        let mut may_be = |kind, true_here: bool| {
            if true_here {
                dearest = dearest.max(rates.get(kind));
            }
        };
        let cache = self.moment.cache;
        may_be(Kind::CacheReadExplicit, cache > CacheLife::Unsaid);
        may_be(Kind::CacheWrite, !version.explicit_cache || cache > CacheLife::Unsaid);
        may_be(Kind::CacheWrite1h, cache >= CacheLife::Hour);
        may_be(Kind::CacheWrite12h, cache >= CacheLife::HalfDay);
        may_be(Kind::InputAudio, self.moment.audio);
        may_be(Kind::InputImage, self.moment.images);
        dearest
    }

    fn dearest_output(&self, rates: &Rates) -> Rate {
        let mut dearest = rates.get(Kind::Output);
        if self.moment.thinking != Thinking::Off {
            dearest = dearest.max(rates.get(Kind::OutputThinking));
        }
        if self.moment.audio {
            dearest = dearest.max(rates.get(Kind::OutputAudio));
        }
        dearest
    }

    fn worst_fees(&self, version: &Version) -> Exact {
        if version.only_tokens {
            return Exact::default();
        }
        let most = Usage {
            web_searches: Some(u64::from(self.moment.searches)),
            web_fetches: u64::from(self.moment.fetches),
            tool_calls: u64::from(self.moment.tool_calls),
            time: self.moment.patience,
            ..Usage::default()
        };
        bill::fees(&version.fees, version.compute, &most)
    }
}

/// The dearest input and output, before what multiplies them.
#[derive(Clone, Copy)]
struct Dearest {
    times: Ratio,
    input: Rate,
    output: Rate,
}

impl Dearest {
    /// Of one window: what multiplies is the same.
    fn or(self, other: Self) -> Self {
        Self {
            times: self.times,
            input: self.input.max(other.input),
            output: self.output.max(other.output),
        }
    }
}

/// What is the same at every table.
struct Bounds {
    fees: Exact,
    service: Ratio,
}
