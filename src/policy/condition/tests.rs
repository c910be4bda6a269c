use super::signature::Live;
use super::*;
use crate::request::Tags;

mod against_cel;
mod reach;

fn names() -> Names {
    let list = |words: &[&str]| words.iter().map(|word| Arc::from(*word)).collect();
    Names {
        providers: list(&["qwen", "rival", "home"]),
        models: list(&["qwen-max", "rival-1", "tiny"]),
        clients: list(&["search", "support"]),
        routes: list(&["chat", "code"]),
        budgets: vec![("month".into(), true), ("teams".into(), false)],
        vendors: list(&["dashscope", "openai", "llama.cpp"]),
        licenses: list(&["qwen"]),
        domains: list(&["aliyun", "home"]),
        residences: list(&["SG", "DE"]),
        labels: list(&["audited", "canary"]),
    }
}

fn qwen() -> ModelFacts {
    ModelFacts {
        more: Some(MoreFacts {
            vendor: "dashscope",
            quality: Some(88),
            context: Some(256_000),
            license: "qwen".into(),
            domain: "aliyun".into(),
            residence: vec!["SG".into()],
            labels: vec!["audited".into(), "canary".into()],
        }),
        ..ModelFacts::recorded("qwen-max", "qwen", "licensed")
    }
}

/// Without a quality or a context.
fn tiny() -> ModelFacts {
    ModelFacts {
        more: Some(MoreFacts {
            vendor: "llama.cpp",
            ..MoreFacts::default()
        }),
        ..ModelFacts::recorded("tiny", "home", "local")
    }
}

fn caller() -> Caller {
    Caller {
        run: Arc::default(),
        client: "search".into(),
        tags: Tags::new([("team", "search"), ("tier", "gold")]),
        purpose: "internal".into(),
        route: "chat".into(),
        territory: "DE".into(),
        ..Caller::default()
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

fn now() -> Signals {
    let mut signals = Signals::default();
    signals.set_time("2026-11-23T21:30:00Z".parse().unwrap(), &jiff::tz::TimeZone::UTC);
    signals.set(Live::BudgetUsed, "month", 0.8333);
    signals.set(Live::BudgetRemaining, "month", 333.4);
    signals.set(Live::BudgetExhausted, "month", false);
    signals.set(Live::BudgetUsed, "teams", 0.0);
    signals.set(Live::BudgetExhausted, "teams", false);
    signals.set(Live::ProviderUp, "qwen", true);
    signals.set(Live::ProviderCooling, "qwen", true);
    signals.put(Live::ProviderErrorRate, "qwen", 0.25, true);
    signals
}

#[test]
fn selectors_mean_what_they_say() {
    for (text, of_qwen, of_tiny) in [
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
        ("model.vendor == \"dashscope\"", true, false),
        (
            "\"audited\" in model.labels && !(\"DE\" in model.residence)",
            true,
            false,
        ),
        ("model.license == \"qwen\" || model.domain == \"home\"", true, false),
        (
            "(tag.tier == \"gold\" ? \"canary\" : \"audited\") in model.labels",
            true,
            false,
        ),
        ("model.quality >= 60 && model.context > 128000", true, false),
        ("model.quality < 60 || model.quality != 60", true, false),
        ("route == \"chat\" && route != \"planb/tiny\"", true, true),
        ("territory == \"DE\" && !(territory in [\"CN\", \"\"])", true, true),
    ] {
        let selector = sound(text);
        assert_eq!(selector.matches(&qwen(), &caller()), of_qwen, "{text} of qwen-max");
        assert_eq!(selector.matches(&tiny(), &caller()), of_tiny, "{text} of tiny");
    }
}

#[test]
fn what_depends_on_the_model_alone_is_folded() {
    for (text, of_qwen, of_tiny) in [
        ("model.supply != \"local\"", Some(true), Some(false)),
        ("model.supply == \"local\" && tag.team == \"a\"", Some(false), None),
        ("tag.team == \"a\" && model.supply == \"local\"", Some(false), None),
        ("model.supply == \"local\" || client == \"search\"", None, Some(true)),
        ("tag.team == \"a\" ? true : false", None, None),
        ("model.supply in [tag.team, \"local\"]", None, Some(true)),
        ("use != \"\"", None, None),
        ("false", Some(false), Some(false)),
        ("model.quality >= 60 && route == \"chat\"", None, Some(false)),
        ("model.vendor == \"openai\"", Some(false), Some(false)),
    ] {
        assert_eq!(sound(text).folded(&qwen()), of_qwen, "{text} of qwen-max");
        assert_eq!(sound(text).folded(&tiny()), of_tiny, "{text} of tiny");
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
        ("budget(\"month\").remaining < 500", true),
        (
            "provider(\"qwen\").cooling && provider(\"qwen\").error_rate >= 0.25",
            true,
        ),
        ("hour >= 22 || hour < 6", false),
        ("hour == 21 && hour < 24", true),
        ("weekday in [\"sat\", \"sun\"]", false),
        ("weekday == \"mon\" && date == \"2026-11-23\"", true),
        ("date >= \"2026-12-01\"", false),
        ("date > \"2026-09-30\" && date.startsWith(\"2026-11\")", true),
    ] {
        assert_eq!(sound_state(text).holds(&now()), holds, "{text}");
    }
    let why = |text: &str| sound_state(text).why(&now());
    assert_eq!(why("budget(\"month\").used > 0.8"), "budget(\"month\").used = 0.8333");
    assert_eq!(
        why("budget(\"month\").used > 0.8 && (budget(\"month\").used < 2 || !provider(\"qwen\").up)"),
        "budget(\"month\").used = 0.8333, provider(\"qwen\").up = true"
    );
    assert_eq!(
        why("hour >= 21 && weekday == \"mon\" && provider(\"qwen\").error_rate > 0.2"),
        "hour = 21, weekday = \"mon\", provider(\"qwen\").error_rate = 0.25 (stale)"
    );
}

#[test]
fn what_is_not_known_yet_makes_neither_side_hold() {
    for text in [
        "provider(\"home\").error_rate > 0.5",
        "!(provider(\"home\").error_rate > 0.5)",
        "provider(\"home\").error_rate > 0.5 && hour == 21",
    ] {
        assert!(!sound_state(text).holds(&now()), "{text}");
    }
    assert!(sound_state("provider(\"home\").error_rate > 0.5 || hour == 21").holds(&now()));
    assert_eq!(
        sound_state("provider(\"home\").error_rate > 0.5").why(&now()),
        "provider(\"home\").error_rate is not known yet"
    );
}

#[test]
fn of_a_model_that_only_a_record_names_the_rest_matches_nothing() {
    let gone = ModelFacts::recorded("old", "qwen", "licensed");
    let matches = |text: &str| sound(text).matches(&gone, &caller());
    assert!(matches("model.supply == \"licensed\""));
    assert!(!matches("model.quality > 1") && !matches("!(model.quality > 1)"));
    assert!(!matches("model.vendor == \"dashscope\"") && !matches("model.vendor != \"dashscope\""));
}

#[test]
fn every_example_of_the_table_is_sound() {
    let with = |name: &str| {
        let mut names = names();
        names.models.push("big".into());
        names.providers.push("deepseek".into());
        names.budgets.push((name.into(), true));
        names
    };
    for row in &signature::SIGNATURES {
        let (tree, faults) = compile(row.example, row.environment, &with("month"));
        assert!(tree.is_some() && faults.is_empty(), "{}: {faults:?}", row.example);
    }
}

#[test]
fn a_division_by_zero_makes_every_comparison_false() {
    for comparison in ["==", "!=", "<", "<=", ">", ">="] {
        let text = format!("1 / budget(\"teams\").used {comparison} 2");
        assert!(!sound_state(&text).holds(&now()), "{text}");
    }
    assert!(!sound("1 / 0 in [1]").matches(&qwen(), &caller()));
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
        ("model.license == \"x\"", "never-matches", "\"x\""),
        ("\"auditted\" in model.labels", "never-matches", "\"auditted\""),
        ("\"FR\" in model.residence", "never-matches", "\"FR\""),
        ("model.domain == \"alyun\"", "never-matches", "\"alyun\""),
        ("model.labels in [\"audited\"]", "type", "\"audited\""),
        ("model.labels == \"audited\"", "type", "model.labels == \"audited\""),
        ("1 in model.labels", "type", "1 in model.labels"),
        ("hour > 8", "wrong-environment", "hour"),
        ("model.unit_cost > 1", "wrong-environment", "model"),
        ("model.vendor == \"dashcope\"", "never-matches", "\"dashcope\""),
        ("model.quality > 100", "never-matches", "100"),
        ("model.quality == 60.5", "never-matches", "60.5"),
        ("102 > model.quality", "never-matches", "102"),
        ("territory == \"de\"", "never-matches", "\"de\""),
        ("territory in [\"DE\", \"Germany\"]", "never-matches", "\"Germany\""),
        ("route == \"chatt\"", "never-matches", "\"chatt\""),
        (
            "route in [\"code\", \"planb/tinny\"]",
            "never-matches",
            "\"planb/tinny\"",
        ),
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
        ("provider(\"qwen\").balanc < 5", "unknown-signal", "balanc"),
        ("model(\"tyny\").unit_cost > 1", "unknown-name", "\"tyny\""),
        ("model(\"tiny\").unit_price > 1", "unknown-signal", "unit_price"),
        ("provider(\"qwen\").error_rate > 5", "never-matches", "5"),
        ("provider(\"qwen\").quota_left < 10", "never-matches", "10"),
        ("provider(\"qwen\").error_rate > 1", "never-matches", "1"),
        ("budget(\"month\").remaining < 0", "never-matches", "0"),
        ("hour == 25", "never-matches", "25"),
        ("hour in [8, 24]", "never-matches", "24"),
        ("23 < hour", "never-matches", "23"),
        ("hour >= 8.5 && hour == 8.5", "never-matches", "8.5"),
        ("hour > -1 + 0", "never-matches", "-1 + 0"),
        ("weekday == \"monday\"", "never-matches", "\"monday\""),
        ("weekday in [\"Sat\"]", "never-matches", "\"Sat\""),
        ("weekday < \"wed\"", "type", "weekday"),
        ("date == \"2026-13-01\"", "never-matches", "\"2026-13-01\""),
        ("date < \"31.12.2026\"", "never-matches", "\"31.12.2026\""),
        ("date in [\"2026-2-1\"]", "never-matches", "\"2026-2-1\""),
        ("weekday == mon", "unknown-signal", "mon"),
        ("hour(\"x\") > 1", "type", "hour"),
        ("route == \"chat\"", "wrong-environment", "route"),
        ("model(\"tiny\").quality > 1", "wrong-environment", "model"),
        ("license(\"x\").days_left < 14", "unknown-name", "\"x\""),
        ("license(\"qwen\").days_left == 1.5", "never-matches", "1.5"),
        ("license(\"qwen\").days < 14", "unknown-signal", "days"),
        ("weekday == 1", "type", "weekday == 1"),
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
    assert_eq!(warned("budget(\"teams\").used > 80"), Some("never-holds"), "per cent");
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
    assert!(
        !sound(&long).matches(&qwen(), &caller()),
        "a long chain is not a deep one"
    );
}
