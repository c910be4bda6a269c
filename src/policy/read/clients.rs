//! Clients as written.

use super::fields::{self, Fields};
use super::limits::{Limits, limits};
use super::words;
use crate::policy::report::Report;
use crate::policy::source::{Node, Place, Word};

#[derive(Debug)]
pub(in crate::policy) struct Client {
    pub name: Word,
    pub place: Place,
    pub key: Option<Word>,
    pub keys: Option<Vec<Word>>,
    pub tags: Vec<(Word, Word)>,
    pub purpose: Option<Word>,
    pub territory: Option<Word>,
    pub routes: Option<Vec<Word>>,
    pub expires: Option<Word>,
    pub may_set: Option<Vec<Word>>,
    pub scope: Option<Vec<Word>>,
    pub expose: Option<Word>,
    pub limits: Limits,
    pub compat: Vec<Word>,
}

pub(super) fn read(name: &Word, node: &Node, report: &mut Report) -> Client {
    let fields = Fields::open(node, &words::CLIENT, report);
    let tags = fields.pairs("tags", report).into_iter();
    Client {
        name: name.clone(),
        place: name.place,
        key: fields.word("key", report),
        keys: fields.words("keys", report),
        tags: tags
            .map(|(tag, value)| (tag.clone(), fields::word(value, &tag.text, report)))
            .collect(),
        purpose: fields.word("use", report),
        territory: fields.word("territory", report),
        routes: fields.words("routes", report),
        expires: fields.word("expires", report),
        may_set: fields.words("may_set", report),
        scope: fields.words("scope", report),
        expose: fields.word("expose", report),
        limits: limits(fields.map("limits", &words::RATES, report), report),
        compat: fields::one_or_more(fields, "compat", report),
    }
}
