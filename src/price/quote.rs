//! One price as it stands for one request: what is posted, what is reserved, what is compared.
//!
//! Every amount is one exact sum with its multipliers as fractions, divided and rounded once. A quote of a price of plain
//! rates costs a few comparisons and allocates nothing.

mod ceiling;

pub use ceiling::Ceiling;

use super::MOST_OF_ONE_ATTEMPT;
use super::kinds::{Kind, Rates, split};
use super::meter::{Position, Positions};
use super::moment::Moment;
use super::sheet::LadderKind;
use super::version::Version;
use crate::money::{Currency, Exact, Money, Ratio};
use crate::request::Thinking;
use crate::usage::{ServiceTier, Usage};
use jiff::Timestamp;
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub struct Quote<'p> {
    /// `None`: free.
    version: Option<&'p Version>,
    moment: Moment<'p>,
    positions: &'p Positions,
    /// How much of the input is likely to be read from a cache, in basis points.
    hit_share: u32,
    /// How long it is likely to take.
    time: Duration,
    /// The window in force on arrival, and the set of those that it may meet.
    window: usize,
    windows: u64,
    options: Ratio,
}

/// What a usage costs, and how that came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bill {
    /// In the policy's currency.
    pub amount: Money,
    /// In the price's own.
    pub billed: Money,
    pub currency: Currency,
    pub exchange: Ratio,
    /// The list rates that counted, before multipliers; of the last bracket where a ladder was climbed.
    pub rates: Rates,
    /// From when the price counts that counted; `None` for the first.
    pub from: Option<Timestamp>,
    /// The part of `billed` that a commitment has paid for.
    pub prepaid: Money,
    pub drawn: Drawn,
}

/// What a usage takes from the meters of its price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drawn {
    pub ladder: u64,
    pub free: u64,
    pub commitment: u64,
}

impl Drawn {
    /// The free quota's part alone.
    #[must_use]
    pub const fn of_quota(self) -> Self {
        Self {
            ladder: 0,
            free: self.free,
            commitment: 0,
        }
    }
}

/// What a usage comes to before it is rounded.
struct Charged<'p> {
    sum: Exact,
    /// What it is still to be divided by.
    over: u64,
    /// Of the last token.
    rates: &'p Rates,
    /// Tokens that the free quota gave, and those beyond.
    free: u64,
    volume: u64,
}

impl Charged<'_> {
    fn half_even(&self, ratio: Ratio) -> Money {
        self.sum.rounded_half_even_at(ratio, self.over)
    }

    fn amount(&self, ratio: Ratio) -> Money {
        self.half_even(ratio).min(MOST_OF_ONE_ATTEMPT)
    }
}

/// At which step of a ladder a usage counts.
#[derive(Clone, Copy)]
enum Climb {
    At(usize),
    /// Each token at the step of its own place, from this volume on.
    From(u64),
}

impl<'p> Quote<'p> {
    /// What costs nothing, whoever asks.
    pub const FREE: Quote<'static> = Quote {
        version: None,
        moment: Moment::plain(Timestamp::UNIX_EPOCH),
        positions: &Positions::START,
        hit_share: 0,
        time: Duration::ZERO,
        window: 0,
        windows: 1,
        options: Ratio::ONE,
    };

    pub(super) fn new(version: Option<&'p Version>, moment: &Moment<'p>) -> Self {
        let mut quote = Self {
            version,
            moment: *moment,
            ..Quote::FREE
        };
        let Some(version) = version else { return quote };
        if !version.windows.is_empty() {
            let until = moment.at.saturating_add(moment.patience).unwrap_or(moment.at);
            quote.window = version.window_at(moment.at);
            quote.windows = version.windows_between(moment.at, until);
        }
        for (option, times) in &version.options {
            if moment.options.contains(option) {
                quote.options = quote.options.times(*times);
            }
        }
        quote
    }

    /// Where the price's meters stand.
    #[must_use]
    pub const fn at(mut self, positions: &'p Positions) -> Self {
        self.positions = positions;
        self
    }

    /// So much of the input, in basis points, is likely to be in the provider's cache.
    #[must_use]
    pub const fn warm(mut self, hit_share: u32) -> Self {
        self.hit_share = if hit_share > 10_000 { 10_000 } else { hit_share };
        self
    }

    /// The answer is likely to take so much of a machine's time.
    #[must_use]
    pub const fn taking(mut self, time: Duration) -> Self {
        self.time = time;
        self
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
            prepaid: version.commitment.as_ref().map_or(Money::ZERO, |commitment| {
                let used = i64::try_from(self.positions.commitment.used).unwrap_or(i64::MAX);
                commitment
                    .amount
                    .minus(Money::from_nanos(used))
                    .clamp(Money::ZERO, billed)
            }),
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
        let volume = usage.tokens().saturating_sub(free);
        let (tokens, rates) = self.tokens(version, usage, free, self.climb(version, volume));
        let factor = self
            .service(version, usage.tier)
            .times(version.table(self.window, 0).times);
        Charged {
            sum: sum(tokens, fees(version, usage), factor),
            over: factor.denominator(),
            rates,
            free,
            volume,
        }
    }

    /// What the usage would cost at each step of the ladder: what a retroactive one corrects by.
    pub fn at_each_step(&self, usage: &Usage) -> Vec<Money> {
        let Some(version) = self.version else { return Vec::new() };
        let free = self.free_left(version, false).min(usage.tokens());
        let factor = self
            .service(version, usage.tier)
            .times(version.table(self.window, 0).times);
        let cost = |step| {
            let (tokens, _) = self.tokens(version, usage, free, Climb::At(step));
            sum(tokens, fees(version, usage), factor).rounded_half_even_at(version.factor, factor.denominator())
        };
        (0..version.steps()).map(cost).collect()
    }

    /// What this request would cost now, for comparison with others: with the share of its input that is likely to be
    /// cached, at the present bracket, and nothing for what is paid anyway.
    pub fn expected(&self, input: u64, output: u64) -> Money {
        let cached = u128::from(input) * u128::from(self.hit_share) / 10_000;
        let usage = Usage {
            input,
            cache_read: u64::try_from(cached).unwrap_or(0),
            output,
            thinking: matches!(self.moment.thinking, Thinking::On | Thinking::Budget(_)),
            time: self.time,
            ..Usage::default()
        };
        self.marginal(&usage)
    }

    /// What a usage adds to the period's bill, in the policy's currency.
    pub fn marginal(&self, usage: &Usage) -> Money {
        let Some(version) = self.version else {
            return Money::ZERO;
        };
        if let Some(commitment) = &version.commitment {
            let (amount, stands) = (commitment.amount.nanos().unsigned_abs(), self.positions.commitment);
            if stands.used < amount && stands.forecast.is_none_or(|volume| volume < amount) {
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

    /// The sum of the tokens, and the rates of the last of them.
    fn tokens(&self, version: &'p Version, usage: &Usage, mut free: u64, climb: Climb) -> (Exact, &'p Rates) {
        let rates = |step| version.table(self.window, step).rates(usage.input);
        let (mut total, mut volume, mut last) = (Exact::default(), 0, 0);
        match climb {
            Climb::At(step) => last = step,
            Climb::From(from) => volume = from,
        }
        for (kind, mut tokens) in split(usage) {
            let given = tokens.min(free);
            (free, tokens) = (free - given, tokens - given);
            while tokens > 0 {
                let part = match (climb, &version.ladder) {
                    (Climb::From(_), Some(ladder)) => {
                        last = ladder.step(volume);
                        tokens.min(ladder.end(last).saturating_sub(volume)).max(1)
                    }
                    _ => tokens,
                };
                total = total.plus(part, rates(last).get(kind));
                (tokens, volume) = (tokens - part, volume.saturating_add(part));
            }
        }
        (total, rates(last))
    }

    fn climb(&self, version: &Version, volume: u64) -> Climb {
        let used = self.positions.ladder.used;
        match &version.ladder {
            None => Climb::At(0),
            // A step of money begins where the money before it is spent: a request is at the step that it finds.
            Some(ladder) if ladder.meter.unit == super::meter::Unit::Money => Climb::At(ladder.step(used)),
            Some(ladder) => match ladder.kind {
                LadderKind::Marginal => Climb::From(used),
                LadderKind::Whole => Climb::At(ladder.step(used.saturating_add(volume))),
            },
        }
    }

    /// What is left of the free quota; with `promised`, what nobody else can draw any more.
    fn free_left(&self, version: &Version, promised: bool) -> u64 {
        let Some(quota) = version.free_at(self.moment.at) else {
            return 0;
        };
        let Position { used, pending, .. } = self.positions.free;
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

impl Bill {
    pub const FREE: Self = Self {
        amount: Money::ZERO,
        billed: Money::ZERO,
        currency: Currency::USD,
        exchange: Ratio::ONE,
        rates: Rates::FREE,
        from: None,
        prepaid: Money::ZERO,
        drawn: Drawn {
            ladder: 0,
            free: 0,
            commitment: 0,
        },
    };
}

fn fees(version: &Version, usage: &Usage) -> Exact {
    let time = version
        .compute
        .map_or_else(Exact::default, |compute| compute.of(usage.time));
    version.fees.of(usage).and(time)
}

/// Tokens at their factor and fees without it, over the factor's denominator.
fn sum(tokens: Exact, fees: Exact, factor: Ratio) -> Exact {
    tokens.times(factor.numerator()).and(fees.times(factor.denominator()))
}
