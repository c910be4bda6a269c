//! Ladders, free quotas and commitments: worked examples, several at once, and what is not known yet.

use super::worked::{kinds, money, plain, used};
use super::*;
use crate::period::Period;
use jiff::tz::TimeZone;

fn meter(unit: Unit) -> Meter {
    Meter {
        name: "ladder/model/m".into(),
        shape: "".into(),
        since: None,
        unit,
        per: Some(Period::Month),
        zone: TimeZone::UTC,
    }
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
        let positions = counters.positions_of(&promise, tokens, &price, now.at);
        let bill = price.quote(&now).at(&positions).bill(&used(tokens, 0));
        counters.draw(&price, now.at, bill.drawn, &[]);
        counters.release(&price, now.at, &promise, 0);
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
            ..Position::default()
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
            forecast,
            ..Position::default()
        },
        ..Positions::START
    };
    let (begun, spent) = (stands(499_000_000_000, None), stands(500_000_000_000, None));
    let quote = |positions| price.quote(&now()).at(positions);
    assert_eq!(quote(&begun).expected(1_000_000, 0), Money::ZERO);
    let likely = quote(&begun).expected_usage(1_000_000, 0);
    assert_eq!(
        quote(&begun).cost(&likely).to_string(),
        "2",
        "an estimate is posted like a bill"
    );
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
    assert_eq!(counters.positions(&price, day(31)).ladder.used, 5, "still under way");
}

#[test]
fn on_a_rising_ladder_each_has_the_places_that_it_reserved_for_whoever_ends_first() {
    let price = Price::of(vec![Sheet {
        ladder: Some(LadderSheet {
            meter: meter(Unit::Tokens),
            kind: LadderKind::Marginal,
            steps: vec![(100, kinds(&[(Kind::Input, "6"), (Kind::Output, "6")]))],
        }),
        ..plain("2", "2")
    }]);
    let (now, mut counters) = (now(), Counters::default());
    let begin = |counters: &mut Counters| {
        let stands = counters.positions(&price, now.at);
        let worst = price.quote(&now).at(&stands).worst(100, 0);
        (worst, counters.promise(&price, now.at, 100))
    };
    let end = |counters: &mut Counters, (worst, mut promise): (Money, Promise), tokens| {
        counters.reach(&mut promise, tokens, &price, now.at);
        let stands = counters.positions_of(&promise, tokens, &price, now.at);
        let quote = price.quote(&now).at(&stands).over(&promise);
        let bill = quote.bill(&used(tokens, 0));
        assert!(bill.amount <= worst, "{} of {worst}", bill.amount);
        counters.settle(&price, now.at, bill.drawn, &[], None);
        counters.release(&price, now.at, &promise, bill.drawn.ladder);
        bill.amount.to_string()
    };
    let (first, second) = (begin(&mut counters), begin(&mut counters));
    assert_eq!(
        (first.0.to_string(), second.0.to_string()),
        ("0.0002".into(), "0.0006".into())
    );
    assert_eq!(
        end(&mut counters, second, 100),
        "0.0006",
        "what is before the threshold is the first one's"
    );
    assert_eq!(end(&mut counters, first, 40), "0.00008");
    let third = begin(&mut counters);
    assert_eq!(
        end(&mut counters, third, 100),
        "0.00036",
        "the sixty that were not used, and forty behind"
    );
}

#[test]
fn a_meter_that_comes_into_force_within_its_period_is_dearest_until_its_use_is_found() {
    let price = ladder(LadderKind::Marginal);
    let free = |tokens| {
        Price::of(vec![Sheet {
            free: Some(FreeQuota {
                meter: Meter {
                    name: "free/model/m".into(),
                    ..meter(Unit::Tokens)
                },
                tokens,
                until: None,
            }),
            ..plain("2", "6")
        }])
    };
    let quota = free(1_000);
    let (now, mut counters) = (now(), Counters::default());
    counters.take_over([&price, &quota].into_iter(), now.at);
    let cost = |counters: &Counters, price: &Price| {
        let stands = counters.positions(price, now.at);
        let quote = price.quote(&now).at(&stands);
        (
            quote.worst(1_000, 0).to_string(),
            quote.cost(&used(1_000, 0)).to_string(),
        )
    };
    let dearest = ("0.002".to_owned(), "0.002".to_owned());
    assert_eq!(
        (cost(&counters, &price), cost(&counters, &quota)),
        (dearest.clone(), dearest.clone())
    );
    let asked = counters.ask();
    assert_eq!(
        asked.iter().map(|row| &*row.key.name).collect::<Vec<_>>(),
        ["free/model/m", "ladder/model/m"]
    );
    assert!(counters.ask().is_empty(), "it is being found");
    let found: Vec<MeterRow> = asked
        .into_iter()
        .map(|row| MeterRow {
            used: 100_000_500,
            ..row
        })
        .collect();
    counters.draw(
        &price,
        now.at,
        Drawn {
            ladder: 7,
            ..Drawn::default()
        },
        &[],
    );
    counters.found(&found);
    assert_eq!(
        counters.positions(&price, now.at).ladder.used,
        100_000_507,
        "what ended meanwhile counts too"
    );
    assert_eq!(cost(&counters, &price), ("0.0016".to_owned(), "0.0016".to_owned()));
    assert_eq!(cost(&counters, &quota), dearest, "all of it is used");
    // Out of force and back: what was used meanwhile is missing.
    counters.take_over([&price].into_iter(), now.at);
    assert_eq!(counters.take_left().len(), 1);
    counters.take_over([&price, &quota].into_iter(), now.at);
    assert_eq!(counters.ask().len(), 1);
}

#[test]
fn the_next_period_begins_at_nothing_and_is_known_before_it_begins() {
    let price = ladder(LadderKind::Marginal);
    let end = meter(Unit::Tokens).span(now().at).end;
    let mut counters = Counters::default();
    counters.take_over([&price].into_iter(), end - jiff::SignedDuration::from_secs(30));
    assert_eq!(counters.ask().len(), 1, "the one that is under way");
    let stands = counters.positions(&price, end).ladder;
    assert_eq!((stands.used, stands.unknown), (0, false));
}
