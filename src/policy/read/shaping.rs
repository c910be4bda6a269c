//! Request shaping as written: the same words on a provider, a model and a route.

use super::fields::{Fields, word};
use super::words;
use crate::policy::report::Report;
use crate::policy::source::{Node, Word};

#[derive(Debug, Default)]
pub(in crate::policy) struct Shaping {
    pub strip: Vec<Word>,
    pub rename: Vec<(Word, Word)>,
    pub set: Vec<(Word, Node)>,
    pub default: Vec<(Word, Node)>,
    pub clamp: Vec<(Word, Option<Word>, Option<Word>)>,
    pub on_unsupported: Option<Word>,
}

pub(super) fn shaping(fields: Fields<'_>, report: &mut Report) -> Shaping {
    let nodes = |key: &str, report: &mut Report| -> Vec<(Word, Node)> {
        let pairs = fields.pairs(key, report).into_iter();
        pairs.map(|(name, node)| (name.clone(), node.clone())).collect()
    };
    let renames = fields.pairs("rename", report);
    let clamps = fields.pairs("clamp", report);
    Shaping {
        strip: fields.words("strip", report).unwrap_or_default(),
        rename: renames
            .into_iter()
            .map(|(from, to)| (from.clone(), word(to, &from.text, report)))
            .collect(),
        set: nodes("set", report),
        default: nodes("default", report),
        clamp: clamps
            .into_iter()
            .filter_map(|(name, node)| {
                let before = report.count();
                let inner = Fields::open(node, &words::CLAMP, report);
                let bounds = (name.clone(), inner.word("min", report), inner.word("max", report));
                // What cannot be read has its word already.
                (report.count() == before).then_some(bounds)
            })
            .collect(),
        on_unsupported: fields.word("on_unsupported", report),
    }
}
