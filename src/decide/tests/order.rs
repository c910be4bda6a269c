//! Whole decisions over a compiled policy: the order by each way to pick, what plans had a hand in, and who comes first
//! without them.

use super::*;
use crate::policy::{Sources, compile};
use proptest::prelude::*;

const MODELS: &str = "providers:\n  p: {vendor: openai-compatible, base_url: \"http://127.0.0.1:9/v1\"}\nmodels:\n  \
    dear: {provider: p, supply: licensed, quality: 90, context: 1M, max_output: 1k, price: {input: 2 USD/M, output: 6 USD/M}}\n  \
    cheap: {provider: p, supply: competitor, quality: 70, context: 1M, max_output: 64k, price: {input: 2 USD/M, output: 5 USD/M}}\n  \
    free: {provider: p, supply: local, quality: 30, context: 1M, max_output: 64k}\n";

/// All of [`MODELS`] on one route with these words.
pub(super) fn snapshot(route: &str, plans: &str) -> Snapshot {
    compiled(&format!(
        "{MODELS}routes:\n  - {{name: r, try: [dear, cheap, free]{route}}}\n{plans}"
    ))
}

pub(super) fn compiled(text: &str) -> Snapshot {
    let sources = Sources::single("p.yaml", std::env::temp_dir(), text);
    compile(&sources, Timestamp::UNIX_EPOCH)
        .unwrap_or_else(|errors| panic!("{errors:?}"))
        .snapshot
}

/// What is not calm about a moment, by model.
#[derive(Default)]
pub(super) struct Fake {
    pub states: [State<'static>; 3],
    pub outputs: [Option<u64>; 3],
    pub speeds: [Option<Speed>; 3],
}

impl Present for Fake {
    fn now(&self) -> Uptime {
        Uptime::ZERO
    }

    fn state(&self, model: ModelId) -> State<'_> {
        self.states[model.0].clone()
    }

    fn output(&self, model: ModelId) -> Option<u64> {
        self.outputs[model.0]
    }

    fn speed(&self, model: ModelId) -> Option<Speed> {
        self.speeds[model.0]
    }
}

fn decided(snapshot: &Snapshot, active: &[bool], needs: &Requirements, seed: u64, present: &dyn Present) -> Decision {
    decided_with(snapshot, active, needs, seed, present, None)
}

pub(super) fn decided_with(
    snapshot: &Snapshot,
    active: &[bool],
    needs: &Requirements,
    seed: u64,
    present: &dyn Present,
    held: Option<Held>,
) -> Decision {
    let effective = Effective::compose(snapshot, active);
    let rules = Rules {
        snapshot,
        effective: &effective,
    };
    let answers = snapshot.selectors.ask(&needs.caller);
    let question = Question {
        target: Target::Route(RouteId(0)),
        needs,
        answers: &answers,
        at: Timestamp::UNIX_EPOCH,
        patience: Duration::ZERO,
        seed,
        held,
        attempted: &[],
    };
    let decision = survey(rules, &question, present);
    assert_eq!(decision, survey(rules, &question, present), "the same inputs");
    decision
}

fn ids(decision: &Decision) -> Vec<usize> {
    decision.candidates.iter().map(|candidate| candidate.id.0).collect()
}

fn cold() -> State<'static> {
    State {
        cold: true,
        ..State::default()
    }
}

#[test]
fn declared_order_holds_unless_the_cheapest_is_asked_for() {
    let in_order = snapshot("", "");
    assert_eq!(ids(&decided(&in_order, &[], &needs(), 0, &Calm)), [0, 1, 2]);
    let cheapest = snapshot(", pick: cheapest", "");
    let decision = decided(&cheapest, &[], &needs(), 0, &Calm);
    assert_eq!(
        ids(&decision),
        [2, 1, 0],
        "a small bound does not make a dear model look cheap"
    );
}

#[test]
fn a_model_without_a_price_is_not_the_cheapest() {
    let priced = "{provider: p, supply: competitor, price: {input: 2 USD/M, output: 5 USD/M}}";
    let snapshot = compiled(&format!(
        "providers:\n  p: {{vendor: openai-compatible, base_url: \"http://127.0.0.1:9/v1\"}}\nmodels:\n  \
         unknown: {{provider: p, supply: competitor}}\n  known: {priced}\n\
         routes:\n  - {{name: r, try: [unknown, known], pick: cheapest}}\n"
    ));
    assert_eq!(ids(&decided(&snapshot, &[], &needs(), 0, &Calm)), [1, 0]);
}

#[test]
fn the_cheapest_is_reckoned_with_as_much_output_as_answers_had_lately() {
    let cheapest = snapshot(", pick: cheapest", "");
    let moment = Fake {
        outputs: [Some(100), Some(5_000), Some(5_000)],
        ..Fake::default()
    };
    assert_eq!(
        ids(&decided(&cheapest, &[], &needs(), 0, &moment)),
        [2, 0, 1],
        "a model of few words"
    );
    let bounded = Requirements {
        output_bound: Some(50),
        ..needs()
    };
    assert_eq!(
        ids(&decided(&cheapest, &[], &bounded, 0, &moment)),
        [2, 1, 0],
        "the client's bound counts for all"
    );
}

#[test]
fn a_cold_server_comes_after_what_is_warm() {
    for pick in ["in_order", "cheapest", "fastest"] {
        let snapshot = snapshot(&format!(", pick: {pick}"), "");
        let mut moment = Fake::default();
        moment.states[2] = cold();
        moment.states[0] = cold();
        let order = ids(&decided(&snapshot, &[], &needs(), 3, &moment));
        assert_eq!(order[0], 1, "{pick}");
    }
}

#[test]
fn the_fastest_is_measured_and_now_and_then_an_unknown_one_is_tried() {
    let snapshot = snapshot(", pick: fastest", "");
    let speed = |first, per_thousand| {
        Some(Speed {
            first_token: Duration::from_millis(first),
            per_thousand: Duration::from_millis(per_thousand),
        })
    };
    let moment = Fake {
        speeds: [speed(100, 20_000), speed(2_000, 1_000), None],
        ..Fake::default()
    };
    let first = |needs: &Requirements, seed| ids(&decided(&snapshot, &[], needs, seed, &moment))[0];
    let explored = (0..1_000).filter(|seed| first(&needs(), *seed) == 2).count();
    assert!((70..130).contains(&explored), "{explored} of 1,000");
    let seed = (0..).find(|seed| first(&needs(), *seed) != 2).unwrap();
    assert_eq!(
        ids(&decided(&snapshot, &[], &needs(), seed, &moment)),
        [1, 0, 2],
        "500 tokens"
    );
    let short = Requirements {
        output_bound: Some(20),
        ..needs()
    };
    assert_eq!(
        ids(&decided(&snapshot, &[], &short, seed, &moment)),
        [0, 1, 2],
        "of few tokens the first counts"
    );
    assert_eq!(
        ids(&decided(&snapshot, &[], &needs(), seed, &Calm)),
        [0, 1, 2],
        "nothing is known: as declared"
    );
}

#[test]
fn weights_share_the_requests_and_who_leaves_moves_nobody_else() {
    let weighted = snapshot(", pick: weighted, weights: {dear: 3, cheap: 1}", "");
    let order = |seed, moment: &dyn Present| ids(&decided(&weighted, &[], &needs(), seed, moment));
    let mut first = [0; 3];
    let mut moment = Fake::default();
    moment.states[0].missing_credential = Some("no key".into());
    for seed in 0..2_000 {
        let all = order(seed, &Calm);
        first[all[0]] += 1;
        assert_eq!(all[2], 2, "without a weight it comes last");
        assert_eq!(order(seed, &moment), [1, 2], "the next by weight");
    }
    assert!((1_400..1_600).contains(&first[0]), "{first:?}");
    assert_eq!(first[2], 0);
}

#[test]
fn plans_that_touched_the_request_are_named_and_the_first_choice_without_them_is_known() {
    let plans = "budgets: {m: {limit: 5 USD, per: month}}\nplans:\n  \
        - {name: shut, when: 'budget(\"m\").exhausted', avoid: 'model.name == \"dear\" && tag.team != \"gold\"'}\n  \
        - {name: other, when: 'budget(\"m\").exhausted', avoid: 'model.name == \"nobody\" || model.name == \"dear\" && tag.a == \"b\"'}\n  \
        - {name: cheap, when: 'budget(\"m\").exhausted', change: {r: {pick: cheapest}}}\n";
    let plans = plans.replace("model.name == \"nobody\" || ", "");
    let snapshot = snapshot("", &plans);
    let decision = decided(&snapshot, &[true, true, false], &needs(), 0, &Calm);
    assert_eq!((ids(&decision), decision.plans.as_slice()), (vec![1, 2], &[0][..]));
    let first = decision.unrestricted.unwrap();
    // 1,000 tokens at 2/M and 500 at 6/M.
    assert_eq!((first.id, first.cost), (ModelId(0), money("0.005")));
    let decision = decided(&snapshot, &[false, false, true], &needs(), 0, &Calm);
    assert_eq!((ids(&decision)[0], decision.plans.as_slice()), (2, &[2][..]));
    assert_eq!(decision.unrestricted.unwrap().id, ModelId(0));
    let none = decided(&snapshot, &[false; 3], &needs(), 0, &Calm);
    assert_eq!((none.plans.len(), none.unrestricted.unwrap().id), (0, ModelId(0)));
    let mut moment = Fake::default();
    moment.states[0] = cold();
    let decision = decided(&snapshot, &[true, false, false], &needs(), 0, &moment);
    assert_eq!(
        decision.unrestricted.unwrap().id,
        ModelId(1),
        "cold ones wait for warm ones without plans too"
    );
}

#[test]
fn one_model_asked_for_by_name_is_all_there_is() {
    let snapshot = snapshot("", "");
    let effective = Effective::compose(&snapshot, &[]);
    let rules = Rules {
        snapshot: &snapshot,
        effective: &effective,
    };
    let needs = needs();
    let answers = snapshot.selectors.ask(&needs.caller);
    let question = Question {
        target: Target::Model(ModelId(2)),
        needs: &needs,
        answers: &answers,
        at: Timestamp::UNIX_EPOCH,
        patience: Duration::ZERO,
        seed: 1,
        held: None,
        attempted: &[],
    };
    let decision = survey(rules, &question, &Calm);
    assert_eq!(ids(&decision), [2]);
}

#[test]
fn a_refusal_asks_the_needs_of_models_that_something_else_excluded() {
    let snapshot = snapshot("", "");
    let effective = Effective::compose(&snapshot, &[]);
    let rules = Rules {
        snapshot: &snapshot,
        effective: &effective,
    };
    let mut moment = Fake::default();
    for state in &mut moment.states {
        state.missing_credential = Some("no key".into());
    }
    let huge = Requirements {
        input: 2_000_000,
        ..needs()
    };
    let family = |needs: &Requirements| {
        let answers = snapshot.selectors.ask(&needs.caller);
        let question = Question {
            target: Target::Route(RouteId(0)),
            needs,
            answers: &answers,
            at: Timestamp::UNIX_EPOCH,
            patience: Duration::ZERO,
            seed: 1,
            held: None,
            attempted: &[],
        };
        refusal(rules, &question, &survey(rules, &question, &moment)).family
    };
    assert_eq!(family(&needs()), Family::Credential);
    assert_eq!(family(&huge), Family::Need, "no key would help");
}

proptest! {
    #[test]
    fn every_model_is_decided_once_and_within_its_money(
        states in proptest::array::uniform3((any::<bool>(), any::<bool>(), proptest::option::of(0_i64..3_000_000_000))),
        input in 0_u64..2_000_000, bound in proptest::option::of(1_u64..200_000), pick in 0_usize..4, seed in any::<u64>(), lowers in any::<bool>(),
    ) {
        let word = crate::policy::snapshot::Pick::ALL[pick].word();
        let weights = if word == "weighted" { ", weights: {dear: 1, free: 2}" } else { "" };
        let snapshot = snapshot(&format!(", pick: {word}, cap_output: {lowers}{weights}"), "");
        let funds: Vec<Option<Funds>> = states.iter().map(|(.., left)| left.map(|left| Funds { budget: "b".into(), remaining: Money::from_nanos(left), closed: None })).collect();
        struct Poor<'a>(&'a [(bool, bool, Option<i64>); 3], &'a [Option<Funds>]);
        impl Present for Poor<'_> {
            fn now(&self) -> Uptime { Uptime::ZERO }
            fn state(&self, model: ModelId) -> State<'_> {
                let (cold, keyless, _) = self.0[model.0];
                State { cold, missing_credential: keyless.then(|| "k".into()), wait: None, full: None, funds: self.1[model.0].as_ref() }
            }
            fn output(&self, _: ModelId) -> Option<u64> { None }
            fn speed(&self, _: ModelId) -> Option<Speed> { None }
        }
        let needs = Requirements { input, output_bound: bound, ..needs() };
        let decision = decided(&snapshot, &[], &needs, seed, &Poor(&states, &funds));
        let mut all: Vec<usize> = ids(&decision);
        all.extend(decision.excluded.iter().map(|one| one.id.0));
        all.sort_unstable();
        prop_assert_eq!(all, [0, 1, 2]);
        for candidate in &decision.candidates {
            if let Some(funds) = &funds[candidate.id.0] { prop_assert!(candidate.worst <= funds.remaining || candidate.worst == Money::ZERO); }
            if let Some(bound) = bound { prop_assert!(candidate.output == bound || lowers && candidate.output < bound); }
        }
        let places: Vec<bool> = decision.candidates.iter().map(|one| one.cold).collect();
        prop_assert!(places.is_sorted(), "warm ones first");
    }
}

#[test]
fn the_longest_that_an_attempt_may_take_is_its_models_own_and_not_the_default() {
    let price = "price: {input: 1 USD/M, output: 0 USD/M, windows: [{hours: [\"12:00-13:00\"], times: 300%}]}";
    let compiled = |provider: &str, model: &str, route: &str| {
        compiled(&format!(
            "providers: {{hub: {{vendor: openai, api_key: env:KEY{provider}}}}}\n\
             models: {{m: {{provider: hub, name: mine, supply: competitor, context: 8k{model}, {price}}}}}\n\
             routes: [{{name: chat, try: [m]{route}}}]\n"
        ))
    };
    let at = "2026-11-23T11:00:00Z".parse().unwrap();
    let worst = |snapshot: &Snapshot, patience| {
        let effective = Effective::compose(snapshot, &[]);
        let rules = Rules {
            snapshot,
            effective: &effective,
        };
        let needs = Requirements {
            output_bound: Some(1),
            ..needs()
        };
        let question = Question {
            target: Target::Route(RouteId(0)),
            needs: &needs,
            answers: &snapshot.selectors.ask(&needs.caller),
            at,
            patience,
            seed: 1,
            held: None,
            attempted: &[],
        };
        survey(rules, &question, &Calm).candidates[0].worst.to_string()
    };
    let (cheap, dear) = ("0.001", "0.003");
    let long = ", timeouts: {total: 2h}";
    assert_eq!(worst(&compiled("", "", ""), Duration::MAX), cheap, "ten minutes");
    assert_eq!(worst(&compiled(long, "", ""), Duration::MAX), dear);
    assert_eq!(worst(&compiled("", long, ""), Duration::MAX), dear);
    assert_eq!(worst(&compiled("", "", long), Duration::MAX), dear);
    let tighter = ", timeouts: {total: 30m}";
    assert_eq!(
        worst(&compiled(long, tighter, ""), Duration::MAX),
        cheap,
        "the tightest counts"
    );
    assert_eq!(
        worst(&compiled(long, "", ""), Duration::from_secs(60)),
        cheap,
        "the client is in a hurry"
    );
}
