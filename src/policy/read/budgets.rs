//! Budgets as written.

use super::fields::Fields;
use super::words;
use crate::policy::report::Report;
use crate::policy::source::{Node, Place, Word};

#[derive(Debug)]
pub(in crate::policy) struct Budget {
    pub name: Word,
    pub place: Place,
    pub limit: Option<Word>,
    pub per: Option<Word>,
    pub start: Option<Word>,
    pub timezone: Option<Word>,
    pub raises: Vec<Raise>,
    pub covers: Option<Word>,
    pub each: Option<Word>,
    pub alert_at: Option<Vec<Word>>,
    pub enforce: Option<Word>,
}

#[derive(Debug)]
pub(in crate::policy) struct Raise {
    pub place: Place,
    pub by: Option<Word>,
    pub until: Option<Word>,
}

pub(super) fn read(name: &Word, node: &Node, report: &mut Report) -> Budget {
    let fields = Fields::open(node, &words::BUDGET, report);
    Budget {
        name: name.clone(),
        place: name.place,
        limit: fields.word("limit", report),
        per: fields.word("per", report),
        start: fields.word("start", report),
        timezone: fields.word("timezone", report),
        raises: fields.listed("raise", report, raise),
        covers: fields.word("covers", report),
        each: fields.word("each", report),
        alert_at: fields.words("alert_at", report),
        enforce: fields.word("enforce", report),
    }
}

fn raise(node: &Node, report: &mut Report) -> Raise {
    let fields = Fields::open(node, &words::RAISE, report);
    Raise {
        place: fields.place,
        by: fields.word("by", report),
        until: fields.word("until", report),
    }
}
