//! How much output is reserved, and which bound is sent.

use super::*;

#[test]
fn without_limits_nothing_is_cut_and_no_bound_is_sent() {
    let model = model("m", QWEN);
    let candidate = one(&terms(), &needs(), standing(0, &model)).unwrap();
    assert_eq!((candidate.output, candidate.cap), (64_000, None));
    let open = Model {
        max_output: None,
        ..model
    };
    let candidate = one(&terms(), &needs(), standing(0, &open)).unwrap();
    assert_eq!(
        (candidate.output, candidate.cap),
        (999_000, None),
        "what the input leaves of the context is no cap"
    );
}

#[test]
fn an_unbounded_request_takes_an_eighth_of_a_small_budget() {
    let model = model("m", QWEN);
    let candidate = one(&terms(), &needs(), funded(&model, &funds("0.4"))).unwrap();
    // An eighth of 0.4 − 1,000 × 2/M is 0.04975 and buys 8,291 tokens at 6/M.
    assert_eq!(
        (candidate.output, candidate.cap, candidate.worst),
        (8_291, Some(8_291), money("0.051746"))
    );
}

#[test]
fn the_input_is_paid_from_the_whole_budget_and_only_the_open_end_is_bounded() {
    let model = model("m", QWEN);
    let long = Requirements {
        input: 100_000,
        ..needs()
    };
    // 0.2 for the input; an eighth of the 0.2 that are left then buys 4,166 tokens.
    let with = |remaining| one(&terms(), &long, funded(&model, &funds(remaining)));
    assert_eq!(with("0.4").unwrap().cap, Some(4_166));
    let Reason::Budget { needs, remaining, .. } = with("0.247").unwrap_err() else {
        panic!("money is the reason");
    };
    assert!(needs > remaining, "what is needed is more than what is left");
    assert_eq!(needs, money("0.248"));
    assert_eq!(with("0.248").unwrap().cap, Some(1_000));
}

#[test]
fn books_that_are_being_rebuilt_are_a_matter_of_time_also_without_a_bound() {
    let model = model("m", QWEN);
    let closed = Funds {
        closed: Some("is being rebuilt"),
        ..funds("0")
    };
    let reason = one(&terms(), &needs(), funded(&model, &closed)).unwrap_err();
    assert_eq!((reason.code(), reason.family()), ("budget_closed", Family::Time));
}

#[test]
fn a_thinking_budget_outside_the_bound_is_taken_off_what_money_buys() {
    let model = model("m", QWEN);
    let thinks = |budget| Requirements {
        thinking: Thinking::Budget(budget),
        ..needs()
    };
    let capped = Terms {
        max_cost: Some(money("0.05")),
        ..terms()
    };
    let outside = Standing {
        thinks_outside_bound: true,
        ..standing(0, &model)
    };
    for (budget, cap) in [(500, 7_500), (6_000, 2_000)] {
        let candidate = one(&capped, &thinks(budget), outside.clone()).unwrap();
        assert_eq!((candidate.cap, candidate.worst), (Some(cap), money("0.05")), "{budget}");
    }
}

#[test]
fn what_nothing_bounds_is_reserved_for_within_reason() {
    let open = Model {
        context: None,
        max_output: None,
        ..model("m", QWEN)
    };
    let candidate = one(&terms(), &needs(), standing(0, &open)).unwrap();
    assert_eq!((candidate.cap, candidate.worst), (None, money("6.002")));
    let asks = Requirements {
        output_bound: Some(u64::MAX),
        ..needs()
    };
    assert_eq!(
        one(&terms(), &asks, standing(0, &open)).unwrap_err().family(),
        Family::Need,
        "no books could add that up"
    );
}

#[test]
fn below_the_least_useful_output_a_model_is_no_candidate() {
    let model = model("m", QWEN);
    let reason = one(&terms(), &needs(), funded(&model, &funds("0.049"))).unwrap_err();
    assert_eq!((reason.code(), reason.family()), ("budget", Family::Money));
    let small = Model {
        max_output: Some(100),
        ..model
    };
    assert!(
        one(&terms(), &needs(), funded(&small, &funds("0.049"))).is_ok(),
        "a model that never gives more"
    );
}

#[test]
fn the_clients_own_bound_is_used_or_refused_and_never_cut() {
    let model = model("m", QWEN);
    let asks = |tokens| Requirements {
        output_bound: Some(tokens),
        ..needs()
    };
    let candidate = one(&terms(), &asks(5), funded(&model, &funds("0.06"))).unwrap();
    assert_eq!(
        (candidate.output, candidate.cap, candidate.worst),
        (5, None, money("0.00203"))
    );
    assert_eq!(
        one(&terms(), &asks(64_001), standing(0, &model)).unwrap_err().code(),
        "output"
    );
    let limited = Terms {
        max_output: Some(8_000),
        ..terms()
    };
    assert_eq!(
        one(&limited, &asks(8_001), standing(0, &model)).unwrap_err().code(),
        "output"
    );
    assert_eq!(
        one(&terms(), &asks(10_000), funded(&model, &funds("0.06")))
            .unwrap_err()
            .code(),
        "budget"
    );
}

#[test]
fn a_cost_cap_bounds_the_output_or_excludes() {
    let model = model("m", QWEN);
    let capped = Terms {
        max_cost: Some(money("0.05")),
        ..terms()
    };
    assert_eq!(one(&capped, &needs(), standing(0, &model)).unwrap().cap, Some(8_000));
    let asks = Requirements {
        output_bound: Some(8_001),
        ..needs()
    };
    assert_eq!(one(&capped, &asks, standing(0, &model)).unwrap_err().code(), "cost_cap");
    let tight = Requirements {
        max_cost: Some(money("0.001")),
        ..needs()
    };
    assert_eq!(
        one(&terms(), &tight, standing(0, &model)).unwrap_err().family(),
        Family::Need
    );
}

#[test]
fn choices_and_thinking_outside_the_bound_are_reserved_for() {
    let model = model("m", QWEN);
    let asks = Requirements {
        output_bound: Some(1_000),
        choices: 3,
        ..needs()
    };
    assert_eq!(one(&terms(), &asks, standing(0, &model)).unwrap().worst, money("0.02"));
    let thinks = |thinking| {
        let needs = Requirements {
            output_bound: Some(1_000),
            thinking,
            ..needs()
        };
        one(
            &terms(),
            &needs,
            Standing {
                thinks_outside_bound: true,
                ..standing(0, &model)
            },
        )
        .unwrap()
    };
    assert_eq!(thinks(Thinking::Off).worst, money("0.008"));
    assert_eq!(thinks(Thinking::Budget(500)).worst, money("0.011"));
    assert_eq!(
        (thinks(Thinking::On).worst, thinks(Thinking::On).thinking_budget),
        (money("0.014"), Some(1_000))
    );
    assert_eq!(
        (
            thinks(Thinking::Unstated).worst,
            thinks(Thinking::Unstated).thinking_budget
        ),
        (money("0.014"), None)
    );
}

#[test]
fn a_model_that_always_thinks_is_reserved_for_whatever_the_request_says() {
    let mut model = model("m", QWEN);
    model.traits.always_thinks = true;
    let asks = Requirements {
        output_bound: Some(1_000),
        thinking: Thinking::Off,
        ..needs()
    };
    let outside = Standing {
        thinks_outside_bound: true,
        ..standing(0, &model)
    };
    assert_eq!(one(&terms(), &asks, outside).unwrap().worst, money("0.014"));
}

#[test]
fn a_route_may_lower_the_clients_bound_in_place_of_an_exclusion() {
    let model = model("m", QWEN);
    let lowers = Terms {
        cap_output: true,
        ..terms()
    };
    let asks = |tokens| Requirements {
        output_bound: Some(tokens),
        ..needs()
    };
    let within = one(&lowers, &asks(5_000), standing(0, &model)).unwrap();
    assert_eq!((within.output, within.cap), (5_000, None), "what fits is left as it is");
    let long = one(&lowers, &asks(100_000), standing(0, &model)).unwrap();
    assert_eq!((long.output, long.cap), (64_000, Some(64_000)));
    // 0.06 less 0.002 for the input buys 9,666 tokens at 6/M.
    let poor = one(&lowers, &asks(10_000), funded(&model, &funds("0.06"))).unwrap();
    assert_eq!((poor.cap, poor.worst), (Some(9_666), money("0.059996")));
    let reason = one(&lowers, &asks(10_000), funded(&model, &funds("0.007"))).unwrap_err();
    assert_eq!(
        reason.code(),
        "budget",
        "below the least useful answer it is excluded all the same"
    );
    let small = one(&lowers, &asks(500), funded(&model, &funds("0.006"))).unwrap();
    assert_eq!(small.cap, None, "who asks for less than that gets it");
}

#[test]
fn the_least_useful_answer_is_the_routes_or_the_models_word_and_longer_where_it_reasons() {
    let plain = model("m", QWEN);
    let own = Model {
        min_output: Some(3_000),
        ..plain.clone()
    };
    let route = Terms {
        min_output: Some(200),
        ..terms()
    };
    let thinks = Requirements {
        thinking: Thinking::On,
        ..needs()
    };
    let least = |terms: &Terms, needs: &Requirements, model: &Model| {
        let tokens = |cap: u64| Terms {
            max_cost: Some(money("0.002").plus(Money::from_nanos(6_000 * i64::try_from(cap).unwrap()))),
            ..terms.clone()
        };
        (1..100)
            .map(|hundred| hundred * 100)
            .find(|cap| one(&tokens(*cap), needs, standing(0, model)).is_ok())
    };
    assert_eq!(least(&terms(), &needs(), &plain), Some(1_000));
    assert_eq!(least(&terms(), &needs(), &own), Some(3_000));
    assert_eq!(least(&route, &needs(), &own), Some(200));
    assert_eq!(least(&terms(), &thinks, &plain), Some(4_000));
}

proptest::proptest! {
    /// By hand: the longest answer that the model, the context, the cap and the share of the budget allow, whether money
    /// is ample or short.
    #[test]
    fn the_bound_is_the_largest_that_everything_allows(
        input in 0_u64..1_000_000, (dear, each) in (0_i64..40, 1_i64..80), longest in 1_u64..200_000,
        cap in proptest::option::of(0_i64..4_000_000), left in proptest::option::of(0_i64..16_000_000),
    ) {
        let rate = |units: i64| Rate::per_million(Money::from_nanos(units * 1_000_000_000));
        let model = Model { max_output: Some(longest), price: Some(Price::flat(rate(dear), rate(dear), rate(each))), ..model("m", None) };
        let micros = |micros: i64| Money::from_nanos(micros * 1_000);
        let terms = Terms { max_cost: cap.map(micros), ..terms() };
        let rest = left.map(|left| Funds { remaining: micros(left), ..funds("0") });
        let standing = match &rest { Some(rest) => funded(&model, rest), None => standing(0, &model) };
        let found = one(&terms, &Requirements { input, ..needs() }, standing);

        // In nano-units a token costs as many thousand as its rate has units: no rounding.
        let (room, least) = (1_000_000 - input, longest.min(1_000));
        let (paid, per) = (input as i64 * dear * 1_000, each * 1_000);
        let buys = |money: i64| u64::try_from((money - paid).div_euclid(per)).unwrap_or(0);
        let worst = |tokens: u64| paid + tokens as i64 * per;
        let maximum = longest.min(room);
        let mut bound = maximum;
        let mut code = (room < least).then_some("context");
        if let (None, Some(cap)) = (code, cap.map(|cap| cap * 1_000)) {
            code = (worst(least) > cap).then_some("cost_cap");
            bound = bound.min(buys(cap));
        }
        if let (None, Some(left)) = (code, left.map(|left| left * 1_000)) {
            let share = buys(paid + (left - paid).div_euclid(8));
            code = (left < paid + 8 * (worst(least) - paid) || share < least).then_some("budget");
            bound = bound.min(share);
        }
        match (found, code) {
            (Ok(found), None) => {
                proptest::prop_assert_eq!((found.output, found.cap), (bound, (bound < maximum).then_some(bound)));
                proptest::prop_assert_eq!(found.worst, Money::from_nanos(worst(bound)));
            }
            (Err(reason), Some(code)) => proptest::prop_assert_eq!(reason.code(), code),
            (found, code) => proptest::prop_assert!(false, "{found:?} where {code:?} was due"),
        }
    }
}
