//! Which scalars are conditions, by the reader's own table, and how they are quoted anew.

use super::Entries;
use crate::policy::read::words::{Kind, POLICY, Section};
use crate::policy::source::{Node, Style, Value, Word};
use std::collections::HashMap;

/// By the byte where they begin: the conditions that should stand in single quotes and do not.
pub(super) type Quotes = HashMap<usize, Word>;

pub(super) fn quotes(entries: &Entries) -> Quotes {
    let mut found = Quotes::new();
    in_section(entries, &POLICY, &mut found);
    found
}

fn in_section(entries: &Entries, section: &Section, found: &mut Quotes) {
    for (name, node) in entries {
        let known = section.keys.iter().find(|key| key.name == name.text.as_ref());
        if let Some(key) = known {
            in_kind(node, &key.kind, found);
        }
    }
}

fn in_kind(node: &Node, kind: &Kind, found: &mut Quotes) {
    match (kind, &node.value) {
        (Kind::State | Kind::Selector, Value::Scalar(word)) => note(word, found),
        (Kind::List(of), Value::List(items)) => items.iter().for_each(|item| in_kind(item, of, found)),
        (Kind::Map(of), Value::Map(entries)) => entries.iter().for_each(|(_, node)| in_kind(node, of, found)),
        (Kind::In(section), Value::Map(entries)) => in_section(entries, section, found),
        // A single value that may be a name as well is a condition when it cannot be a name.
        (Kind::Either(_), Value::Scalar(word)) if is_plain_word(&word.text) => {}
        (Kind::Either(kinds), _) => kinds.iter().for_each(|kind| in_kind(node, kind, found)),
        _ => {}
    }
}

fn note(word: &Word, found: &mut Quotes) {
    let written = matches!(word.style, Style::Plain | Style::DoubleQuoted);
    if written && !word.broken && !word.is_null() {
        found.insert(word.place.start, word.clone());
    }
}

fn is_plain_word(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/:".contains(c))
}

/// The scalar in single quotes, its line breaks where they were; `None` where that would not be the same text.
pub(super) fn requoted(raw: &str, word: &Word) -> Option<String> {
    let body = match word.style {
        Style::Plain => raw,
        // Escapes are gone in the value, and so are the breaks of a folded line.
        Style::DoubleQuoted if !raw.contains('\n') => {
            let plain = word.text.chars().all(|c| !c.is_control() && c != '\u{feff}');
            return plain.then(|| quoted(&word.text));
        }
        Style::DoubleQuoted if !raw.contains('\\') => raw.strip_prefix('"')?.strip_suffix('"')?,
        _ => return None,
    };
    Some(quoted(body))
}

fn quoted(body: &str) -> String {
    format!("'{}'", body.replace('\'', "''"))
}
