//! The house rules that a compiler does not check: which room may know which, what the core may not touch, how long
//! a file may be.

use std::path::{Path, PathBuf};

/// The core from the bottom up: each room may import only those before it.
const CORE: &[&str] = &[
    "uptime", "money", "period", "forecast", "usage", "session", "request", "license", "price", "invoice", "catalog",
    "policy", "limit", "budget", "plan", "failure", "health", "failover", "dialect", "decide", "rehearse",
];
const LIVE: &[&str] = &["live"];
const EDGES: &[&str] = &[
    "clock",
    "lasting",
    "peer",
    "telemetry",
    "ledger",
    "upstream",
    "fleet",
    "access",
    "alert",
    "watch",
    "control",
    "gateway",
];
const TOP: &[&str] = &["daemon", "cli", "main"];

/// What would make the core know the world or the time.
const WORLD: &[&str] = &[
    "tokio",
    "reqwest",
    "axum",
    "hyper",
    "rusqlite",
    "std::fs",
    "std::net",
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "ZonedDateTime::now",
    "rand",
    "getrandom",
];
const PANICS: &[&str] = &[
    ".unwrap()",
    ".expect(",
    "panic!(",
    "todo!(",
    "unimplemented!(",
    "unreachable!(",
];
const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "types", "helpers", "misc"];
const LONGEST: usize = 500;

struct Source {
    /// Below `src/`.
    path: String,
    room: String,
    /// Without comments and test modules.
    code: String,
    lines: usize,
    /// It begins with `//!`.
    headed: bool,
}

#[test]
fn arrows_point_down_only() {
    let order = [CORE, LIVE, EDGES, TOP].concat();
    let mut wrong = Vec::new();
    for source in sources() {
        let Some(own) = order.iter().position(|room| *room == source.room) else {
            wrong.push(format!(
                "{}: room {} has no place in the house",
                source.path, source.room
            ));
            continue;
        };
        for target in imports(&source.code) {
            match order.iter().position(|room| *room == target) {
                Some(place) if place <= own => (),
                Some(_) => wrong.push(format!("{}: {} -> {target}", source.path, source.room)),
                None => wrong.push(format!(
                    "{}: {} -> {target}, which is no room",
                    source.path, source.room
                )),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_core_touches_no_world_and_reads_no_clock() {
    let core = sources()
        .into_iter()
        .filter(|source| CORE.contains(&source.room.as_str()));
    let wrong: Vec<_> = core.flat_map(|source| named_in(&source, WORLD)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_panics_outside_tests() {
    let wrong: Vec<_> = sources().iter().flat_map(|source| named_in(source, PANICS)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_is_one_idea_of_readable_length_with_a_head() {
    let mut wrong = Vec::new();
    for source in sources() {
        if source.lines > LONGEST {
            wrong.push(format!("{}: {} lines", source.path, source.lines));
        }
        if !source.headed {
            wrong.push(format!("{}: does not begin with //!", source.path));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_room_is_named_after_nothing() {
    let stem = |path: &str| -> Vec<String> {
        path.split('/')
            .map(|part| part.trim_end_matches(".rs").to_owned())
            .collect()
    };
    let empty = |source: &Source| {
        stem(&source.path)
            .iter()
            .any(|part| EMPTY_NAMES.contains(&part.as_str()))
    };
    let wrong: Vec<_> = sources().into_iter().filter(empty).map(|source| source.path).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    collect(&root, &mut found);
    found.sort();
    let read = |path: PathBuf| -> Option<Source> {
        let below = path.strip_prefix(&root).ok()?.to_str()?.to_owned();
        let is_test = below.split('/').any(|part| part == "tests.rs" || part == "tests");
        let first = below.split('/').next()?.trim_end_matches(".rs").to_owned();
        let text = std::fs::read_to_string(&path).ok()?;
        let keep = !is_test && first != "lib";
        keep.then(|| Source {
            path: below,
            room: first,
            lines: text.lines().count(),
            headed: text.starts_with("//!"),
            code: without_tests(&text),
        })
    };
    found.into_iter().filter_map(read).collect()
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The text without its test modules and its comments.
fn without_tests(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            skip_item(&mut lines, line.len() - line.trim_start().len());
            continue;
        }
        let kept = line.split("//").next().unwrap_or("");
        code.push_str(kept);
        code.push('\n');
    }
    code
}

/// Passes over the item that an attribute at this depth belongs to, as rustfmt lays it out.
fn skip_item<'a>(lines: &mut impl Iterator<Item = &'a str>, depth: usize) {
    let closing = format!("{}}}", " ".repeat(depth));
    let mut open = false;
    for line in lines {
        open |= line.ends_with('{');
        if (!open && line.ends_with(';')) || line == closing {
            return;
        }
    }
}

/// The rooms that `crate::…` and `planb::…` paths name, in `use` lines and in code.
fn imports(code: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (prefix, group) in [("crate::", "crate::{"), ("planb::", "planb::{")] {
        for (at, _) in code.match_indices(prefix) {
            if is_inside_word(code, at) {
                continue;
            }
            let rest = &code[at..];
            match rest.strip_prefix(group) {
                Some(list) => rooms.extend(group_members(list)),
                None => rooms.push(word(&rest[prefix.len()..])),
            }
        }
    }
    rooms.retain(|room| room.chars().next().is_some_and(char::is_lowercase));
    rooms
}

fn is_inside_word(code: &str, at: usize) -> bool {
    code[..at]
        .chars()
        .next_back()
        .is_some_and(|before| before.is_alphanumeric() || before == '_' || before == ':')
}

/// The first words of `a::b, c::{d, e}, f}` up to the brace that closes the group.
fn group_members(list: &str) -> Vec<String> {
    let (mut members, mut depth, mut at_start) = (Vec::new(), 0, true);
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_start = true,
            _ if at_start && character.is_alphabetic() => {
                members.push(word(&list[at..]));
                at_start = false;
            }
            _ => (),
        }
    }
    members
}

fn word(text: &str) -> String {
    text.chars()
        .take_while(|character| character.is_alphanumeric() || *character == '_')
        .collect()
}

/// Where any of `names` stands as a word of its own.
fn named_in(source: &Source, names: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in source.code.lines().enumerate() {
        for name in names {
            let stands_alone = |at: usize| {
                let after = line[at + name.len()..].chars().next();
                let ends =
                    !name.ends_with(char::is_alphanumeric) || !after.is_some_and(|c| c.is_alphanumeric() || c == '_');
                let begins = !name.starts_with(char::is_alphanumeric)
                    || !line[..at]
                        .chars()
                        .next_back()
                        .is_some_and(|c| c.is_alphanumeric() || c == '_');
                ends && begins
            };
            // `?` after it: a parser's own `expect`, which returns an error and does not panic.
            let returns = |at: usize| *name == ".expect(" && line[at..].contains(")?");
            if line.match_indices(name).any(|(at, _)| stands_alone(at) && !returns(at)) {
                found.push(format!(
                    "{}: {name} in `{}` (line {} without tests)",
                    source.path,
                    line.trim(),
                    number + 1
                ));
            }
        }
    }
    found
}

#[test]
fn groups_and_nested_paths_are_read_as_arrows() {
    let code = "use crate::{money::{Money, Rate}, policy::Snapshot};\nlet x = crate::budget::Books::new();\nuse std::crate_like;";
    assert_eq!(imports(code), ["money", "policy", "budget"]);
}

#[test]
fn test_modules_are_not_code() {
    let text = "//! Head.\nfn a() {}\n#[cfg(test)]\nmod tests;\nfn b() {}\n#[cfg(test)]\nmod t {\n    fn c() {}\n}\n";
    assert_eq!(without_tests(text), "\nfn a() {}\nfn b() {}\n");
}
