//! The command line: every mistake of a policy at once with its place, and what the daemon knows, in words.

use crate::support::{Daemon, Policy, Price, Upstream, run};
use serde_json::json;
use std::path::Path;
use std::process::Output;

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn both(output: &Output) -> String {
    out(output) + &String::from_utf8_lossy(&output.stderr)
}

fn check(text: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.yaml");
    std::fs::write(&path, text).unwrap();
    run(&["check", path.to_str().unwrap()])
}

#[tokio::test(flavor = "multi_thread")]
async fn check_accepts_a_good_policy() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let output = check(
        &Policy::one(&upstream)
            .budget("month", "limit: 1 USD, per: month")
            .text(),
    );
    assert!(output.status.success(), "{}", both(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_every_error_with_file_line_column_line_and_suggestion() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let text = Policy::one(&upstream)
        .budget("month", "limit: 1 USD, per: fortnight")
        .plan("name: austerity, when: 'budget(\"mont\").used > 0.8', change: {chat: {pick: cheapst}}")
        .text()
        .replace("try: [only]", "try: [onyl]");
    let output = check(&text);
    let said = both(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for (wrong, right) in [
        ("onyl", "only"),
        ("fortnight", "week"),
        ("mont", "month"),
        ("cheapst", "cheapest"),
    ] {
        let quoted = [
            format!("{wrong}]"),
            format!("{wrong}}}"),
            format!("{wrong}\\\""),
            format!("{wrong}\""),
        ];
        let place = text.lines().enumerate().find_map(|(number, line)| {
            let column = quoted.iter().find_map(|quoted| line.find(quoted))?;
            Some((number + 1, column + 1))
        });
        let (line, column) = place.unwrap();
        let near = [
            format!("policy.yaml:{line}:{column}"),
            format!("policy.yaml:{line}:{}", column - 1),
        ];
        assert!(
            near.iter().any(|place| said.contains(place)),
            "{wrong} at {near:?} in:\n{said}"
        );
        assert!(
            said.contains(text.lines().nth(line - 1).unwrap().trim()),
            "the line of {wrong} in:\n{said}"
        );
        assert!(said.contains(right), "{right} for {wrong} in:\n{said}");
    }
    assert!(said.contains('^'), "{said}");
}

#[test]
fn check_refuses_what_this_version_cannot_do_and_what_is_no_reference() {
    let policies = [
        ("licenses: {x: {expires: 2027-01-31}}", "licenses"),
        (
            "providers:\n  a: {vendor: openai, api_key: sk-literal-secret-value-123456}\n",
            "api_key",
        ),
        ("routes: [", "policy.yaml:"),
        ("colour: blue\n", "colour"),
    ];
    for (text, word) in policies {
        let output = check(text);
        let said = both(&output);
        assert!(!output.status.success(), "{text}");
        assert!(said.contains(word), "{text}:\n{said}");
        assert!(
            !said.contains("sk-literal-secret-value-123456"),
            "a literal credential is masked:\n{said}"
        );
    }
    let absent = run(&["check", "/nowhere/policy.yaml"]);
    assert!(!absent.status.success());
    assert!(both(&absent).contains("/nowhere/policy.yaml"));
}

#[test]
fn the_policies_that_come_along_pass_the_check() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    for name in ["quickstart.yaml", "qwen-first.yaml", "local-only.yaml"] {
        let output = run(&["check", folder.join(name).to_str().unwrap()]);
        assert!(output.status.success(), "{name}:\n{}", both(&output));
    }
}

#[test]
fn help_names_every_verb() {
    let output = run(&["--help"]);
    assert!(output.status.success());
    for verb in ["serve", "check", "status", "spend", "plan"] {
        assert!(out(&output).contains(verb), "{verb} in:\n{}", out(&output));
        assert!(run(&[verb, "--help"]).status.success());
    }
    assert!(out(&run(&["--version"])).contains(env!("CARGO_PKG_VERSION")));
    assert_eq!(run(&["sevre"]).status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn status_and_spend_find_the_running_daemon() {
    let upstream = Upstream::start("alpha", Price::LIST).await;
    let mut daemon = Daemon::start(&Policy::one(&upstream).budget("month", "limit: 1 USD, per: month")).await;
    let request = json!({"model": "chat", "max_tokens": 50, "messages": [{"role": "user", "content": "Say hello."}]});
    let answer = daemon.chat(&request).await.expect(200);
    daemon.decision(&answer).await;
    let status = daemon.cli(&["status"]);
    assert!(status.status.success(), "{}", both(&status));
    for word in ["alpha", "only", "month"] {
        assert!(out(&status).contains(word), "{word} in:\n{}", out(&status));
    }
    let file = std::fs::read_to_string(daemon.home.state().join("daemon.json")).unwrap();
    let known: serde_json::Value = serde_json::from_str(&file).unwrap();
    assert_eq!(known["pid"], daemon.pid());
    assert!(known["url"].as_str().unwrap().contains(&daemon.address().to_string()));
    daemon.sigterm().await;
    let gone = daemon.cli(&["status"]);
    assert!(!gone.status.success());
    assert!(!both(&gone).is_empty());
}
