//! The parser and the evaluator against the `cel` crate, over random conditions.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

/// Selectors over two models, two tags, the client and the use, always well typed.
fn selectors() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        Just("model.name".to_owned()),
        Just("model.supply".to_owned()),
        Just("tag.team".to_owned()),
        Just("tag.none".to_owned()),
        Just("client".to_owned()),
        Just("route".to_owned()),
        Just("model.vendor".to_owned()),
        Just("\"search\"".to_owned()),
        Just("\"a'b\"".to_owned()),
    ];
    let number = prop_oneof![
        (0..5_i32).prop_map(|n| n.to_string()),
        Just("0.5".to_owned()),
        Just("2.5".to_owned()),
        Just("model.quality".to_owned()),
        Just("model.context".to_owned()),
    ];
    let number = number.prop_recursive(2, 8, 2, |inner| {
        (inner.clone(), prop_oneof![Just("+"), Just("-"), Just("*")], inner)
            .prop_map(|(a, op, b)| format!("({a} {op} {b})"))
    });
    let affix = prop_oneof![Just("startsWith"), Just("endsWith"), Just("contains")];
    let order = prop_oneof![Just("<"), Just("<="), Just(">"), Just(">="), Just("=="), Just("!=")];
    let leaf = prop_oneof![
        Just("true".to_owned()),
        Just("false".to_owned()),
        (text.clone(), Just("tag.tier")).prop_map(|(a, b)| format!("{a} == {b}")),
        (Just("tag.team"), affix, Just("\"se\"")).prop_map(|(a, f, b)| format!("{a}.{f}({b})")),
        (number.clone(), order, number).prop_map(|(a, op, b)| format!("({a}) {op} {b} + 0 * model.quality")),
        text.prop_map(|a| format!("tag.team in [{a}, \"x\"]")),
        Just("model.supply == \"local\"".to_owned()),
        Just("\"audited\" in model.labels".to_owned()),
        Just("tag.tier in model.labels".to_owned()),
        Just("(tag.team == \"search\" ? \"canary\" : \"none\") in model.labels".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} && {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) || {b}")),
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("(({a}) ? ({b}) : ({c}))")),
        ]
    })
}

/// State conditions over what [`now`] has, always well typed.
fn states() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        Just("budget(\"month\").used".to_owned()),
        Just("budget(\"month\").remaining".to_owned()),
        Just("provider(\"qwen\").error_rate".to_owned()),
        Just("hour".to_owned()),
        (0..24_i32).prop_map(|n| format!("{n}.0")),
        Just("0.25".to_owned()),
    ];
    let sum = (
        number.clone(),
        prop_oneof![Just("+"), Just("-"), Just("*")],
        number.clone(),
    );
    // By zero, theirs is infinite and ours has no value.
    let ratio = (number.clone(), 1..24_i32).prop_map(|(a, b)| format!("({a} / {b}.0)"));
    let number = prop_oneof![number, sum.prop_map(|(a, op, b)| format!("({a} {op} {b})")), ratio];
    let order = || prop_oneof![Just("<"), Just("<="), Just(">"), Just(">="), Just("=="), Just("!=")];
    let date = prop_oneof![Just("2026-11-23"), Just("2026-11-22"), Just("2027-01-01")];
    let leaf = prop_oneof![
        Just("budget(\"month\").exhausted".to_owned()),
        Just("provider(\"qwen\").cooling".to_owned()),
        (order(), date).prop_map(|(op, date)| format!("date {op} \"{date}\"")),
        Just("weekday in [\"sat\", \"mon\"]".to_owned()),
        // Literals out of range are refused, so that numbers meet as sums.
        (number.clone(), order(), number)
            .prop_map(|(a, op, b)| format!("{a} {op} 0.0 + ({b}) + budget(\"teams\").used")),
    ];
    leaf.prop_recursive(3, 16, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            inner.prop_map(|a| format!("!({a})")),
        ]
    })
}

/// What that crate makes of a text in a context; its parser needs much stack in a debug build.
fn in_cel(text: &str, context: impl FnOnce() -> cel::Context<'static, 'static> + Send + 'static) -> Option<bool> {
    let text = text.to_owned();
    let evaluate = move || match cel::Program::compile(&text).ok()?.execute(&context()) {
        Ok(cel::Value::Bool(value)) => Some(value),
        _ => None,
    };
    let thread = std::thread::Builder::new().stack_size(256 << 20);
    thread.spawn(evaluate).unwrap().join().unwrap()
}

fn by_the_cel_crate(text: &str, model: &ModelFacts, caller: &Caller) -> Option<bool> {
    let (model, caller) = (model.clone(), caller.clone());
    in_cel(text, move || {
        let mut context = cel::Context::default();
        let more = model.more.unwrap();
        let text = |value: &str| cel::Value::from(value.to_owned());
        let facts = HashMap::from([
            ("name", text(&model.name)),
            ("provider", text(&model.provider)),
            ("supply", text(model.supply)),
            ("vendor", text(more.vendor)),
            ("quality", cel::Value::Int(more.quality.unwrap().into())),
            ("context", cel::Value::Int(more.context.unwrap() as i64)),
            ("license", text(&more.license)),
            (
                "labels",
                more.labels.iter().map(|label| text(label)).collect::<Vec<_>>().into(),
            ),
        ]);
        let mut tags: HashMap<String, String> = ["team", "tier", "none"]
            .map(|tag| (tag.to_owned(), String::new()))
            .into();
        tags.extend(
            caller
                .tags
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        context.add_variable_from_value("model", facts);
        context.add_variable_from_value("tag", tags);
        context.add_variable_from_value("client", caller.client.to_string());
        context.add_variable_from_value("route", caller.route.to_string());
        context
    })
}

fn state_by_the_cel_crate(text: &str) -> Option<bool> {
    in_cel(text, || {
        let mut context = cel::Context::default();
        let of = |subject: &'static str| {
            move |name: Arc<String>| -> cel::Value {
                let mut fields: HashMap<String, cel::Value> = HashMap::new();
                for (signal, sample) in now().iter() {
                    if signal.live.subject().word() == subject && signal.name.as_ref() == name.as_str() {
                        fields.insert(signal.live.word().to_owned(), value(&sample.value));
                    }
                }
                fields.into()
            }
        };
        context.add_function("budget", of("budget")).unwrap();
        context.add_function("provider", of("provider")).unwrap();
        for (signal, sample) in now().iter().filter(|(signal, _)| signal.name.is_empty()) {
            context.add_variable_from_value(signal.live.word(), value(&sample.value));
        }
        context
    })
}

fn value(value: &Value) -> cel::Value {
    match value {
        Value::Truth(value) => cel::Value::Bool(*value),
        Value::Number(value) => cel::Value::Float(*value),
        Value::Text(value) => cel::Value::from(value.to_string()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_folded_answer_is_every_callers_answer(text in selectors(), team in "[a-z]{0,2}|search", client in "|search") {
        let caller = Caller { client: client.as_str().into(), tags: Tags::new([("team", team.as_str())]), ..Caller::default() };
        let selector = sound(&text);
        for model in [qwen(), tiny()] {
            if let Some(answer) = selector.folded(&model) {
                prop_assert_eq!(selector.matches(&model, &caller), answer, "{}", text);
            }
        }
    }

    #[test]
    fn conditions_mean_what_the_cel_crate_says(text in selectors(), team in "[a-z]{0,2}|search") {
        let caller = Caller { client: "search".into(), tags: Tags::new([("team", team.as_str())]), ..Caller::default() };
        // That crate refuses to add or compare integers with fractions; where it answers, it agrees.
        if let Some(expected) = by_the_cel_crate(&text, &qwen(), &caller) {
            prop_assert_eq!(sound(&text).matches(&qwen(), &caller), expected, "{}", text);
        }
    }

    #[test]
    fn state_conditions_mean_what_the_cel_crate_says(text in states()) {
        if let Some(expected) = state_by_the_cel_crate(&text) {
            prop_assert_eq!(sound_state(&text).holds(&now()), expected, "{}", text);
        }
    }

    #[test]
    fn no_text_makes_a_condition_panic(text in "\\PC{0,80}", signs in "[-a-z(). \"'&|!=<>+*/?:,0-9\\[\\]]{0,60}") {
        for text in [text, signs] {
            for environment in [Environment::Selector, Environment::State] {
                let (_, faults) = compile(&text, environment, &names());
                for fault in faults {
                    prop_assert!(text.get(fault.range).is_some());
                }
            }
        }
    }
}
