//! Where the money went: attempts summed by one of the questions people ask. Reads the file alone.

use super::error::LedgerError;
use super::read::open;
use super::text::time;
use crate::money::Money;
use jiff::Timestamp;
use rusqlite::{Connection, params};
use std::path::Path;

/// What a line of the sum stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    Model,
    Provider,
    Supply,
    Route,
    Client,
    Tag(String),
    /// Days of UTC.
    Day,
}

#[derive(Clone, Debug)]
pub struct SpendQuery {
    pub by: By,
    /// Inclusive.
    pub since: Timestamp,
    /// Exclusive.
    pub until: Timestamp,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpendRow {
    pub name: String,
    pub currency: String,
    pub requests: i64,
    pub attempts: i64,
    pub input: i64,
    pub cached: i64,
    pub output: i64,
    pub posted: Money,
    pub held: Money,
    /// The part of `posted` that rests on planb's own count of tokens.
    pub estimated: Money,
}

/// The lines, dearest first (days in order), and one total a currency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spend {
    pub rows: Vec<SpendRow>,
    pub totals: Vec<SpendRow>,
}

/// The line of what crashes left unrecorded.
const UNACCOUNTED: &str = "(unaccounted)";
const NONE: &str = "(none)";

pub fn spend(path: &Path, query: &SpendQuery) -> Result<Spend, LedgerError> {
    let connection = open(path)?;
    let mut rows = grouped(&connection, &query.by.expression(), query)?;
    if query.by == By::Day {
        rows.sort_by(|a, b| a.name.cmp(&b.name));
    } else {
        let money = |row: &SpendRow| row.posted.plus(row.held);
        rows.sort_by(|a, b| money(b).cmp(&money(a)).then_with(|| a.name.cmp(&b.name)));
    }
    let mut totals = grouped(&connection, "'total'", query)?;
    for lost in unaccounted(&connection, query)? {
        match totals.iter_mut().find(|total| total.currency == lost.currency) {
            Some(total) => total.held = total.held.plus(lost.held),
            None => totals.push(SpendRow {
                name: "total".to_owned(),
                ..lost.clone()
            }),
        }
        rows.push(lost);
    }
    Ok(Spend { rows, totals })
}

impl By {
    /// Only the tag's name comes from outside, and it is bound as a parameter.
    fn expression(&self) -> String {
        let column = match self {
            Self::Model => "a.model",
            Self::Provider => "a.provider",
            Self::Supply => "a.supply",
            Self::Route => "(SELECT d.route FROM decisions d WHERE d.id = a.decision)",
            Self::Client => "nullif(a.client, '')",
            Self::Tag(_) => "(SELECT nullif(t.value, '') FROM json_each(a.tags) t WHERE t.key = ?3)",
            Self::Day => "substr(a.at, 1, 10)",
        };
        format!("coalesce({column}, '{NONE}')")
    }

    fn tag(&self) -> &str {
        match self {
            Self::Tag(name) => name,
            _ => "",
        }
    }
}

fn grouped(connection: &Connection, name: &str, query: &SpendQuery) -> rusqlite::Result<Vec<SpendRow>> {
    let mut statement = connection.prepare(&format!(
        "SELECT {name} AS name, a.currency, count(DISTINCT iif(a.outcome <> 'adjustment', a.decision, NULL)),
         count(iif(a.outcome <> 'adjustment', 1, NULL)), sum(a.input), sum(a.cache_read),
         sum(a.output), sum(iif(a.ended = 'posted', a.amount, 0)), sum(iif(a.ended = 'held', a.amount, 0)),
         sum(iif(a.ended = 'posted' AND a.estimated, a.amount, 0))
         FROM attempts a WHERE a.at >= ?1 AND a.at < ?2 AND ?3 IS NOT NULL GROUP BY 1, 2"
    ))?;
    let rows = statement.query_map(params![time(query.since), time(query.until), query.by.tag()], |row| {
        Ok(SpendRow {
            name: row.get(0)?,
            currency: row.get(1)?,
            requests: row.get(2)?,
            attempts: row.get(3)?,
            input: row.get(4)?,
            cached: row.get(5)?,
            output: row.get(6)?,
            posted: Money::from_nanos(row.get(7)?),
            held: Money::from_nanos(row.get(8)?),
            estimated: Money::from_nanos(row.get(9)?),
        })
    })?;
    rows.collect()
}

/// The same unrecorded money is missing from every budget that covered it: the largest sum of one budget counts.
fn unaccounted(connection: &Connection, query: &SpendQuery) -> rusqlite::Result<Vec<SpendRow>> {
    let mut statement = connection.prepare(
        "SELECT currency, sum(most) FROM (
             SELECT currency, max(total) AS most FROM (
                 SELECT l.incarnation, p.budget, p.currency, sum(l.unaccounted) AS total
                 FROM leases l JOIN pools p ON p.id = l.pool JOIN incarnations i ON i.number = l.incarnation
                 WHERE l.unaccounted > 0 AND i.seen_at >= ?1 AND i.seen_at < ?2
                 GROUP BY l.incarnation, p.budget, p.currency)
             GROUP BY incarnation, currency)
         GROUP BY currency ORDER BY currency",
    )?;
    let rows = statement.query_map(params![time(query.since), time(query.until)], |row| {
        Ok(SpendRow {
            name: UNACCOUNTED.to_owned(),
            currency: row.get(0)?,
            held: Money::from_nanos(row.get(1)?),
            ..SpendRow::default()
        })
    })?;
    rows.collect()
}
