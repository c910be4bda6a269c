//! One price as it stands for one request: what is posted, what is reserved, what is compared.
//!
//! Every amount is one exact sum with its multipliers as fractions, divided and rounded once. A quote of a price of plain
//! rates costs a few comparisons and allocates nothing.

mod ceiling;

pub use ceiling::Ceiling;

use super::MOST_OF_ONE_ATTEMPT;
use super::bill::{self, Bill, Drawn, Line, sum};
use super::kinds::{Rates, split};
use super::meter::{Position, Positions};
use super::moment::Moment;
use super::places::Stretch;
use super::promise::Promise;
use super::sheet::LadderKind;
use super::version::{Ladder, Version};
use crate::money::{Exact, Money, Ratio};
use crate::request::Thinking;
use crate::usage::{ServiceTier, Usage};
use jiff::Timestamp;

#[derive(Clone, Copy, Debug)]
pub struct Quote<'p> {
    /// `None`: free.
    version: Option<&'p Version>,
    moment: Moment<'p>,
    positions: &'p Positions,
    /// What its free quota gave, where that is past.
    given: Option<u64>,
    /// The places on its ladder that it was promised; none: from where the ladder stands.
    places: &'p [Stretch],
    /// The window in force on arrival, and the set of those that it may meet.
    window: usize,
    windows: u64,
    options: Ratio,
}

/// What a usage comes to before it is rounded.
struct Charged<'p> {
    sum: Exact,
    /// What multiplied the tokens; `sum` is still over its denominator.
    times: Ratio,
    /// Of the last token.
    rates: &'p Rates,
    /// Tokens that the free quota gave, and those beyond.
    free: u64,
    volume: u64,
}

impl Charged<'_> {
    fn half_even(&self, ratio: Ratio) -> Money {
        self.sum.rounded_half_even_at(ratio, self.times.denominator())
    }

    fn amount(&self, ratio: Ratio) -> Money {
        self.half_even(ratio).min(MOST_OF_ONE_ATTEMPT)
    }
}

/// At which step of a ladder a usage counts.
#[derive(Clone, Copy)]
enum Climb {
    At(usize),
    /// Each token at the step of its own place, from where the ladder stands or in the places that were promised.
    Placed,
}

/// Goes along the places of a usage.
struct Walk<'p> {
    places: std::slice::Iter<'p, Stretch>,
    at: u64,
    end: u64,
}

impl<'p> Walk<'p> {
    fn new(places: &'p [Stretch], from: u64) -> Self {
        let mut places = places.iter();
        let (at, end) = places.next().copied().unwrap_or((from, u64::MAX));
        Self { places, at, end }
    }

    /// The step of the next tokens, and how many of them are on it.
    fn look(&self, ladder: &Ladder) -> (usize, u64) {
        let step = ladder.step(self.at);
        let room = ladder.end(step).min(self.end).saturating_sub(self.at);
        (step, room.max(1))
    }

    fn go(&mut self, tokens: u64) {
        self.at = self.at.saturating_add(tokens);
        if self.at >= self.end {
            // A provider that bills more than was promised goes on behind the last.
            (self.at, self.end) = self.places.next().copied().unwrap_or((self.at, u64::MAX));
        }
    }
}

/// The window in force on arrival, and the set of those that the request may meet.
fn windows(version: &Version, moment: &Moment<'_>) -> (usize, u64) {
    if version.windows.is_empty() {
        return (0, 1);
    }
    let until = moment.at.saturating_add(moment.patience).unwrap_or(moment.at);
    (version.window_at(moment.at), version.windows_between(moment.at, until))
}

fn options(version: &Version, moment: &Moment<'_>) -> Ratio {
    let asked = version
        .options
        .iter()
        .filter(|(option, _)| moment.options.contains(option));
    asked.fold(Ratio::ONE, |all, (_, times)| all.times(*times))
}

fn fees(version: &Version, usage: &Usage) -> Exact {
    if version.only_tokens {
        return Exact::default();
    }
    bill::fees(&version.fees, version.compute, usage)
}

impl<'p> Quote<'p> {
    /// What costs nothing, whoever asks.
    pub const FREE: Quote<'static> = Quote {
        version: None,
        moment: Moment::plain(Timestamp::UNIX_EPOCH),
        positions: &Positions::START,
        given: None,
        places: &[],
        window: 0,
        windows: 1,
        options: Ratio::ONE,
    };

    pub(super) fn new(version: Option<&'p Version>, moment: &Moment<'p>) -> Self {
        let (window, windows) = version.map_or((0, 1), |version| windows(version, moment));
        Self {
            version,
            moment: *moment,
            positions: &Positions::START,
            given: None,
            places: &[],
            window,
            windows,
            options: version.map_or(Ratio::ONE, |version| options(version, moment)),
        }
    }

    /// Where the price's meters stand.
    #[must_use]
    pub const fn at(mut self, positions: &'p Positions) -> Self {
        self.positions = positions;
        self
    }

    /// A free quota gave so many tokens then, wherever it stands.
    #[must_use]
    pub const fn giving(mut self, tokens: u64) -> Self {
        self.given = Some(tokens);
        self
    }

    /// In the places of its ladder that it was promised.
    #[must_use]
    pub fn over(mut self, promise: &'p Promise) -> Self {
        self.places = promise.places();
        self
    }

    pub(super) const fn arrived(&self) -> Timestamp {
        self.moment.at
    }

    pub fn is_free(&self) -> bool {
        self.version.is_none_or(Version::is_free)
    }

    /// The tier that is asked for and has no known price.
    pub fn unpriced_tier(&self) -> Option<ServiceTier> {
        let version = self.version.filter(|version| !version.is_free())?;
        self.moment.tier.filter(|tier| version.service.get(*tier).is_none())
    }

    /// What is posted for a usage: rounded half to even, never above [`MOST_OF_ONE_ATTEMPT`].
    pub fn cost(&self, usage: &Usage) -> Money {
        let Some(version) = self.version else {
            return Money::ZERO;
        };
        self.charged(version, usage).amount(version.factor)
    }

    pub fn bill(&self, usage: &Usage) -> Bill {
        let Some(version) = self.version else { return Bill::FREE };
        let charged = self.charged(version, usage);
        let Charged { free, volume, .. } = charged;
        let billed = charged.half_even(version.account);
        let money = billed.nanos().unsigned_abs();
        Bill {
            amount: charged.amount(version.factor),
            billed,
            currency: version.currency,
            exchange: version.exchange,
            rates: *charged.rates,
            from: version.from,
            times: charged.times,
            account: version.account,
            fees: version.fees,
            compute: version.compute,
            prepaid: self.prepaid(version, billed),
            drawn: Drawn {
                ladder: match version.ladder.as_ref().map(|ladder| ladder.meter.unit) {
                    None => 0,
                    Some(super::meter::Unit::Tokens) => volume,
                    Some(super::meter::Unit::Money) => money,
                },
                free: if version.free.is_some() { free } else { 0 },
                commitment: if version.commitment.is_some() { money } else { 0 },
            },
        }
    }

    fn charged(&self, version: &'p Version, usage: &Usage) -> Charged<'p> {
        let free = self.free_left(version, false).min(usage.tokens());
        let (tokens, rates) = if version.ladder.is_none() && free == 0 {
            self.plain_tokens(version, usage)
        } else {
            let climb = self.climb(version, usage, free);
            self.tokens(version, usage, free, climb, |_| {})
        };
        let times = self.times(version, usage);
        Charged {
            sum: sum(tokens, fees(version, usage), times),
            times,
            rates,
            free,
            volume: usage.tokens().saturating_sub(free),
        }
    }

    /// The bill's tokens where a ladder gives them more than one rate; otherwise [`Bill::lines`] says it all.
    pub fn lines(&self, usage: &Usage) -> Vec<Line> {
        let Some(version) = self.version.filter(|version| version.steps() > 1) else {
            return Vec::new();
        };
        let free = self.free_left(version, false).min(usage.tokens());
        let mut lines: Vec<Line> = Vec::new();
        let climb = self.climb(version, usage, free);
        self.tokens(version, usage, free, climb, |line| match lines.last_mut() {
            Some(last) if last.kind == line.kind && last.rate == line.rate => last.tokens += line.tokens,
            _ => lines.push(line),
        });
        lines
    }

    /// What the usage would cost at each step of the ladder: what a retroactive one corrects by.
    pub fn at_each_step(&self, usage: &Usage) -> Vec<Money> {
        let Some(version) = self.version else { return Vec::new() };
        let free = self.free_left(version, false).min(usage.tokens());
        let cost = |step| self.cost_at(version, usage, free, step);
        (0..version.steps()).map(cost).collect()
    }

    fn cost_at(&self, version: &'p Version, usage: &Usage, free: u64, step: usize) -> Money {
        let times = self.times(version, usage);
        let (tokens, _) = self.tokens(version, usage, free, Climb::At(step), |_| {});
        sum(tokens, fees(version, usage), times).rounded_half_even_at(version.factor, times.denominator())
    }

    /// What multiplies the tokens of a usage.
    fn times(&self, version: &Version, usage: &Usage) -> Ratio {
        let window = version.table(self.window, 0).times;
        self.service(version, usage.tier).times(window)
    }

    /// The part of what is billed that a commitment has paid for.
    fn prepaid(&self, version: &Version, billed: Money) -> Money {
        let stands = self.positions.commitment;
        let Some(commitment) = version.commitment.as_ref().filter(|_| !stands.unknown) else {
            return Money::ZERO;
        };
        let used = i64::try_from(stands.used).unwrap_or(i64::MAX);
        let left = commitment.amount.minus(Money::from_nanos(used));
        left.clamp(Money::ZERO, billed)
    }

    /// What this request would cost now, for comparison with others: at the present bracket, and nothing for what is paid
    /// anyway. See [`Self::marginal`] for one that finds a part of its input cached.
    pub fn expected(&self, input: u64, output: u64) -> Money {
        self.marginal(&self.expected_usage(input, output))
    }

    /// What such a request is likely to be billed by.
    pub fn expected_usage(&self, input: u64, output: u64) -> Usage {
        Usage {
            input,
            output,
            thinking: matches!(self.moment.thinking, Thinking::On | Thinking::Budget(_)),
            ..Usage::NONE
        }
    }

    /// What a usage adds to the period's bill, in the policy's currency.
    pub fn marginal(&self, usage: &Usage) -> Money {
        let Some(version) = self.version else {
            return Money::ZERO;
        };
        if let Some(commitment) = &version.commitment {
            let (amount, stands) = (commitment.amount.nanos().unsigned_abs(), self.positions.commitment);
            if !stands.unknown && stands.used < amount && stands.forecast.is_none_or(|volume| volume < amount) {
                return Money::ZERO;
            }
        }
        let Some(ladder) = version
            .ladder
            .as_ref()
            .filter(|ladder| ladder.kind == LadderKind::Whole)
        else {
            return self.cost(usage);
        };
        // The step that the period will reach re-rates this request too.
        let stands = self.positions.ladder;
        let step = ladder.step(stands.forecast.unwrap_or(0).max(stands.used));
        self.at_each_step(usage).get(step).copied().unwrap_or(Money::ZERO)
    }

    /// As [`Self::tokens`] where each kind has one rate and nothing is given: the most common price, and asked for each
    /// model of a route.
    fn plain_tokens(&self, version: &'p Version, usage: &Usage) -> (Exact, &'p Rates) {
        let rates = version.table(self.window, 0).rates(usage.input);
        let there = split(usage).into_iter().filter(|(_, tokens)| *tokens > 0);
        let sum = there.fold(Exact::default(), |sum, (kind, tokens)| {
            sum.plus(tokens, rates.get(kind))
        });
        (sum, rates)
    }

    /// The sum of the tokens, and the rates of the last of them. `see` is shown each part.
    fn tokens(
        &self,
        version: &'p Version,
        usage: &Usage,
        mut free: u64,
        climb: Climb,
        mut see: impl FnMut(Line),
    ) -> (Exact, &'p Rates) {
        let rates = |step| version.table(self.window, step).rates(usage.input);
        let mut walk = Walk::new(self.places, self.positions.ladder.used);
        let (mut total, mut last) = (Exact::default(), 0);
        if let Climb::At(step) = climb {
            last = step;
        }
        for (kind, mut tokens) in split(usage) {
            let given = tokens.min(free);
            (free, tokens) = (free - given, tokens - given);
            while tokens > 0 {
                let part = match (climb, &version.ladder) {
                    (Climb::Placed, Some(ladder)) => {
                        let (step, room) = walk.look(ladder);
                        last = step;
                        tokens.min(room)
                    }
                    _ => tokens,
                };
                let rate = rates(last).get(kind);
                total = total.plus(part, rate);
                see(Line {
                    kind,
                    tokens: part,
                    rate,
                });
                walk.go(part);
                tokens -= part;
            }
        }
        (total, rates(last))
    }

    fn climb(&self, version: &'p Version, usage: &Usage, free: u64) -> Climb {
        let Some(ladder) = &version.ladder else {
            return Climb::At(0);
        };
        let stands = self.positions.ladder;
        if stands.unknown {
            let dearest = |step: &usize| self.cost_at(version, usage, free, *step);
            return Climb::At((0..version.steps()).max_by_key(dearest).unwrap_or(0));
        }
        match (ladder.meter.unit, ladder.kind) {
            // A step of money begins where the money before it is spent: a request is at the step that it finds.
            (super::meter::Unit::Money, _) => Climb::At(ladder.step(stands.used)),
            (_, LadderKind::Marginal) => Climb::Placed,
            (_, LadderKind::Whole) => {
                let volume = usage.tokens().saturating_sub(free);
                Climb::At(ladder.step(stands.used.saturating_add(volume)))
            }
        }
    }

    /// What is left of the free quota; with `promised`, what nobody else can draw any more.
    fn free_left(&self, version: &Version, promised: bool) -> u64 {
        if let Some(given) = self.given {
            return given;
        }
        let Some(quota) = version.free_at(self.moment.at) else {
            return 0;
        };
        let Position {
            used, pending, unknown, ..
        } = self.positions.free;
        if unknown {
            return 0;
        }
        quota
            .tokens
            .saturating_sub(used)
            .saturating_sub(if promised { pending } else { 0 })
    }

    fn service(&self, version: &Version, answered: Option<ServiceTier>) -> Ratio {
        let tier = answered.or(self.moment.tier);
        let times = tier.and_then(|tier| version.service.get(tier)).unwrap_or(Ratio::ONE);
        times.times(self.options)
    }
}
