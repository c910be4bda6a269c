use super::*;
use crate::policy::{SourceFile, Sources};
use std::path::PathBuf;

fn files(texts: &[&str]) -> Files {
    let named = texts.iter().enumerate().map(|(at, text)| SourceFile {
        name: format!("{at}.yaml"),
        text: (*text).to_owned(),
    });
    Files::new(&Sources {
        origin: String::new(),
        directory: PathBuf::new(),
        files: named.collect(),
    })
}

fn codes(texts: &[&str]) -> Vec<(&'static str, usize, usize)> {
    let files = files(texts);
    let mut report = Report::new(&files);
    load(&files, &mut report);
    report
        .finish()
        .iter()
        .map(|found| (found.code, found.line, found.column))
        .collect()
}

/// The scalar under the top-level key `c`, and what some bytes of its value are in the text.
fn within(text: &str, part: &str) -> String {
    let files = files(&[text]);
    let mut report = Report::new(&files);
    let root = load(&files, &mut report).unwrap();
    let Value::Scalar(word) = &root[0].1.value else {
        panic!("a scalar")
    };
    let start = word.text.find(part).unwrap();
    let place = files.within(word, start..start + part.len());
    text[place.start..place.end].to_owned()
}

#[test]
fn parts_of_a_scalar_are_found_in_every_style() {
    for text in [
        "c: a == lokal",
        "c: 'a == lokal'",
        "c: 'it''s a == lokal'",
        "c: \"a == lokal\"",
        "c: \"\\\"a\\\" == \\u0041 lokal\"",
        "c: |\n  a ==\n    lokal\n",
        "c: |-\n  é ==\n  lokal",
        "c: >\n  a ==\n  lokal\n",
        "c: a ==\n  lokal\n",
        "c: 'a ==\n\n  lokal'\n",
        "c: 'é ü == lokal' # é",
        "c: \"a ==\r\n  lokal\"\r\n",
        "\u{feff}c: 'a == lokal'\n",
    ] {
        assert_eq!(within(text, "lokal"), "lokal", "{text:?}");
    }
    assert_eq!(
        within("c: 'x == ''lokal'''", "'lokal'"),
        "''lokal'",
        "the second quote of a pair belongs to it"
    );
    assert_eq!(within("c: \"x == \\\"lokal\\\"\"", "lokal"), "lokal");
}

#[test]
fn keys_are_given_once() {
    assert_eq!(
        codes(&["a: 1\nb: {x: 1, x: 2}\na: 2\n"]),
        [("duplicate-key", 2, 11), ("duplicate-key", 3, 1)]
    );
}

#[test]
fn files_merge_names_and_append_lists() {
    let files = files(&["m: {a: 1}\nl: [1]\n", "m: {b: 2}\nl: [2]\n", "# empty\n", "n:\n"]);
    let mut report = Report::new(&files);
    let root = load(&files, &mut report).unwrap();
    assert!(!report.has_errors());
    let lengths: Vec<_> = root
        .iter()
        .map(|(key, node)| match &node.value {
            Value::Map(entries) => (key.text.as_ref(), entries.len()),
            Value::List(items) => (key.text.as_ref(), items.len()),
            Value::Scalar(_) => (key.text.as_ref(), 0),
        })
        .collect();
    assert_eq!(lengths, [("m", 2), ("l", 2), ("n", 0)]);
    assert_eq!(codes(&["m: {a: 1}", "m: {a: 2}"]), [("duplicate-name", 1, 5)]);
    assert_eq!(codes(&["t: a", "t: b"]), [("duplicate-key", 1, 1)]);
    assert_eq!(codes(&["m: {a: 1}", "m: [a]"]), [("wrong-shape", 1, 1)]);
    assert_eq!(codes(&["- a"]), [("wrong-shape", 1, 1)]);
}

#[test]
fn anchors_work_and_cannot_multiply_without_bound() {
    assert_eq!(codes(&["a: &x {b: 1}\nc: *x\n"]), []);
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let last = format!("*a{}", level - 1);
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", [last.as_str(); 10].join(", ")));
    }
    assert_eq!(codes(&[&bomb])[0].0, "too-large");
    assert_eq!(codes(&["a: &x [*x]\n"])[0].0, "yaml");
    let mut tower = "a0: &a0 [x]\n".to_owned();
    for level in 1..60 {
        tower.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    assert_eq!(codes(&[&tower])[0].0, "too-large");
}

#[test]
fn depth_is_bounded_in_every_spelling() {
    assert_eq!(codes(&[&"[".repeat(100)])[0].0, "too-large");
    assert_eq!(codes(&[&"{a: ".repeat(100)])[0].0, "too-large");
    assert_eq!(codes(&[&"- ".repeat(5_000)])[0].0, "too-large");
}

#[test]
fn what_is_no_single_plain_document_is_refused_at_its_place() {
    assert_eq!(codes(&["a: 1\n---\nb: 2\n"])[0], ("yaml", 2, 1));
    assert_eq!(codes(&["a: !secret x\n"])[0].0, "yaml");
    assert_eq!(codes(&["a: [1, 2\nb: 3\n"])[0].0, "yaml");
    assert_eq!(codes(&["a: 'x\n"])[0].0, "yaml");
    assert_eq!(codes(&["? {a: b}\n: 1\n"])[0].0, "wrong-shape");
    assert_eq!(codes(&["é: 1\né: 2\n"])[0], ("duplicate-key", 2, 1));
}

#[test]
fn a_merged_map_gives_what_the_map_itself_does_not_say() {
    let files = files(&["a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 0}\nd: {y: 3, <<: *b}\n"]);
    let mut report = Report::new(&files);
    let root = load(&files, &mut report).unwrap();
    let said = |at: usize| match &root[at].1.value {
        Value::Map(entries) => entries
            .iter()
            .map(|(key, node)| match &node.value {
                Value::Scalar(word) => format!("{}={}", key.text, word.text),
                _ => panic!("a scalar"),
            })
            .collect::<Vec<_>>()
            .join(" "),
        _ => panic!("a map"),
    };
    assert_eq!((said(2).as_str(), said(3).as_str()), ("x=0 y=1 z=2", "y=3 z=2"));
    assert_eq!(codes(&["a: &a [1]\nb: {<<: *a}\n"])[0].0, "wrong-shape");
    assert_eq!(codes(&["'<<': 1\n"]), []);
}
