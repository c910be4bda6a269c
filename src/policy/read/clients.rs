//! Clients as written.

use super::fields::{self, Fields};
use super::words;
use crate::policy::report::Report;
use crate::policy::source::{Node, Place, Word};

#[derive(Debug)]
pub(in crate::policy) struct Client {
    pub name: Word,
    pub place: Place,
    pub key: Option<Word>,
    pub tags: Vec<(Word, Word)>,
}

pub(super) fn read(name: &Word, node: &Node, report: &mut Report) -> Client {
    let fields = Fields::open(node, &words::CLIENT, report);
    let tags = fields.pairs("tags", report).into_iter();
    Client {
        name: name.clone(),
        place: name.place,
        key: fields.word("key", report),
        tags: tags
            .map(|(tag, value)| (tag.clone(), fields::word(value, &tag.text, report)))
            .collect(),
    }
}
