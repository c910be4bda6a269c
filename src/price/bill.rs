//! What a usage costs, and all that explains it: enough to reckon it again without the price.

use super::MOST_OF_ONE_ATTEMPT;
use super::kinds::{Kind, Rates, split};
use super::sheet::{Compute, Fees};
use crate::money::{Currency, Exact, Money, Rate, Ratio};
use crate::usage::Usage;
use jiff::Timestamp;

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
    /// What multiplied the tokens: the service tier, options of the request, the hour.
    pub times: Ratio,
    /// The account's discount and surcharge, on everything.
    pub account: Ratio,
    pub fees: Fees,
    pub compute: Option<Compute>,
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

/// Tokens of one kind at one rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    pub kind: Kind,
    pub tokens: u64,
    pub rate: Rate,
}

impl Bill {
    pub const FREE: Self = Self {
        amount: Money::ZERO,
        billed: Money::ZERO,
        currency: Currency::USD,
        exchange: Ratio::ONE,
        rates: Rates::FREE,
        from: None,
        times: Ratio::ONE,
        account: Ratio::ONE,
        fees: Fees::NONE,
        compute: None,
        prepaid: Money::ZERO,
        drawn: Drawn {
            ladder: 0,
            free: 0,
            commitment: 0,
        },
    };

    /// The paid tokens of a usage at the bill's own rates. Not where a ladder gave them several.
    pub fn lines(&self, usage: &Usage) -> Vec<Line> {
        let mut free = self.drawn.free;
        let mut lines = Vec::new();
        for (kind, tokens) in split(usage) {
            let given = tokens.min(free);
            free -= given;
            let (tokens, rate) = (tokens - given, self.rates.get(kind));
            if tokens > 0 {
                lines.push(Line { kind, tokens, rate });
            }
        }
        lines
    }

    /// The amount again, from its lines and what else it says of itself.
    pub fn reckoned(&self, lines: &[Line], usage: &Usage) -> Money {
        let tokens = lines
            .iter()
            .fold(Exact::default(), |sum, line| sum.plus(line.tokens, line.rate));
        let fees = fees(&self.fees, self.compute, usage);
        let exact = sum(tokens, fees, self.times);
        let factor = self.account.times(self.exchange);
        exact
            .rounded_half_even_at(factor, self.times.denominator())
            .min(MOST_OF_ONE_ATTEMPT)
    }
}

pub(super) fn fees(fees: &Fees, compute: Option<Compute>, usage: &Usage) -> Exact {
    let time = compute.map_or_else(Exact::default, |compute| compute.of(usage.time));
    fees.of(usage).and(time)
}

/// Tokens at their factor and fees without it, over the factor's denominator.
pub(super) fn sum(tokens: Exact, fees: Exact, factor: Ratio) -> Exact {
    if factor.is_one() {
        return tokens.and(fees);
    }
    tokens.times(factor.numerator()).and(fees.times(factor.denominator()))
}
