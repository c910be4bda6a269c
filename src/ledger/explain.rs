//! What explains an attempt's amount beside its usage and its rates, as one column of JSON: enough to reckon it again.
//!
//! `times` and `account` are fractions, left out where they are one; fees are nano-units (by the million where they are
//! for pieces), left out where there are none; `lines` are `[kind, tokens, rate]` where a ladder gave tokens several rates.

use crate::money::{Money, Rate, Ratio};
use crate::price::{Bill, Line};
use serde_json::{Map, Value, json};

pub(super) fn explained(bill: &Bill, lines: &[Line]) -> String {
    let mut all = Map::new();
    let mut tell = |key: &str, value: Value, said: bool| {
        if said {
            all.insert(key.to_owned(), value);
        }
    };
    for (key, ratio) in [("times", bill.times), ("account", bill.account)] {
        tell(key, fraction(ratio).into(), !ratio.is_one());
    }
    let fees = &bill.fees;
    tell("request", fees.request.nanos().into(), fees.request != Money::ZERO);
    for (key, rate) in [
        ("web_search", fees.web_search),
        ("web_fetch", fees.web_fetch),
        ("tool_call", fees.tool_call),
    ] {
        tell(key, rate.nanos_per_million().into(), rate != Rate::FREE);
    }
    if let Some(compute) = bill.compute {
        tell("hour", compute.per_hour.nanos().into(), true);
        tell("concurrency", compute.concurrency.into(), compute.concurrency.is_some());
    }
    let shown = |line: &Line| json!([line.kind.word(), line.tokens, line.rate.nanos_per_million()]);
    tell("lines", lines.iter().map(shown).collect(), !lines.is_empty());
    Value::Object(all).to_string()
}

pub(super) fn fraction(ratio: Ratio) -> String {
    format!("{}/{}", ratio.numerator(), ratio.denominator())
}
