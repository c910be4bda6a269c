//! What a policy edit changes, in words: sections, names and keys with their old and new values.
//!
//! It compares the words as written (anchors followed, comments and layout left out), so that every key of the language
//! is covered by construction. It opens nothing, decides nothing, and shows no literal credential.

mod leaves;
mod value;

#[cfg(test)]
mod tests;

use super::report::Report;
use super::snapshot::Snapshot;
use super::source::{self, Files, Node, Value, Word};
use super::{SourceFile, Sources, mask};
use leaves::Leaves;
pub use leaves::Renames;
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;

/// Two things are the same under another name when so much of what they say is the same, of 100.
const ALIKE: usize = 60;
/// More pairs of what is gone and what is new in a section are not compared: it is another policy then, and an edit must
/// not wait for it.
const MOST_PAIRS: usize = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Added,
    Removed,
    /// `before` and `after` are names.
    Renamed,
    Changed,
    /// The same things in another order.
    Reordered,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    pub kind: Kind,
    /// The key at the top: `models`, `budgets`, `timezone`.
    pub section: String,
    /// Empty where the section itself is the value.
    pub name: String,
    /// Within the thing: `price.output`.
    pub field: Option<String>,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// One sentence a difference, in the order of the sections.
pub fn summary(old: &Snapshot, new: &Snapshot) -> Vec<String> {
    changes(old, new).iter().map(Change::to_string).collect()
}

pub fn changes(old: &Snapshot, new: &Snapshot) -> Vec<Change> {
    if old.hash == new.hash || old.text == new.text {
        return Vec::new();
    }
    between(&old.text, &new.text)
}

/// What is called otherwise in the new policy, as far as can be guessed.
pub fn renames(old: &Snapshot, new: &Snapshot) -> Renames {
    if old.hash == new.hash || old.text == new.text {
        return Renames::default();
    }
    Sections::of(&old.text).renames(&Sections::of(&new.text))
}

fn between(old: &str, new: &str) -> Vec<Change> {
    let (old, new) = (Sections::of(old), Sections::of(new));
    let renames = old.renames(&new);
    let mut found = Vec::new();
    for section in old.union(&new) {
        let (before, after) = (old.things(section), new.things(section));
        compare(section, before, after, &renames, &mut found);
    }
    found
}

/// A named thing of a section with all that it says, flattened.
#[derive(Clone, Debug)]
struct Thing {
    name: String,
    leaves: Leaves,
}

/// What a text says, by section, in its order.
struct Sections(Vec<(String, Vec<Thing>)>);

impl Sections {
    fn of(text: &str) -> Self {
        let root = document(text);
        let section = |(key, node): (Word, Node)| (key.text.to_string(), things(&node));
        Self(root.into_iter().map(section).collect())
    }

    fn things(&self, section: &str) -> &[Thing] {
        let found = self.0.iter().find(|(name, _)| name == section);
        found.map_or(&[], |(_, things)| things)
    }

    fn union<'a>(&'a self, other: &'a Self) -> Vec<&'a str> {
        let mut names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        let more = other.0.iter().map(|(name, _)| name.as_str());
        names.extend(more.filter(|name| self.0.iter().all(|(known, _)| known != name)));
        names
    }

    /// Names that are gone beside names that are new and say mostly the same.
    fn renames(&self, new: &Self) -> Renames {
        let mut renames = Renames::default();
        for (section, before) in &self.0 {
            let after = new.things(section);
            let (was, is) = (by_name(before), by_name(after));
            let only_in = |things: &'_ [Thing], other: &HashMap<&str, &Thing>| {
                let new = things
                    .iter()
                    .enumerate()
                    .filter(|(_, thing)| !other.contains_key(thing.name.as_str()));
                new.map(|(at, _)| at).collect::<Vec<_>>()
            };
            let (gone, fresh) = (only_in(before, &is), only_in(after, &was));
            if gone.len() * fresh.len() > MOST_PAIRS {
                continue;
            }
            let mut fresh: Vec<&Thing> = fresh.into_iter().map(|at| &after[at]).collect();
            for gone in gone.into_iter().map(|at| &before[at]) {
                let alike = |thing: &&Thing| gone.leaves.likeness(&thing.leaves);
                let Some(best) = fresh.iter().copied().max_by_key(alike) else {
                    continue;
                };
                if gone.leaves.likeness(&best.leaves) >= ALIKE {
                    renames.add(section, &gone.name, &best.name);
                    fresh.retain(|thing| thing.name != best.name);
                }
            }
        }
        renames
    }
}

/// Of two that are alike, the first.
fn by_name(things: &[Thing]) -> HashMap<&str, &Thing> {
    let mut names = HashMap::with_capacity(things.len());
    for thing in things {
        names.entry(thing.name.as_str()).or_insert(thing);
    }
    names
}

fn compare(section: &str, before: &[Thing], after: &[Thing], renames: &Renames, found: &mut Vec<Change>) {
    let change = |kind, name: &str, before: Option<String>, after: Option<String>| Change {
        kind,
        section: section.to_owned(),
        name: name.to_owned(),
        field: None,
        before,
        after,
    };
    let named = by_name(after);
    let mut was: Vec<&str> = Vec::new();
    for old in before {
        let name = renames.of(section, &old.name).unwrap_or(&old.name);
        let Some(new) = named.get(name) else {
            found.push(change(Kind::Removed, &old.name, Some(old.leaves.line()), None));
            continue;
        };
        was.push(name);
        if new.name != old.name {
            let names = (Some(old.name.clone()), Some(new.name.clone()));
            found.push(change(Kind::Renamed, &new.name, names.0, names.1));
        }
        for (field, was, is) in old.leaves.differences(&new.leaves, renames) {
            found.push(Change {
                field: (!field.is_empty()).then_some(field),
                ..change(Kind::Changed, &new.name, was, is)
            });
        }
    }
    let kept: HashSet<&str> = was.iter().copied().collect();
    for new in after.iter().filter(|thing| !kept.contains(thing.name.as_str())) {
        found.push(change(Kind::Added, &new.name, None, Some(new.leaves.line())));
    }
    if matches!(section, "routes" | "plans") {
        let is = after.iter().map(|thing| thing.name.as_str());
        let is: Vec<&str> = is.filter(|name| kept.contains(name)).collect();
        if was != is {
            found.push(change(Kind::Reordered, "", Some(was.join(", ")), Some(is.join(", "))));
        }
    }
}

/// Every thing of a section: the entries of a map, the items of a list by `name` or `url`, or the value itself.
fn things(node: &Node) -> Vec<Thing> {
    let thing = |name: String, node: &Node| Thing {
        leaves: Leaves::of(node, &["name"]),
        name,
    };
    match &node.value {
        Value::Map(entries) => entries
            .iter()
            .map(|(name, node)| Thing {
                name: mask::shown(&name.text),
                leaves: Leaves::of(node, &[]),
            })
            .collect(),
        Value::List(items) => {
            let mut things: Vec<Thing> = Vec::with_capacity(items.len());
            let mut taken: HashSet<String> = HashSet::with_capacity(items.len());
            for (at, item) in items.iter().enumerate() {
                let own = leaves::scalar(item, "name").or_else(|| leaves::scalar(item, "url"));
                let name = own.unwrap_or_else(|| format!("number {}", at + 1));
                let name = if taken.contains(&name) {
                    format!("{name} (number {})", at + 1)
                } else {
                    name
                };
                taken.insert(name.clone());
                things.push(thing(name, item));
            }
            things
        }
        Value::Scalar(_) => vec![thing(String::new(), node)],
    }
}

/// A snapshot's text as a tree. What does not load (it did once) is compared as if it said nothing.
fn document(text: &str) -> Vec<(Word, Node)> {
    let sources = Sources {
        origin: String::new(),
        directory: PathBuf::new(),
        files: texts(text),
    };
    let files = Files::new(&sources);
    let mut report = Report::new(&files);
    source::load(&files, &mut report).unwrap_or_default()
}

/// The files that a snapshot's text was joined from.
pub(super) fn texts(text: &str) -> Vec<SourceFile> {
    const MARK: &str = "# --- ";
    let file = |text: &str| SourceFile {
        name: String::new(),
        text: text.to_owned(),
    };
    if !text.starts_with(MARK) {
        return vec![file(text)];
    }
    let mut starts: Vec<usize> = text.match_indices("\n# --- ").map(|(at, _)| at + 1).collect();
    starts.insert(0, 0);
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let pieces = starts.iter().zip(ends).filter_map(|(start, end)| text.get(*start..end));
    pieces.map(file).collect()
}

/// `model qwen-max`, `timezone`.
fn subject(section: &str, name: &str) -> String {
    let thing = match section {
        "providers" | "models" | "clients" | "routes" | "budgets" | "plans" | "alerts" => {
            section.trim_end_matches('s').to_owned()
        }
        "licenses" => "license".to_owned(),
        "rates" => "the rate of".to_owned(),
        "holidays" => "the calendar".to_owned(),
        other => other.to_owned(),
    };
    if name.is_empty() {
        thing
    } else {
        format!("{thing} {name}")
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = subject(&self.section, &self.name);
        let before = self.before.as_deref().unwrap_or_default();
        let after = self.after.as_deref().unwrap_or_default();
        match self.kind {
            Kind::Added if after.is_empty() => write!(f, "{subject} is new"),
            Kind::Added => write!(f, "{subject} is new: {after}"),
            Kind::Removed => write!(f, "{subject} is gone"),
            Kind::Renamed => write!(f, "{} is now called {after}", self::subject(&self.section, before)),
            Kind::Reordered => write!(f, "{} stand in another order: {after}", self.section),
            Kind::Changed => {
                let field = self
                    .field
                    .as_ref()
                    .map_or_else(String::new, |field| format!(": {field}"));
                let (was, is) = (self.before.as_deref(), self.after.as_deref());
                let sentence = value::sentence(self.field.as_deref().unwrap_or_default(), was, is);
                write!(f, "{subject}{field} {sentence}")
            }
        }
    }
}
