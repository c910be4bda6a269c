//! Files to one tree of values, each with its place: YAML's structure and nothing of the policy's meaning.
//!
//! Bounded in depth and size whatever the text says (anchors and aliases included). Duplicate keys are errors. Several
//! files merge in their order: what is named must be new, lists are appended.

pub(super) mod files;
mod merge;
mod parse;
pub(super) mod tree;
mod trouble;

#[cfg(test)]
mod tests;

pub(super) use files::Files;
pub(super) use tree::{Node, Place, Style, Value, Word};

use super::report::Report;

/// All files as one map. `None` when a file's structure could not be read to its end.
pub(super) fn load<'f>(files: &'f Files, report: &mut Report<'f>) -> Option<Vec<(Word, Node)>> {
    load_first(files.len(), files, report)
}

/// The first `count` files as one map; what comes behind them is there for its places alone.
pub(super) fn load_first<'f>(count: usize, files: &'f Files, report: &mut Report<'f>) -> Option<Vec<(Word, Node)>> {
    let mut budget = parse::Allowance::default();
    let parsed: Vec<_> = (0..count.min(files.len()))
        .map(|file| parse::parse(files, file, &mut budget, report))
        .collect();
    let roots: Option<Vec<_>> = parsed.into_iter().collect();
    Some(merge::merge(roots?, files, report))
}
