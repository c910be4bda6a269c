//! Providers as written, and the maps that routes share with them.

use super::fields::{Fields, word};
use super::limits::{Limits, limits};
use super::shaping::{Shaping, shaping};
use super::words;
use crate::policy::report::Report;
use crate::policy::source::{Node, Place, Value, Word};

#[derive(Debug)]
pub(in crate::policy) struct Provider {
    pub name: Word,
    pub place: Place,
    pub vendor: Option<Word>,
    pub region: Option<Word>,
    pub base_url: Option<Word>,
    pub api_key: Option<Word>,
    pub key_header: Option<Word>,
    pub keys: Option<Vec<Key>>,
    pub timeouts: Timeouts,
    pub start: Option<Start>,
    pub breaker: Option<Word>,
    pub cooldown: Option<Word>,
    pub allow_private: Option<Word>,
    pub license: Option<Word>,
    pub domain: Option<Word>,
    pub residence: Option<Vec<Word>>,
    pub labels: Option<Vec<Word>>,
    pub discount: Option<Word>,
    pub surcharge: Option<Word>,
    pub disabled: Option<Word>,
    pub shaping: Shaping,
    pub limits: Limits,
}

/// One of several keys: a reference alone, or a map with more.
#[derive(Debug)]
pub(in crate::policy) struct Key {
    pub place: Place,
    pub key: Option<Word>,
    pub name: Option<Word>,
    pub weight: Option<Word>,
    pub limits: Limits,
}

#[derive(Debug, Default)]
pub(in crate::policy) struct Timeouts {
    pub connect: Option<Word>,
    pub first_token: Option<Word>,
    pub idle: Option<Word>,
    pub total: Option<Word>,
}

#[derive(Debug)]
pub(in crate::policy) struct Start {
    pub place: Place,
    pub command: Option<Vec<Word>>,
    pub ready: Option<Word>,
    pub idle: Option<Word>,
    pub warm_when: Option<Word>,
    /// Variables and their values.
    pub env: Vec<(Word, Word)>,
}

pub(super) fn read(name: &Word, node: &Node, report: &mut Report) -> Provider {
    let fields = Fields::open(node, &words::PROVIDER, report);
    let start = fields.map("start", &words::START, report).map(|start| Start {
        place: start.place,
        command: start.words("command", report),
        ready: start.word("ready", report),
        idle: start.word("idle", report),
        warm_when: start.word("warm_when", report),
        env: variables(start, report),
    });
    Provider {
        name: name.clone(),
        place: name.place,
        vendor: fields.word("vendor", report),
        region: fields.word("region", report),
        base_url: fields.word("base_url", report),
        api_key: fields.word("api_key", report),
        key_header: fields.word("key_header", report),
        keys: fields.node("keys").map(|_| fields.listed("keys", report, key)),
        timeouts: timeouts(fields, report),
        start,
        breaker: fields.word("breaker", report),
        cooldown: fields.word("cooldown", report),
        allow_private: fields.word("allow_private", report),
        license: fields.word("license", report),
        domain: fields.word("domain", report),
        residence: fields.words("residence", report),
        labels: fields.words("labels", report),
        discount: fields.word("discount", report),
        surcharge: fields.word("surcharge", report),
        disabled: fields.word("disabled", report),
        shaping: shaping(fields, report),
        limits: limits(fields.map("limits", &words::RATES, report), report),
    }
}

fn variables(start: Fields<'_>, report: &mut Report) -> Vec<(Word, Word)> {
    let pairs = start.pairs("env", report).into_iter();
    pairs
        .map(|(name, value)| (name.clone(), word(value, &name.text, report)))
        .collect()
}

fn key(node: &Node, report: &mut Report) -> Key {
    if !matches!(node.value, Value::Map(_)) {
        return Key {
            place: node.place,
            key: Some(word(node, "keys", report)),
            name: None,
            weight: None,
            limits: Limits::default(),
        };
    }
    let fields = Fields::open(node, &words::PROVIDER_KEY, report);
    Key {
        place: node.place,
        key: fields.word("key", report),
        name: fields.word("name", report),
        weight: fields.word("weight", report),
        limits: limits(fields.map("limits", &words::RATES, report), report),
    }
}

/// The `timeouts` of a provider, a model or a route.
pub(super) fn timeouts(fields: Fields<'_>, report: &mut Report) -> Timeouts {
    let Some(inner) = fields.map("timeouts", &words::TIMEOUTS, report) else {
        return Timeouts::default();
    };
    Timeouts {
        connect: inner.word("connect", report),
        first_token: inner.word("first_token", report),
        idle: inner.word("idle", report),
        total: inner.word("total", report),
    }
}
