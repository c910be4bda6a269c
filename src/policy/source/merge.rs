//! Several files as one: what is named in two of them is an error that shows both places, lists are appended.

use super::files::Files;
use super::tree::{Node, Place, Value, Word};
use crate::policy::mask;
use crate::policy::report::Report;

type Entries = Vec<(Word, Node)>;

/// Merges the files' roots in their order. A root that is no map is reported and left out.
pub(super) fn merge(roots: Vec<Option<Node>>, files: &Files, report: &mut Report) -> Entries {
    let mut merged = Entries::new();
    for (file, root) in roots.into_iter().enumerate() {
        let Some(root) = root.filter(|root| !root.is_null()) else {
            continue;
        };
        let Value::Map(entries) = root.value else {
            let place = Place {
                end: files.get(file).map_or(0, |file| file.line_at(root.place.start).2.len()) + root.place.start,
                ..root.place
            };
            report
                .error(
                    place,
                    "wrong-shape",
                    "a policy is a map of `providers:`, `models:`, `routes:` and so on",
                )
                .help("begin with `providers:`");
            continue;
        };
        for (key, node) in entries {
            merge_entry(&mut merged, key, node, report);
        }
    }
    merged
}

fn merge_entry(merged: &mut Entries, key: Word, node: Node, report: &mut Report) {
    let Some((first, known)) = merged.iter_mut().find(|(known, _)| known.text == key.text) else {
        merged.push((key, node));
        return;
    };
    if node.is_null() {
        return;
    }
    if known.is_null() {
        *known = node;
        return;
    }
    match (&mut known.value, node.value) {
        (Value::List(all), Value::List(more)) => all.extend(more),
        (Value::Map(all), Value::Map(more)) => {
            for (name, node) in more {
                merge_name(all, &key, name, node, report);
            }
        }
        (Value::Scalar(_), Value::Scalar(_)) => {
            report
                .error(
                    key.place,
                    "duplicate-key",
                    format!("`{}` is given in two files", mask::shown(&key.text)),
                )
                .related(first.place, "first given here");
        }
        _ => {
            let message = format!("`{}` has another shape in another file", mask::shown(&key.text));
            report
                .error(key.place, "wrong-shape", message)
                .related(first.place, "the first one is here");
        }
    }
}

fn merge_name(all: &mut Entries, section: &Word, name: Word, node: Node, report: &mut Report) {
    match all.iter().find(|(known, _)| known.text == name.text) {
        None => all.push((name, node)),
        Some((first, _)) => {
            let message = format!("`{}` is defined twice in `{}`", mask::shown(&name.text), section.text);
            report
                .error(name.place, "duplicate-name", message)
                .related(first.place, "first defined here");
        }
    }
}
