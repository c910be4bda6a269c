//! Plans over time, told by readings; restrictions told by plain closures.

use super::effective::{Names, Restriction, Restrictions, Selects, routes_under};
use super::*;
use crate::policy::condition::ModelFacts;
use crate::policy::snapshot::{ModelId, OnDisconnect, Pick, Route, RouteChange, RouteId, Terms, Timeouts};
use crate::request::{Caller, Tags};
use proptest::prelude::*;

fn at(seconds: u64) -> Now {
    let start: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
    Now {
        wall: start.checked_add(Duration::from_secs(seconds)).unwrap(),
        up: Duration::from_secs(seconds),
    }
}

fn rule(name: &str, after: u64, at_least: u64) -> Rule {
    Rule {
        name: name.into(),
        condition: "condition".into(),
        after: Duration::from_secs(after),
        at_least: Duration::from_secs(at_least),
    }
}

fn plan(after: u64, at_least: u64) -> Plans {
    Plans::from_rules(vec![rule("p", after, at_least)])
}

fn says(when: bool, until: Option<bool>) -> Vec<Reading> {
    vec![Reading {
        when,
        until,
        why: format!("when is {when}"),
    }]
}

/// What one tick did: `Some(true)` activated, `Some(false)` released.
fn tick(plans: &mut Plans, when: bool, until: Option<bool>, second: u64) -> Option<bool> {
    let transitions = plans.tick(&says(when, until), at(second));
    transitions.first().map(|transition| transition.activated)
}

#[test]
fn a_plan_activates_at_once_by_default_and_says_why() {
    let mut plans = plan(0, 300);
    let expected = Transition {
        name: "p".into(),
        activated: true,
        at: at(7).wall,
        why: "when is true".to_owned(),
    };
    assert_eq!(plans.tick(&says(true, None), at(7)), [expected]);
    assert_eq!(plans.active(), [true]);
    assert_eq!(tick(&mut plans, true, None, 8), None);
}

#[test]
fn after_asks_for_an_unbroken_stretch() {
    let mut plans = plan(10, 0);
    assert_eq!(tick(&mut plans, true, None, 0), None);
    assert_eq!(tick(&mut plans, true, None, 9), None);
    assert_eq!(tick(&mut plans, false, None, 10), None);
    assert_eq!(tick(&mut plans, true, None, 11), None);
    assert_eq!(tick(&mut plans, true, None, 20), None);
    assert_eq!(tick(&mut plans, true, None, 21), Some(true));
}

#[test]
fn it_is_released_when_when_is_gone_and_until_holds_and_at_least_has_passed() {
    let mut plans = plan(0, 300);
    assert_eq!(tick(&mut plans, true, Some(true), 0), Some(true));
    assert_eq!(tick(&mut plans, false, Some(true), 299), None, "at_least");
    assert_eq!(tick(&mut plans, false, Some(false), 300), None, "until");
    assert_eq!(tick(&mut plans, true, Some(true), 301), None, "when");
    assert_eq!(tick(&mut plans, false, Some(true), 302), Some(false));
}

#[test]
fn a_hand_wins_until_its_end() {
    let mut plans = plan(0, 0);
    let word = Override {
        active: true,
        until: Some(at(100).wall),
    };
    let transition = plans.set_by_hand("p", word, at(0)).unwrap().unwrap();
    assert!(
        transition.activated
            && transition
                .why
                .starts_with("activated by hand until 2026-11-23T12:01:40Z")
    );
    assert_eq!(tick(&mut plans, false, None, 99), None);
    assert_eq!(plans.views()[0].overridden, Some(word));
    assert_eq!(tick(&mut plans, false, None, 100), Some(false));
    assert_eq!(plans.views()[0].overridden, None);
}

#[test]
fn an_activation_without_an_end_lasts_until_it_is_released_by_hand() {
    let mut plans = plan(0, 0);
    plans
        .set_by_hand(
            "p",
            Override {
                active: true,
                until: None,
            },
            at(0),
        )
        .unwrap();
    assert_eq!(tick(&mut plans, true, None, 1), None);
    assert_eq!(tick(&mut plans, false, None, 1_000_000), None);
    let released = plans
        .set_by_hand(
            "p",
            Override {
                active: false,
                until: None,
            },
            at(1_000_001),
        )
        .unwrap();
    assert!(!released.unwrap().activated);
    assert_eq!(tick(&mut plans, false, None, 1_000_002), None);
    assert_eq!(
        tick(&mut plans, true, None, 1_000_003),
        Some(true),
        "the plan is not off for ever"
    );
}

#[test]
fn a_release_without_an_end_lasts_as_long_as_the_condition_holds() {
    let mut plans = plan(0, 0);
    assert_eq!(tick(&mut plans, true, None, 0), Some(true));
    plans
        .set_by_hand(
            "p",
            Override {
                active: false,
                until: None,
            },
            at(1),
        )
        .unwrap();
    assert_eq!(tick(&mut plans, true, None, 500), None);
    assert_eq!(tick(&mut plans, false, None, 501), None);
    assert_eq!(tick(&mut plans, true, None, 502), Some(true));
}

#[test]
fn wrong_words_of_a_hand_are_refused() {
    let mut plans = plan(0, 0);
    let word = Override {
        active: true,
        until: None,
    };
    assert_eq!(
        plans.set_by_hand("q", word, at(0)),
        Err(PlanError::Unknown("q".to_owned()))
    );
    let past = Override {
        until: Some(at(0).wall),
        ..word
    };
    assert_eq!(
        plans.set_by_hand("p", past, at(1)),
        Err(PlanError::EndPassed(at(0).wall))
    );
}

#[test]
fn a_restart_goes_on_where_it_stopped() {
    let mut plans = plan(0, 300);
    let restarted = Now {
        up: Duration::from_secs(1),
        ..at(200)
    };
    plans.restore("p", true, at(0).wall, None, restarted);
    plans.restore("gone", true, at(0).wall, None, restarted);
    let later = |seconds: u64| Now {
        wall: at(200 + seconds).wall,
        up: Duration::from_secs(1 + seconds),
    };
    assert_eq!(plans.tick(&says(false, None), later(99)), []);
    assert_eq!(plans.tick(&says(false, None), later(100)).len(), 1);
    assert_eq!(plans.views()[0].since, Some(at(300).wall));
}

#[test]
fn a_jump_of_the_wall_clock_releases_nothing() {
    let mut plans = plan(0, 300);
    assert_eq!(tick(&mut plans, true, None, 0), Some(true));
    let jumped = Now {
        wall: at(86_400).wall,
        up: Duration::from_secs(10),
    };
    assert_eq!(plans.tick(&says(false, None), jumped), []);
}

#[test]
fn a_reload_keeps_plans_by_name_and_releases_those_that_are_gone() {
    let mut plans = Plans::from_rules(vec![rule("a", 0, 0), rule("b", 0, 0)]);
    let both = [says(true, None), says(true, None)].concat();
    assert_eq!(plans.tick(&both, at(0)).len(), 2);
    let gone = plans.adopt(vec![rule("c", 0, 0), rule("b", 0, 60)], at(5));
    assert_eq!(
        gone.iter().map(|t| (t.name.as_ref(), t.activated)).collect::<Vec<_>>(),
        [("a", false)]
    );
    assert_eq!(plans.active(), [false, true]);
    assert_eq!(plans.views()[1].since, Some(at(0).wall));
    assert_eq!(plans.views()[1].why, "when is true");
}

proptest! {
    /// An activation needs `when` for the whole of `after`; a release needs `at_least`, no `when` and `until`.
    #[test]
    fn hysteresis_holds_for_any_signals(
        after in 0u64..5,
        at_least in 0u64..8,
        signals in prop::collection::vec((any::<bool>(), prop::option::of(any::<bool>())), 1..80),
    ) {
        let (mut plans, mut held, mut active_since) = (plan(after, at_least), 0u64, None);
        for (second, (when, until)) in signals.into_iter().enumerate() {
            let second = second as u64;
            held = if when { held + 1 } else { 0 };
            let change = tick(&mut plans, when, until, second);
            let may_activate = active_since.is_none() && held > after;
            let may_release = !when && until.unwrap_or(true) && active_since.is_some_and(|since| second - since >= at_least);
            match change {
                Some(true) => active_since = Some(second),
                Some(false) => active_since = None,
                None => {}
            }
            prop_assert_eq!(change == Some(true), may_activate);
            prop_assert_eq!(change == Some(false), may_release);
        }
    }
}

/// Selects local models, or a caller's tag.
#[derive(Clone, Copy, Debug)]
enum Fake {
    Local,
    Gold,
}

impl Selects for Fake {
    fn matches(&self, model: ModelFacts<'_>, caller: &Caller) -> bool {
        match self {
            Self::Local => model.supply == "local",
            Self::Gold => caller.tags.get("tier") == "gold",
        }
    }

    fn folded(&self, model: ModelFacts<'_>) -> Option<bool> {
        match self {
            Self::Local => Some(model.supply == "local"),
            Self::Gold => None,
        }
    }
}

fn models() -> Vec<Names> {
    let names = |name: &str, supply| Names {
        name: name.into(),
        provider: "p".into(),
        supply,
    };
    vec![names("hosted", "licensed"), names("own", "local")]
}

fn gold() -> Caller {
    Caller {
        tags: Tags::new([("tier", "gold")]),
        ..Caller::default()
    }
}

#[test]
fn restrictions_add_up_and_the_first_in_file_order_is_named() {
    let list = vec![
        Restriction {
            plan: 2,
            keeps: false,
            selector: Fake::Gold,
        },
        Restriction {
            plan: 5,
            keeps: true,
            selector: Fake::Local,
        },
        Restriction {
            plan: 6,
            keeps: false,
            selector: Fake::Local,
        },
    ];
    let restrictions = Restrictions::new(list, models());
    assert_eq!(restrictions.first(ModelId(0), &gold()), Some(2));
    assert_eq!(restrictions.first(ModelId(0), &Caller::default()), Some(5));
    assert_eq!(restrictions.first(ModelId(1), &Caller::default()), Some(6));
    let open = Restrictions::new(
        vec![Restriction {
            plan: 0,
            keeps: true,
            selector: Fake::Local,
        }],
        models(),
    );
    assert_eq!(open.first(ModelId(1), &gold()), None);
}

proptest! {
    /// Folding is only a shortcut: it never changes which plan is named.
    #[test]
    fn masks_agree_with_asking_every_restriction(
        list in prop::collection::vec((any::<bool>(), any::<bool>()), 0..6),
        is_gold in any::<bool>(),
        model in 0usize..2,
    ) {
        let list: Vec<_> = list.into_iter().enumerate().map(|(plan, (keeps, local))| {
            Restriction { plan, keeps, selector: if local { Fake::Local } else { Fake::Gold } }
        }).collect();
        let caller = if is_gold { gold() } else { Caller::default() };
        let names = models();
        let facts = ModelFacts { name: &names[model].name, provider: "p", supply: names[model].supply };
        let naive = list.iter().find(|one| one.selector.matches(facts, &caller) != one.keeps).map(|one| one.plan);
        prop_assert_eq!(Restrictions::new(list, models()).first(ModelId(model), &caller), naive);
    }
}

#[test]
fn changes_apply_in_file_order_and_name_the_plans_that_made_them() {
    let terms = |pick, quality| Terms {
        pick,
        need_quality: Some(quality),
        ..Terms::DIRECT
    };
    let route = |name: &str| Route {
        name: name.into(),
        matches: Vec::new(),
        candidates: Vec::new(),
        terms: terms(Pick::InOrder, 60),
        timeouts: Timeouts::default(),
        on_disconnect: OnDisconnect::Cancel,
    };
    let change = |route, pick, need_quality| (RouteId(route), RouteChange { pick, need_quality });
    let first = [change(0, Some(Pick::Cheapest), None)];
    let second = [
        change(0, Some(Pick::Cheapest), None),
        change(1, Some(Pick::InOrder), None),
    ];
    let third = [change(0, None, Some(0)), change(9, None, Some(0))];
    let changes: [(usize, &[_]); 3] = [(1, &first), (2, &second), (4, &third)];
    let now = routes_under(&[route("chat"), route("code")], changes.into_iter());
    let chat = RouteNow {
        terms: terms(Pick::Cheapest, 0),
        changed_by: vec![1, 4],
    };
    let code = RouteNow {
        terms: terms(Pick::InOrder, 60),
        changed_by: Vec::new(),
    };
    assert_eq!(now, [chat, code]);
}
