//! Routes as written.

use super::fields::Fields;
use super::providers::{Timeouts, timeouts};
use super::words;
use crate::policy::report::Report;
use crate::policy::source::{Node, Place, Word};

#[derive(Debug)]
pub(in crate::policy) struct Route {
    pub place: Place,
    pub name: Option<Word>,
    pub models: Option<Vec<Word>>,
    pub candidates: Option<Vec<Word>>,
    pub pick: Option<Word>,
    pub quality: Option<Word>,
    pub cost: Option<Word>,
    pub attempts: Option<Word>,
    pub output: Option<Word>,
    pub timeouts: Timeouts,
    pub on_disconnect: Option<Word>,
}

pub(super) fn read(node: &Node, report: &mut Report) -> Route {
    let fields = Fields::open(node, &words::ROUTE, report);
    let limits = fields.map("limits", &words::LIMITS, report);
    let limit = |key: &str, report: &mut Report| limits.and_then(|limits| limits.word(key, report));
    Route {
        place: fields.place,
        name: fields.word("name", report),
        models: fields
            .map("match", &words::MATCH, report)
            .and_then(|inner| inner.words("model", report)),
        candidates: fields.words("try", report),
        pick: fields.word("pick", report),
        quality: need(fields, report),
        cost: limit("cost", report),
        attempts: limit("attempts", report),
        output: limit("output", report),
        timeouts: timeouts(fields, report),
        on_disconnect: fields.word("on_disconnect", report),
    }
}

/// `need: {quality: …}` of a route, or of a plan's change of one.
pub(super) fn need(fields: Fields<'_>, report: &mut Report) -> Option<Word> {
    fields.map("need", &words::NEED, report)?.word("quality", report)
}
