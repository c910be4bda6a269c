//! What is wrong with a policy, and where the caret stands.

use super::*;

#[test]
fn every_error_shows_at_once_and_one_slip_is_one_error() {
    let found = refused(concat!(
        "providers:\n  qwen: {vendor: dashscop, api_key: env:KEY}\n",
        "models:\n  max: {provider: qwem, supply: lokal, qualty: 8}\n",
        "routes:\n  - {name: chat, try: [maxx], pick: value}\n",
        "budgets:\n  month: {limit: 5, per: month}\n",
        "plans:\n  - {name: p, when: 'budget(\"mont\").used > 0.8', only: 'model.supply == \"lokal\"'}\n",
    ));
    let expected = [
        ("unknown-word", "dashscop"),
        ("unknown-name", "qwem"),
        ("unknown-word", "lokal"),
        ("unknown-key", "qualty"),
        ("unknown-name", "maxx"),
        ("not-yet", "value"),
        ("bad-value", "5"),
        ("unknown-name", "\"mont\""),
        ("never-matches", "\"lokal\""),
    ];
    assert_eq!(
        findings(&found),
        expected.map(|(code, at)| (code, at.to_owned())),
        "{}",
        shown(&found)
    );
    let helps: Vec<_> = found.iter().map(|found| found.help.as_deref().unwrap_or("")).collect();
    for (at, word) in [
        (0, "`dashscope`"),
        (1, "`qwen`"),
        (2, "`local`"),
        (3, "`quality`"),
        (4, "`max`"),
        (7, "`month`"),
        (8, "`local`"),
    ] {
        assert!(helps[at].contains(word), "{}: {}", word, helps[at]);
    }
}

#[test]
fn a_diagnostic_prints_its_place_its_line_a_caret_and_help() {
    let found = refused(
        "providers:\n  qwen: {vendor: dashscop, api_key: env:KEY}\nmodels: {m: {provider: qwen, supply: local}}\nroutes: [{name: r, try: [m]}]\n",
    );
    let expected = "\
error[unknown-word]: `vendor` cannot be `dashscop`
 --> policy.yaml:2:18
  |
2 |   qwen: {vendor: dashscop, api_key: env:KEY}
  |                  ^^^^^^^^
  |
  = help: did you mean `dashscope`?";
    assert_eq!(found[0].to_string(), expected);
    let json = serde_json::to_value(&found[0]).unwrap();
    assert_eq!(
        (
            json["severity"].as_str(),
            json["line"].as_u64(),
            json["column"].as_u64()
        ),
        (Some("error"), Some(2), Some(18))
    );
}

#[test]
fn two_places_are_shown_where_two_matter() {
    let found = one_error("budgets", "  b: {limit: 5 EUR, per: day}", "missing-rate", "5 EUR");
    assert_eq!(
        (found.related[0].line, found.related[0].excerpt.contains("10 USD")),
        (13, true)
    );
    assert!(found.help.unwrap().contains("`rates: {EUR: … USD}`"));
    let found = one_error("routes", "  - {name: chat, try: [tiny]}", "duplicate-name", "chat");
    assert_eq!(found.related[0].excerpt, "  - {name: chat, try: [big, tiny]}");
    assert!(found.to_string().contains("the first one is here"), "{found}");
}

#[test]
fn a_need_without_a_quality_names_the_model() {
    let text = with("routes", "  - {name: r, try: [big, plain], need: {quality: 50}}");
    let text = text.replace("models:\n", "models:\n  plain: {provider: home, supply: local}\n");
    let found = refused(&text);
    assert_eq!(findings(&found), [("no-quality", "50".to_owned())]);
    assert!(found[0].message.contains("`plain`"), "{}", found[0].message);
    let text = text.replace(", need: {quality: 50}", "");
    assert!(compile(&sources(&[("policy.yaml", &text)]), NOW).is_ok());
    let text = text.replace(
        "avoid: 'model.provider == \"hub\"'",
        "change: {r: {need: {quality: 50}}}",
    );
    assert_eq!(findings(&refused(&text)), [("no-quality", "50".to_owned())]);
}

#[test]
fn literal_credentials_are_errors_and_are_shown_nowhere() {
    for line in [
        "  a: {vendor: deepseek, api_key: hunter2hunter2}",
        "  a: {vendor: deepseek, api_key: hunter2hunter2, api_key: hunter2hunter2}",
        "  a: {vendor: deepseek, apikey: hunter2hunter2, api_key: env:A}",
        "  a: {vendor: deepseek, api_key: \"hunter2hunter2\", vendr: x}",
        "  a:\n    vendor: deepseek\n    api_key: |\n      hunter2hunter2\n",
        "  a: {vendor: deepseek, api_key: env:A, base_url: https://u:hunter2hunter2@host/}",
        "  a: {vendor: sk-hunter2hunter2, api_key: env:A}",
        "  a: {vendor: vllm, start: {command: [serve], env: {HF_TOKEN: hunter2hunter2}}}",
        "  a: {vendor: deepseek, api_key: hunter2hunter2, region: [",
    ] {
        let found = refused(&with("providers", line));
        assert!(found.iter().any(Diagnostic::is_error));
        let everything = format!("{}{}{found:?}", shown(&found), serde_json::to_string(&found).unwrap());
        assert!(!everything.contains("hunter2"), "{line}\n{everything}");
    }
}

#[test]
fn unwise_policies_compile_with_a_warning() {
    for (section, line, code, at) in [
        ("models", "  m: {provider: hub, supply: competitor}", "unpriced", "m"),
        (
            "models",
            "  m: {provider: home, supply: local, context: 4k, max_output: 8k}",
            "no-effect",
            "8k",
        ),
        (
            "routes",
            "  - {name: r, try: [tiny], need: {quality: 60}}",
            "nothing-left",
            "60",
        ),
        (
            "routes",
            "  - {name: a, match: {model: [\"z*\"]}, try: [tiny]}\n  - {name: zed, try: [tiny]}",
            "shadowed",
            "zed",
        ),
        ("plans", "  - {name: p, when: 'true'}", "no-effect", "p"),
        (
            "plans",
            "  - {name: p, when: 'true', shed: Closed., message: Never said.}",
            "no-effect",
            "Never said.",
        ),
        (
            "plans",
            "  - {name: p, during: {until: 2026-11-22}, avoid: 'model.name == \"big\"'}",
            "never-holds",
            "p",
        ),
        (
            "plans",
            "  - {name: p, when: 'true', only: 'model.provider == \"hub\"'}",
            "nothing-left",
            "p",
        ),
        (
            "plans",
            "  - {name: p, when: 'budget(\"month\").used >= 1', avoid: 'model.name == \"big\"'}",
            "never-holds",
            "budget(\"month\").used >= 1",
        ),
        (
            "alerts",
            "  - {url: https://b.example, secret: env:A, events: []}",
            "no-effect",
            "{url: https://b.example, secret: env:A, events: []}",
        ),
    ] {
        let warnings = compiled(&with(section, line)).warnings;
        assert!(
            findings(&warnings).contains(&(code, at.to_owned())),
            "{line}: {:?}",
            findings(&warnings)
        );
    }
}

#[test]
fn the_reference_shows_an_error_as_it_looks() {
    let reference = include_str!("../../../docs/policy.md");
    let line = r#"  - {name: lights-out, when: 'budget("month").exhausted', only: 'model.supply == "lokal"'}"#;
    let text = with("plans", line);
    let before = text.lines().position(|found| found == line).unwrap();
    let found = refused(&format!("{}{text}", "\n".repeat(20 - before)));
    assert!(reference.contains(&found[0].to_string()), "{}", found[0]);
}
