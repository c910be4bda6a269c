use super::*;
use crate::license::{License, Territory, Use, Uses};
use crate::money::Rate;
use crate::policy::snapshot::{LicenseId, Need, ProviderId, Supply, Timeouts, Traits};
use crate::price::Price;
use crate::request::Thinking;
use crate::uptime::Uptime;
use std::time::Duration;

mod month;
mod order;
mod output;
mod shaped;
mod stick;

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
        min_output: None,
        price: price.map(|(input, output)| Price::flat(rate(input), rate(input), rate(output))),
        tools: true,
        images: true,
        json_schema: true,
        timeouts: Timeouts::default(),
        limits: crate::policy::snapshot::Limits::default(),
        shaping: crate::policy::snapshot::Shaping::default(),
        traits: crate::policy::snapshot::Traits::default(),
    }
}

fn standing(id: usize, model: &Model) -> Standing<'_> {
    Standing {
        barred: Barred::default(),
        attempted: false,
        id: ModelId(id),
        model,
        shut_by: None,
        stops_thinking: false,
        thinks_outside_bound: false,
        quote: model
            .price
            .as_ref()
            .map(|price| price.quote(&price::Moment::plain(Timestamp::UNIX_EPOCH))),
        disabled: None,
        misfit: None,
        speed: None,
        state: State::default(),
    }
}

fn funded<'a>(model: &'a Model, funds: &'a Funds) -> Standing<'a> {
    Standing {
        state: State {
            funds: Some(funds),
            ..State::default()
        },
        ..standing(0, model)
    }
}

fn terms() -> Terms {
    Terms::direct(ModelId(0))
}

fn needs() -> Requirements {
    Requirements {
        input: 1_000,
        choices: 1,
        ..Requirements::default()
    }
}

fn funds(remaining: &str) -> Funds {
    Funds {
        budget: "month".into(),
        remaining: money(remaining),
        closed: None,
    }
}

fn one(terms: &Terms, needs: &Requirements, standing: Standing<'_>) -> Result<Candidate, Reason> {
    constraints::check(terms, needs, &standing, Duration::ZERO)
}

const QWEN: Option<(&str, &str)> = Some(("2", "6"));

#[test]
fn each_constraint_excludes_with_its_own_reason() {
    let base = model("m", QWEN);
    let blind = Model {
        images: false,
        tools: false,
        json_schema: false,
        ..base.clone()
    };
    fn code(needs: Requirements, standing: Standing<'_>) -> &'static str {
        one(&terms(), &needs, standing).unwrap_err().code()
    }
    let (images, tools, json_schema) = (true, true, true);
    assert_eq!(
        code(Requirements { images, ..needs() }, standing(0, &blind)),
        "capability"
    );
    assert_eq!(
        code(Requirements { tools, ..needs() }, standing(0, &blind)),
        "capability"
    );
    assert_eq!(
        code(Requirements { json_schema, ..needs() }, standing(0, &blind)),
        "capability"
    );
    let min_quality = Some(81);
    assert_eq!(
        code(Requirements { min_quality, ..needs() }, standing(0, &base)),
        "quality"
    );
    let input = 1_000_000;
    assert_eq!(code(Requirements { input, ..needs() }, standing(0, &base)), "context");
    let keyless = State {
        missing_credential: Some("x".into()),
        ..State::default()
    };
    let keyless = Standing {
        state: keyless,
        ..standing(0, &base)
    };
    assert_eq!(code(needs(), keyless), "missing_credential");
    let plan: Arc<str> = "p".into();
    let shut = Standing {
        shut_by: Some(&plan),
        ..standing(0, &base)
    };
    assert_eq!(code(needs(), shut), "plan");
    let waits = |breaker| {
        let wait = Wait {
            until: Duration::from_secs(9),
            why: "rate_limited",
            breaker,
        };
        Standing {
            state: State {
                wait: Some(wait),
                ..State::default()
            },
            ..standing(0, &base)
        }
    };
    assert_eq!(code(needs(), waits(false)), "cooling");
    assert_eq!(code(needs(), waits(true)), "breaker_open");
    let unpriced = model("u", None);
    assert_eq!(code(needs(), funded(&unpriced, &funds("1"))), "unpriced");
    let closed = Funds {
        closed: Some("is being rebuilt"),
        ..funds("9")
    };
    assert_eq!(code(needs(), funded(&base, &closed)), "budget_closed");
}

#[test]
fn a_route_needs_what_its_requests_do_not_bring() {
    let base = model("m", QWEN);
    let needing = |need: Need| Terms { need, ..terms() };
    let blind = Model {
        tools: false,
        ..base.clone()
    };
    let tools = needing(Need {
        tools: Some(true),
        ..Need::NOTHING
    });
    assert_eq!(
        one(&tools, &needs(), standing(0, &blind)).unwrap_err().code(),
        "capability"
    );
    assert!(one(&tools, &needs(), standing(0, &base)).is_ok());
    let room = needing(Need {
        context: Some(2_000_000),
        ..Need::NOTHING
    });
    assert_eq!(one(&room, &needs(), standing(0, &base)).unwrap_err().code(), "context");
    let good = needing(Need {
        quality: Some(81),
        ..Need::NOTHING
    });
    let reason = one(&good, &needs(), standing(0, &base)).unwrap_err();
    assert_eq!(reason.to_string(), "quality 80 is below the 81 that is needed");
}

#[test]
fn a_route_needs_licences_for_what_its_answers_are_for_whatever_a_request_says() {
    let licensed = Model {
        traits: Traits {
            license: Some(LicenseId(0)),
            ..Traits::default()
        },
        ..model("m", QWEN)
    };
    let licenses = [License {
        uses: Uses::of([Use::Research]),
        territories: vec![Territory::parse("DE").unwrap()],
        ..License::open("lab".into())
    }];
    let against = |need: Need| {
        let barred = Barred {
            licenses: &licenses,
            ..Barred::default()
        };
        let standing = Standing {
            barred,
            ..standing(0, &licensed)
        };
        one(&Terms { need, ..terms() }, &needs(), standing).err()
    };
    let uses = |uses: &[Use]| Need {
        uses: Some(uses.into()),
        ..Need::NOTHING
    };
    assert_eq!(against(uses(&[Use::Research])), None);
    let reason = against(uses(&[Use::Research, Use::Commercial])).unwrap();
    assert_eq!((reason.code(), reason.family()), ("license", Family::Need));
    assert_eq!(reason.to_string(), "licence `lab` permits research, not commercial use");
    let places = |places: &[&str]| Need {
        territories: Some(places.iter().map(|place| Territory::parse(place).unwrap()).collect()),
        ..Need::NOTHING
    };
    assert_eq!(against(places(&["DE"])), None);
    assert_eq!(
        against(places(&["DE", "FR"])).unwrap().to_string(),
        "licence `lab` does not hold in FR"
    );
}

#[test]
fn a_model_that_was_measured_slow_waits_and_one_that_was_not_measured_does_not() {
    let base = model("m", QWEN);
    let fast = Terms {
        need: Need {
            speed: Some(40),
            ..Need::NOTHING
        },
        ..terms()
    };
    let measured = |per_thousand: u64| Standing {
        speed: Some(Speed {
            first_token: Duration::from_secs(9),
            per_thousand: Duration::from_millis(per_thousand),
        }),
        ..standing(0, &base)
    };
    assert!(one(&fast, &needs(), standing(0, &base)).is_ok());
    assert!(one(&fast, &needs(), measured(25_000)).is_ok());
    assert!(
        one(&fast, &needs(), measured(0)).is_ok(),
        "only its first token was seen"
    );
    assert!(one(&terms(), &needs(), measured(50_000)).is_ok());
    let reason = one(&fast, &needs(), measured(50_000)).unwrap_err();
    assert_eq!((reason.code(), reason.family()), ("slow", Family::Time));
    assert_eq!(
        reason.to_string(),
        "answered at 20 tokens a second lately, and 40 are needed"
    );
}

#[test]
fn the_first_reason_in_order_is_told() {
    let unpriced = Model {
        tools: false,
        ..model("u", None)
    };
    let base = Model {
        tools: false,
        ..model("m", QWEN)
    };
    let plan: Arc<str> = "p".into();
    let all = Requirements {
        tools: true,
        min_quality: Some(90),
        max_cost: Some(money("0.0001")),
        ..needs()
    };
    let wait = Wait {
        until: Duration::from_secs(9),
        why: "x",
        breaker: true,
    };
    let funds = funds("0");
    let against = |model, missing: Option<Arc<str>>| Standing {
        shut_by: Some(&plan),
        state: State {
            missing_credential: missing,
            wait: Some(wait.clone()),
            full: None,
            funds: Some(&funds),
            cold: false,
        },
        ..standing(0, model)
    };
    let code = |needs: &Requirements, standing| one(&terms(), needs, standing).unwrap_err().code();
    assert_eq!(code(&all, against(&unpriced, Some("k".into()))), "missing_credential");
    assert_eq!(code(&all, against(&unpriced, None)), "unpriced");
    assert_eq!(code(&all, against(&base, None)), "capability");
    let all = Requirements { tools: false, ..all };
    assert_eq!(code(&all, against(&base, None)), "plan");
    let open = Standing {
        shut_by: None,
        ..against(&base, None)
    };
    assert_eq!(code(&all, open.clone()), "quality");
    let all = Requirements {
        min_quality: None,
        ..all
    };
    assert_eq!(code(&all, open.clone()), "cost_cap");
    let all = Requirements { max_cost: None, ..all };
    assert_eq!(code(&all, open.clone()), "budget");
    let rich = Standing {
        state: State {
            funds: None,
            ..open.state.clone()
        },
        ..open
    };
    assert_eq!(code(&all, rich), "breaker_open");
}

#[test]
fn a_free_model_needs_no_money() {
    let free = model("free", Some(("0", "0")));
    assert!(one(&terms(), &needs(), funded(&free, &funds("0"))).is_ok());
    let closed = Funds {
        closed: Some("is being rebuilt"),
        ..funds("0")
    };
    assert!(one(&terms(), &needs(), funded(&free, &closed)).is_ok());
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
    let refusal = |excluded: &[Exclusion]| {
        refusal::of(excluded, |one| {
            (one.reason.family() == Family::Need).then(|| one.clone())
        })
    };
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
