//! The policy as it would be under other prices: compiled anew by the policy's own reader, once for each set.

use super::entries;
use super::given::is_signal;
use crate::policy::mask::shown;
use crate::policy::nearest::suggestion;
use crate::policy::report::Report;
use crate::policy::resolve::units;
use crate::policy::snapshot::Snapshot;
use crate::policy::source::{Node, Place, Style, Value, Word};
use crate::policy::{Diagnostic, SourceFile, Sources, compile_changed};
use std::sync::Arc;

/// 100 % in basis points.
const ALL: u32 = 10_000;
const SURCHARGE: &str = "surcharge";
const DISCOUNT: &str = "discount";

/// What stands at `section.name.key` in place of what the policy says.
#[derive(Clone, Debug)]
pub(in crate::policy) struct Patch {
    pub section: &'static str,
    pub name: Word,
    pub key: Word,
    pub value: Node,
}

/// The policy under each set of patches that some test gives.
pub(super) struct Variants<'p> {
    policy: &'p Sources,
    test: &'p SourceFile,
    base: Arc<Snapshot>,
    /// By the patches' text.
    known: Vec<(String, Arc<Snapshot>)>,
    faults: Vec<Diagnostic>,
}

impl<'p> Variants<'p> {
    pub fn new(policy: &'p Sources, test: &'p SourceFile, base: Arc<Snapshot>) -> Self {
        Self {
            policy,
            test,
            base,
            known: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// The snapshot under what a test gives. What is wrong with it is kept for [`Self::into_faults`].
    pub fn of(&mut self, given: Option<&Node>, report: &mut Report) -> Arc<Snapshot> {
        let patches = patches(given, &self.base, report);
        if patches.is_empty() {
            return self.base.clone();
        }
        let text = format!("{:?}", patches.iter().map(texts).collect::<Vec<_>>());
        if let Some((_, known)) = self.known.iter().find(|(key, _)| *key == text) {
            return known.clone();
        }
        let snapshot = match compile_changed(self.policy, self.test, patches) {
            Ok(compiled) => Arc::new(compiled.snapshot),
            Err(found) => {
                self.faults.extend(found.into_iter().filter(Diagnostic::is_error));
                self.base.clone()
            }
        };
        self.known.push((text, snapshot.clone()));
        snapshot
    }

    pub fn into_faults(mut self) -> Vec<Diagnostic> {
        self.faults.dedup();
        self.faults
    }
}

fn patches(given: Option<&Node>, base: &Snapshot, report: &mut Report) -> Vec<Patch> {
    let mut patches = Vec::new();
    for (part, node) in given.map(entries).unwrap_or_default() {
        match part.text.as_ref() {
            "prices" => {
                let known = || base.models.iter().map(|model| model.name.as_ref());
                for (name, value) in entries(node)
                    .iter()
                    .filter(|(name, _)| is_known(name, "model", known(), report))
                {
                    patches.push(price(name, value));
                }
            }
            "licenses" => {
                let known = || base.licenses.iter().map(|license| license.name.as_ref());
                for (name, node) in entries(node)
                    .iter()
                    .filter(|(name, _)| is_known(name, "license", known(), report))
                {
                    let terms = entries(node).iter().filter(|(key, _)| !is_signal("license", &key.text));
                    patches.extend(terms.map(|(key, value)| Patch {
                        section: "licenses",
                        name: name.clone(),
                        key: key.clone(),
                        value: value.clone(),
                    }));
                }
            }
            _ => {}
        }
    }
    patches
}

/// Another price, or so much more or less of the present one.
fn price(name: &Word, value: &Node) -> Patch {
    let scalar = match &value.value {
        Value::Scalar(word) => units::percentage(&word.text).map(|points| (word, points)),
        _ => None,
    };
    let Some((word, points)) = scalar else {
        return Patch {
            section: "models",
            key: plain("price", name.place),
            name: name.clone(),
            value: value.clone(),
        };
    };
    let (key, points) = match points.checked_sub(ALL) {
        Some(more) => (SURCHARGE, more),
        None => (DISCOUNT, ALL - points),
    };
    let share = format!("{}.{:02}%", points / 100, points % 100);
    Patch {
        section: "models",
        name: name.clone(),
        key: plain(key, word.place),
        value: Node {
            place: word.place,
            value: Value::Scalar(plain(&share, word.place)),
        },
    }
}

fn is_known<'k>(name: &Word, kind: &str, known: impl Iterator<Item = &'k str> + Clone, report: &mut Report) -> bool {
    if known.clone().any(|known| known == name.text.as_ref()) {
        return true;
    }
    let help = suggestion(&name.text, known);
    let message = format!("no {kind} is called `{}`", shown(&name.text));
    report.error(name.place, "unknown-name", message).maybe_help(help);
    false
}

fn plain(text: &str, place: Place) -> Word {
    Word {
        text: Arc::from(text),
        place,
        style: Style::Plain,
        broken: false,
    }
}

/// What tells one patch from another, whatever its place.
fn texts(patch: &Patch) -> Vec<String> {
    fn walk(node: &Node, found: &mut Vec<String>) {
        match &node.value {
            Value::Scalar(word) => found.push(word.text.to_string()),
            Value::List(items) => items.iter().for_each(|item| walk(item, found)),
            Value::Map(entries) => entries.iter().for_each(|(key, node)| {
                found.push(key.text.to_string());
                walk(node, found);
            }),
        }
    }
    let mut found = vec![patch.name.text.to_string(), patch.key.text.to_string()];
    walk(&patch.value, &mut found);
    found
}

/// Lays patches over a policy's tree. Their places are those of the file numbered `file`.
pub(in crate::policy) fn apply(root: &mut [(Word, Node)], patches: Vec<Patch>, file: usize) {
    for patch in patches {
        let Some((_, section)) = root.iter_mut().find(|(key, _)| key.text.as_ref() == patch.section) else {
            continue;
        };
        let Value::Map(things) = &mut section.value else {
            continue;
        };
        let Some((_, thing)) = things.iter_mut().find(|(name, _)| name.text == patch.name.text) else {
            continue;
        };
        if thing.is_null() {
            thing.value = Value::Map(Vec::new());
        }
        let Value::Map(keys) = &mut thing.value else { continue };
        let (key, value) = (moved(patch.key, file), placed(patch.value, file));
        if patch.section == "models" && key.text.as_ref() != "price" {
            adjust(keys, &key, &value);
            continue;
        }
        match keys.iter_mut().find(|(known, _)| known.text == key.text) {
            Some(entry) => *entry = (key, value),
            None => keys.push((key, value)),
        }
    }
}

/// A surcharge or discount of a price, of each where it has several over time.
fn adjust(keys: &mut Vec<(Word, Node)>, key: &Word, value: &Node) {
    if keys.iter().all(|(known, _)| known.text.as_ref() != "price") {
        let empty = Node {
            place: key.place,
            value: Value::Map(Vec::new()),
        };
        keys.push((plain("price", key.place), empty));
    }
    let Some((_, price)) = keys.iter_mut().find(|(known, _)| known.text.as_ref() == "price") else {
        return;
    };
    let sheets: Vec<&mut Node> = match &mut price.value {
        Value::List(sheets) => sheets.iter_mut().collect(),
        _ => vec![price],
    };
    for sheet in sheets {
        if let Value::Map(keys) = &mut sheet.value {
            keys.retain(|(known, _)| ![SURCHARGE, DISCOUNT].contains(&known.text.as_ref()));
            keys.push((key.clone(), value.clone()));
        }
    }
}

fn moved(word: Word, file: usize) -> Word {
    Word {
        place: Place { file, ..word.place },
        ..word
    }
}

fn placed(node: Node, file: usize) -> Node {
    let value = match node.value {
        Value::Scalar(word) => Value::Scalar(moved(word, file)),
        Value::List(items) => Value::List(items.into_iter().map(|item| placed(item, file)).collect()),
        Value::Map(entries) => {
            let entries = entries.into_iter();
            Value::Map(
                entries
                    .map(|(key, node)| (moved(key, file), placed(node, file)))
                    .collect(),
            )
        }
    };
    Node {
        place: Place { file, ..node.place },
        value,
    }
}
