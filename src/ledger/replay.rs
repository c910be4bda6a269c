//! What the meters of prices would have counted, had they been in force: the recorded attempts again, in their order,
//! through the prices that have those meters. A model under another name is the same one where its provider and the
//! provider's name for it are; what was counted before meters had shapes is a lower bound.

use super::command::Command;
use super::error::LedgerError;
use super::handle::Ledger;
use super::text::{read_time, read_usage, time};
use crate::money::Money;
use crate::policy::snapshot::Snapshot;
use crate::price::{Counters, MeterKey, MeterRow, Moment, Price};
use crate::usage::Usage;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
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
    /// Of the models that count on one of the meters; `None` of those that do not.
    prices: HashMap<&'s str, Option<&'s Price>>,
    /// The same by provider and the provider's name, for attempts under a name that is no more.
    upstreams: HashMap<(&'s str, &'s str), &'s Price>,
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
        let counting = |price: &'s Option<Price>| price.as_ref().filter(|price| counts(price));
        let models = snapshot.models.iter().rev();
        let upstreams = models.filter_map(|model| {
            let provider = &*snapshot.provider(model.provider).name;
            Some(((provider, &*model.upstream), counting(&model.price)?))
        });
        Self {
            prices: snapshot
                .models
                .iter()
                .map(|model| (&*model.name, counting(&model.price)))
                .collect(),
            upstreams: upstreams.collect(),
            since: keys.iter().map(|key| key.start).min().unwrap_or(Timestamp::UNIX_EPOCH),
            keys,
        }
    }

    fn run(&self, connection: &Connection, asked: &[MeterRow], upto: i64) -> rusqlite::Result<Vec<MeterRow>> {
        let mut counters = Counters::default();
        // One model at a time would lose the order in which those of a shared meter came.
        let mut statement = connection.prepare(
            "SELECT a.*, coalesce(d.input, 0) AS asked FROM attempts a LEFT JOIN decisions d ON d.id = a.decision
             WHERE a.at >= ?1 AND a.id <= ?2 AND a.ended IN ('posted', 'held')
             AND a.outcome NOT IN ('adjustment', 'release', 'estimate') ORDER BY a.id",
        )?;
        let mut rows = statement.query(params![time(self.since), upto])?;
        while let Some(row) = rows.next()? {
            let Some(price) = self.price_of(row)? else { continue };
            if row.get_ref("ended")?.as_str()? == "held" {
                count_held(&mut counters, price, row)?;
            } else {
                self.count(&mut counters, price, row)?;
            }
        }
        asked
            .iter()
            .map(|row| {
                let counted = counters.row(&row.key).unwrap_or_else(|| row.clone());
                at_least_before(connection, counted)
            })
            .collect()
    }

    /// By its name; by what it is at its provider where the policy has that name no more.
    fn price_of(&self, row: &Row<'_>) -> rusqlite::Result<Option<&'s Price>> {
        if let Some(known) = self.prices.get(row.get_ref("model")?.as_str()?) {
            return Ok(*known);
        }
        let upstream = (row.get_ref("provider")?.as_str()?, row.get_ref("upstream")?.as_str()?);
        Ok(self.upstreams.get(&upstream).copied())
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

/// Nobody knows what a held attempt used: of a quota what was drawn when it was held, at least its input.
fn count_held(counters: &mut Counters, price: &Price, row: &Row<'_>) -> rusqlite::Result<()> {
    let at: String = row.get("at")?;
    let Some(at) = read_time(&at) else { return Ok(()) };
    let tokens = |column: &str| row.get::<_, i64>(column).map(|tokens| tokens.max(0).unsigned_abs());
    let most = Usage {
        input: tokens("free_tokens")?.max(tokens("asked")?),
        ..Usage::default()
    };
    let positions = counters.positions(price, at);
    let quote = price.quote(&Moment::plain(at)).at(&positions);
    counters.draw(price, at, quote.bill(&most).drawn.of_quota(), &[]);
    Ok(())
}

/// What a meter had counted before shapes were kept was counted from every attempt as it ended.
fn at_least_before(connection: &Connection, mut found: MeterRow) -> rusqlite::Result<MeterRow> {
    let key = params![found.key.name, time(found.key.start)];
    let used: Option<i64> = connection
        .prepare_cached("SELECT used FROM meters WHERE name = ?1 AND shape = '' AND period_start = ?2")?
        .query_row(key, |row| row.get(0))
        .optional()?;
    let Some(used) = used else { return Ok(found) };
    found.used = found.used.max(used.max(0).unsigned_abs());
    let mut steps = connection.prepare_cached(
        "SELECT amount FROM meter_steps WHERE name = ?1 AND shape = '' AND period_start = ?2 ORDER BY step",
    )?;
    let before = steps.query_map(key, |row| row.get(0).map(Money::from_nanos))?;
    for (step, amount) in found.steps.iter_mut().zip(before) {
        *step = (*step).max(amount?);
    }
    Ok(found)
}
