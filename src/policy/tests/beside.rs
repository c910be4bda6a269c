//! Everything at once: what is unwise beside what is wrong, and nothing that only the wrong part makes look unwise.

use super::*;

/// Codes in the order of the text.
fn codes(text: &str) -> Vec<&'static str> {
    refused(text).iter().map(|found| found.code).collect()
}

const STALE: &str =
    "  old: {provider: hub, supply: competitor, price: {input: 1 USD/M, output: 2 USD/M, as_of: 2025-01-01}}";

#[test]
fn what_does_not_depend_on_a_broken_part_is_warned_of_beside_it() {
    let stale = with("models", STALE);
    let wrong_plan = stale.replace(
        "plans:\n",
        "plans:\n  - {name: p, when: 'hour > \"x\"', shed: Closed.}\n",
    );
    assert_eq!(codes(&wrong_plan), ["stale-price", "type"]);
    let wrong_model = stale.replace("models:\n", "models:\n  bad: {provider: nobody, supply: local}\n");
    assert_eq!(codes(&wrong_model), ["unknown-name", "stale-price"]);
    let never = with("plans", "  - {name: p, when: 'hour > 3 && hour < 2', shed: Closed.}");
    let wrong_route = never.replace("routes:\n", "routes:\n  - {name: r, try: [nobody]}\n");
    assert_eq!(codes(&wrong_route), ["unknown-name", "never-holds"]);
    let wrong_key = never.replace("timezone: UTC", "timezone: UTC\ntimezome: UTC");
    assert_eq!(codes(&wrong_key), ["unknown-key", "never-holds"]);
}

#[test]
fn what_comes_of_a_broken_part_alone_is_not_warned_of() {
    // Without the broken price, the broken route, the broken budget, each would be told of what is not so.
    let sound = with("top", "");
    for (from, to, code) in [
        ("output: 2 USD/M}", "output: 2 USD/X}", "bad-value"),
        ("try: [big, tiny]", "try: [big, tyny]", "unknown-name"),
        ("limit: 10 USD, per: month", "limit: ten, per: month", "bad-value"),
        ("vendor: llama.cpp", "vendor: lama.cpp", "unknown-word"),
    ] {
        assert_eq!(codes(&sound.replace(from, to)), [code], "{to}");
    }
    let reads = |condition: &str| with("plans", &format!("  - {{name: p, when: '{condition}', shed: Closed.}}"));
    let broken = |text: String| text.replace("budgets:\n", "licenses:\n  term: {expires: someday}\nbudgets:\n");
    assert_eq!(codes(&broken(reads("license(\"term\").days_left < 14"))), ["bad-value"]);
    // An alias is as broken as what it stands for.
    let alias = sound.replace(
        "big: {provider: hub, supply: competitor, quality: 80, price: {input: 1 USD/M, output: 2 USD/M}}",
        "big: &big {provider: nobody, supply: competitor, quality: 80, max_output: 9k, context: 1k}\n  twin: *big",
    );
    assert_eq!(codes(&alias), ["unknown-name"]);
}

#[test]
fn of_more_than_anybody_reads_the_errors_are_shown_first() {
    let stale: String = (0..150)
        .map(|at| STALE.replace("old:", &format!("old{at}:")) + "\n")
        .collect();
    let text = with("models", stale.trim_end()).replace(
        "plans:\n",
        "plans:\n  - {name: p, when: 'hour > \"x\"', shed: Closed.}\n",
    );
    let found = refused(&text);
    assert_eq!(found.len(), 100);
    assert_eq!(found.iter().filter(|found| found.is_error()).count(), 1);
    assert!(
        found[99]
            .help
            .as_ref()
            .is_some_and(|help| help.contains("51 more are not shown")),
        "{}",
        found[99]
    );
}
