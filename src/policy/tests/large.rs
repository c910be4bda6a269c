//! Policies of thousands of things.

use super::*;

/// Thousands of names that are wrong are each compared with thousands that are right only as long as somebody reads it.
#[test]
fn a_policy_of_many_wrong_names_is_answered_with_the_nearest_of_those_that_are_shown() {
    let models: String = (0..3_000)
        .map(|at| format!("  model-number-{at}: {{provider: p, supply: local}}\n"))
        .collect();
    let wrong: Vec<String> = (0..3_000).map(|at| format!("modle-number-{at}")).collect();
    let text = format!(
        "providers: {{p: {{vendor: vllm}}}}\nmodels:\n{models}routes: [{{name: r, try: [{}]}}]\n",
        wrong.join(", ")
    );
    let found = compile(
        &Sources::single("p.yaml", "/".into(), &text),
        jiff::Timestamp::UNIX_EPOCH,
    )
    .unwrap_err();
    assert_eq!(found.len(), 100);
    assert_eq!(found[0].help.as_deref(), Some("did you mean `model-number-0`?"));
    let last = found[99].help.as_deref().unwrap();
    assert!(
        last.starts_with("did you mean `model-number-99`?") && last.contains("2900 more"),
        "{last}"
    );
}
