//! Conversations: what holds them, what moves them, and what they lose by it.

use super::order::{Fake, decided_with, snapshot};
use super::*;

const DEAR: ModelId = ModelId(0);
const CHEAP: ModelId = ModelId(1);

/// Two hosted models of one price, of which `dear` has a cache worth having.
const CACHED: &str = "providers:\n  p: {vendor: openai-compatible, base_url: \"http://127.0.0.1:9/v1\"}\nmodels:\n  \
    dear: {provider: p, supply: licensed, price: {input: 2 USD/M, cache_read: 0.2 USD/M, output: 6 USD/M}}\n  \
    cheap: {provider: p, supply: competitor, price: {input: 1.5 USD/M, cache_read: 1.5 USD/M, output: 6 USD/M}}\n\
    routes:\n  - {name: r, try: [cheap, dear]";

fn policy(words: &str) -> Snapshot {
    super::order::compiled(&format!("{CACHED}{words}}}\n"))
}

fn held(model: ModelId) -> Held {
    Held {
        model,
        lock: None,
        cached: Some(0),
        moved_from: None,
        replanned: false,
    }
}

fn first(snapshot: &Snapshot, held: Held, present: &dyn Present) -> (ModelId, Option<Stay>) {
    let decision = decided_with(snapshot, &[], &needs(), 5, present, Some(held));
    (decision.candidates[0].id, decision.stay)
}

#[test]
fn the_caches_worth_is_a_term_of_the_cost_and_not_a_lock() {
    let snapshot = policy(", pick: cheapest");
    let share = |cached| Held { cached, ..held(DEAR) };
    assert_eq!(first(&snapshot, share(Some(9_000)), &Calm), (DEAR, Some(Stay::Kept)));
    // 1,000 tokens: 2 - 1.8 x 0.2 is more than 1.5.
    assert_eq!(first(&snapshot, share(Some(2_000)), &Calm), (CHEAP, Some(Stay::Moves)));
    assert_eq!(first(&snapshot, share(None), &Calm), (CHEAP, Some(Stay::Moves)));
}

#[test]
fn a_route_that_keeps_no_conversations_is_not_moved_by_them() {
    let snapshot = policy(", pick: cheapest, stick: none");
    let warm = Held {
        cached: Some(9_000),
        lock: Some(Lock::ToolLoop),
        ..held(DEAR)
    };
    assert_eq!(first(&snapshot, warm, &Calm), (CHEAP, None));
}

#[test]
fn in_order_and_by_lot_a_conversation_stays_while_its_cache_is_warm_and_its_plans_are_the_same() {
    for pick in ["in_order", "weighted, weights: {cheap: 1}"] {
        let snapshot = policy(&format!(", pick: {pick}, stick: conversation"));
        assert_eq!(first(&snapshot, held(DEAR), &Calm).0, DEAR, "{pick}");
        let cold = Held {
            cached: None,
            ..held(DEAR)
        };
        assert_eq!(first(&snapshot, cold, &Calm).0, CHEAP, "{pick}");
        let replanned = Held {
            replanned: true,
            ..held(DEAR)
        };
        assert_eq!(first(&snapshot, replanned, &Calm).0, CHEAP, "{pick}");
        assert_eq!(
            first(&policy(&format!(", pick: {pick}")), held(DEAR), &Calm),
            (CHEAP, None),
            "not by default"
        );
    }
}

#[test]
fn an_open_tool_loop_and_sealed_reasoning_lock_it_to_their_maker() {
    let snapshot = policy(", pick: cheapest");
    for (lock, word) in [(Lock::ToolLoop, "tool_loop"), (Lock::Reasoning, "reasoning")] {
        let locked = Held {
            lock: Some(lock),
            cached: None,
            replanned: true,
            ..held(DEAR)
        };
        let (model, stay) = first(&snapshot, locked, &Calm);
        assert_eq!((model, stay.map(Stay::word)), (DEAR, Some(word)));
    }
}

#[test]
fn nothing_moves_back_before_its_cache_has_expired() {
    for words in [", pick: cheapest", ", stick: conversation"] {
        let snapshot = policy(words);
        let moved = Held {
            moved_from: Some(CHEAP),
            replanned: true,
            ..held(DEAR)
        };
        assert_eq!(first(&snapshot, moved, &Calm), (DEAR, Some(Stay::Kept)), "{words}");
        let cold = Held { cached: None, ..moved };
        assert_eq!(first(&snapshot, cold, &Calm).0, CHEAP, "{words}");
    }
}

#[test]
fn it_leaves_at_once_when_its_model_is_excluded_and_says_so() {
    let snapshot = snapshot(", pick: cheapest", "");
    let mut fake = Fake::default();
    fake.states[0].missing_credential = Some("no key".into());
    let locked = Held {
        lock: Some(Lock::ToolLoop),
        ..held(DEAR)
    };
    let (model, stay) = first(&snapshot, locked, &fake);
    assert_ne!(model, DEAR);
    assert_eq!(stay, Some(Stay::Leaves));
}

#[test]
fn a_cached_prompt_is_answered_sooner() {
    let snapshot = policy(", pick: fastest");
    let speed = |first| {
        Some(Speed {
            first_token: Duration::from_millis(first),
            per_thousand: Duration::from_secs(1),
        })
    };
    let fake = Fake {
        speeds: [speed(1_000), speed(600), None],
        ..Fake::default()
    };
    let share = |cached| Held {
        cached: Some(cached),
        ..held(DEAR)
    };
    assert_eq!(first(&snapshot, share(8_000), &fake).0, DEAR);
    assert_eq!(first(&snapshot, share(1_000), &fake).0, CHEAP);
}
