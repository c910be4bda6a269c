//! The documentation is true: its commands run against a daemon, its policies compile, its JSON has the shape that the
//! daemon gives, its links resolve.
//!
//! Commands run in order on the quickstart, with a scripted provider in place of its local server. What would start a
//! daemon is parsed instead. Python blocks are not run here; `tests/sdk` drives the same SDK.

use crate::support::{Daemon, Home, Policy, Price, Upstream, run};
use clap::Parser;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

struct Block {
    file: PathBuf,
    /// What follows the three backticks: `sh`, `yaml policy`, `json /planb/status`.
    info: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn documents() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = [
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "examples/local-model/README.md",
    ]
    .map(|name| root().join(name))
    .into();
    let docs = std::fs::read_dir(root().join("docs")).unwrap();
    files.extend(docs.map(|entry| entry.unwrap().path()));
    files.sort();
    files
}

fn blocks() -> Vec<Block> {
    let mut found = Vec::new();
    for file in documents() {
        let text = std::fs::read_to_string(&file).unwrap();
        for (at, piece) in text.split("```").enumerate().filter(|(at, _)| at % 2 == 1) {
            let (info, text) = piece
                .split_once('\n')
                .unwrap_or_else(|| panic!("block {at} of {}", file.display()));
            found.push(Block {
                file: file.clone(),
                info: info.trim().to_owned(),
                text: text.to_owned(),
            });
        }
    }
    found
}

/// The quickstart, its local server replaced by a scripted one, and no key that the machine may happen to have.
async fn quickstart(upstream: &Upstream) -> Daemon {
    let text = std::fs::read_to_string(root().join("policies/quickstart.yaml")).unwrap();
    let (before, rest) = text.split_once("    start:\n").unwrap();
    let rest = rest.split_once("ready:").unwrap().1.split_once('\n').unwrap().1;
    let server = format!("base_url: {}\n    api_key: file:home.key", upstream.base_url());
    let text = format!("{before}{rest}")
        .replace("base_url: http://127.0.0.1:8081", &server)
        .replace("_API_KEY", "_KEY_OF_NO_TEST");
    let home = Home::new(&Policy::new());
    let folder = home.folder().join("policies");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("quickstart.yaml"), text).unwrap();
    std::fs::write(folder.join("home.key"), &upstream.key).unwrap();
    Daemon::start_on(home, &folder.join("quickstart.yaml"), &[]).await
}

/// A line each; `# exit code N` behind one says how it ends.
fn commands(text: &str) -> Vec<(String, i32)> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| match line.split_once("# exit code ") {
            Some((command, code)) => (command.trim().to_owned(), code.trim().parse().unwrap()),
            None => (line.to_owned(), 0),
        })
        .collect()
}

fn obey(daemon: &Daemon, command: &str, code: i32) {
    let state = daemon.home.state();
    let words: Vec<&str> = command.split_whitespace().collect();
    match words[0] {
        "cargo" => {
            let at = words.iter().position(|word| *word == "--").unwrap();
            let given = std::iter::once("planb").chain(words[at + 1..].iter().copied());
            planb::cli::Arguments::try_parse_from(given).unwrap();
            let policy = words.iter().find(|word| word.ends_with(".yaml")).unwrap();
            assert!(root().join(policy).exists(), "{command}");
        }
        "sqlite3" => {
            let sql = command.split('"').nth(1).unwrap();
            let rows = daemon
                .ledger()
                .prepare(sql)
                .unwrap()
                .query([])
                .unwrap()
                .next()
                .unwrap()
                .is_some();
            assert!(rows, "finds nothing: {sql}");
        }
        "export" => {}
        "planb" | "curl" | "sed" => {
            let binary = Path::new(env!("CARGO_BIN_EXE_planb")).parent().unwrap();
            let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
            let script = command
                .replace("http://127.0.0.1:4141", &format!("http://{}", daemon.address()))
                .replace("~/.local/state/planb", &state.display().to_string())
                .replacen("curl ", "curl --fail --noproxy '*' ", 1);
            let output = Command::new("sh")
                .args(["-c", &script])
                .current_dir(daemon.home.folder())
                .env("PATH", path)
                .env("PLANB_STATE", &state)
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(code), "{script}\n{output:?}");
        }
        other => panic!("no rule here how to try `{other}`: {command}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_run_and_json_has_the_shape_shown() {
    let upstream = Upstream::start("alpha", Price::FREE).await;
    let daemon = quickstart(&upstream).await;
    let all = blocks();
    let mut ran = 0;
    for block in all
        .iter()
        .filter(|block| ["sh", "console", "bash"].contains(&block.info.as_str()))
    {
        for (command, code) in commands(&block.text) {
            obey(&daemon, &command, code);
            // A decision is in the ledger a moment after its answer.
            if upstream.count() > 0 {
                daemon
                    .when("/planb/decisions", "the decision is kept", |found| {
                        found["decisions"][0].is_object()
                    })
                    .await;
            }
            ran += 1;
        }
    }
    assert!(ran >= 12, "{ran} commands");
    assert!(upstream.count() >= 1, "the first screen's request was answered");
    let mut compared = 0;
    for (block, path) in all
        .iter()
        .filter_map(|block| Some((block, block.info.strip_prefix("json ")?)))
    {
        let shown: Value = serde_json::from_str(&block.text).unwrap_or_else(|error| panic!("{path}: {error}"));
        compare(path, &shown, &daemon.json(path).await);
        compared += 1;
    }
    assert!(compared >= 5, "{compared} shapes");
}

/// Same keys, same kinds; `null` and an empty list stand for anything.
fn compare(place: &str, shown: &Value, real: &Value) {
    match (shown, real) {
        (Value::Object(shown), Value::Object(real)) if place.ends_with("tags") => assert!(shown.len() + real.len() < 9),
        (Value::Object(shown), Value::Object(real)) => {
            let keys = |object: &serde_json::Map<String, Value>| object.keys().cloned().collect::<BTreeSet<_>>();
            assert_eq!(keys(shown), keys(real), "documented and real keys of {place}");
            for (key, value) in shown {
                compare(&format!("{place} {key}"), value, &real[key]);
            }
        }
        (Value::Array(shown), Value::Array(real)) => {
            if let (Some(shown), Some(real)) = (shown.first(), real.first()) {
                compare(place, shown, real);
            }
        }
        (Value::Null, _) | (_, Value::Null) => {}
        _ => assert_eq!(std::mem::discriminant(shown), std::mem::discriminant(real), "{place}"),
    }
}

#[test]
fn policies_shown_compile_without_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.yaml");
    let shown = blocks().into_iter().filter(|block| block.info == "yaml policy");
    let tried = shown.map(|block| {
        std::fs::write(&path, &block.text).unwrap();
        let output = run(&["check", path.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success() && said.contains("(0 warnings)"),
            "{}\n{output:?}",
            block.file.display()
        );
    });
    assert!(tried.count() >= 1);
}

/// GitHub's anchor of a heading.
fn anchor(heading: &str) -> String {
    let lower = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = lower
        .chars()
        .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn links_resolve() {
    let mut wrong = Vec::new();
    for file in documents() {
        let text = std::fs::read_to_string(&file).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() {
                file.clone()
            } else {
                file.parent().unwrap().join(path)
            };
            let there = std::fs::read_to_string(&target).is_ok_and(|text| {
                let mut headings = text.lines().filter(|line| line.starts_with('#'));
                heading.is_empty() || headings.any(|line| anchor(line) == heading)
            });
            if !there {
                wrong.push(format!("{}: {link}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
