//! What was spent as charges of a day or an hour, one for each model, caller and set of tags: what a cost export lists.

use super::connection::open_current;
use super::error::LedgerError;
pub use super::fees::FeeRow;
use super::fees::fees;
use super::spend::{By, Filter, SpendQuery, spent};
use crate::money::Money;
use jiff::Timestamp;
use std::path::Path;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Charge {
    /// `2026-11-23`, or `2026-11-23T10` where hours were asked for.
    pub period: String,
    pub model: String,
    pub provider: String,
    pub supply: String,
    pub route: String,
    pub client: String,
    /// JSON.
    pub tags: String,
    /// The budget that paid for copies which a mirror sent; empty for what served clients.
    pub mirror: String,
    pub currency: String,
    pub attempts: i64,
    pub input: i64,
    pub cached: i64,
    pub output: i64,
    /// Corrections left out.
    pub posted: Money,
    pub held: Money,
    pub adjusted: Money,
    /// The part of `posted` that a commitment had paid for.
    pub prepaid: Money,
}

/// In order of time. By hours where the query asks for hours, else by days of UTC.
pub fn charges(path: &Path, query: &SpendQuery) -> Result<Vec<Charge>, LedgerError> {
    let connection = open_current(path)?;
    let length = if query.by == By::Hour { 13 } else { 10 };
    let only = Filter::of(&query.as_kept(&connection)?);
    let sql = format!(
        "SELECT substr(hour, 1, {length}) AS period, model, provider, supply, route, client, tags, mirror, currency, sum(attempts),
         sum(input), sum(cache_read), sum(output), sum(posted) - sum(adjusted), sum(held), sum(adjusted), sum(prepaid)
         FROM {} WHERE {} GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9 ORDER BY 1, 2, 5, 6, 7, 8",
        spent(&connection, true)?, only.condition
    );
    let rows = only.rows(&connection, &sql, |row| {
        let money = |at| row.get(at).map(Money::from_nanos);
        Ok(Charge {
            period: row.get(0)?,
            model: row.get(1)?,
            provider: row.get(2)?,
            supply: row.get(3)?,
            route: row.get(4)?,
            client: row.get(5)?,
            tags: row.get(6)?,
            mirror: row.get(7)?,
            currency: row.get(8)?,
            attempts: row.get(9)?,
            input: row.get(10)?,
            cached: row.get(11)?,
            output: row.get(12)?,
            posted: money(13)?,
            held: money(14)?,
            adjusted: money(15)?,
            prepaid: money(16)?,
        })
    })?;
    Ok(rows)
}

/// What was paid whether or not anything was used, by days of UTC; of no caller, and so left out where some are asked for.
pub fn fee_days(path: &Path, query: &SpendQuery) -> Result<Vec<FeeRow>, LedgerError> {
    if !query.only.is_everything() {
        return Ok(Vec::new());
    }
    let connection = open_current(path)?;
    Ok(fees(&connection, (query.since, query.until), Timestamp::now())?)
}
