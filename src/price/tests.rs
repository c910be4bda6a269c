use super::*;
use crate::money::Money;
use crate::usage::Usage;
use proptest::prelude::*;

mod dates;
mod forms;
mod meters;
mod worked;

fn rate(text: &str) -> Rate {
    Rate::per_million(Money::parse(text).unwrap())
}

fn price(input: &str, cache_read: &str, output: &str) -> Price {
    Price::flat(rate(input), rate(cache_read), rate(output))
}

fn now() -> Moment<'static> {
    Moment::plain(Timestamp::UNIX_EPOCH)
}

#[test]
fn cached_input_is_billed_at_its_own_rate_and_not_twice() {
    let usage = Usage {
        input: 10_000,
        cache_read: 8_000,
        output: 1_000,
        ..Usage::default()
    };
    assert_eq!(price("2", "0.25", "6").quote(&now()).cost(&usage).to_string(), "0.012");
}

#[test]
fn a_bill_that_no_attempt_can_have_stays_within_what_adds_up() {
    let usage = Usage {
        input: u64::MAX,
        output: u64::MAX,
        ..Usage::default()
    };
    assert_eq!(price("2", "2", "6").quote(&now()).cost(&usage), MOST_OF_ONE_ATTEMPT);
}

#[test]
fn reasoning_is_inside_output_and_not_added() {
    let usage = Usage {
        output: 100,
        reasoning: 90,
        ..Usage::default()
    };
    assert_eq!(price("2", "2", "6").quote(&now()).cost(&usage).to_string(), "0.0006");
}

#[test]
fn affordable_output_buys_what_it_says() {
    let price = price("2", "0.25", "6");
    let quote = price.quote(&now());
    let money = Money::parse("0.05").unwrap();
    let output = quote.affordable_output(money, 1_000).unwrap();
    assert_eq!(output, 8_000);
    assert!(quote.worst(1_000, output) <= money);
    assert_eq!(Price::FREE.quote(&now()).affordable_output(money, 1), None);
}

proptest! {
    #[test]
    fn a_usage_within_its_bounds_never_costs_more_than_was_reserved(
        rates in [0_i64..9_000_000_000, 0_i64..9_000_000_000, 0_i64..90_000_000_000],
        bound in (0_u64..1_000_000, 0_u64..1_000_000), cached in 0_u64..1_000_000, used in (0.0..=1.0_f64, 0.0..=1.0_f64),
    ) {
        let rate = |n| Rate::per_million(Money::from_nanos(n));
        let price = Price::flat(rate(rates[0]), rate(rates[1]), rate(rates[2]));
        let usage = Usage {
            input: (bound.0 as f64 * used.0) as u64,
            cache_read: cached,
            output: (bound.1 as f64 * used.1) as u64,
            ..Usage::default()
        };
        let quote = price.quote(&now());
        prop_assert!(quote.cost(&usage) <= quote.worst(bound.0, bound.1));
    }
}
