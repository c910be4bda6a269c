//! The flap latch: what counts, what it holds, how it ends.

use super::super::slot::Rule;
use super::super::*;
use super::{at, plan, says, tick};
use proptest::prelude::*;
use std::time::Duration;

const HOUR: u64 = 3_600;

/// The seconds at which `plan.flapping` is told.
fn flapping(news: &[News]) -> bool {
    news.iter().any(|news| matches!(news, News::Flapping { .. }))
}

/// On, off, on: three toggles.
fn latched() -> Plans {
    let mut plans = plan(0, 300);
    assert_eq!(tick(&mut plans, true, None, 0), Some(true));
    assert_eq!(tick(&mut plans, false, None, 300), Some(false));
    let news = plans.tick(&says(true, None), at(400));
    assert!(news[0].transition().unwrap().activated && flapping(&news), "{news:?}");
    assert!(plans.views()[0].latched);
    plans
}

#[test]
fn the_third_toggle_within_an_hour_latches_and_is_told_once() {
    let mut plans = latched();
    for second in 401..2_000 {
        assert_eq!(plans.tick(&says(second % 2 == 0, None), at(second)), []);
    }
    assert_eq!(plans.active(), [true]);
}

#[test]
fn a_release_that_would_be_the_third_does_not_happen() {
    let mut plans = plan(0, 60);
    assert_eq!(tick(&mut plans, true, None, 0), Some(true));
    assert_eq!(tick(&mut plans, false, None, 3_000), Some(false));
    assert_eq!(
        tick(&mut plans, true, None, 3_700),
        Some(true),
        "the first is an hour ago"
    );
    let news = plans.tick(&says(false, None), at(3_800));
    assert!(news.len() == 1 && flapping(&news), "{news:?}");
    assert_eq!(plans.active(), [true]);
}

#[test]
fn slow_toggles_never_latch() {
    let mut plans = plan(0, 300);
    for turn in 0..20 {
        let news = plans.tick(&says(turn % 2 == 0, None), at(turn * 1_801));
        assert!(news.len() == 1 && !flapping(&news), "{turn}: {news:?}");
    }
}

#[test]
fn a_quiet_hour_ends_it_and_the_count_begins_anew() {
    let mut plans = latched();
    assert_eq!(tick(&mut plans, false, None, 500), None);
    assert_eq!(tick(&mut plans, true, None, 600), None, "not quiet yet");
    assert_eq!(tick(&mut plans, false, None, 601), None);
    assert_eq!(tick(&mut plans, false, None, 601 + HOUR - 1), None);
    assert_eq!(tick(&mut plans, false, None, 601 + HOUR), Some(false));
    assert!(!plans.views()[0].latched);
    let second = 602 + HOUR;
    assert_eq!(tick(&mut plans, true, None, second), Some(true));
    assert!(!plans.views()[0].latched, "the old toggles are forgotten");
}

#[test]
fn until_still_holds_a_plan_whose_latch_is_over() {
    let mut plans = latched();
    assert_eq!(tick(&mut plans, false, Some(false), 500), None);
    assert_eq!(tick(&mut plans, false, Some(false), 500 + HOUR), None);
    assert!(!plans.views()[0].latched && plans.active()[0]);
    assert_eq!(tick(&mut plans, false, Some(true), 501 + HOUR), Some(false));
}

#[test]
fn a_hand_ends_it_and_what_a_hand_does_is_no_toggle() {
    let mut plans = latched();
    let release = Override {
        active: false,
        until: None,
    };
    assert!(plans.set_by_hand("p", release, at(450)).unwrap().is_some());
    assert!(!plans.views()[0].latched && !plans.active()[0]);
    let mut plans = plan(0, 0);
    for second in 0..20 {
        let word = Override {
            active: second % 2 == 0,
            until: None,
        };
        plans.set_by_hand("p", word, at(second)).unwrap();
        assert!(!flapping(&plans.tick(&says(false, None), at(second))));
    }
    assert!(!plans.views()[0].latched);
}

#[test]
fn the_end_of_a_window_is_no_toggle_and_ends_a_latch() {
    let mut plans = latched();
    let outside = vec![Reading {
        within: false,
        ..says(true, None).remove(0)
    }];
    assert_eq!(plans.tick(&outside, at(500)).len(), 1);
    assert!(!plans.active()[0] && !plans.views()[0].latched);
    let mut plans = plan(0, 0);
    for second in 0..20 {
        let reading = if second % 2 == 0 {
            says(true, None)
        } else {
            outside.clone()
        };
        let news = plans.tick(&reading, at(second));
        assert!(news.len() == 1 && !flapping(&news), "{second}: {news:?}");
    }
}

#[test]
fn it_goes_on_over_a_restart_and_so_does_the_count() {
    let restarted = Now {
        up: Duration::ZERO,
        ..at(500)
    };
    let recorded = Recorded {
        active: true,
        since: at(400).wall,
        overridden: None,
        latched: true,
        toggles: Vec::new(),
    };
    let mut plans = plan(0, 0);
    plans.restore("p", &recorded, restarted);
    assert_eq!(plans.tick(&says(false, None), restarted), []);
    assert!(plans.views()[0].latched);
    let mut plans = plan(0, 0);
    let toggles = vec![at(100).wall, at(200).wall];
    plans.restore(
        "p",
        &Recorded {
            latched: false,
            toggles,
            ..recorded
        },
        restarted,
    );
    assert!(
        flapping(&plans.tick(&says(false, None), restarted)),
        "the release would be the third"
    );
}

#[test]
fn an_edit_of_the_condition_gives_it_another_chance() {
    let mut plans = latched();
    let edited = Rule {
        condition: "another".into(),
        ..super::rule("p", 0, 0)
    };
    plans.adopt(vec![edited], at(500));
    assert!(!plans.views()[0].latched);
    assert_eq!(tick(&mut plans, false, None, 501), Some(false));
}

proptest! {
    /// However the signals jump, conditions turn a plan at most three times in any hour.
    #[test]
    fn no_signal_turns_a_plan_more_often(signals in prop::collection::vec((any::<bool>(), 1u64..900), 1..300), at_least in 0u64..600) {
        let (mut plans, mut second, mut turned) = (plan(0, at_least), 0, Vec::new());
        for (when, later) in signals {
            second += later;
            let news = plans.tick(&says(when, None), at(second));
            turned.extend(news.iter().filter_map(News::transition).map(|_| second));
            let lately = turned.iter().filter(|at| second - **at < HOUR).count();
            prop_assert!(lately <= 3, "{turned:?}");
        }
    }
}
