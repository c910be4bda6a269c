//! A map of known keys: says which are unknown or not yet supported, then hands out the values by shape.

use super::words::{self, Section};
use crate::policy::mask::shown;
use crate::policy::nearest::{nearest, suggestion};
use crate::policy::report::Report;
use crate::policy::source::{Node, Place, Value, Word};

/// Of unknown keys, so many are looked at for what they were meant to be.
const SLIPS: usize = 16;

/// The entries of one map, its keys already checked.
#[derive(Clone, Copy)]
pub(in crate::policy) struct Fields<'a> {
    /// Where the map stands; what is missing from it is reported here.
    pub place: Place,
    entries: &'a [(Word, Node)],
    section: &'a Section,
}

impl<'a> Fields<'a> {
    /// Checks the keys. A `null` counts as an empty map; another shape is reported and counts as empty too.
    pub fn open(node: &'a Node, section: &'a Section, report: &mut Report) -> Self {
        let entries: &[(Word, Node)] = match &node.value {
            Value::Map(entries) => entries,
            _ if node.is_null() => &[],
            _ => {
                let example = section.names().next().unwrap_or("key");
                wrong_shape(node, section.what, "a map", report).help(format!("write `{{{example}: …}}`"));
                &[]
            }
        };
        Self::of(node.place, entries, section, report)
    }

    pub fn of(place: Place, entries: &'a [(Word, Node)], section: &'a Section, report: &mut Report) -> Self {
        for (key, _) in entries {
            check_key(key, section, report);
        }
        Self {
            place,
            entries,
            section,
        }
    }

    /// Some keys are not of this section, and were reported.
    pub fn has_unread(&self, section: &Section) -> bool {
        let mut keys = self.entries.iter().map(|(key, _)| key.text.as_ref());
        keys.any(|key| !section.has(key))
    }

    /// The value of a key, or of the misspelt one that it was meant to be: a slip is one error, and what stands behind
    /// it is read all the same.
    pub fn node(&self, key: &str) -> Option<&'a Node> {
        let found = self.entries.iter().find(|(known, _)| known.text.as_ref() == key);
        let meant = || {
            let unknown = |(known, _): &&(Word, Node)| !known.broken && !self.section.has(&known.text);
            let mut slips = self.entries.iter().filter(unknown).take(SLIPS);
            slips.find(|(slip, _)| slip_of(slip, self.section) == Some(key))
        };
        found.or_else(meant).map(|(_, node)| node)
    }

    pub fn word(&self, key: &str, report: &mut Report) -> Option<Word> {
        self.node(key).map(|node| word(node, key, report))
    }

    pub fn words(&self, key: &str, report: &mut Report) -> Option<Vec<Word>> {
        let node = self.node(key)?;
        match &node.value {
            Value::List(items) => Some(items.iter().map(|item| word(item, key, report)).collect()),
            _ => {
                let help = match &node.value {
                    // A command line is a list of its words.
                    Value::Scalar(one) if key == "command" => {
                        let words: Vec<&str> = one.text.split_whitespace().collect();
                        format!("write `{key}: [{}]`", shown(&words.join(", ")))
                    }
                    Value::Scalar(one) if !one.is_null() => format!("write `{key}: [{}]`", shown(&one.text)),
                    _ => format!("write `{key}: […]`"),
                };
                wrong_shape(node, &format!("`{key}`"), "a list", report).help(help);
                Some(vec![Word::broken(node.place)])
            }
        }
    }

    pub fn map(&self, key: &str, section: &'a Section, report: &mut Report) -> Option<Self> {
        self.node(key).map(|node| Self::open(node, section, report))
    }

    /// A map whose keys are names of the policy's own.
    pub fn pairs(&self, key: &str, report: &mut Report) -> Vec<(&'a Word, &'a Node)> {
        let Some(node) = self.node(key) else {
            return Vec::new();
        };
        match &node.value {
            Value::Map(entries) => entries.iter().map(|(name, node)| (name, node)).collect(),
            _ if node.is_null() => Vec::new(),
            _ => {
                wrong_shape(node, &format!("`{key}`"), "a map", report).help(format!("write `{key}: {{NAME: …}}`"));
                Vec::new()
            }
        }
    }

    /// Reads each entry of a map of names.
    pub fn named<T>(&self, key: &str, report: &mut Report, read: fn(&Word, &Node, &mut Report) -> T) -> Vec<T> {
        self.pairs(key, report)
            .into_iter()
            .map(|(name, node)| read(name, node, report))
            .collect()
    }

    /// Reads each item of a list of maps.
    pub fn listed<T>(&self, key: &str, report: &mut Report, read: fn(&Node, &mut Report) -> T) -> Vec<T> {
        let Some(node) = self.node(key) else {
            return Vec::new();
        };
        match &node.value {
            Value::List(items) => items.iter().map(|item| read(item, report)).collect(),
            _ if node.is_null() => Vec::new(),
            _ => {
                wrong_shape(node, &format!("`{key}`"), "a list", report)
                    .help("what is ordered is a list: begin each entry with `- name: …`");
                Vec::new()
            }
        }
    }
}

/// A single value; anything else is reported and replaced by a placeholder.
pub(in crate::policy) fn word(node: &Node, key: &str, report: &mut Report) -> Word {
    match &node.value {
        Value::Scalar(word) if !word.is_null() => word.clone(),
        Value::Scalar(_) => {
            report
                .error(node.place, "missing-value", format!("`{key}` has no value"))
                .help("write one behind the `:`; what begins with `#` is a comment to YAML and needs quotes");
            Word::broken(node.place)
        }
        Value::List(_) | Value::Map(_) => {
            let found = wrong_shape(node, &format!("`{key}`"), "a single value", report);
            if let Value::List(items) = &node.value
                && let [
                    Node {
                        value: Value::Scalar(one),
                        ..
                    },
                ] = items.as_slice()
            {
                found.help(format!("write `{key}: {}`", shown(&one.text)));
            }
            Word::broken(node.place)
        }
    }
}

/// `dialect: chat` or `dialect: [chat, …]`.
pub(super) fn one_or_more(fields: Fields<'_>, key: &str, report: &mut Report) -> Vec<Word> {
    fields.node(key).map_or_else(Vec::new, |node| listed(node, key, report))
}

pub(super) fn listed(node: &Node, key: &str, report: &mut Report) -> Vec<Word> {
    match &node.value {
        Value::List(items) => items.iter().map(|item| word(item, key, report)).collect(),
        _ => vec![word(node, key, report)],
    }
}

fn wrong_shape<'r>(
    node: &Node,
    what: &str,
    wanted: &str,
    report: &'r mut Report,
) -> &'r mut crate::policy::report::Finding {
    let message = format!("{what} is {wanted}, and here stands {}", node.shape());
    report.error(node.place, "wrong-shape", message)
}

/// The key of the section that a word is a slip of.
fn slip_of(key: &Word, section: &Section) -> Option<&'static str> {
    let later = section.later.contains(&key.text.as_ref());
    if later {
        None
    } else {
        nearest(&key.text, section.names())
    }
}

/// In which other maps the key stands.
fn elsewhere(key: &str) -> Option<String> {
    let sections = words::sections();
    let mut homes: Vec<&str> = sections
        .iter()
        .filter(|(section, _)| section.has(key))
        .map(|(section, _)| section.what)
        .collect();
    let mut known = std::collections::HashSet::new();
    homes.retain(|home| known.insert(*home));
    homes.truncate(3);
    (!homes.is_empty()).then(|| format!("`{key}` stands in {}", homes.join(" and in ")))
}

fn check_key(key: &Word, section: &Section, report: &mut Report) {
    let text = key.text.as_ref();
    if key.broken || section.has(text) {
        return;
    }
    if section.later.contains(&text) {
        report.not_yet(key.place, text);
        return;
    }
    // A supported word first: a slip is more likely than a wish.
    let help = slip_of(key, section)
        .map(|word| format!("did you mean `{word}`?"))
        .or_else(|| {
            let later = nearest(text, section.later.iter().copied())?;
            Some(format!("`{later}` is not supported by this version yet"))
        })
        .or_else(|| elsewhere(text))
        .or_else(|| suggestion(text, section.names()));
    let message = format!("unknown key `{}` in {}", shown(text), section.what);
    report.error(key.place, "unknown-key", message).maybe_help(help);
}
