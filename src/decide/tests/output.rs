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
    let candidate = one(
        &terms(),
        &needs(),
        Standing {
            funds: funds("0.4"),
            ..standing(0, &model)
        },
    )
    .unwrap();
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
    let with = |remaining| Standing {
        funds: funds(remaining),
        ..standing(0, &model)
    };
    assert_eq!(one(&terms(), &long, with("0.4")).unwrap().cap, Some(4_166));
    let Reason::Budget { needs, remaining, .. } = one(&terms(), &long, with("0.247")).unwrap_err() else {
        panic!("money is the reason");
    };
    assert!(needs > remaining, "what is needed is more than what is left");
    assert_eq!(needs, money("0.248"));
    assert_eq!(one(&terms(), &long, with("0.248")).unwrap().cap, Some(1_000));
}

#[test]
fn books_that_are_being_rebuilt_are_a_matter_of_time_also_without_a_bound() {
    let model = model("m", QWEN);
    let closed = Some(Funds {
        budget: "month".into(),
        remaining: Money::ZERO,
        closed: Some("is being rebuilt"),
    });
    let closed = Standing {
        funds: closed,
        ..standing(0, &model)
    };
    let reason = one(&terms(), &needs(), closed).unwrap_err();
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
    let reason = one(
        &terms(),
        &needs(),
        Standing {
            funds: funds("0.049"),
            ..standing(0, &model)
        },
    )
    .unwrap_err();
    assert_eq!((reason.code(), reason.family()), ("budget", Family::Money));
    let small = Model {
        max_output: Some(100),
        ..model
    };
    assert!(
        one(
            &terms(),
            &needs(),
            Standing {
                funds: funds("0.049"),
                ..standing(0, &small)
            }
        )
        .is_ok(),
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
    let candidate = one(
        &terms(),
        &asks(5),
        Standing {
            funds: funds("0.06"),
            ..standing(0, &model)
        },
    )
    .unwrap();
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
        one(
            &terms(),
            &asks(10_000),
            Standing {
                funds: funds("0.06"),
                ..standing(0, &model)
            }
        )
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
