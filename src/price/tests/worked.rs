//! Worked examples of every form, in numbers that can be checked by hand.

use super::*;
use crate::money::{Currency, Ratio};
use crate::request::Thinking;
use crate::usage::{CacheLife, ServiceTier};
use std::time::Duration;

pub(super) fn money(text: &str) -> Money {
    Money::parse(text).unwrap()
}

pub(super) fn kinds(given: &[(Kind, &str)]) -> Kinds {
    given
        .iter()
        .fold(Kinds::default(), |kinds, (kind, text)| kinds.with(*kind, rate(text)))
}

pub(super) fn plain(input: &str, output: &str) -> Sheet {
    Sheet {
        kinds: kinds(&[(Kind::Input, input), (Kind::Output, output)]),
        ..Sheet::default()
    }
}

pub(super) fn used(input: u64, output: u64) -> Usage {
    Usage {
        input,
        output,
        ..Usage::default()
    }
}

fn cost(sheet: Sheet, usage: &Usage) -> String {
    Price::of(vec![sheet]).quote(&now()).cost(usage).to_string()
}

#[test]
fn one_token_over_an_edge_re_rates_the_whole_request() {
    let qwen3_max = || Sheet {
        tiers: vec![(32_000, kinds(&[(Kind::Input, "4"), (Kind::Output, "16")]))],
        ..plain("2.5", "10")
    };
    assert_eq!(cost(qwen3_max(), &used(32_000, 1_000)), "0.09");
    assert_eq!(
        cost(qwen3_max(), &used(32_001, 1_000)),
        "0.144004",
        "60 % for one token"
    );
    let cached = Usage {
        cache_read: 32_000,
        ..used(32_001, 1_000)
    };
    assert_eq!(
        cost(qwen3_max(), &cached),
        "0.144004",
        "cached tokens count for the tier"
    );
}

#[test]
fn thinking_is_the_whole_answer_at_its_own_rate() {
    let qwen_plus = || Sheet {
        kinds: kinds(&[(Kind::Input, "0.4"), (Kind::Output, "1.2"), (Kind::OutputThinking, "4")]),
        ..Sheet::default()
    };
    let thought = Usage {
        reasoning: 600_000,
        ..used(0, 1_000_000)
    };
    assert_eq!(cost(qwen_plus(), &thought), "4");
    assert_eq!(cost(qwen_plus(), &used(0, 1_000_000)), "1.2");
    let price = Price::of(vec![qwen_plus()]);
    for (thinking, worst) in [
        (Thinking::Off, "1.2"),
        (Thinking::Unstated, "4"),
        (Thinking::Budget(9), "4"),
    ] {
        let moment = Moment { thinking, ..now() };
        assert_eq!(
            price.quote(&moment).worst(0, 1_000_000).to_string(),
            worst,
            "{thinking:?}"
        );
    }
}

#[test]
fn a_prefix_that_is_cached_explicitly_pays_from_its_second_use() {
    let sheet = || Sheet {
        kinds: kinds(&[
            (Kind::Input, "1"),
            (Kind::CacheReadExplicit, "0.1"),
            (Kind::CacheWrite, "1.25"),
            (Kind::CacheWrite1h, "2"),
            (Kind::Output, "1"),
        ]),
        ..Sheet::default()
    };
    let million = || used(1_000_000, 0);
    let write = Usage {
        cache_write: 1_000_000,
        ..million()
    };
    let hour = Usage {
        cache_write_1h: 1_000_000,
        ..million()
    };
    let read = Usage {
        cache_read_explicit: 1_000_000,
        ..million()
    };
    assert_eq!(
        (cost(sheet(), &write), cost(sheet(), &hour), cost(sheet(), &read)),
        ("1.25".into(), "2".into(), "0.1".into())
    );
    let price = Price::of(vec![sheet()]);
    for (cache, worst) in [
        (CacheLife::Unsaid, "1"),
        (CacheLife::Short, "1.25"),
        (CacheLife::Hour, "2"),
    ] {
        let moment = Moment { cache, ..now() };
        assert_eq!(price.quote(&moment).worst(1_000_000, 0).to_string(), worst, "{cache:?}");
    }
}

#[test]
fn the_tier_that_the_answer_names_is_billed_and_the_dearer_one_reserved() {
    let mut service = Service::default();
    service.set(ServiceTier::Priority, Ratio::basis_points(25_000));
    service.set(ServiceTier::Flex, Ratio::basis_points(5_000));
    let price = Price::of(vec![Sheet {
        service,
        ..plain("2", "6")
    }]);
    let answered = |tier| Usage {
        tier,
        ..used(1_000_000, 0)
    };
    let asked = |tier| Moment { tier, ..now() };
    let priority = asked(Some(ServiceTier::Priority));
    let quote = price.quote(&priority);
    assert_eq!(quote.worst(1_000_000, 0).to_string(), "5");
    assert_eq!(
        quote.cost(&answered(Some(ServiceTier::Standard))).to_string(),
        "2",
        "it fell back"
    );
    assert_eq!(quote.cost(&answered(Some(ServiceTier::Priority))).to_string(), "5");
    assert_eq!(
        quote.cost(&answered(None)).to_string(),
        "5",
        "nothing is said: what was asked for"
    );
    let flex = asked(Some(ServiceTier::Flex));
    assert_eq!(
        price.quote(&flex).worst(1_000_000, 0).to_string(),
        "2",
        "flex may be refused"
    );
    assert_eq!(
        price.quote(&flex).cost(&answered(Some(ServiceTier::Flex))).to_string(),
        "1"
    );
    let fast = asked(Some(ServiceTier::Fast));
    assert_eq!(price.quote(&fast).unpriced_tier(), Some(ServiceTier::Fast));
    assert_eq!(Price::FREE.quote(&fast).unpriced_tier(), None);
}

#[test]
fn a_tier_that_is_left_to_the_provider_is_reserved_at_the_dearest_that_it_may_choose() {
    let mut service = Service::default();
    service.set(ServiceTier::Priority, Ratio::basis_points(20_000));
    service.set(ServiceTier::Ultrafast, Ratio::basis_points(60_000));
    let price = Price::of(vec![Sheet {
        service,
        ..plain("2", "6")
    }]);
    let open = Moment {
        tier: Some(ServiceTier::Standard),
        any_tier: true,
        ..now()
    };
    let quote = price.quote(&open);
    let answered = Usage {
        tier: Some(ServiceTier::Priority),
        ..used(1_000_000, 0)
    };
    assert_eq!(
        quote.worst(1_000_000, 0).to_string(),
        "4",
        "nobody is served quicker still unasked"
    );
    assert_eq!(quote.cost(&answered).to_string(), "4");
    assert_eq!(quote.cost(&used(1_000_000, 0)).to_string(), "2");
    assert_eq!(quote.expected(1_000_000, 0).to_string(), "2");
}

#[test]
fn multipliers_stack_and_fees_are_left_out_of_them() {
    let mut service = Service::default();
    service.set(ServiceTier::Batch, Ratio::basis_points(5_000));
    let sheet = Sheet {
        service,
        options: vec![("inference_geo=us".into(), Ratio::basis_points(11_000))],
        fees: Fees {
            web_search: rate("10000"),
            ..Fees::default()
        },
        ..plain("5", "25")
    };
    let options = ["inference_geo=us".into()];
    let moment = Moment {
        options: &options,
        tier: Some(ServiceTier::Batch),
        searches: 5,
        ..now()
    };
    let price = Price::of(vec![sheet]);
    let usage = Usage {
        web_searches: Some(2),
        tier: Some(ServiceTier::Batch),
        ..used(1_000_000, 0)
    };
    assert_eq!(
        price.quote(&moment).cost(&usage).to_string(),
        "2.77",
        "5 × 0.5 × 1.1 + 2 × 0.01"
    );
    assert_eq!(
        price.quote(&moment).worst(1_000_000, 0).to_string(),
        "5.55",
        "5 × 1.1 + 5 × 0.01"
    );
}

#[test]
fn a_machines_hour_is_billed_by_the_time_that_was_taken() {
    let sheet = Sheet {
        compute: Some(Compute {
            per_hour: money("0.18"),
            concurrency: None,
        }),
        ..Sheet::default()
    };
    let usage = Usage {
        time: Duration::from_secs(20),
        ..used(900, 100)
    };
    assert_eq!(cost(sheet.clone(), &usage), "0.001");
    let moment = Moment {
        patience: Duration::from_secs(600),
        ..now()
    };
    assert_eq!(
        Price::of(vec![sheet]).quote(&moment).worst(900, 100).to_string(),
        "0.03"
    );
}

#[test]
fn those_who_share_a_machine_share_its_hour() {
    let mut counters = Counters::default();
    let model = "m".into();
    let second = Duration::from_secs(1);
    let first = counters.begin(&model, second * 10);
    let other = counters.begin(&model, second * 20);
    assert_eq!(
        counters.finish(&model, first, second * 30),
        second * 15,
        "ten alone and half of ten"
    );
    assert_eq!(counters.finish(&model, other, second * 40), second * 15);
}

#[test]
fn two_currencies_stand_on_the_bill() {
    let sheet = Sheet {
        currency: Currency::parse("CNY").unwrap(),
        exchange: Ratio::new(14, 100),
        account: Ratio::basis_points(9_000),
        ..plain("2.5", "10")
    };
    let price = Price::of(vec![sheet]);
    let bill = price.quote(&now()).bill(&used(1_000_000, 0));
    assert_eq!(
        (bill.billed.to_string(), bill.amount.to_string()),
        ("2.25".to_owned(), "0.315".to_owned())
    );
}

#[test]
fn only_a_rounding_at_the_end_is_under_a_nano_off() {
    let mut service = Service::default();
    service.set(ServiceTier::Batch, Ratio::basis_points(5_000));
    let price = Price::of(vec![Sheet {
        service,
        ..plain("0.003", "0.003")
    }]);
    let batch = |input| Usage {
        tier: Some(ServiceTier::Batch),
        ..used(input, 0)
    };
    let quote = price.quote(&now());
    assert_eq!(quote.cost(&batch(1)).nanos(), 2, "1.5 goes to the even 2");
    assert_eq!(quote.cost(&batch(1_000_000_000)).to_string(), "1.5");
}
