//! The meters of prices: added to with the attempt that they counted, read once at the start, found anew from the attempts
//! where they were not in force all along.

use super::error::LedgerError;
use super::handle::Ledger;
use super::text::{count, read_time, time};
use super::write::Write;
use crate::money::Money;
use crate::price::{MeterChange, MeterKey, MeterRow, Unit};
use jiff::Timestamp;
use rusqlite::{Connection, params};

impl Write<'_> {
    pub(super) fn meter(&self, change: &MeterChange) -> rusqlite::Result<()> {
        self.count(&MeterRow {
            key: change.key.clone(),
            unit: change.unit,
            end: change.end,
            used: change.added,
            steps: change.steps.clone(),
        })
    }

    /// Adds to what is there.
    fn count(&self, row: &MeterRow) -> rusqlite::Result<()> {
        let (key, start) = (&row.key, time(row.key.start));
        self.run(
            "INSERT INTO meters (name, shape, unit, period_start, period_end, used) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (name, shape, period_start) DO UPDATE SET used = used + excluded.used,
             period_end = excluded.period_end",
            params![
                key.name,
                key.shape,
                row.unit.word(),
                start,
                time(row.end),
                count(row.used)
            ],
        )?;
        for (step, amount) in (0_i64..).zip(&row.steps) {
            self.run(
                "INSERT INTO meter_steps (name, shape, period_start, step, amount) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (name, shape, period_start, step) DO UPDATE SET amount = amount + excluded.amount",
                params![key.name, key.shape, start, step, amount.nanos()],
            )?;
        }
        Ok(())
    }

    /// From here on these count what is added, and are stale until what was before is found. Returns the last attempt
    /// that is not added to them.
    pub(super) fn begin_meters(&self, asked: &[MeterRow]) -> rusqlite::Result<i64> {
        for row in asked {
            self.count(row)?;
            let key = params![row.key.name, row.key.shape, time(row.key.start)];
            self.run(
                "UPDATE meters SET used = 0, stale = 1 WHERE name = ?1 AND shape = ?2 AND period_start = ?3",
                key,
            )?;
            self.run(
                "DELETE FROM meter_steps WHERE name = ?1 AND shape = ?2 AND period_start = ?3",
                key,
            )?;
        }
        self.connection
            .prepare_cached("SELECT coalesce(max(id), 0) FROM attempts")?
            .query_row([], |row| row.get(0))
    }

    pub(super) fn meters_found(&self, rows: &[MeterRow]) -> rusqlite::Result<()> {
        rows.iter().try_for_each(|row| {
            self.count(row)?;
            self.mark(&row.key, false)
        })
    }

    pub(super) fn meters_left(&self, keys: &[MeterKey]) -> rusqlite::Result<()> {
        keys.iter().try_for_each(|key| self.mark(key, true))
    }

    fn mark(&self, key: &MeterKey, stale: bool) -> rusqlite::Result<()> {
        self.run(
            "UPDATE meters SET stale = ?4 WHERE name = ?1 AND shape = ?2 AND period_start = ?3",
            params![key.name, key.shape, time(key.start), stale],
        )
    }
}

impl Ledger {
    /// Where the meters of prices stand whose period is not over, as far as they were in force all along.
    pub async fn meters(&self, now: Timestamp) -> Result<Vec<MeterRow>, LedgerError> {
        self.read(move |connection| read(connection, now)).await
    }
}

fn read(connection: &Connection, now: Timestamp) -> rusqlite::Result<Vec<MeterRow>> {
    let mut steps = connection
        .prepare("SELECT amount FROM meter_steps WHERE name = ?1 AND shape = ?2 AND period_start = ?3 ORDER BY step")?;
    let mut meters = connection.prepare("SELECT * FROM meters WHERE period_end > ?1 AND NOT stale")?;
    let mut found = Vec::new();
    let mut rows = meters.query([time(now)])?;
    while let Some(row) = rows.next()? {
        let (name, shape): (String, String) = (row.get("name")?, row.get("shape")?);
        let start: String = row.get("period_start")?;
        let amounts = steps.query_map(params![name, shape, start], |row| Ok(Money::from_nanos(row.get(0)?)))?;
        let steps = amounts.collect::<rusqlite::Result<_>>()?;
        let end: String = row.get("period_end")?;
        let (Some(start), Some(end)) = (read_time(&start), read_time(&end)) else {
            continue;
        };
        let tokens = row.get_ref("unit")?.as_str()? == Unit::Tokens.word();
        found.push(MeterRow {
            key: MeterKey {
                name: name.into(),
                shape: shape.into(),
                start,
            },
            unit: if tokens { Unit::Tokens } else { Unit::Money },
            end,
            used: row.get::<_, i64>("used")?.max(0).unsigned_abs(),
            steps,
        });
    }
    Ok(found)
}
