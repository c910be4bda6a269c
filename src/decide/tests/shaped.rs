//! What is sent after shaping is what was decided on: refused fields, features, and a bill within what is reserved.

use super::*;
use crate::decide::reason::Misfit;
use crate::decide::reshape::{Reshapes, of, reshape};
use crate::dialect::Inbound;
use crate::dialect::chat::request::Shape;
use crate::plan::Effective;
use crate::policy::{Sources, compile};
use bytes::Bytes;
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

fn compiled(text: &str) -> Option<Snapshot> {
    let sources = Sources::single("p.yaml", PathBuf::new(), text);
    compile(&sources, Timestamp::UNIX_EPOCH)
        .ok()
        .map(|compiled| compiled.snapshot)
}

/// What a Groq model gets of a body when its provider has these words, and what is left out.
fn sent(words: &str, body: &'static str) -> Result<(String, Vec<&'static str>), Misfit> {
    let text = format!(
        "providers: {{g: {{vendor: groq, api_key: env:G{words}}}}}\nmodels: {{m: {{provider: g, name: m, supply: competitor, reasoning: false}}}}\n\
         routes: [{{name: chat, try: [m]}}]"
    );
    let snapshot = compiled(&text).unwrap();
    let effective = Effective::compose(&snapshot, &[]);
    let rules = Rules {
        snapshot: &snapshot,
        effective: &effective,
    };
    let inbound = Inbound::chat(Bytes::from_static(body.as_bytes())).unwrap();
    let needs = inbound.needs(&[]);
    let text = |inbound: &Inbound| String::from_utf8(inbound.body().to_vec()).unwrap();
    match reshape(rules, Target::Model(ModelId(0)), &inbound, &needs).pop() {
        None => Ok((text(&inbound), Vec::new())),
        Some((_, reshaped)) => reshaped.map(|one| (text(&one.inbound), one.dropped.clone())),
    }
}

const BIASED: &str = r#"{"model":"chat","logit_bias":{"7":1},"messages":[]}"#;
const PLAIN: &str = r#"{"model":"chat","messages":[]}"#;

#[test]
fn what_the_policy_takes_out_or_renames_is_not_refused() {
    assert!(sent("", BIASED).is_err());
    assert_eq!(
        sent(", strip: [logit_bias]", BIASED).unwrap(),
        (PLAIN.to_owned(), vec![])
    );
    let (renamed, dropped) = sent(", rename: {logit_bias: bias}", BIASED).unwrap();
    assert_eq!((renamed, dropped), (BIASED.replace("logit_bias", "bias"), vec![]));
}

#[test]
fn what_the_policy_puts_in_is_refused_like_the_clients_own() {
    for words in [", set: {logprobs: true}", ", default: {logprobs: true}"] {
        let why = sent(words, PLAIN).unwrap_err();
        assert!(
            matches!(&why, Misfit::Unsupported(why) if why.starts_with("groq refuses `logprobs`")),
            "{why:?}"
        );
        let dropping = format!("{words}, on_unsupported: drop");
        assert_eq!(sent(&dropping, PLAIN).unwrap(), (PLAIN.to_owned(), vec!["logprobs"]));
    }
    let thinking = ", set: {reasoning_effort: low}, on_unsupported: drop";
    assert_eq!(
        sent(thinking, PLAIN).unwrap(),
        (PLAIN.to_owned(), vec!["reasoning_effort"])
    );
}

/// A field of a body with a value that it may have there.
fn field() -> impl Strategy<Value = (&'static str, Value)> {
    let number = |name: &'static str, most: u64| (1..=most).prop_map(move |number| (name, json!(number)));
    prop_oneof![
        number("max_tokens", 5_000),
        number("max_completion_tokens", 5_000),
        number("n", 6),
        number("thinking_budget", 3_000),
        select(vec![json!("fast"), json!("slow"), json!(null)]).prop_map(|value| ("speed", value)),
        select(vec![json!("priority"), json!("flex"), json!("default")]).prop_map(|value| ("service_tier", value)),
        any::<bool>().prop_map(|value| ("enable_thinking", json!(value))),
        Just(("tools", json!([{"type": "function", "function": {"name": "f"}}]))),
        Just(("tools", json!([]))),
        "[a-z ]{0,40}".prop_map(|text| ("x_note", json!(text))),
    ]
}

/// One word of shaping, as a policy writes it.
fn word() -> impl Strategy<Value = (&'static str, String)> {
    let names = || {
        select(vec![
            "max_tokens",
            "max_completion_tokens",
            "n",
            "speed",
            "service_tier",
            "enable_thinking",
            "thinking_budget",
            "tools",
            "x_note",
        ])
    };
    prop_oneof![
        3 => field().prop_map(|(name, value)| ("set", format!("{name}: {value}"))),
        3 => field().prop_map(|(name, value)| ("default", format!("{name}: {value}"))),
        2 => names().prop_map(|name| ("strip", name.to_owned())),
        2 => (names(), names()).prop_map(|(from, to)| ("rename", format!("{from}: {to}"))),
        2 => (select(vec!["max_tokens", "max_completion_tokens", "n", "thinking_budget"]), 1_u64..6, 6_u64..4_000)
            .prop_map(|(name, least, most)| ("clamp", format!("{name}: {{min: {least}, max: {most}}}"))),
    ]
}

/// Of one scope; a key that is written twice would be an error, so that the words of one kind stand together.
fn shaping() -> impl Strategy<Value = String> {
    prop::collection::vec(word(), 0..4).prop_map(|words| {
        let mut text = String::new();
        for kind in ["strip", "rename", "set", "default", "clamp"] {
            let mut of_kind: Vec<&str> = words
                .iter()
                .filter(|word| word.0 == kind)
                .map(|word| word.1.as_str())
                .collect();
            of_kind.sort_unstable();
            of_kind.dedup_by_key(|word| word.split(':').next().unwrap_or_default());
            let (open, close) = if kind == "strip" { ("[", "]") } else { ("{", "}") };
            if !of_kind.is_empty() {
                text.push_str(&format!(", {kind}: {open}{}{close}", of_kind.join(", ")));
            }
        }
        text
    })
}

/// In a calm moment, the request as it is shaped.
struct Moulded<'a>(&'a Reshapes);

impl Present for Moulded<'_> {
    fn now(&self) -> Uptime {
        Uptime::ZERO
    }

    fn state(&self, model: ModelId) -> State<'_> {
        Calm.state(model)
    }

    fn shaped(&self, model: ModelId) -> Shaped<'_> {
        of(self.0, model)
    }

    fn output(&self, _: ModelId) -> Option<u64> {
        None
    }

    fn speed(&self, _: ModelId) -> Option<Speed> {
        None
    }
}

const MOST_OUTPUT: u64 = 8_000;

/// What the provider bills at most for these bytes, by its own rules and not by planb's reading of them: in nano-units,
/// a token of the prompt at 1,000, one of the answer at 2,000, or 4,000 where it thinks, all of it times the extras.
fn bill(sent: &Map<String, Value>, vendor: crate::catalog::Vendor, input: u64) -> u64 {
    let number = |name: &str| sent.get(name).and_then(Value::as_u64);
    let bound = number(vendor.facts().output_bound_field).unwrap_or(MOST_OUTPUT);
    let thinks = sent.get("enable_thinking") != Some(&Value::Bool(false));
    let output = number("n").unwrap_or(1) * bound;
    let extras = if sent.get("speed") == Some(&json!("fast")) {
        3
    } else {
        1
    } * if sent.get("service_tier") == Some(&json!("priority")) {
        2
    } else {
        1
    };
    (input * 1_000 + output * if thinks { 4_000 } else { 2_000 }) * extras
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_sent_after_shaping_costs_at_most_what_is_reserved(
        body in prop::collection::vec(field(), 0..6),
        scopes in [shaping(), shaping(), shaping()],
        vendor in select(vec!["openai", "groq", "together"]),
        drops in any::<bool>(),
    ) {
        let [of_provider, of_model, of_route] = scopes;
        let drops = if drops { ", on_unsupported: drop" } else { "" };
        let model = |name: &str, tools: bool| format!(
            "  {name}: {{provider: hub, name: x, supply: competitor, context: 100k, max_output: 8k, tools: {tools}, reasoning: true, \
             price: {{input: 1 USD/M, output: 2 USD/M, output_thinking: 4 USD/M, service: {{priority: 200%, flex: 100%}}, \
             multipliers: {{\"speed=fast\": 300%}}}}{of_model}}}\n"
        );
        let text = format!(
            "providers: {{hub: {{vendor: {vendor}, api_key: env:K{of_provider}{drops}}}}}\nmodels:\n{}{}\
             routes: [{{name: chat, try: [skilled, plain]{of_route}}}]\n",
            model("skilled", true), model("plain", false)
        );
        let Some(snapshot) = compiled(&text) else {
            // Some shaping is refused when it is read.
            return Ok(());
        };
        let effective = Effective::compose(&snapshot, &[]);
        let rules = Rules { snapshot: &snapshot, effective: &effective };
        let target = Target::Route(crate::policy::snapshot::RouteId(0));
        let mut whole = json!({"model": "chat", "messages": [{"role": "user", "content": "Say hello."}]});
        for (name, value) in body {
            whole[name] = value;
        }
        let Ok(inbound) = Inbound::chat(Bytes::from(whole.to_string())) else { return Ok(()) };
        let needs = inbound.needs(&snapshot.priced_fields);
        let reshapes = reshape(rules, target, &inbound, &needs);
        let question = Question {
            target,
            needs: &needs,
            answers: &snapshot.selectors.ask(&needs.caller),
            at: Timestamp::UNIX_EPOCH,
            patience: Duration::MAX,
            seed: 0,
            held: None,
            attempted: &[],
        };
        let decision = survey(rules, &question, &Moulded(&reshapes));
        for candidate in &decision.candidates {
            let shaped = reshapes.iter().find(|(known, _)| *known == candidate.id);
            let goes = shaped.and_then(|(_, shaped)| shaped.as_deref().ok()).map_or(&inbound, |shaped| &shaped.inbound);
            let shape = Shape {
                cap: candidate.cap,
                thinking_budget: candidate.thinking_budget,
                thinking_off: None,
            };
            let vendor = snapshot.provider_of(candidate.id).vendor;
            let bytes = goes.for_upstream("x", vendor.facts(), shape);
            let input = Inbound::chat(bytes.clone()).unwrap().needs(&[]).input;
            let sent: Map<String, Value> = serde_json::from_slice(&bytes).unwrap();
            let reserved = candidate.worst.nanos().unsigned_abs();
            let billed = bill(&sent, vendor, input);
            prop_assert!(billed <= reserved, "{} of {} for {:?}\n{}", billed, reserved, sent, text);
            let calls = sent.get("tools").and_then(Value::as_array).is_some_and(|tools| !tools.is_empty());
            prop_assert!(!calls || snapshot.model(candidate.id).tools, "{:?}\n{}", sent, text);
        }
    }
}
