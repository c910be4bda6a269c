//! A policy's own tests: what they say of the shipped policies, of the documentation, of mistakes, and to build servers.

use crate::support::run;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Output;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The quickstart with a test file beside it.
struct Beside {
    folder: tempfile::TempDir,
}

impl Beside {
    fn quickstart(tests: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(root().join("policies/quickstart.yaml"), folder.path().join("p.yaml")).unwrap();
        std::fs::write(folder.path().join("p.test.yaml"), tests).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn test(&self, more: &[&str]) -> Output {
        let policy = self.path("p.yaml");
        let arguments: Vec<&str> = ["test", policy.to_str().unwrap()]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        run(&arguments)
    }
}

#[test]
fn every_shipped_policy_passes_its_own_tests_and_they_reach_all_of_it() {
    let folder = root().join("policies");
    let output = run(&["test", folder.to_str().unwrap(), "--format", "json"]);
    assert!(output.status.success(), "{}", said(&output));
    let results: Value = serde_json::from_slice(&output.stdout).unwrap();
    for file in results["files"].as_array().unwrap() {
        for (kind, coverage) in file["coverage"].as_object().unwrap() {
            assert_eq!(
                coverage["missed"],
                serde_json::json!([]),
                "{kind} of {}",
                file["policy"]
            );
        }
    }
}

#[test]
fn the_documentations_example_passes() {
    let text = std::fs::read_to_string(root().join("docs/testing.md")).unwrap();
    let (_, block) = text.split_once("```yaml test policies/quickstart.yaml\n").unwrap();
    let beside = Beside::quickstart(block.split("```").next().unwrap());
    let output = beside.test(&[]);
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn a_failure_shows_expected_and_actual_with_place_and_explanation() {
    let beside =
        Beside::quickstart("tests:\n  - name: wrong\n    request: chat\n    expect: {model: tiny, plans: [outage]}\n");
    let output = beside.test(&[]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in [
        "FAILED wrong",
        "p.test.yaml:2",
        "model: expected tiny, and it is qwen-max",
        "plans: expected [outage], and it is []",
        "chosen",
        "plans      0 of 3, not outage, austerity, lights-out",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
}

#[test]
fn mistakes_in_a_test_file_are_shown_all_at_once_with_their_places() {
    let tests = "\
tests:
  - name: a
    given: {budgets: {mont: 85%}, providers: {qwen: dwn}, plans: {austerty: true}}
    request: {model: chat, inptu: 20k, output: many}
    expect: {model: qwen-mx, reasons: {tiny: contxt}}
  - name: b
    given: {prices: {qwen-max: {input: 4 USD}}, signals: {'budget(\"month\").usd': 1}}
    expect: {model: tiny}
";
    let beside = Beside::quickstart(tests);
    let output = beside.test(&[]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for part in [
        "did you mean `month`?",
        "did you mean `down`?",
        "did you mean `austerity`?",
        "did you mean `input`?",
        "`many` is no size",
        "did you mean `qwen-max`?",
        "did you mean `context`?",
        "`4 USD` is no price",
        "is no signal",
        "nothing is asked",
        "p.test.yaml:3:",
        "p.test.yaml:7:",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
}

#[test]
fn a_snapshot_is_written_on_request_and_a_difference_is_a_failure() {
    let tests = "tests: [{name: all, request: chat, expect: {snapshot: true}}]\n";
    let beside = Beside::quickstart(tests);
    assert_eq!(beside.test(&[]).status.code(), Some(1), "nothing is kept yet");
    assert!(beside.test(&["--update"]).status.success());
    assert!(beside.test(&[]).status.success());
    let policy = std::fs::read_to_string(beside.path("p.yaml")).unwrap();
    std::fs::write(
        beside.path("p.yaml"),
        policy.replace("try: [qwen-max, deepseek, tiny]", "try: [deepseek, qwen-max, tiny]"),
    )
    .unwrap();
    let output = beside.test(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("the snapshot differs"), "{}", said(&output));
}

#[test]
fn results_go_to_build_servers_and_programs() {
    let tests = "tests:\n  - {name: 'right & \"good\"', request: chat, expect: {model: qwen-max}}\n  - {name: wrong, request: chat, expect: {model: tiny}}\n";
    let beside = Beside::quickstart(tests);
    let junit = beside.path("junit.xml");
    let output = beside.test(&["--junit", junit.to_str().unwrap(), "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let results: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&results["passed"], &results["failed"]), (&1.into(), &1.into()));
    assert_eq!(
        results["files"][0]["cases"][1]["steps"][0]["failures"][0]["actual"],
        "qwen-max"
    );
    let xml = std::fs::read_to_string(junit).unwrap();
    assert!(xml.contains("tests=\"2\" failures=\"1\""), "{xml}");
    assert!(xml.contains("name=\"right &amp; &quot;good&quot;\""), "{xml}");
    assert!(
        xml.contains("<failure message=\"model: expected tiny, and it is qwen-max\">"),
        "{xml}"
    );
    let filtered = beside.test(&["--filter", "right"]);
    assert!(filtered.status.success(), "{}", said(&filtered));
    assert_eq!(beside.test(&["--filter", "nothing of the kind"]).status.code(), Some(2));
}

#[test]
fn shipped_policies_check_without_a_warning_that_is_not_meant() {
    let meant = [("research-first.yaml", "not-licensed")];
    let mut checked = 0;
    for entry in std::fs::read_dir(root().join("policies")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.ends_with(".yaml") || name.ends_with(".test.yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let modeline = "# yaml-language-server: $schema=planb.schema.json\n# ";
        assert!(text.starts_with(modeline), "{name}");
        let output = run(&["check", path.to_str().unwrap()]);
        let said = said(&output);
        assert!(output.status.success(), "{name}\n{said}");
        for line in said.lines().filter(|line| line.starts_with("warning[")) {
            let expected = |(of, code): &(&str, &str)| *of == name && line.contains(code);
            assert!(meant.iter().any(expected), "{name}: {line}");
        }
        checked += 1;
    }
    assert!(checked >= 12, "{checked}");
}

fn explain(more: &[&str]) -> Output {
    let policy = root().join("policies/quickstart.yaml");
    let arguments = ["explain", policy.to_str().unwrap()];
    let arguments: Vec<&str> = arguments.into_iter().chain(more.iter().copied()).collect();
    run(&arguments)
}

#[test]
fn explain_takes_a_body_a_curl_command_or_flags_and_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let body = r#"{"model": "chat", "max_tokens": 60000, "messages": [{"role": "user", "content": "Say hello."}]}"#;
    let (json, curl) = (folder.path().join("body.json"), folder.path().join("curl.txt"));
    std::fs::write(&json, body).unwrap();
    let command =
        format!("curl http://127.0.0.1:4141/v1/chat/completions \\\n  -H 'x-planb-tags: team=search' -d '{body}'");
    std::fs::write(&curl, command).unwrap();
    let (json, curl) = (json.to_str().unwrap(), curl.to_str().unwrap());
    for how in [&[json][..], &[curl], &["--output", "60k", "--model", "chat"]] {
        let output = explain(how);
        let said = said(&output);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("1  deepseek") && said.contains("cost_cap:"), "{said}");
    }
    assert!(said(&explain(&[curl])).contains("team=search"));
    let refused = explain(&["--input", "2M"]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    let wrong = explain(&["--given", "budgets: {mnth: 85%}", "--model", "chat"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(said(&wrong).contains("did you mean `month`?"), "{}", said(&wrong));
}

#[test]
fn what_would_have_to_change_for_a_model_is_found() {
    for (given, more, model, ways) in [
        ("{}", &[][..], "qwen-max", &["is chosen already"][..]),
        (
            "providers: {qwen: down}",
            &[],
            "qwen-max",
            &["  - provider `qwen` is up and has its key\n"],
        ),
        ("budgets: {month: 85%}", &[], "deepseek", &["`tiny` is not there"]),
        (
            "providers: {qwen: down}, budgets: {month: {left: 0 USD}}",
            &[],
            "qwen-max",
            &["provider `qwen` is up and has its key, and budget `month` has"],
        ),
        (
            "{}",
            &["--output", "60k"],
            "qwen-max",
            &["`limits.cost` of route `chat` is 0.722 USD or more"],
        ),
        (
            "budgets: {month: {left: 0.001 USD}}",
            &["--output", "1k"],
            "qwen-max",
            &["budget `month` has"],
        ),
        (
            "{}",
            &[],
            "tiny",
            &["route `chat` tries `tiny` first", "route `chat` picks `cheapest`"],
        ),
    ] {
        let arguments = ["--model", "chat", "--given", given, "--want", model];
        let arguments: Vec<&str> = arguments.into_iter().chain(more.iter().copied()).collect();
        let said = said(&explain(&arguments));
        for way in ways {
            assert!(said.contains(way), "{given} {more:?} {model}: {way}\n{said}");
        }
    }
}
