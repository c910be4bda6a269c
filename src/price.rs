//! How a model's use turns into money: rates per kind of token, one exact sum, one rounding.
//!
//! Knows no clock, budget or exchange rate. Tiers, windows, ladders and fees are not priced by this version, and the
//! policy reader refuses them.

use crate::money::{Exact, Money, Rate};
use crate::usage::Usage;

/// No attempt costs more: what would is a provider's or a client's nonsense, and a few such figures would leave the
/// range in which money adds up.
pub const MOST_OF_ONE_ATTEMPT: Money = Money::from_nanos(10_000_000 * crate::money::NANOS_PER_UNIT);

/// Rates per million tokens. An absent kind costs what the plain one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    pub input: Rate,
    pub cache_read: Rate,
    pub output: Rate,
}

impl Price {
    pub const FREE: Self = Self {
        input: Rate::FREE,
        cache_read: Rate::FREE,
        output: Rate::FREE,
    };

    /// The cost of a usage, rounded half to even: what is posted. Never above [`MOST_OF_ONE_ATTEMPT`].
    pub fn cost(&self, usage: &Usage) -> Money {
        self.exact(usage).rounded_half_even().min(MOST_OF_ONE_ATTEMPT)
    }

    /// The most that `input` and `output` tokens can cost, rounded up: what is reserved. Cached reads are not promised
    /// by any provider, so the dearer of the two input rates counts for all of them.
    pub fn worst(&self, input: u64, output: u64) -> Money {
        Exact::default()
            .plus(input, self.input.max(self.cache_read))
            .plus(output, self.output)
            .rounded_up()
    }

    /// The most output tokens that `money` buys after `input` tokens are paid for; `None` when output is free.
    pub fn affordable_output(&self, money: Money, input: u64) -> Option<u64> {
        let rate = i128::from(self.output.nanos_per_million());
        if rate == 0 {
            return None;
        }
        let left = money.minus(self.worst(input, 0)).nanos().max(0);
        u64::try_from(i128::from(left) * crate::money::TOKENS_PER_RATE / rate).ok()
    }

    pub fn is_free(&self) -> bool {
        *self == Self::FREE
    }

    fn exact(&self, usage: &Usage) -> Exact {
        Exact::default()
            .plus(usage.uncached_input(), self.input)
            .plus(usage.cache_read.min(usage.input), self.cache_read)
            .plus(usage.output, self.output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn price(input: &str, cache_read: &str, output: &str) -> Price {
        let rate = |text| Rate::per_million(Money::parse(text).unwrap());
        Price {
            input: rate(input),
            cache_read: rate(cache_read),
            output: rate(output),
        }
    }

    #[test]
    fn cached_input_is_billed_at_its_own_rate_and_not_twice() {
        let usage = Usage {
            input: 10_000,
            cache_read: 8_000,
            output: 1_000,
            ..Usage::default()
        };
        assert_eq!(price("2", "0.25", "6").cost(&usage).to_string(), "0.012");
    }

    #[test]
    fn a_bill_that_no_attempt_can_have_stays_within_what_adds_up() {
        let usage = Usage {
            input: u64::MAX,
            output: u64::MAX,
            ..Usage::default()
        };
        assert_eq!(price("2", "2", "6").cost(&usage), MOST_OF_ONE_ATTEMPT);
    }

    #[test]
    fn reasoning_is_inside_output_and_not_added() {
        let usage = Usage {
            output: 100,
            reasoning: 90,
            ..Usage::default()
        };
        assert_eq!(price("2", "2", "6").cost(&usage).to_string(), "0.0006");
    }

    #[test]
    fn affordable_output_buys_what_it_says() {
        let price = price("2", "0.25", "6");
        let output = price.affordable_output(Money::parse("0.05").unwrap(), 1_000).unwrap();
        assert_eq!(output, 8_000);
        assert!(price.worst(1_000, output) <= Money::parse("0.05").unwrap());
        assert_eq!(Price::FREE.affordable_output(Money::ZERO, 1), None);
    }

    proptest! {
        #[test]
        fn a_usage_within_its_bounds_never_costs_more_than_was_reserved(
            rates in [0_i64..9_000_000_000, 0_i64..9_000_000_000, 0_i64..90_000_000_000],
            bound in (0_u64..1_000_000, 0_u64..1_000_000), cached in 0_u64..1_000_000, used in (0.0..=1.0_f64, 0.0..=1.0_f64),
        ) {
            let rate = |n| Rate::per_million(Money::from_nanos(n));
            let price = Price { input: rate(rates[0]), cache_read: rate(rates[1]), output: rate(rates[2]) };
            let usage = Usage {
                input: (bound.0 as f64 * used.0) as u64,
                cache_read: cached,
                output: (bound.1 as f64 * used.1) as u64,
                ..Usage::default()
            };
            prop_assert!(price.cost(&usage) <= price.worst(bound.0, bound.1));
        }
    }
}
