//! Licences as written.

use super::fields::Fields;
use super::words;
use crate::policy::report::Report;
use crate::policy::source::{Node, Word};

#[derive(Debug)]
pub(in crate::policy) struct License {
    pub name: Word,
    pub base: Option<Word>,
    pub uses: Option<Vec<Word>>,
    pub territories: Option<Vec<Word>>,
    pub except_territories: Option<Vec<Word>>,
    pub territory_of: Option<Word>,
    pub domicile: Option<Word>,
    pub starts: Option<Word>,
    pub expires: Option<Word>,
    pub warn: Option<Word>,
    pub users: Option<Count>,
    pub seats: Option<Count>,
    pub gpus: Option<Count>,
    pub revenue: Option<Revenue>,
    pub service: Option<Word>,
    pub offered: Option<Word>,
    pub display: Option<Word>,
    pub notice: Option<Word>,
    pub outputs: Option<Word>,
    pub fee: Option<Word>,
}

#[derive(Debug)]
pub(in crate::policy) struct Count {
    pub max: Option<Word>,
    pub declared: Option<Word>,
    pub as_of: Option<Word>,
}

#[derive(Debug)]
pub(in crate::policy) struct Revenue {
    pub max: Option<Word>,
    pub per: Option<Word>,
    pub declared: Option<Word>,
    pub as_of: Option<Word>,
    pub only: Option<Word>,
}

pub(super) fn read(name: &Word, node: &Node, report: &mut Report) -> License {
    let fields = Fields::open(node, &words::LICENSE, report);
    License {
        name: name.clone(),
        base: fields.word("base", report),
        uses: fields.words("uses", report),
        territories: fields.words("territories", report),
        except_territories: fields.words("except_territories", report),
        territory_of: fields.word("territory_of", report),
        domicile: fields.word("domicile", report),
        starts: fields.word("starts", report),
        expires: fields.word("expires", report),
        warn: fields.word("warn", report),
        users: count(fields, "users", report),
        seats: count(fields, "seats", report),
        gpus: count(fields, "gpus", report),
        revenue: revenue(fields, report),
        service: fields.word("service", report),
        offered: fields.word("offered", report),
        display: fields.word("display", report),
        notice: fields.word("notice", report),
        outputs: fields.word("outputs", report),
        fee: fields.word("fee", report),
    }
}

fn count(fields: Fields<'_>, key: &str, report: &mut Report) -> Option<Count> {
    fields.map(key, &words::COUNT, report).map(|inner| Count {
        max: inner.word("max", report),
        declared: inner.word("declared", report),
        as_of: inner.word("as_of", report),
    })
}

fn revenue(fields: Fields<'_>, report: &mut Report) -> Option<Revenue> {
    fields.map("revenue", &words::REVENUE, report).map(|inner| Revenue {
        max: inner.word("max", report),
        per: inner.word("per", report),
        declared: inner.word("declared", report),
        as_of: inner.word("as_of", report),
        only: inner.word("only", report),
    })
}
