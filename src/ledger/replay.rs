//! What the meters of prices would have counted, had they been in force: the recorded attempts again, in their order,
//! through the prices that have those meters.

use super::error::LedgerError;
use super::handle::Ledger;
use super::text::{read_time, read_usage, time};
use super::writer::Command;
use crate::policy::snapshot::Snapshot;
use crate::price::{Counters, MeterKey, MeterRow, Moment, Price};
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::Arc;
use tokio::sync::oneshot;

impl Ledger {
    /// Begins to count these meters anew; answers with the last attempt that they do not count. Sent at once, in line
    /// with the records: whoever calls decides what comes before it.
    pub fn begin_meters(&self, asked: Vec<MeterRow>) -> impl Future<Output = Result<i64, LedgerError>> + use<> {
        let (reply, answer) = oneshot::channel();
        let sent = self.send_now(Command::Meters(asked, reply));
        async move {
            sent?;
            answer.await.map_err(|_| LedgerError::Closed)?
        }
    }

    /// What the attempts up to that one used of these meters.
    pub async fn replay(
        &self,
        asked: Vec<MeterRow>,
        upto: i64,
        snapshot: Arc<Snapshot>,
    ) -> Result<Vec<MeterRow>, LedgerError> {
        self.read(move |connection| Replay::of(&asked, &snapshot).run(connection, &asked, upto))
            .await
    }
}

struct Replay<'s> {
    /// Of the models that count on one of the meters.
    prices: HashMap<&'s str, &'s Price>,
    keys: HashSet<&'s MeterKey>,
    since: Timestamp,
}

impl<'s> Replay<'s> {
    fn of(asked: &'s [MeterRow], snapshot: &'s Snapshot) -> Self {
        let keys: HashSet<&MeterKey> = asked.iter().map(|row| &row.key).collect();
        let counts = |price: &Price| {
            let mut meters = price.meters();
            meters.any(|meter| {
                keys.iter()
                    .any(|key| meter.name == key.name && meter.shape == key.shape)
            })
        };
        let priced = snapshot
            .models
            .iter()
            .filter_map(|model| Some((&*model.name, model.price.as_ref()?)));
        Self {
            prices: priced.filter(|(_, price)| counts(price)).collect(),
            since: keys.iter().map(|key| key.start).min().unwrap_or(Timestamp::UNIX_EPOCH),
            keys,
        }
    }

    fn run(&self, connection: &Connection, asked: &[MeterRow], upto: i64) -> rusqlite::Result<Vec<MeterRow>> {
        let mut counters = Counters::default();
        // One model at a time would lose the order in which those of a shared meter came.
        let mut statement = connection.prepare(
            "SELECT * FROM attempts WHERE at >= ?1 AND id <= ?2 AND ended = 'posted'
             AND outcome NOT IN ('adjustment', 'release', 'estimate') ORDER BY id",
        )?;
        let mut rows = statement.query(params![time(self.since), upto])?;
        while let Some(row) = rows.next()? {
            if let Some(price) = self.prices.get(row.get_ref("model")?.as_str()?) {
                self.count(&mut counters, price, row)?;
            }
        }
        let found = asked.iter().map(|row| {
            let counted = counters.row(&row.key);
            counted.unwrap_or_else(|| row.clone())
        });
        Ok(found.collect())
    }

    fn count(&self, counters: &mut Counters, price: &Price, row: &Row<'_>) -> rusqlite::Result<()> {
        let at: String = row.get("at")?;
        let Some(at) = read_time(&at) else { return Ok(()) };
        let (usage, options) = read_usage(row)?;
        let moment = Moment {
            options: &options,
            ..Moment::plain(at)
        };
        let positions = counters.positions(price, at);
        let quote = price.quote(&moment).at(&positions);
        // A quota that was counting then gave what stands there.
        let quota = price.quota_at(at).map(|meter| meter.key(at));
        let given = quota
            .filter(|key| !self.keys.contains(key))
            .map(|_| row.get("free_tokens"));
        let quote = match given {
            Some(given) => quote.giving(given.map(|tokens: i64| tokens.unsigned_abs())?),
            None => quote,
        };
        let drawn = quote.bill(&usage).drawn;
        let steps = quote.at_each_step(&usage);
        counters.draw(price, at, drawn, &steps);
        Ok(())
    }
}
