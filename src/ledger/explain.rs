//! What explains an attempt's amount beside its usage and its rates, as one column of JSON: enough to reckon it again.
//!
//! `times` and `account` are fractions, left out where they are one; fees are nano-units (by the million where they are
//! for pieces), left out where there are none; `lines` are `[kind, tokens, rate]` where a ladder gave tokens several rates.

use crate::money::{Money, Rate, Ratio};
use crate::price::{Bill, Compute, Drawn, Fees, Kind, Kinds, Line, Rates};
use rusqlite::Row;
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

/// The bill of a row again, with its lines where it has any; `None` for what had no price.
pub(super) fn read_bill(row: &Row<'_>) -> rusqlite::Result<Option<(Bill, Vec<Line>)>> {
    let billed: Option<i64> = row.get("billed")?;
    let Some(billed) = billed else { return Ok(None) };
    let said: Value = serde_json::from_str(row.get_ref("bill")?.as_str()?).unwrap_or_default();
    let listed: Value = serde_json::from_str(row.get_ref("rates")?.as_str()?).unwrap_or_default();
    let exchange: String = row.get("exchange")?;
    let number = |key: &str| said[key].as_i64().unwrap_or(0);
    let rate = |nanos: i64| Rate::per_million(Money::from_nanos(nanos));
    let given = Kind::ALL.map(|kind| (kind, rate(listed[kind.word()].as_i64().unwrap_or(0))));
    let kinds = given
        .into_iter()
        .fold(Kinds::default(), |kinds, (kind, rate)| kinds.with(kind, rate));
    let concurrency = said["concurrency"].as_u64().and_then(|many| u32::try_from(many).ok());
    let bill = Bill {
        billed: Money::from_nanos(billed),
        exchange: read_fraction(&exchange),
        rates: kinds.filled(&Rates::FREE),
        times: read_fraction(said["times"].as_str().unwrap_or_default()),
        account: read_fraction(said["account"].as_str().unwrap_or_default()),
        fees: Fees {
            request: Money::from_nanos(number("request")),
            web_search: rate(number("web_search")),
            web_fetch: rate(number("web_fetch")),
            tool_call: rate(number("tool_call")),
        },
        compute: said["hour"].as_i64().map(|hour| Compute {
            per_hour: Money::from_nanos(hour),
            concurrency,
        }),
        drawn: Drawn {
            free: row.get::<_, i64>("free_tokens")?.max(0).unsigned_abs(),
            ..Drawn::default()
        },
        ..Bill::FREE
    };
    let lines = said["lines"].as_array().into_iter().flatten().filter_map(|line| {
        let word = line[0].as_str()?;
        Some(Line {
            kind: Kind::ALL.into_iter().find(|kind| kind.word() == word)?,
            tokens: line[1].as_u64()?,
            rate: rate(line[2].as_i64()?),
        })
    });
    Ok(Some((bill, lines.collect())))
}

/// One where there is none.
pub(super) fn read_fraction(text: &str) -> Ratio {
    let parts = text.split_once('/');
    let read = parts.and_then(|(above, below)| Some((above.parse().ok()?, below.parse().ok()?)));
    read.map_or(Ratio::ONE, |(above, below)| Ratio::new(above, below))
}
