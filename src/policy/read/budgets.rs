//! Budgets as written.

use super::fields::{Fields, word};
use super::words;
use crate::policy::report::Report;
use crate::policy::source::{Node, Place, Value, Word};

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
    pub carry_over: Option<Word>,
    /// Also where the list is empty.
    pub credit: Option<Vec<TopUp>>,
    pub held: Option<Held>,
}

#[derive(Debug)]
pub(in crate::policy) struct TopUp {
    pub place: Place,
    pub amount: Option<Word>,
    pub on: Option<Word>,
}

#[derive(Debug)]
pub(in crate::policy) enum Held {
    Word(Word),
    After { place: Place, after: Option<Word> },
}

#[derive(Debug)]
pub(in crate::policy) struct Raise {
    pub place: Place,
    pub by: Option<Word>,
    pub from: Option<Word>,
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
        carry_over: fields.word("carry_over", report),
        credit: fields.node("credit").map(|_| fields.listed("credit", report, top_up)),
        held: fields.node("held").map(|node| held(node, report)),
    }
}

fn top_up(node: &Node, report: &mut Report) -> TopUp {
    let fields = Fields::open(node, &words::TOP_UP, report);
    TopUp {
        place: fields.place,
        amount: fields.word("amount", report),
        on: fields.word("on", report),
    }
}

fn held(node: &Node, report: &mut Report) -> Held {
    if let Value::Map(_) = &node.value {
        let fields = Fields::open(node, &words::HELD, report);
        return Held::After {
            place: fields.place,
            after: fields.word("after", report),
        };
    }
    Held::Word(word(node, "held", report))
}

fn raise(node: &Node, report: &mut Report) -> Raise {
    let fields = Fields::open(node, &words::RAISE, report);
    Raise {
        place: fields.place,
        by: fields.word("by", report),
        from: fields.word("from", report),
        until: fields.word("until", report),
    }
}
