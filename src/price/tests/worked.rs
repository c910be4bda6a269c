//! Worked examples of every form, in numbers that can be checked by hand.

use super::*;
use crate::money::{Currency, Ratio};
use crate::period::Period;
use crate::request::Thinking;
use crate::usage::{CacheLife, ServiceTier};
use jiff::tz::TimeZone;
use std::time::Duration;

fn money(text: &str) -> Money {
    Money::parse(text).unwrap()
}

fn kinds(given: &[(Kind, &str)]) -> Kinds {
    given
        .iter()
        .fold(Kinds::default(), |kinds, (kind, text)| kinds.with(*kind, rate(text)))
}

fn plain(input: &str, output: &str) -> Sheet {
    Sheet {
        kinds: kinds(&[(Kind::Input, input), (Kind::Output, output)]),
        ..Sheet::default()
    }
}

fn used(input: u64, output: u64) -> Usage {
    Usage {
        input,
        output,
        ..Usage::default()
    }
}

fn cost(sheet: Sheet, usage: &Usage) -> String {
    Price::of(vec![sheet]).quote(&now()).cost(usage).to_string()
}

fn meter(unit: Unit) -> Meter {
    Meter {
        name: "ladder/model/m".into(),
        unit,
        per: Some(Period::Month),
        zone: TimeZone::UTC,
    }
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

fn ladder(kind: LadderKind) -> Price {
    Price::of(vec![Sheet {
        ladder: Some(LadderSheet {
            meter: meter(Unit::Tokens),
            kind,
            steps: vec![(100_000_000, kinds(&[(Kind::Input, "1.6"), (Kind::Output, "1.6")]))],
        }),
        ..plain("2", "2")
    }])
}

#[test]
fn a_marginal_ladder_rates_each_token_in_its_own_bracket() {
    let price = ladder(LadderKind::Marginal);
    let mut counters = Counters::default();
    let mut total = Money::ZERO;
    for _ in 0..3 {
        let positions = counters.positions(&price, now().at);
        let bill = price.quote(&now()).at(&positions).bill(&used(40_000_000, 0));
        total = total.plus(bill.amount);
        counters.draw(&price, now().at, bill.drawn, &[]);
    }
    assert_eq!(total.to_string(), "232", "100 M at 2 and 20 M at 1.6");
}

#[test]
fn a_whole_ladder_corrects_what_was_posted_before_its_threshold() {
    let price = ladder(LadderKind::Whole);
    let mut counters = Counters::default();
    let (mut posted, mut adjusted) = (Money::ZERO, Money::ZERO);
    for _ in 0..5 {
        let positions = counters.positions(&price, now().at);
        let quote = price.quote(&now()).at(&positions);
        let usage = used(20_000_000, 0);
        let bill = quote.bill(&usage);
        posted = posted.plus(bill.amount);
        let counted = counters.draw(&price, now().at, bill.drawn, &quote.at_each_step(&usage));
        adjusted = adjusted.plus(counted.adjustment.unwrap_or_default());
    }
    assert_eq!(
        (posted.to_string(), adjusted.to_string()),
        ("192".to_owned(), "-32".to_owned())
    );
    assert_eq!(
        posted.plus(adjusted).to_string(),
        "160",
        "100 M at 1.6: 40 less than at 2"
    );
}

#[test]
fn a_free_quota_that_several_share_at_once_costs_nobody_more_than_was_reserved() {
    let price = Price::of(vec![Sheet {
        free: Some(FreeQuota {
            meter: Meter {
                per: None,
                ..meter(Unit::Tokens)
            },
            tokens: 100,
            until: None,
        }),
        ..plain("2", "6")
    }]);
    let (now, mut counters) = (now(), Counters::default());
    let begin = |counters: &mut Counters, tokens| {
        let worst = price
            .quote(&now)
            .at(&counters.positions(&price, now.at))
            .worst(tokens, 0);
        (worst, counters.promise(&price, now.at, tokens))
    };
    let (first, later) = (begin(&mut counters, 60), begin(&mut counters, 100));
    assert_eq!(first.0, Money::ZERO);
    assert_eq!(later.0.to_string(), "0.00012", "forty are left for it");
    // The later one is settled before the first.
    for ((worst, promise), tokens) in [(later, 100), (first, 60)] {
        let positions = counters.positions_of(promise, &price, now.at);
        let bill = price.quote(&now).at(&positions).bill(&used(tokens, 0));
        counters.draw(&price, now.at, bill.drawn, &[]);
        counters.release(&price, now.at, promise);
        assert!(bill.amount <= worst, "{} of {worst}", bill.amount);
    }
    let stands = counters.positions(&price, now.at).free;
    assert_eq!((stands.used, stands.pending), (100, 0));
}

#[test]
fn a_free_quota_is_drawn_first_and_reserved_only_as_far_as_nobody_else_may_draw_it() {
    let price = Price::of(vec![Sheet {
        free: Some(FreeQuota {
            meter: Meter {
                per: None,
                ..meter(Unit::Tokens)
            },
            tokens: 1_000_000,
            until: Some("2026-12-01T00:00:00Z".parse().unwrap()),
        }),
        ..plain("2", "6")
    }]);
    let at = |text: &str| Moment::plain(text.parse().unwrap());
    let before = at("2026-11-30T23:59:59Z");
    let stands = Positions {
        free: Position {
            used: 400_000,
            pending: 500_000,
            forecast: None,
        },
        ..Positions::START
    };
    let quote = price.quote(&before).at(&stands);
    assert_eq!(quote.cost(&used(500_000, 100_000)), Money::ZERO);
    assert_eq!(
        quote.cost(&used(500_000, 200_000)).to_string(),
        "0.6",
        "100 k of the answer are paid"
    );
    assert_eq!(quote.worst(100_000, 0), Money::ZERO, "100 k are nobody else's");
    assert_eq!(
        quote.worst(500_000, 200_000).to_string(),
        "2",
        "400 k at 2 and 200 k at 6"
    );
    let after = at("2026-12-01T00:00:00Z");
    assert_eq!(price.quote(&after).at(&stands).cost(&used(500_000, 0)).to_string(), "1");
}

#[test]
fn what_is_committed_costs_nothing_more_until_it_is_used_and_is_posted_at_list_value() {
    let price = Price::of(vec![Sheet {
        commitment: Some(Commitment {
            meter: meter(Unit::Money),
            amount: money("500"),
        }),
        ..plain("2", "2")
    }]);
    let stands = |used, forecast| Positions {
        commitment: Position {
            used,
            pending: 0,
            forecast,
        },
        ..Positions::START
    };
    let (begun, spent) = (stands(499_000_000_000, None), stands(500_000_000_000, None));
    let quote = |positions| price.quote(&now()).at(positions);
    assert_eq!(quote(&begun).expected(1_000_000, 0), Money::ZERO);
    assert_eq!(quote(&spent).expected(1_000_000, 0).to_string(), "2");
    let exceeded = stands(10, Some(600_000_000_000));
    assert_eq!(
        quote(&exceeded).expected(1_000_000, 0).to_string(),
        "2",
        "it will be used up anyway"
    );
    let bill = quote(&begun).bill(&used(1_000_000, 0));
    assert_eq!(
        (bill.amount.to_string(), bill.prepaid.to_string()),
        ("2".to_owned(), "1".to_owned())
    );
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

#[test]
fn meters_of_periods_long_over_are_forgotten_and_those_in_use_are_not() {
    let price = ladder(LadderKind::Marginal);
    let day = |days: i64| Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(24 * days);
    let mut counters = Counters::default();
    let bill = price.quote(&now()).bill(&used(1_000, 0));
    counters.draw(&price, day(0), bill.drawn, &[]);
    counters.promise(&price, day(31), 5);
    counters.tidy(day(32));
    assert_eq!(counters.positions(&price, day(0)).ladder.used, 1_000);
    counters.tidy(day(90));
    assert_eq!(counters.positions(&price, day(0)).ladder.used, 0, "January is over");
    assert_eq!(counters.positions(&price, day(31)).ladder.pending, 5, "still under way");
}
