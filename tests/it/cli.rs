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
        ("licenses: {x: {renew: yearly}}", "renew"),
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

#[test]
fn fmt_lays_files_out_in_place_checks_and_shows_what_would_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.yaml");
    let (messy, tidy) = (
        "models:\n    tiny:  {supply : local}  # mine\n",
        "models:\n  tiny: {supply: local}      # mine\n",
    );
    std::fs::write(&path, messy).unwrap();
    let name = path.to_str().unwrap();
    let checked = run(&["fmt", "--check", name]);
    assert_eq!((checked.status.code(), out(&checked)), (Some(1), format!("{name}\n")));
    let shown = run(&["fmt", "--diff", name]);
    assert!(shown.status.success());
    assert!(
        out(&shown).contains("-    tiny:  {supply : local}  # mine\n+  tiny: {supply: local}"),
        "{}",
        both(&shown)
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), messy);
    // A folder is its files; a link keeps leading where it led.
    let real = folder.path().join("real");
    std::fs::rename(&path, &real).unwrap();
    std::os::unix::fs::symlink(&real, &path).unwrap();
    assert!(run(&["fmt", folder.path().to_str().unwrap()]).status.success());
    assert_eq!(std::fs::read_to_string(&real).unwrap(), tidy);
    assert!(path.is_symlink());
    assert!(run(&["fmt", "--check", name]).status.success());
    std::fs::write(&real, "models: [\n").unwrap();
    let refused = run(&["fmt", name]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(both(&refused).contains("policy.yaml:"), "{}", both(&refused));
    assert_eq!(std::fs::read_to_string(&real).unwrap(), "models: [\n");
}

#[test]
fn check_speaks_to_programs_and_counts_warnings_when_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.yaml");
    let warned = "providers: {home: {vendor: llama.cpp}}\nmodels: {tiny: {provider: home, supply: local}}\n\
                  routes:\n  - {name: chat, try: [tiny]}\nplans:\n  - {name: idle, when: '!provider(\"home\").up'}\n";
    std::fs::write(&path, warned).unwrap();
    let name = path.to_str().unwrap();
    assert!(run(&["check", name]).status.success());
    assert_eq!(run(&["check", "--deny-warnings", name]).status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_str(&out(&run(&["check", "--format", "json", name]))).unwrap();
    assert_eq!(
        (json["sound"].as_bool(), json["errors"].as_u64()),
        (Some(true), Some(0))
    );
    let codes: Vec<_> = json["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| &found["code"])
        .collect();
    assert!(codes.contains(&&json!("no-effect")), "{json}");
    std::fs::write(&path, warned.replace("supply: local", "suply: local")).unwrap();
    let sarif: serde_json::Value = serde_json::from_str(&out(&run(&["check", "--format", "sarif", name]))).unwrap();
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "unknown-key");
    let github = run(&["check", "--format", "github", name]);
    assert_eq!(github.status.code(), Some(1));
    assert!(
        out(&github).contains(&format!("::error file={name},line=2,col=")),
        "{}",
        out(&github)
    );
    std::fs::write(&path, b"a: 1\nb: \xff\n").unwrap();
    let json: serde_json::Value = serde_json::from_str(&out(&run(&["check", "--format", "json", name]))).unwrap();
    let found = &json["diagnostics"][0];
    assert_eq!(
        (found["code"].as_str(), found["line"].as_u64(), found["column"].as_u64()),
        (Some("unreadable"), Some(2), Some(4))
    );
    assert_eq!(run(&["check", "--format", "xml", name]).status.code(), Some(2));
}
