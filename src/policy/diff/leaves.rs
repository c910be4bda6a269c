//! A value flattened: each scalar, and each list of scalars, under its path.

use crate::policy::mask;
use crate::policy::source::{Node, Value};

/// A line that describes a new thing is cut here.
const LINE: usize = 200;
/// By what an item of a list of maps is known, rather than by its number.
const HANDLES: [&str; 4] = ["name", "from", "above", "key"];

/// What one path says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Leaf {
    One(String),
    Many(Vec<String>),
}

impl Leaf {
    fn shown(&self) -> String {
        match self {
            Self::One(text) => mask::shown(text),
            Self::Many(items) => {
                let items: Vec<String> = items.iter().map(|item| mask::shown(item)).collect();
                format!("[{}]", items.join(", "))
            }
        }
    }

    fn renamed(&self, renames: &Renames) -> Self {
        match self {
            Self::One(text) => Self::One(renames.apply(text)),
            Self::Many(items) => Self::Many(items.iter().map(|item| renames.apply(item)).collect()),
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Leaves(Vec<(String, Leaf)>);

impl Leaves {
    /// `without` are keys at the top that say who the thing is.
    pub fn of(node: &Node, without: &[&str]) -> Self {
        let mut leaves = Self::default();
        match &node.value {
            Value::Map(entries) => {
                for (key, node) in entries.iter().filter(|(key, _)| !without.contains(&key.text.as_ref())) {
                    leaves.add(&key.text, node);
                }
            }
            _ => leaves.add("", node),
        }
        leaves
    }

    fn add(&mut self, path: &str, node: &Node) {
        let below = |key: &str| {
            if path.is_empty() {
                key.to_owned()
            } else {
                format!("{path}.{key}")
            }
        };
        match &node.value {
            Value::Scalar(word) => self.0.push((path.to_owned(), Leaf::One(word.text.to_string()))),
            Value::Map(entries) => entries
                .iter()
                .for_each(|(key, node)| self.add(&below(&mask::shown(&key.text)), node)),
            Value::List(items) if items.iter().all(|item| matches!(item.value, Value::Scalar(_))) => {
                let texts = items.iter().filter_map(|item| match &item.value {
                    Value::Scalar(word) => Some(word.text.to_string()),
                    _ => None,
                });
                self.0.push((path.to_owned(), Leaf::Many(texts.collect())));
            }
            Value::List(items) => {
                for (at, item) in items.iter().enumerate() {
                    let handle = HANDLES
                        .iter()
                        .find_map(|key| Some(format!("{key} {}", scalar(item, key)?)));
                    let handle = handle.unwrap_or_else(|| (at + 1).to_string());
                    self.add(&format!("{path}[{handle}]"), item);
                }
            }
        }
    }

    fn get(&self, path: &str) -> Option<&Leaf> {
        self.0.iter().find(|(known, _)| known == path).map(|(_, leaf)| leaf)
    }

    /// How much of what both say is the same, of 100.
    pub fn likeness(&self, other: &Self) -> usize {
        let same = self
            .0
            .iter()
            .filter(|(path, leaf)| other.get(path) == Some(leaf))
            .count();
        let most = self.0.len().max(other.0.len());
        (same * 100).checked_div(most).unwrap_or(0)
    }

    /// Path, old and new value of what differs, in the old order and then the new.
    pub fn differences(&self, new: &Self, renames: &Renames) -> Vec<(String, Option<String>, Option<String>)> {
        let mut found = Vec::new();
        for (path, leaf) in &self.0 {
            let after = new.get(path);
            if after != Some(&leaf.renamed(renames)) && after != Some(leaf) {
                found.push((path.clone(), Some(leaf.shown()), after.map(Leaf::shown)));
            }
        }
        let fresh = new.0.iter().filter(|(path, _)| self.get(path).is_none());
        found.extend(fresh.map(|(path, leaf)| (path.clone(), None, Some(leaf.shown()))));
        found
    }

    /// All of it on one line: `limit 20 USD, per month`.
    pub fn line(&self) -> String {
        let parts: Vec<String> = self
            .0
            .iter()
            .map(|(path, leaf)| {
                if path.is_empty() {
                    leaf.shown()
                } else {
                    format!("{path} {}", leaf.shown())
                }
            })
            .collect();
        let line = parts.join(", ");
        if line.chars().count() <= LINE {
            return line;
        }
        line.chars().take(LINE).chain(['…']).collect()
    }
}

/// The single value under a key of a map.
pub(super) fn scalar(node: &Node, key: &str) -> Option<String> {
    let Value::Map(entries) = &node.value else { return None };
    let (_, found) = entries.iter().find(|(known, _)| known.text.as_ref() == key)?;
    match &found.value {
        Value::Scalar(word) => Some(mask::shown(&word.text)),
        _ => None,
    }
}

/// Guessed new names, so that what refers to a thing by its name does not count as changed.
#[derive(Clone, Debug, Default)]
pub struct Renames(Vec<(String, String, String)>);

impl Renames {
    pub(super) fn add(&mut self, section: &str, old: &str, new: &str) {
        self.0.push((section.to_owned(), old.to_owned(), new.to_owned()));
    }

    /// The new name of what a section calls `old`; `None` where it keeps its name or is gone.
    pub fn of(&self, section: &str, old: &str) -> Option<&str> {
        let found = self.0.iter().find(|(of, name, _)| of == section && name == old);
        found.map(|(_, _, new)| new.as_str())
    }

    /// A whole value, or a name in quotes within a condition.
    fn apply(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (_, old, new)| {
            if text == *old {
                new.clone()
            } else {
                text.replace(&format!("\"{old}\""), &format!("\"{new}\""))
            }
        })
    }
}
