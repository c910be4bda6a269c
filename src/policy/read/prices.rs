//! Prices as written.

use super::fields::Fields;
use super::words::{self, Section};
use crate::policy::report::Report;
use crate::policy::source::{Node, Place, Value, Word};
use crate::price::Kind;

/// Rates by kind, of a price, a tier, a window or a step.
pub(in crate::policy) type Kinds = Vec<(Kind, Word)>;

/// One price, or one of several over time.
#[derive(Debug)]
pub(in crate::policy) struct Price {
    pub place: Place,
    /// It has other keys, which were reported: what it lacks need not be.
    pub has_unread: bool,
    pub from: Option<Word>,
    pub kinds: Kinds,
    pub request: Option<Word>,
    pub web_search: Option<Word>,
    pub web_fetch: Option<Word>,
    pub tool_call: Option<Word>,
    pub compute: Option<Word>,
    pub concurrency: Option<Word>,
    pub tiers: Vec<Tier>,
    pub windows: Vec<Window>,
    pub service: Vec<(&'static str, Word)>,
    pub multipliers: Vec<(Word, Word)>,
    pub discount: Option<Word>,
    pub surcharge: Option<Word>,
    pub ladder: Option<Ladder>,
    pub free: Option<Free>,
    pub commit: Option<Commit>,
    pub minimum: Option<Word>,
    pub fee: Option<Word>,
    pub as_of: Option<Word>,
}

#[derive(Debug)]
pub(in crate::policy) struct Tier {
    pub place: Place,
    pub above: Option<Word>,
    pub kinds: Kinds,
}

#[derive(Debug)]
pub(in crate::policy) struct Window {
    pub place: Place,
    pub name: Option<Word>,
    pub timezone: Option<Word>,
    pub days: Option<Vec<Word>>,
    pub hours: Option<Vec<Word>>,
    pub except: Option<Word>,
    pub times: Option<Word>,
    pub kinds: Kinds,
}

#[derive(Debug)]
pub(in crate::policy) struct Ladder {
    pub place: Place,
    pub per: Option<Word>,
    pub by: Option<Word>,
    pub kind: Option<Word>,
    pub shared: Option<Word>,
    pub steps: Vec<Tier>,
}

#[derive(Debug)]
pub(in crate::policy) struct Free {
    pub place: Place,
    pub tokens: Option<Word>,
    pub until: Option<Word>,
    pub per: Option<Word>,
    pub shared: Option<Word>,
}

#[derive(Debug)]
pub(in crate::policy) struct Commit {
    pub place: Place,
    pub amount: Option<Word>,
    pub per: Option<Word>,
    pub shared: Option<Word>,
}

/// One price as a map, or several over time as a list of maps.
pub(super) fn read(fields: Fields<'_>, report: &mut Report) -> Option<Vec<Price>> {
    let node = fields.node("price")?;
    Some(match &node.value {
        Value::List(items) => items.iter().map(|item| price(item, report)).collect(),
        _ => vec![price(node, report)],
    })
}

fn price(node: &Node, report: &mut Report) -> Price {
    let fields = Fields::open(node, &words::PRICE, report);
    Price {
        place: node.place,
        has_unread: fields.has_unread(&words::PRICE),
        from: fields.word("from", report),
        kinds: kinds(fields, report),
        request: fields.word("request", report),
        web_search: fields.word("web_search", report),
        web_fetch: fields.word("web_fetch", report),
        tool_call: fields.word("tool_call", report),
        compute: fields.word("compute", report),
        concurrency: fields.word("concurrency", report),
        tiers: fields.listed("tiers", report, |node, report| tier(node, &words::TIER, report)),
        windows: fields.listed("windows", report, window),
        service: fields
            .map("service", &words::SERVICE, report)
            .map_or_else(Vec::new, |inner| {
                let words = words::SERVICE.names();
                words
                    .filter_map(|name| Some((name, inner.word(name, report)?)))
                    .collect()
            }),
        multipliers: pairs(fields, "multipliers", report),
        discount: fields.word("discount", report),
        surcharge: fields.word("surcharge", report),
        ladder: fields.map("ladder", &words::LADDER, report).map(|inner| Ladder {
            place: inner.place,
            per: inner.word("per", report),
            by: inner.word("by", report),
            kind: inner.word("kind", report),
            shared: inner.word("shared", report),
            steps: inner.listed("steps", report, |node, report| tier(node, &words::STEP, report)),
        }),
        free: fields.map("free", &words::FREE, report).map(|inner| Free {
            place: inner.place,
            tokens: inner.word("tokens", report),
            until: inner.word("until", report),
            per: inner.word("per", report),
            shared: inner.word("shared", report),
        }),
        commit: fields.map("commit", &words::COMMIT, report).map(|inner| Commit {
            place: inner.place,
            amount: inner.word("amount", report),
            per: inner.word("per", report),
            shared: inner.word("shared", report),
        }),
        minimum: fields.word("minimum", report),
        fee: fields.word("fee", report),
        as_of: fields.word("as_of", report),
    }
}

fn kinds(fields: Fields<'_>, report: &mut Report) -> Kinds {
    let given = Kind::ALL.into_iter();
    given
        .filter_map(|kind| Some((kind, fields.word(kind.word(), report)?)))
        .collect()
}

fn tier(node: &Node, section: &'static Section, report: &mut Report) -> Tier {
    let fields = Fields::open(node, section, report);
    Tier {
        place: node.place,
        above: fields.word("above", report),
        kinds: kinds(fields, report),
    }
}

fn window(node: &Node, report: &mut Report) -> Window {
    let fields = Fields::open(node, &words::WINDOW, report);
    Window {
        place: node.place,
        name: fields.word("name", report),
        timezone: fields.word("timezone", report),
        days: fields.words("days", report),
        hours: fields.words("hours", report),
        except: fields.word("except", report),
        times: fields.word("times", report),
        kinds: kinds(fields, report),
    }
}

/// A map of the policy's own names to single values.
pub(super) fn pairs(fields: Fields<'_>, key: &str, report: &mut Report) -> Vec<(Word, Word)> {
    let pairs = fields.pairs(key, report).into_iter();
    pairs
        .map(|(name, node)| (name.clone(), super::fields::word(node, &name.text, report)))
        .collect()
}

/// `holidays`: lists of days by the calendar's name.
pub(super) fn holidays(fields: Fields<'_>, report: &mut Report) -> Vec<(Word, Vec<Word>)> {
    let mut found = Vec::new();
    for (name, node) in fields.pairs("holidays", report) {
        let Value::List(items) = &node.value else {
            let message = format!(
                "the days of `{}` are a list, and here stands {}",
                crate::policy::mask::shown(&name.text),
                node.shape()
            );
            report
                .error(node.place, "wrong-shape", message)
                .help("write `[2027-01-01, 2027-02-05..2027-02-11]`");
            continue;
        };
        let days = items.iter().map(|item| super::fields::word(item, &name.text, report));
        found.push((name.clone(), days.collect()));
    }
    found
}
