use super::*;
use crate::money::Rate;
use crate::policy::snapshot::{Pick, ProviderId, Supply};
use crate::price::{Moment, Price};
use crate::request::Thinking;
use jiff::Timestamp;
use proptest::prelude::*;
use std::time::Duration;

mod output;

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
        price: price.map(|(input, output)| Price::flat(rate(input), rate(input), rate(output))),
        tools: true,
        images: true,
        json_schema: true,
    }
}

fn standing(id: usize, model: &Model) -> Standing<'_> {
    Standing {
        id: ModelId(id),
        model,
        quote: model
            .price
            .as_ref()
            .map(|price| price.quote(&Moment::plain(Timestamp::UNIX_EPOCH))),
        missing_credential: None,
        shut_by: None,
        wait: None,
        cold: false,
        thinks_outside_bound: false,
        funds: None,
    }
}

fn terms() -> Terms {
    Terms::DIRECT
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
        unbounded: false,
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
            price: priced.then(|| Price::flat(Rate::per_million(Money::from_nanos(rate * 1_000_000_000)), Rate::FREE, Rate::per_million(Money::from_nanos(rate * 3_000_000_000)))),
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
