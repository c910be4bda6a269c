//! A hundred and more wrong policies (`tests/policies/wrong`), each with all that planb says about it beside it, so that
//! whoever changes a message reads it as people will.

use super::*;
use std::path::Path;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/policies/wrong");

/// Names of files, and of folders of files.
fn names() -> Vec<String> {
    let entries = std::fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap());
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().is_dir() || entry.path().extension().is_some_and(|end| end == "yaml"))
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// What people read, the file called as it is called within the folder.
fn said(name: &str) -> (String, bool) {
    let path = Path::new(FOLDER).join(name);
    let found = match crate::watch::read_sources(Some(&path)) {
        Err(error) => vec![error.diagnostic()],
        Ok(sources) => match compile(&sources, NOW) {
            Ok(compiled) => compiled.warnings,
            Err(found) => found,
        },
    };
    let wrong = found.iter().any(Diagnostic::is_error);
    (shown(&found).replace(&format!("{FOLDER}/"), ""), wrong)
}

#[test]
fn every_wrong_policy_gets_the_message_that_was_read_and_accepted() {
    let names = names();
    assert!(names.len() >= 150, "{}", names.len());
    let accept = std::env::var_os("PLANB_ACCEPT").is_some();
    let mut differ = Vec::new();
    for name in &names {
        let (said, wrong) = said(name);
        if !wrong {
            differ.push(format!("--- {name} is no wrong policy\n"));
        }
        let stem = name.strip_suffix(".yaml").unwrap_or(name);
        let path = Path::new(FOLDER).join(format!("{stem}.txt"));
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        if accept {
            std::fs::write(&path, &said).unwrap();
        } else if kept != said {
            differ.push(format!("--- {name}, accepted\n{kept}--- {name}, now\n{said}"));
        }
    }
    assert!(
        differ.is_empty(),
        "{} messages are not those that were accepted. Read them; `PLANB_ACCEPT=1 cargo test --lib policy::` accepts them.\n{}",
        differ.len(),
        differ.concat()
    );
}

#[test]
fn no_message_repeats_a_secret_or_runs_on() {
    for name in names() {
        let (said, _) = said(&name);
        for secret in ["hunter2", "abcdef0123", "0123456789abcdef"] {
            assert!(!said.contains(secret), "{name}:\n{said}");
        }
        assert!(said.len() < 8_000, "{name} is told in {} bytes", said.len());
        assert!(!said.contains('\u{1b}'), "{name}: {said:?}");
    }
}
