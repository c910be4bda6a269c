use super::*;
use crate::money::Rate;
use crate::policy::snapshot::{ProviderId, Supply};
use crate::price::Price;
use crate::request::Thinking;
use proptest::prelude::*;
use std::time::Duration;

fn money(text: &str) -> Money {
    Money::parse(text).unwrap()
}

fn model(name: &str, price: Option<(&str, &str)>) -> Model {
    let rate = |text| Rate::per_million(money(text));
    Model {
        name: name.into(),
        provider: ProviderId(0),
        upstream: name.into(),
        supply: Supply::Licensed,
        quality: Some(80),
        context: Some(1_000_000),
        max_output: Some(64_000),
        price: price.map(|(input, output)| Price {
            input: rate(input),
            cache_read: rate(input),
            output: rate(output),
        }),
        tools: true,
        images: true,
        json_schema: true,
    }
}

fn standing(id: usize, model: &Model) -> Standing<'_> {
    Standing {
        id: ModelId(id),
        model,
        missing_credential: None,
        shut_by: None,
        wait: None,
        cold: false,
        thinks_outside_bound: false,
        funds: None,
    }
}

fn terms() -> Terms {
    Terms {
        pick: Pick::InOrder,
        need_quality: None,
        max_cost: None,
        max_output: None,
    }
}

fn needs() -> Requirements {
    Requirements {
        input: 1_000,
        choices: 1,
        ..Requirements::default()
    }
}

fn funds(remaining: &str) -> Option<Funds> {
    Some(Funds {
        budget: "month".into(),
        remaining: money(remaining),
        closed: None,
    })
}

fn one(terms: &Terms, needs: &Requirements, standing: Standing<'_>) -> Result<Candidate, Reason> {
    let decision = decide(terms, needs, &[standing], Duration::ZERO);
    assert_eq!(decision.candidates.len() + decision.excluded.len(), 1);
    decision
        .candidates
        .first()
        .copied()
        .ok_or_else(|| decision.excluded[0].reason.clone())
}

const QWEN: Option<(&str, &str)> = Some(("2", "6"));

#[test]
fn declared_order_holds_unless_the_cheapest_is_asked_for() {
    let (dear, cheap, free) = (
        model("dear", QWEN),
        model("cheap", Some(("0.2", "0.6"))),
        model("free", Some(("0", "0"))),
    );
    let all = [standing(0, &dear), standing(1, &cheap), standing(2, &free)];
    let ids = |pick| {
        decide(&Terms { pick, ..terms() }, &needs(), &all, Duration::ZERO)
            .candidates
            .iter()
            .map(|c| c.id.0)
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(Pick::InOrder), [0, 1, 2]);
    assert_eq!(ids(Pick::Cheapest), [2, 1, 0]);
}

#[test]
fn a_small_bound_does_not_make_a_dear_model_look_cheap() {
    let dear = Model {
        max_output: Some(1_000),
        ..model("dear", QWEN)
    };
    let cheap = model("cheap", Some(("2", "5")));
    let all = [standing(0, &dear), standing(1, &cheap)];
    let decision = decide(
        &Terms {
            pick: Pick::Cheapest,
            ..terms()
        },
        &needs(),
        &all,
        Duration::ZERO,
    );
    assert_eq!(decision.candidates[0].id, ModelId(1));
}

#[test]
fn a_cold_server_comes_after_what_is_warm() {
    let (a, b) = (model("a", QWEN), model("b", QWEN));
    let all = [
        Standing {
            cold: true,
            ..standing(0, &a)
        },
        standing(1, &b),
    ];
    let decision = decide(&terms(), &needs(), &all, Duration::ZERO);
    assert_eq!(decision.candidates.iter().map(|c| c.id.0).collect::<Vec<_>>(), [1, 0]);
}

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

#[test]
fn each_constraint_excludes_with_its_own_reason() {
    let base = model("m", QWEN);
    let blind = Model {
        images: false,
        tools: false,
        json_schema: false,
        ..base.clone()
    };
    let code = |needs: &Requirements, standing| one(&terms(), needs, standing).unwrap_err().code();
    assert_eq!(
        code(
            &Requirements {
                images: true,
                ..needs()
            },
            standing(0, &blind)
        ),
        "capability"
    );
    assert_eq!(
        code(&Requirements { tools: true, ..needs() }, standing(0, &blind)),
        "capability"
    );
    assert_eq!(
        code(
            &Requirements {
                json_schema: true,
                ..needs()
            },
            standing(0, &blind)
        ),
        "capability"
    );
    assert_eq!(
        code(
            &Requirements {
                min_quality: Some(81),
                ..needs()
            },
            standing(0, &base)
        ),
        "quality"
    );
    assert_eq!(
        code(
            &Requirements {
                input: 1_000_000,
                ..needs()
            },
            standing(0, &base)
        ),
        "context"
    );
    assert_eq!(
        code(
            &needs(),
            Standing {
                missing_credential: Some("x".into()),
                ..standing(0, &base)
            }
        ),
        "missing_credential"
    );
    assert_eq!(
        code(
            &needs(),
            Standing {
                shut_by: Some("p".into()),
                ..standing(0, &base)
            }
        ),
        "plan"
    );
    let wait = |breaker| {
        Some(Wait {
            until: Duration::from_secs(9),
            why: "rate_limited",
            breaker,
        })
    };
    assert_eq!(
        code(
            &needs(),
            Standing {
                wait: wait(false),
                ..standing(0, &base)
            }
        ),
        "cooling"
    );
    assert_eq!(
        code(
            &needs(),
            Standing {
                wait: wait(true),
                ..standing(0, &base)
            }
        ),
        "breaker_open"
    );
    let unpriced = model("u", None);
    assert_eq!(
        code(
            &needs(),
            Standing {
                funds: funds("1"),
                ..standing(0, &unpriced)
            }
        ),
        "unpriced"
    );
    let closed = Some(Funds {
        budget: "month".into(),
        remaining: money("9"),
        closed: Some("is being rebuilt"),
    });
    assert_eq!(
        code(
            &needs(),
            Standing {
                funds: closed,
                ..standing(0, &base)
            }
        ),
        "budget_closed"
    );
}

#[test]
fn a_free_model_needs_no_money() {
    let free = model("free", Some(("0", "0")));
    assert!(
        one(
            &terms(),
            &needs(),
            Standing {
                funds: funds("0"),
                ..standing(0, &free)
            }
        )
        .is_ok()
    );
    let closed = Some(Funds {
        budget: "month".into(),
        remaining: Money::ZERO,
        closed: Some("is being rebuilt"),
    });
    assert!(
        one(
            &terms(),
            &needs(),
            Standing {
                funds: closed,
                ..standing(0, &free)
            }
        )
        .is_ok()
    );
}

#[test]
fn a_refusal_names_the_first_family_that_applies() {
    let exclusion = |id, reason| Exclusion {
        id: ModelId(id),
        reason,
    };
    let context = |needs| Reason::Context { needs, has: 1_000 };
    let budget = Reason::Budget {
        budget: "b".into(),
        needs: money("1"),
        remaining: money("0"),
    };
    let cooling = |secs| Reason::Cooling {
        wait: Duration::from_secs(secs),
        why: "x",
    };
    let all_need = [exclusion(0, context(9_000)), exclusion(1, context(1_100))];
    assert_eq!(refusal(&all_need).family, Family::Need);
    assert_eq!(
        refusal(&all_need).nearest.unwrap().id,
        ModelId(1),
        "what is violated least"
    );
    let timed = [
        exclusion(0, context(9_000)),
        exclusion(1, budget.clone()),
        exclusion(2, cooling(9)),
        exclusion(3, cooling(4)),
    ];
    assert_eq!(
        (refusal(&timed).family, refusal(&timed).retry_after),
        (Family::Time, Some(Duration::from_secs(4)))
    );
    let credential = Reason::MissingCredential { what: "k".into() };
    assert_eq!(
        refusal(&[exclusion(0, credential.clone()), exclusion(1, budget)]).family,
        Family::Money
    );
    assert_eq!(
        refusal(&[
            exclusion(0, Reason::Plan { plan: "p".into() }),
            exclusion(1, credential)
        ])
        .family,
        Family::Credential
    );
}

proptest! {
    #[test]
    fn every_model_is_decided_once_and_the_same_inputs_give_the_same_decision(
        shapes in proptest::collection::vec((any::<bool>(), 0_i64..5, 0_u64..3, any::<bool>(), any::<bool>(), 0_i64..3_000_000_000), 0..8),
        input in 0_u64..2_000_000, bound in proptest::option::of(1_u64..200_000), cheapest in any::<bool>(), cap in proptest::option::of(0_i64..1_000_000_000),
    ) {
        let models: Vec<Model> = shapes.iter().enumerate().map(|(i, (priced, rate, context, ..))| Model {
            price: priced.then(|| Price { input: Rate::per_million(Money::from_nanos(rate * 1_000_000_000)), cache_read: Rate::FREE, output: Rate::per_million(Money::from_nanos(rate * 3_000_000_000)) }),
            context: (*context > 0).then_some(context * 500_000),
            ..model(&format!("m{i}"), None)
        }).collect();
        let standings: Vec<Standing<'_>> = models.iter().zip(&shapes).enumerate().map(|(i, (model, shape))| Standing {
            cold: shape.3,
            funds: shape.4.then(|| Funds { budget: "b".into(), remaining: Money::from_nanos(shape.5), closed: None }),
            ..standing(i, model)
        }).collect();
        let terms = Terms { pick: if cheapest { Pick::Cheapest } else { Pick::InOrder }, max_cost: cap.map(Money::from_nanos), ..terms() };
        let needs = Requirements { input, output_bound: bound, ..needs() };
        let decision = decide(&terms, &needs, &standings, Duration::ZERO);
        let mut ids: Vec<usize> = decision.candidates.iter().map(|c| c.id.0).chain(decision.excluded.iter().map(|e| e.id.0)).collect();
        ids.sort_unstable();
        prop_assert_eq!(ids, (0..models.len()).collect::<Vec<_>>());
        prop_assert_eq!(&decision, &decide(&terms, &needs, &standings, Duration::ZERO));
        for candidate in &decision.candidates {
            let standing = &standings[candidate.id.0];
            if let Some(funds) = &standing.funds { prop_assert!(candidate.worst <= funds.remaining || candidate.worst == Money::ZERO); }
            if let Some(cap) = terms.max_cost { prop_assert!(candidate.worst <= cap); }
            if let Some(bound) = bound { prop_assert_eq!(candidate.output, bound); }
        }
    }
}
