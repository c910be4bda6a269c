use super::*;
use crate::request::Tags;
use proptest::prelude::*;

fn names() -> Names {
    let list = |words: &[&str]| words.iter().map(|word| Arc::from(*word)).collect();
    Names {
        providers: list(&["qwen", "rival", "home"]),
        models: list(&["qwen-max", "rival-1", "tiny"]),
        clients: list(&["search", "support"]),
        budgets: vec![("month".into(), true), ("teams".into(), false)],
    }
}

const QWEN: ModelFacts = ModelFacts {
    name: "qwen-max",
    provider: "qwen",
    supply: "licensed",
};
const TINY: ModelFacts = ModelFacts {
    name: "tiny",
    provider: "home",
    supply: "local",
};

fn caller() -> Caller {
    Caller {
        client: "search".into(),
        tags: Tags::new([("team", "search"), ("tier", "gold")]),
        purpose: "internal".into(),
    }
}

fn sound(text: &str) -> Selector {
    let (selector, faults) = selector(text, &names());
    selector.unwrap_or_else(|| panic!("{text}: {faults:?}"))
}

fn sound_state(text: &str) -> StateCondition {
    let (condition, faults) = state(text, &names());
    condition.unwrap_or_else(|| panic!("{text}: {faults:?}"))
}

struct Now {
    used: f64,
    exhausted: bool,
    up: bool,
}

impl Signals for Now {
    fn budget_used(&self, _: &str) -> f64 {
        self.used
    }
    fn budget_exhausted(&self, _: &str) -> bool {
        self.exhausted
    }
    fn provider_up(&self, _: &str) -> bool {
        self.up
    }
}

const NOW: Now = Now {
    used: 0.8333,
    exhausted: false,
    up: true,
};

#[test]
fn selectors_mean_what_they_say() {
    for (text, qwen, tiny) in [
        ("model.supply != \"local\"", true, false),
        ("model.name == 'tiny' || model.provider == 'qwen'", true, true),
        ("model.supply in [\"local\", \"competitor\"]", false, true),
        ("!(model.supply in [\"local\"])", true, false),
        ("model.name.startsWith(\"qwen\") && tag.team == \"search\"", true, false),
        ("model.name.endsWith(\"max\") && tag.team == \"other\"", false, false),
        ("tag.tier.contains(\"ol\")", true, true),
        ("tag.absent == \"\"", true, true),
        ("tag.absent != tag.team", true, true),
        ("client == \"search\" && use == \"internal\"", true, true),
        ("client == \"support\"", false, false),
        ("use == \"\"", false, false),
        ("model.supply == \"local\" ? tag.team == \"x\" : true", true, false),
        (
            "(tag.team == \"search\") == (model.supply == \"licensed\")",
            true,
            false,
        ),
        ("true && !false", true, true),
        ("tag.team < \"t\" && tag.team >= \"s\"", true, true),
        (
            "(tag.tier == \"gold\" ? \"qwen\" : \"home\") == model.provider",
            true,
            false,
        ),
        ("1 + 2 * 3 == 7 && 6 / 4 == 1.5 && -(2 - 3) == 1", true, true),
        ("1 < 1.5 && 2 == 2.0 && 3 in [1, 3.0]", true, true),
    ] {
        let selector = sound(text);
        assert_eq!(selector.matches(QWEN, &caller()), qwen, "{text} of qwen-max");
        assert_eq!(selector.matches(TINY, &caller()), tiny, "{text} of tiny");
    }
}

#[test]
fn what_depends_on_the_model_alone_is_folded() {
    for (text, qwen, tiny) in [
        ("model.supply != \"local\"", Some(true), Some(false)),
        ("model.supply == \"local\" && tag.team == \"a\"", Some(false), None),
        ("tag.team == \"a\" && model.supply == \"local\"", Some(false), None),
        ("model.supply == \"local\" || client == \"search\"", None, Some(true)),
        ("tag.team == \"a\" ? true : false", None, None),
        ("model.supply in [tag.team, \"local\"]", None, Some(true)),
        ("use != \"\"", None, None),
        ("false", Some(false), Some(false)),
    ] {
        assert_eq!(sound(text).folded(QWEN), qwen, "{text} of qwen-max");
        assert_eq!(sound(text).folded(TINY), tiny, "{text} of tiny");
    }
}

#[test]
fn state_conditions_read_live_signals_and_say_what_they_read() {
    for (text, holds) in [
        ("budget(\"month\").used > 0.8", true),
        ("budget(\"month\").used > 1 - 0.1", false),
        ("0.5 <= budget('month').used && !budget(\"teams\").exhausted", true),
        ("!provider(\"qwen\").up || budget(\"month\").exhausted", false),
        ("budget(\"month\").used in [0.8333]", true),
        ("(provider(\"qwen\").up ? 0.5 : 0.9) < budget(\"month\").used", true),
        ("provider(\"qwen\").up == true", true),
    ] {
        assert_eq!(sound_state(text).holds(&NOW), holds, "{text}");
    }
    let why = |text: &str| sound_state(text).why(&NOW);
    assert_eq!(why("budget(\"month\").used > 0.8"), "budget(\"month\").used = 0.8333");
    assert_eq!(
        why("budget(\"month\").used > 0.8 && (budget(\"month\").used < 2 || !provider(\"qwen\").up)"),
        "budget(\"month\").used = 0.8333, provider(\"qwen\").up = true"
    );
    let full = Now { used: 1.0, ..NOW };
    assert_eq!(
        sound_state("budget(\"teams\").used >= 1").why(&full),
        "budget(\"teams\").used = 1"
    );
}

#[test]
fn a_division_by_zero_makes_every_comparison_false() {
    for comparison in ["==", "!=", "<", "<=", ">", ">="] {
        let nothing = Now { used: 0.0, ..NOW };
        let text = format!("1 / budget(\"teams\").used {comparison} 2");
        assert!(!sound_state(&text).holds(&nothing), "{text}");
    }
    assert!(!sound("1 / 0 in [1]").matches(QWEN, &caller()));
}

fn fault(text: &str, environment: Environment) -> (&'static str, String, Option<String>) {
    let (tree, faults) = compile(text, environment, &names());
    assert!(tree.is_none(), "{text}");
    assert_eq!(faults.len(), 1, "{text}: {faults:?}");
    let fault = faults.into_iter().next().unwrap();
    (fault.code, text[fault.range].to_owned(), fault.help)
}

#[test]
fn a_wrong_selector_is_refused_at_its_place() {
    for (text, code, at) in [
        ("model.supply != \"lokal\"", "never-matches", "\"lokal\""),
        ("\"lokal\" == model.supply", "never-matches", "\"lokal\""),
        (
            "model.supply in [\"local\", \"lisensed\"]",
            "never-matches",
            "\"lisensed\"",
        ),
        ("model.name == \"qwen-maxx\"", "never-matches", "\"qwen-maxx\""),
        ("model.name.startsWith(\"qwn\")", "never-matches", "\"qwn\""),
        ("model.provider == \"homr\"", "never-matches", "\"homr\""),
        ("client == \"serch\"", "never-matches", "\"serch\""),
        ("use == \"comercial\"", "never-matches", "\"comercial\""),
        ("tag.x in []", "never-matches", "tag.x in []"),
        ("modle.supply == \"local\"", "unknown-signal", "modle"),
        ("model.suply == \"local\"", "unknown-signal", "suply"),
        ("model == \"tiny\"", "unknown-signal", "model"),
        ("tag == \"tiny\"", "unknown-signal", "tag"),
        ("model.supply == local", "unknown-signal", "local"),
        ("client.name == \"search\"", "unknown-signal", "name"),
        ("model.quality > 50", "not-yet", "model.quality"),
        ("hour > 8", "not-yet", "hour"),
        ("budget(\"month\").exhausted", "wrong-environment", "budget"),
        ("model.supply == 1", "type", "model.supply == 1"),
        ("model.supply", "type", "model.supply"),
        ("tag.a + tag.b == \"ab\"", "type", "tag.a + tag.b"),
        ("!tag.a", "type", "tag.a"),
        ("tag.a && true", "type", "tag.a"),
        ("-tag.a == 1", "type", "tag.a"),
        ("1 < true", "type", "1 < true"),
        ("1 < 2 < 3", "type", "1 < 2 < 3"),
        ("tag.a in \"abc\"", "type", "tag.a in \"abc\""),
        ("tag.a in [1]", "type", "1"),
        ("true ? 1 : \"a\"", "type", "true ? 1 : \"a\""),
        ("tag.a.startsWith(1)", "type", "startsWith"),
        ("tag.a.startsWith()", "type", "startsWith"),
        ("tag.a.startswith(\"x\")", "unknown-function", "startswith"),
        ("tag.a.matches(\"x\")", "unknown-function", "matches"),
        ("size(tag.a) > 1", "unknown-signal", "size"),
        ("model(\"tiny\").name == \"tiny\"", "type", "model"),
        ("tag.a.b == \"x\"", "unknown-signal", "b"),
    ] {
        let (found, place, _) = fault(text, Environment::Selector);
        assert_eq!((found, place.as_str()), (code, at), "{text}");
    }
}

#[test]
fn a_wrong_state_condition_is_refused_at_its_place() {
    for (text, code, at) in [
        ("budget(\"mont\").used > 0.8", "unknown-name", "\"mont\""),
        ("!provider(\"qwem\").up", "unknown-name", "\"qwem\""),
        ("budget(\"month\").usd > 0.8", "unknown-signal", "usd"),
        (
            "budget(\"month\").forecast > 1.05",
            "not-yet",
            "budget(\"month\").forecast",
        ),
        (
            "provider(\"qwen\").error_rate > 0.5",
            "not-yet",
            "provider(\"qwen\").error_rate",
        ),
        (
            "model(\"qwen-max\").unit_cost > 1",
            "not-yet",
            "model(\"qwen-max\").unit_cost",
        ),
        ("license(\"x\").days_left < 14", "not-yet", "license(\"x\").days_left"),
        ("weekday == 1", "not-yet", "weekday"),
        ("budget(\"month\")", "unknown-signal", "budget(\"month\")"),
        ("budget.used > 0.8", "type", "budget"),
        ("budget(month).used > 0.8", "type", "month"),
        ("budget(\"month\", \"x\").used > 0.8", "type", "budget"),
        ("model.supply == \"local\"", "wrong-environment", "model"),
        ("tag.team == \"a\"", "wrong-environment", "tag"),
        ("budget(\"month\").used", "type", "budget(\"month\").used"),
    ] {
        let (found, place, _) = fault(text, Environment::State);
        assert_eq!((found, place.as_str()), (code, at), "{text}");
    }
}

#[test]
fn slips_of_syntax_point_at_the_slip_and_say_what_to_write() {
    for (text, at, help) in [
        ("model.supply = \"local\"", "=", "=="),
        ("true and false", "and", "&&"),
        ("true or false", "or", "||"),
        ("not true", "not", "`!`"),
        ("true & false", "&", "&&"),
        ("1 > 80%", "%", "0.8"),
        ("1 > 5x", "5x", "0.8"),
        ("tag.a == “x”", "“", "straight"),
        ("tag.a == \"x", "\"x", ""),
        ("tag.a == \"\\q\"", "\\q", ""),
        ("tag[\"a\"] == \"x\"", "[", "tag.NAME"),
        ("r\"a\" == \"a\"", "r", ""),
        ("tag.a ==", "", ""),
        ("", "", ""),
        ("(true", "", ""),
        ("true)", ")", ""),
        ("tag. == \"x\"", "==", ""),
        ("tag.a in [\"a\" \"b\"]", "\"b\"", ""),
    ] {
        let (code, place, found) = fault(text, Environment::Selector);
        assert_eq!((code, place.as_str()), ("syntax", at), "{text}");
        assert!(found.unwrap_or_default().contains(help), "{text}");
    }
}

#[test]
fn several_wrong_names_are_several_faults() {
    let (_, faults) = selector("modle.x == \"a\" && tag.a == 1 || model.supply == \"lokal\"", &names());
    let codes: Vec<_> = faults.iter().map(|fault| fault.code).collect();
    assert_eq!(codes, ["unknown-signal", "type", "never-matches"]);
}

#[test]
fn a_share_that_a_hard_budget_never_reaches_is_a_warning() {
    let warned = |text: &str| {
        let (condition, faults) = state(text, &names());
        assert!(condition.is_some() && faults.iter().all(|fault| fault.warning));
        faults.first().map(|fault| fault.code)
    };
    assert_eq!(warned("budget(\"month\").used >= 1"), Some("never-holds"));
    assert_eq!(warned("1.0 <= budget(\"month\").used"), Some("never-holds"));
    assert_eq!(warned("budget(\"month\").used > 0.99"), None);
    assert_eq!(warned("budget(\"teams\").used >= 1"), None, "a soft budget may");
}

#[test]
fn depth_and_length_are_bounded() {
    for text in [
        "(".repeat(2_000),
        "!".repeat(2_000) + "true",
        "-".repeat(2_000) + "1 == 1",
        "a(".repeat(1_000),
        "[".repeat(2_000),
        vec!["1"; 500].join("+") + " == 500",
        vec!["a"; 500].join("."),
        "true ? ".repeat(200) + "true" + &" : true".repeat(200),
        vec!["true ? true"; 200].join(" : ") + " : true",
        "1 == ".repeat(500) + "1",
        "x".repeat(5_000),
    ] {
        let (_, faults) = selector(&text, &names());
        assert!(!faults.is_empty());
    }
    let long = vec!["tag.a == \"x\""; 200].join(" || ");
    assert!(!sound(&long).matches(QWEN, &caller()), "a long chain is not a deep one");
}

/// Selectors over two models, two tags, the client and the use, always well typed.
fn selectors() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        Just("model.name".to_owned()),
        Just("model.supply".to_owned()),
        Just("tag.team".to_owned()),
        Just("tag.none".to_owned()),
        Just("client".to_owned()),
        Just("\"search\"".to_owned()),
        Just("\"a'b\"".to_owned()),
    ];
    let number = prop_oneof![
        (0..5_i32).prop_map(|n| n.to_string()),
        Just("0.5".to_owned()),
        Just("2.5".to_owned())
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
        (number.clone(), order, number).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        text.prop_map(|a| format!("tag.team in [{a}, \"x\"]")),
        Just("model.supply == \"local\"".to_owned()),
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

fn by_the_cel_crate(text: &str, model: ModelFacts<'_>, caller: &Caller) -> Option<bool> {
    // Its parser needs much stack in a debug build.
    let (text, model) = (
        text.to_owned(),
        [model.name, model.provider, model.supply].map(str::to_owned),
    );
    let caller = caller.clone();
    let evaluate = move || {
        use std::collections::HashMap;
        let program = cel::Program::compile(&text).ok()?;
        let mut context = cel::Context::default();
        let [name, provider, supply] = model;
        let model = HashMap::from([("name", name), ("provider", provider), ("supply", supply)]);
        let mut tags: HashMap<String, String> = ["team", "tier", "none"]
            .map(|tag| (tag.to_owned(), String::new()))
            .into();
        tags.extend(
            caller
                .tags
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        context.add_variable_from_value("model", model);
        context.add_variable_from_value("tag", tags);
        context.add_variable_from_value("client", caller.client.to_string());
        match program.execute(&context) {
            Ok(cel::Value::Bool(value)) => Some(value),
            _ => None,
        }
    };
    let thread = std::thread::Builder::new().stack_size(256 << 20);
    thread.spawn(evaluate).unwrap().join().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_folded_answer_is_every_callers_answer(text in selectors(), team in "[a-z]{0,2}|search", client in "|search") {
        let caller = Caller { client: client.as_str().into(), tags: Tags::new([("team", team.as_str())]), ..Caller::default() };
        let selector = sound(&text);
        for model in [QWEN, TINY] {
            if let Some(answer) = selector.folded(model) {
                prop_assert_eq!(selector.matches(model, &caller), answer, "{}", text);
            }
        }
    }

    #[test]
    fn conditions_mean_what_the_cel_crate_says(text in selectors(), team in "[a-z]{0,2}|search") {
        let caller = Caller { client: "search".into(), tags: Tags::new([("team", team.as_str())]), ..Caller::default() };
        // That crate refuses to add or compare integers with fractions; where it answers, it agrees.
        if let Some(expected) = by_the_cel_crate(&text, TINY, &caller) {
            prop_assert_eq!(sound(&text).matches(TINY, &caller), expected, "{}", text);
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
