//! The meters of prices: added to with the attempt that they counted, read once at the start.

use super::error::LedgerError;
use super::handle::Ledger;
use super::text::{count, read_time, time};
use super::write::Write;
use crate::money::Money;
use crate::price::{MeterChange, MeterRow};
use jiff::Timestamp;
use rusqlite::{Connection, params};

impl Write<'_> {
    pub(super) fn meter(&self, change: &MeterChange) -> rusqlite::Result<()> {
        let start = time(change.start);
        self.run(
            "INSERT INTO meters (name, unit, period_start, period_end, used) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (name, period_start) DO UPDATE SET used = used + excluded.used, period_end = excluded.period_end",
            params![change.name, change.unit, start, time(change.end), count(change.added)],
        )?;
        for (step, amount) in (0_i64..).zip(&change.steps) {
            self.run(
                "INSERT INTO meter_steps (name, period_start, step, amount) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (name, period_start, step) DO UPDATE SET amount = amount + excluded.amount",
                params![change.name, start, step, amount.nanos()],
            )?;
        }
        Ok(())
    }
}

impl Ledger {
    /// Where the meters of prices stand whose period is not over.
    pub async fn meters(&self, now: Timestamp) -> Result<Vec<MeterRow>, LedgerError> {
        self.read(move |connection| read(connection, now)).await
    }
}

fn read(connection: &Connection, now: Timestamp) -> rusqlite::Result<Vec<MeterRow>> {
    let mut steps =
        connection.prepare("SELECT amount FROM meter_steps WHERE name = ?1 AND period_start = ?2 ORDER BY step")?;
    let mut meters =
        connection.prepare("SELECT name, period_start, period_end, used FROM meters WHERE period_end > ?1")?;
    let mut found = Vec::new();
    let mut rows = meters.query([time(now)])?;
    while let Some(row) = rows.next()? {
        let (name, start): (String, String) = (row.get(0)?, row.get(1)?);
        let amounts = steps.query_map(params![name, start], |row| Ok(Money::from_nanos(row.get(0)?)))?;
        let steps = amounts.collect::<rusqlite::Result<_>>()?;
        let end: String = row.get(2)?;
        let (Some(start), Some(end)) = (read_time(&start), read_time(&end)) else {
            continue;
        };
        found.push(MeterRow {
            name: name.into(),
            start,
            end,
            used: row.get::<_, i64>(3)?.max(0).unsigned_abs(),
            steps,
        });
    }
    Ok(found)
}
