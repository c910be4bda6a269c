//! `docs/policy-reference.md` is written from the tables that the reader itself uses, and is current.

use super::condition::signature::{self, Environment};
use super::*;
use crate::policy::read::words::{self, Kind};
use std::path::Path;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/policy-reference.md");

/// Compares a generated file, or with `PLANB_ACCEPT=1` writes it anew.
pub fn expect_file(path: &Path, text: &str) {
    if std::env::var_os("PLANB_ACCEPT").is_some() {
        std::fs::write(path, text).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    let differs = kept.lines().zip(text.lines()).find(|(kept, new)| kept != new);
    assert!(
        kept == text,
        "{} is not current. Write it anew with `PLANB_ACCEPT=1 cargo test --lib policy::`.\nfirst difference: {differs:#?}",
        path.display()
    );
}

#[test]
fn the_reference_is_current() {
    expect_file(Path::new(PATH), &reference());
}

#[test]
fn the_schema_in_the_repository_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/planb.schema.json");
    expect_file(Path::new(path), &crate::policy::schema::schema());
}

#[test]
fn the_schema_of_tests_in_the_repository_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/planb.test.schema.json");
    expect_file(Path::new(path), &crate::policy::schema::tests_schema());
}

#[test]
fn every_policy_that_comes_with_planb_names_its_schema() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/policies");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.to_str().unwrap();
        if name.ends_with(".yaml") {
            let text = std::fs::read_to_string(&path).unwrap();
            let first = text.lines().next().unwrap_or("");
            let kind = if name.ends_with(".test.yaml") {
                "planb.test"
            } else {
                "planb"
            };
            assert_eq!(
                first,
                format!("# yaml-language-server: $schema={kind}.schema.json"),
                "{name}"
            );
        }
    }
}

/// The text of a policy in which nothing stands but this key, at this place, with this value.
fn alone(place: &str, key: &str, value: &str) -> String {
    let steps = place.split('.').filter(|step| !step.is_empty());
    let (mut before, mut after) = (String::new(), String::new());
    for step in steps {
        let (name, opens, closes) = match step.strip_suffix("[]") {
            Some(name) => (name, "[{", "}]"),
            None if step == "*" => ("x", "{", "}"),
            None => (step, "{", "}"),
        };
        before.push_str(&format!("{name}: {opens}"));
        after.insert_str(0, closes);
    }
    format!("{{{before}{key}: {value}{after}}}")
}

#[test]
fn every_key_is_read_where_the_table_says_and_its_example_is_well_written() {
    for (section, places) in words::sections() {
        for (place, key) in places
            .iter()
            .flat_map(|place| section.keys.iter().map(move |key| (place, key)))
        {
            let text = alone(place, key.name, key.example);
            let found = compile(&sources(&[("policy.yaml", &text)]), NOW)
                .err()
                .unwrap_or_default();
            let slips = found.iter().filter(|found| {
                // What a policy of one key lacks, and names that only a whole one has.
                ![
                    "missing-key",
                    "unknown-name",
                    "empty-policy",
                    "never-matches",
                    "not-here",
                ]
                .contains(&found.code)
            });
            let slips: Vec<_> = slips.filter(|found| found.is_error()).cloned().collect();
            assert!(slips.is_empty(), "{text}\n{}", shown(&slips));
        }
    }
}

fn reference() -> String {
    let mut text = String::from(
        "# The policy, key by key\n\n\
         Written from the tables that planb itself reads a policy with. What it all means together is told in\n\
         [policy.md](policy.md); how values are written is the table at its beginning.\n",
    );
    for (section, places) in words::sections() {
        let title: Vec<String> = places.iter().map(|place| format!("`{place}`")).collect();
        let title = if places[0].is_empty() {
            "The policy".to_owned()
        } else {
            title.join(", ")
        };
        let _ = write!(
            text,
            "\n## {title}\n\n| key | type | default | example | what |\n| --- | --- | --- | --- | --- |\n"
        );
        for key in section.keys {
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | `{}` | {} |",
                key.name,
                cell(&kind(&key.kind)),
                cell(&default(key)),
                cell(key.example),
                cell(key.about)
            );
        }
    }
    conditions(
        &mut text,
        "State conditions",
        Environment::State,
        "`when`, `until`, and a server's `warm_when`: live signals.",
    );
    let about = "`only`, `avoid`, `covers`, and a selector in a route's `try`: a model and who asks.";
    conditions(&mut text, "Selector conditions", Environment::Selector, about);
    text.push_str("\n## Codes of errors and warnings\n\n| code | means |\n| --- | --- |\n");
    for (code, meaning) in codes::CODES {
        let _ = writeln!(text, "| `{code}` | {} |", cell(meaning));
    }
    text
}

fn conditions(text: &mut String, title: &str, environment: Environment, about: &str) {
    let _ = write!(
        text,
        "\n## {title}\n\n{about}\n\n| value | type | unit | example | what |\n| --- | --- | --- | --- | --- |\n"
    );
    for signal in signature::SIGNATURES
        .iter()
        .filter(|signal| signal.environment == environment)
    {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | `{}` | {} |",
            signal.spelled(),
            signal.kind.word(),
            cell(signal.unit),
            cell(signal.example),
            cell(signal.meaning)
        );
    }
}

/// A literal `|` would end the cell, in code too.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn default(key: &words::Key) -> String {
    match key.default {
        "" => String::new(),
        words::REQUIRED => "**required**".to_owned(),
        worded if worded.contains([' ', '`']) => worded.to_owned(),
        value => format!("`{value}`"),
    }
}

fn kind(kind: &Kind) -> String {
    let either = |words: &[&str]| {
        words
            .iter()
            .map(|word| format!("`{word}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Truth => "`true`, `false`".to_owned(),
        Kind::Whole(least, most) => format!("number, {least} to {most}"),
        Kind::Duration => "duration".to_owned(),
        Kind::Date => "date".to_owned(),
        Kind::Money => "money".to_owned(),
        Kind::Price(units) => {
            let units: Vec<String> = units.iter().map(|unit| format!("`USD/{unit}`")).collect();
            format!("price, {}", units.join(", "))
        }
        Kind::Size => "size, tokens".to_owned(),
        Kind::Percentage => "percentage".to_owned(),
        Kind::Credential => "credential".to_owned(),
        Kind::Address => "address, `http` or `https`".to_owned(),
        Kind::Timezone => "time zone".to_owned(),
        Kind::State => "state condition".to_owned(),
        Kind::Selector => "selector condition".to_owned(),
        Kind::Vendor => either(&Vendor::ALL.map(Vendor::word)),
        Kind::Event => "event".to_owned(),
        Kind::Word(words) => either(words),
        Kind::Pattern(words, whole) => {
            assert!(whole.starts_with('^') && whole.ends_with('$'), "{whole}");
            (*words).to_owned()
        }
        Kind::NameIn(section) => format!("name in `{section}`"),
        Kind::List(of) => format!("list: {}", self::kind(of)),
        Kind::Anything => "any value".to_owned(),
        Kind::Fields(of) => format!("map of fields: {}", self::kind(of)),
        Kind::Options(of) => format!("map of `name=value`: {}", self::kind(of)),
        Kind::Map(of) => format!("map of names: {}", self::kind(of)),
        Kind::In(section) => format!("{}, see below", section.what),
        Kind::Either(kinds) => kinds.iter().map(self::kind).collect::<Vec<_>>().join(" or "),
    }
}
