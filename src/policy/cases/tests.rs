//! Test files as read: every key documented, everything laid over as promised.

use super::words::{CONVERSATION, EXPECT, GIVEN, METERS, REQUEST, ROW, SPEED, STEP, TEST, USED_UP};
use super::*;
use crate::money::Money;
use crate::policy::tests::shape::refusals_of_tests;

const POLICY: &str = "
timezone: Asia/Shanghai
providers: {qwen: {vendor: dashscope, api_key: env:K}, home: {vendor: llama.cpp}}
models:
  qwen-max: {provider: qwen, name: qwen3.8-max, supply: licensed, price: {input: 2 USD/M, output: 6 USD/M}}
  own: {provider: home, supply: local}
clients: {search: {key: env:C, tags: {team: search}}}
routes: [{name: chat, try: [qwen-max, own]}]
budgets: {month: {limit: 20 USD, per: month}}
plans: [{name: dry, when: 'budget(\"month\").exhausted', only: 'model.supply == \"local\"'}]
";

fn cases(text: &str) -> Result<Vec<Case>, Vec<Diagnostic>> {
    let test = SourceFile {
        name: "p.test.yaml".to_owned(),
        text: text.to_owned(),
    };
    let found = read(
        &Sources::single("p.yaml", std::path::PathBuf::new(), POLICY),
        &test,
        &["plan"],
    );
    if found.is_ok() {
        assert_eq!(refusals_of_tests(text), Vec::<String>::new(), "{text}");
    }
    found
}

#[test]
fn the_schema_takes_every_shipped_test_file_and_refuses_what_the_reader_does_not_know() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/policies");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let tests: Vec<_> = files
        .filter(|path| path.to_str().unwrap().ends_with(".test.yaml"))
        .collect();
    assert!(tests.len() >= 10, "{tests:?}");
    for path in tests {
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(refusals_of_tests(&text), Vec::<String>::new(), "{}", path.display());
    }
    for (text, at) in [
        ("tests: []\nexpects: {}", ".expects"),
        ("given: {}", ""),
        ("tests: [{request: chat, given: {time: [1]}}]", ".tests[].given.time"),
        ("tests: [{request: {model: chat, use: profit}}]", ".tests[].request"),
        (
            "tests: [{request: chat, expect: {cost_at_most: 5}}]",
            ".tests[].expect.cost_at_most",
        ),
        ("tests: [{given: {providers: {q: dwon}}}]", ".tests[].given.providers.q"),
        (
            "tests: [{given: {prices: {m: {inptu: 1 USD/M}}}}]",
            ".tests[].given.prices.m",
        ),
    ] {
        let found = refusals_of_tests(text);
        assert!(
            found.iter().any(|one| one.starts_with(&format!("{at}:"))),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn every_key_of_a_test_file_is_documented() {
    let text = include_str!("../../../docs/testing.md");
    let inner = [&CONVERSATION, &SPEED, &METERS, &USED_UP];
    for section in [&SUITE, &TEST, &ROW, &STEP, &GIVEN, &REQUEST, &EXPECT]
        .into_iter()
        .chain(inner)
    {
        for key in section.names() {
            let there = text.contains(&format!("`{key}`")) || text.contains(&format!("{key}: "));
            assert!(there, "`{key}` of {}", section.what);
        }
    }
}

#[test]
fn file_test_and_row_are_laid_over_one_another() {
    let found = cases(
        "request: {model: chat, tags: {team: ads, app: web}, input: 20k}
given: {budgets: {month: 50%}}
tests:
  - name: t
    given: {providers: {qwen: down}}
    cases:
      - {request: {tags: {team: x}}, expect: {model: own}}
      - {name: dear, request: {client: search}, given: {prices: {qwen-max: {input: 4 USD/M, output: 6 USD/M}}}}
",
    )
    .unwrap();
    let [first, second] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!((first.name.as_str(), first.line), ("t / 1", 7));
    let ask = first.steps[0].ask.as_ref().unwrap();
    assert_eq!(
        (
            ask.needs.input,
            ask.needs.caller.tags.get("team"),
            ask.needs.caller.tags.get("app")
        ),
        (20_000, "x", "web")
    );
    assert_eq!(
        (first.steps[0].given.signals.len(), first.steps[0].given.providers.len()),
        (1, 1)
    );
    assert_eq!(second.name, "t / dear");
    let ask = second.steps[0].ask.as_ref().unwrap();
    assert_eq!(ask.needs.caller.tags.get("team"), "search", "a client's own tags win");
    let input = |case: &Case| {
        case.steps[0].snapshot.models[0]
            .price
            .as_ref()
            .unwrap()
            .quote(&crate::price::Moment::plain(case.steps[0].time()))
            .worst(1_000_000, 0)
    };
    assert_eq!(
        [input(first), input(second)],
        ["2", "4"].map(|text| Money::parse(text).unwrap())
    );
}

#[test]
fn what_is_given_stays_from_step_to_step_and_what_is_expected_does_not() {
    let found = cases(
        "tests:
  - request: chat
    steps:
      - {given: {budgets: {month: 99%}}, expect: {model: own}}
      - {after: 5m, given: {plans: {dry: on}}}
",
    )
    .unwrap();
    let [_, second] = found[0].steps.as_slice() else {
        panic!("{found:?}")
    };
    assert!(found[0].timed && second.expect.model.is_none());
    assert_eq!((second.given.signals.len(), second.given.plans.len()), (1, 1));
    assert_eq!(second.after, Duration::from_secs(300));
}

#[test]
fn times_are_of_the_policys_zone_and_the_same_tomorrow() {
    let time = |given: &str| {
        let found = cases(&format!("tests: [{{request: chat, given: {given}}}]")).unwrap();
        found[0].steps[0].time().to_string()
    };
    assert_eq!(time("{}"), "2026-12-01T04:00:00Z");
    assert_eq!(time("{time: 2027-01-15T10:00}"), "2027-01-15T02:00:00Z");
    assert_eq!(time("{time: 2027-01-15}"), "2027-01-15T04:00:00Z");
    assert_eq!(time("{time: '2027-01-15T10:00:00Z'}"), "2027-01-15T10:00:00Z");
}

#[test]
fn a_broken_file_is_told_and_never_runs() {
    for (text, part) in [
        ("", "has no `tests`"),
        ("tests: 5", "is a list"),
        ("tests: [{expect: {model: own}}]", "nothing is asked"),
        ("tests: [{request: {input: 1k}}]", "needs `model`"),
        ("tests: [{request: chat, cases: [{}], steps: [{}]}]", "not both"),
        ("tests: [{request: chat, given: {time: soon}}]", "is no time"),
        (
            "tests: [{request: chat, given: {budgets: {month: {lft: 1 USD}}}}]",
            "did you mean `left`?",
        ),
        (
            "tests: [{request: chat, given: {prices: {own: {input: 1 EUR/M, output: 1 EUR/M}}}}]",
            "EUR",
        ),
    ] {
        let found = cases(text).unwrap_err();
        assert!(
            found.iter().any(|found| found.to_string().contains(part)),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn parts_in_one_line_or_in_many_are_read_alike() {
    let policy = Sources::single("p.yaml", std::path::PathBuf::new(), POLICY);
    for (given, request) in [
        ("budgets: {month: 85%}", "chat"),
        ("{budgets: {month: 85%}}", "model: chat"),
        ("budgets:\n  month: 85%", "{model: chat, tools: false}"),
        ("providers: {qwen: up}, budgets: {month: 85%}", "model: chat, input: 2k"),
    ] {
        let step = read_parts(&policy, given, request, "").unwrap();
        assert_eq!(step.given.signals.len(), 1, "{given}");
        assert_eq!(step.ask.unwrap().model.as_ref(), "chat", "{request}");
    }
}
