//! What active plans together make of a policy.

use super::super::effective::{Restriction, Restrictions, Selects, routes_under};
use super::super::*;
use crate::policy::condition::ModelFacts;
use crate::policy::snapshot::{
    Match, ModelId, Need, OnDisconnect, Pick, Route, RouteChange, RouteId, Scope, Terms, Timeouts,
};
use crate::request::{Caller, Tags};
use proptest::prelude::*;

/// Selects local models, or a caller's tag.
#[derive(Clone, Copy, Debug)]
enum Fake {
    Local,
    Gold,
}

impl Selects for Fake {
    type Asked = Caller;

    fn holds(&self, caller: &Caller, model: ModelId) -> bool {
        match self {
            Self::Local => models()[model.0].supply == "local",
            Self::Gold => caller.tags.get("tier") == "gold",
        }
    }

    fn folded(&self, model: &ModelFacts) -> Option<bool> {
        match self {
            Self::Local => Some(model.supply == "local"),
            Self::Gold => None,
        }
    }
}

fn models() -> Vec<ModelFacts> {
    vec![
        ModelFacts::recorded("hosted", "p", "licensed"),
        ModelFacts::recorded("own", "p", "local"),
    ]
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
    let restrictions = Restrictions::new(list, models().iter());
    assert_eq!(restrictions.first(ModelId(0), &gold()), Some(2));
    assert_eq!(restrictions.first(ModelId(0), &Caller::default()), Some(5));
    assert_eq!(restrictions.first(ModelId(1), &Caller::default()), Some(6));
    let open = Restrictions::new(
        vec![Restriction {
            plan: 0,
            keeps: true,
            selector: Fake::Local,
        }],
        models().iter(),
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
        let naive = list.iter().find(|one| one.selector.holds(&caller, ModelId(model)) != one.keeps).map(|one| one.plan);
        prop_assert_eq!(Restrictions::new(list, models().iter()).first(ModelId(model), &caller), naive);
    }
}

#[test]
fn changes_apply_in_file_order_and_name_the_plans_that_made_them() {
    let needing = |quality| Need {
        quality: Some(quality),
        ..Need::NOTHING
    };
    let terms = |pick, quality| Terms {
        pick,
        need: needing(quality),
        ..Terms::direct(ModelId(0))
    };
    let route = |name: &str| Route {
        name: name.into(),
        matches: Match::default(),
        terms: terms(Pick::InOrder, 60),
        timeouts: Timeouts::default(),
        limits: crate::policy::snapshot::Limits::default(),
        money_wait: None,
        shaping: crate::policy::snapshot::Shaping::default(),
        heartbeat: None,
        on_disconnect: OnDisconnect::Cancel,
        exposes: true,
        mirror: None,
    };
    let change = |route, pick, quality: Option<u8>| {
        let need = quality.map(needing).unwrap_or_default();
        let rest = RouteChange::default();
        (Scope::Route(RouteId(route)), RouteChange { pick, need, ..rest })
    };
    let first = [change(0, Some(Pick::Cheapest), None)];
    let second = [
        change(0, Some(Pick::Cheapest), None),
        change(1, Some(Pick::InOrder), None),
    ];
    let third = [change(0, None, Some(0)), change(9, None, Some(0))];
    let changes: [(usize, &[_]); 3] = [(1, &first), (2, &second), (4, &third)];
    let now = routes_under(&[route("chat"), route("code")], changes.into_iter());
    let chat = RouteNow {
        shed: None,
        terms: terms(Pick::Cheapest, 0),
        changed_by: vec![1, 4],
    };
    let code = RouteNow {
        shed: None,
        terms: terms(Pick::InOrder, 60),
        changed_by: Vec::new(),
    };
    assert_eq!(now, [chat, code]);
}

proptest! {
    /// One more plan, later in the file, shuts out more or nothing, and whom a model was shut out by stays.
    #[test]
    fn another_plan_never_brings_a_model_back(
        list in prop::collection::vec((any::<bool>(), any::<bool>()), 1..6),
        is_gold in any::<bool>(),
        model in 0usize..2,
    ) {
        let list: Vec<_> = list.into_iter().enumerate().map(|(plan, (keeps, local))| {
            Restriction { plan, keeps, selector: if local { Fake::Local } else { Fake::Gold } }
        }).collect();
        let caller = if is_gold { gold() } else { Caller::default() };
        let fewer = list.iter().take(list.len() - 1).cloned().collect();
        let before = Restrictions::new(fewer, models().iter()).first(ModelId(model), &caller);
        let after = Restrictions::new(list, models().iter()).first(ModelId(model), &caller);
        prop_assert!(before.is_none() || before == after);
    }
}

#[test]
fn a_change_of_all_routes_reaches_each_and_the_first_that_sheds_speaks() {
    let route = |name: &str| Route {
        name: name.into(),
        matches: Match::default(),
        terms: Terms::direct(ModelId(0)),
        timeouts: Timeouts::default(),
        limits: crate::policy::snapshot::Limits::default(),
        money_wait: None,
        shaping: crate::policy::snapshot::Shaping::default(),
        heartbeat: None,
        on_disconnect: OnDisconnect::Cancel,
        exposes: true,
        mirror: None,
    };
    let shedding = |message: &str| RouteChange {
        shed: Some(message.into()),
        ..RouteChange::default()
    };
    let all = RouteChange {
        attempts: Some(2),
        ..RouteChange::default()
    };
    let first = [(Scope::All, all), (Scope::Route(RouteId(1)), shedding("first"))];
    let second = [(Scope::All, shedding("second"))];
    let changes: [(usize, &[_]); 2] = [(3, &first), (5, &second)];
    let now = routes_under(&[route("a"), route("b")], changes.into_iter());
    let spoken: Vec<_> = now
        .iter()
        .map(|now| now.shed.as_ref().map(|shed| (shed.plan, shed.message.as_ref())))
        .collect();
    assert_eq!(spoken, [Some((5, "second")), Some((3, "first"))]);
    assert!(now.iter().all(|now| now.terms.attempts == 2 && now.changed_by == [3]));
}
