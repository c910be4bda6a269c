//! `after`, `at_least`, `until`, the hand, windows, restarts and reloads.

use super::super::*;
use super::{at, plan, rule, says, tick};
use proptest::prelude::*;
use std::time::Duration;

#[test]
fn a_plan_activates_at_once_by_default_and_says_why() {
    let mut plans = plan(0, 300);
    let expected = Transition {
        name: "p".into(),
        activated: true,
        at: at(7).wall,
        cause: Cause::Condition,
        why: "when is true".to_owned(),
    };
    assert_eq!(plans.tick(&says(true, None), at(7)), [News::Turned(expected)]);
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
    let recorded = Recorded {
        active: true,
        since: at(0).wall,
        overridden: None,
        latched: false,
        toggles: Vec::new(),
    };
    plans.restore("p", &recorded, restarted);
    plans.restore("gone", &recorded, restarted);
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
        // Hours apart, so that the flap latch has no say.
        let hours = |count: u64| count * 2 * 3_600;
        let (mut plans, mut held, mut active_since) = (plan(hours(after), hours(at_least)), 0u64, None);
        for (step, (when, until)) in signals.into_iter().enumerate() {
            let step = step as u64;
            held = if when { held + 1 } else { 0 };
            let change = tick(&mut plans, when, until, hours(step));
            let may_activate = active_since.is_none() && held > after;
            let may_release = !when && until.unwrap_or(true) && active_since.is_some_and(|since| step - since >= at_least);
            match change {
                Some(true) => active_since = Some(step),
                Some(false) => active_since = None,
                None => {}
            }
            prop_assert_eq!(change == Some(true), may_activate);
            prop_assert_eq!(change == Some(false), may_release);
        }
    }
}

fn within(within: bool, when: bool) -> Vec<Reading> {
    vec![Reading {
        within,
        ..says(when, Some(false)).remove(0)
    }]
}

#[test]
fn a_plan_is_active_within_its_window_only_whatever_holds_it() {
    let mut plans = plan(0, 3_600);
    assert_eq!(plans.tick(&within(false, true), at(0)), []);
    assert_eq!(plans.tick(&within(true, true), at(1)).len(), 1);
    let news = plans.tick(&within(false, true), at(2));
    let ended = news[0].transition().unwrap();
    assert_eq!(
        (ended.activated, ended.cause),
        (false, Cause::Window),
        "neither `until` nor `at_least` holds it"
    );
    assert_eq!(plans.tick(&within(true, true), at(3)).len(), 1);
}

#[test]
fn after_begins_with_the_window() {
    let mut plans = plan(10, 0);
    assert_eq!(plans.tick(&within(false, true), at(0)), []);
    assert_eq!(plans.tick(&within(true, true), at(20)), []);
    assert_eq!(plans.tick(&within(true, true), at(29)), []);
    assert_eq!(plans.tick(&within(true, true), at(30)).len(), 1);
}

#[test]
fn a_hand_wins_over_a_window() {
    let mut plans = plan(0, 0);
    let word = Override {
        active: true,
        until: Some(at(100).wall),
    };
    plans.set_by_hand("p", word, at(0)).unwrap();
    assert_eq!(plans.tick(&within(false, true), at(99)), []);
    assert!(plans.active()[0]);
    assert_eq!(plans.tick(&within(false, true), at(100)).len(), 1);
    assert!(!plans.active()[0]);
}

#[test]
fn an_override_ends_by_the_wall_also_where_the_clock_is_changed_for_winter() {
    // Berlin goes back an hour at 01:00 UTC; an end is an instant, so that the hour that comes twice is no question.
    let wall = |text: &str| text.parse::<Timestamp>().unwrap();
    let (mut plans, end) = (plan(0, 0), wall("2026-10-25T02:30:00+01:00"));
    let now = |text: &str, up| Now {
        wall: wall(text),
        up: Duration::from_secs(up),
    };
    let word = Override {
        active: true,
        until: Some(end),
    };
    plans
        .set_by_hand("p", word, now("2026-10-25T02:00:00+02:00", 0))
        .unwrap();
    assert_eq!(
        plans.tick(&says(false, None), now("2026-10-25T02:30:00+02:00", 1_800)),
        []
    );
    assert_eq!(
        plans.tick(&says(false, None), now("2026-10-25T02:29:59+01:00", 5_399)),
        []
    );
    assert_eq!(
        plans
            .tick(&says(false, None), now("2026-10-25T02:30:00+01:00", 5_400))
            .len(),
        1
    );
}

#[test]
fn an_override_and_its_end_go_on_over_a_restart() {
    let mut plans = plan(0, 0);
    let recorded = Recorded {
        active: true,
        since: at(0).wall,
        overridden: Some(Override {
            active: true,
            until: Some(at(100).wall),
        }),
        latched: false,
        toggles: Vec::new(),
    };
    let restarted = |second| Now {
        up: Duration::from_secs(second - 50),
        ..at(second)
    };
    plans.restore("p", &recorded, restarted(50));
    assert_eq!(plans.tick(&says(false, None), restarted(99)), []);
    assert_eq!(plans.tick(&says(false, None), restarted(100)).len(), 1);
}
