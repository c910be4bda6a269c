//! One way to lay a policy out: indentation, spaces, blank lines, and conditions in single quotes.
//!
//! Only whitespace and the quotes of conditions ever change: order, comments, anchors, spelling and line breaks stay.
//! What comes out is read again and compared; a text that would not come out the same is refused, never guessed at.

mod layout;
mod lines;
mod quote;
mod tokens;
mod unified;

#[cfg(test)]
mod tests;

pub use unified::unified;

use super::report::Report;
use super::source::{self, Files, Node, Value, Word};
use super::{Diagnostic, Sources, condition};
use std::path::PathBuf;

type Entries = Vec<(Word, Node)>;

/// The text laid out; what is wrong with it where it is no YAML that a policy could be.
pub fn format(name: &str, text: &str) -> Result<String, Vec<Diagnostic>> {
    let plain = plain(text);
    let entries = read(name, &plain)?;
    let unsure = || {
        vec![Diagnostic::of_file(
            "no-format",
            name,
            "laying this file out would change what it means",
        )]
    };
    let quotes = quote::quotes(&entries);
    let tokens = tokens::tokens(&plain, &quotes).ok_or_else(unsure)?;
    let laid_out = layout::layout(&tokens);
    let again = read(name, &laid_out).map_err(|_| unsure())?;
    let kept = tokens::tokens(&laid_out, &quote::quotes(&again)).is_some_and(|after| {
        let comments = |tokens: &[tokens::Token]| -> Vec<String> {
            let comments = tokens.iter().filter(|token| token.kind == tokens::Kind::Comment);
            comments.map(|token| token.text.to_string()).collect()
        };
        comments(&after) == comments(&tokens)
    });
    if kept && same_entries(&entries, &again) {
        Ok(laid_out)
    } else {
        Err(unsure())
    }
}

/// Without a byte-order mark, and with one kind of line break; to YAML the same text.
fn plain(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.replace("\r\n", "\n").replace('\r', "\n")
}

fn read(name: &str, text: &str) -> Result<Entries, Vec<Diagnostic>> {
    let sources = Sources::single(name, PathBuf::new(), text);
    let files = Files::new(&sources);
    let mut report = Report::new(&files);
    let entries = source::load(&files, &mut report);
    if let Some(entries) = &entries {
        cut_off(entries, &files, &mut report);
    }
    match entries {
        Some(entries) if !report.has_errors() => Ok(entries),
        _ => Err(report.finish()),
    }
}

/// Quotes around what a comment has left of a condition would make the slip look meant.
fn cut_off(entries: &Entries, files: &Files, report: &mut Report) {
    for word in quote::quotes(entries).values() {
        let comment = files.comment_behind(word);
        if let Some(place) = comment.filter(|_| !condition::is_well_formed(&word.text)) {
            report.cut_off(place);
        }
    }
}

fn same_entries(one: &Entries, other: &Entries) -> bool {
    let same = |((a, x), (b, y)): (&(Word, Node), &(Word, Node))| a.text == b.text && same_node(x, y);
    one.len() == other.len() && one.iter().zip(other).all(same)
}

fn same_node(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (Value::Scalar(a), Value::Scalar(b)) => a.text == b.text && a.is_null() == b.is_null(),
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_node(a, b)),
        (Value::Map(a), Value::Map(b)) => same_entries(a, b),
        _ => false,
    }
}
