//! Plans as written.

use super::fields::Fields;
use super::routes::need;
use super::words;
use crate::policy::report::Report;
use crate::policy::source::{Node, Place, Word};

#[derive(Debug)]
pub(in crate::policy) struct Plan {
    pub place: Place,
    pub name: Option<Word>,
    pub when: Option<Word>,
    pub until: Option<Word>,
    pub after: Option<Word>,
    pub at_least: Option<Word>,
    pub only: Option<Word>,
    pub avoid: Option<Word>,
    pub change: Vec<Change>,
}

#[derive(Debug)]
pub(in crate::policy) struct Change {
    pub route: Word,
    pub pick: Option<Word>,
    pub quality: Option<Word>,
}

pub(super) fn read(node: &Node, report: &mut Report) -> Plan {
    let fields = Fields::open(node, &words::PLAN, report);
    let changes = fields.pairs("change", report).into_iter().map(|(route, node)| {
        let inner = Fields::open(node, &words::CHANGE, report);
        Change {
            route: route.clone(),
            pick: inner.word("pick", report),
            quality: need(inner, report),
        }
    });
    let change = changes.collect();
    Plan {
        place: fields.place,
        name: fields.word("name", report),
        when: fields.word("when", report),
        until: fields.word("until", report),
        after: fields.word("after", report),
        at_least: fields.word("at_least", report),
        only: fields.word("only", report),
        avoid: fields.word("avoid", report),
        change,
    }
}
