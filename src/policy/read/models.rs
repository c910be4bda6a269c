//! Models as written.

use super::fields::Fields;
use super::limits::{Limits, limits};
use super::prices::Price;
use super::providers::{Timeouts, timeouts};
use super::shaping::{Shaping, shaping};
use super::words;
use crate::policy::report::Report;
use crate::policy::source::{Node, Place, Word};

#[derive(Debug)]
pub(in crate::policy) struct Model {
    pub name: Word,
    pub place: Place,
    pub provider: Option<Word>,
    pub upstream: Option<Word>,
    pub supply: Option<Word>,
    pub quality: Option<Word>,
    pub context: Option<Word>,
    pub max_output: Option<Word>,
    pub min_output: Option<Word>,
    /// One, or several over time.
    pub price: Option<Vec<Price>>,
    pub tools: Option<Word>,
    pub images: Option<Word>,
    pub json_schema: Option<Word>,
    pub timeouts: Timeouts,
    pub shaping: Shaping,
    pub limits: Limits,
    pub reasoning: Option<Word>,
    pub audio: Option<Word>,
    pub disabled: Option<Word>,
    pub license: Option<Word>,
    pub weights_license: Option<Word>,
    pub retires: Option<Word>,
    pub successor: Option<Word>,
    pub space: Option<Word>,
    pub domain: Option<Word>,
    pub residence: Option<Vec<Word>>,
    pub labels: Option<Vec<Word>>,
}

pub(super) fn read(name: &Word, node: &Node, report: &mut Report) -> Model {
    let fields = Fields::open(node, &words::MODEL, report);
    Model {
        name: name.clone(),
        place: name.place,
        provider: fields.word("provider", report),
        upstream: fields.word("name", report),
        supply: fields.word("supply", report),
        quality: fields.word("quality", report),
        context: fields.word("context", report),
        max_output: fields.word("max_output", report),
        min_output: fields.word("min_output", report),
        price: super::prices::read(fields, report),
        tools: fields.word("tools", report),
        images: fields.word("images", report),
        json_schema: fields.word("json_schema", report),
        timeouts: timeouts(fields, report),
        shaping: shaping(fields, report),
        limits: limits(fields.map("limits", &words::RATES, report), report),
        reasoning: fields.word("reasoning", report),
        audio: fields.word("audio", report),
        disabled: fields.word("disabled", report),
        license: fields.word("license", report),
        weights_license: fields.word("weights_license", report),
        retires: fields.word("retires", report),
        successor: fields.word("successor", report),
        space: fields.word("space", report),
        domain: fields.word("domain", report),
        residence: fields.words("residence", report),
        labels: fields.words("labels", report),
    }
}
