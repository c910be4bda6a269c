//! A budget's spend of one period, found in the attempts: for a budget that is new, changed, or was away for a while.
//!
//! Every attempt that a budget counts has one posting in its pool. What has none yet and is covered gets one here, so
//! that asking twice counts nothing twice and a pool that was in force all along finds nothing. A long period is gone
//! through in slices, each a transaction of its own, so that leases of other budgets need not wait for all of it.

use super::text::{count, read_payer, read_time, time};
use super::write::Write;
use crate::budget::{RebuildRequest, Rebuilt, RebuiltAccount, Spent, UNACCOUNTED_KEY, covers, key_of};
use crate::money::Money;
use crate::policy::condition::ModelFacts;
use crate::policy::snapshot::{Enforce, Supply};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};
use std::collections::HashMap;
use std::sync::Arc;

/// Attempts that are looked at in one transaction. Few in tests, so that every rebuild there is one of many slices.
const SLICE: i64 = if cfg!(test) { 3 } else { 5_000 };

/// Up to which attempt a rebuild has come: its time and its row.
pub(super) type Upto = (String, i64);

/// What each key spent in each bucket of a sliding window.
type Buckets = HashMap<Arc<str>, Vec<(i64, Spent)>>;

/// An attempt that has no posting in the pool.
struct Unposted {
    attempt: i64,
    key: Arc<str>,
    spent: Spent,
}

impl Write<'_> {
    /// One slice; nothing until the last.
    pub(super) fn rebuild(&mut self, request: &RebuildRequest) -> rusqlite::Result<Option<Rebuilt>> {
        if request.only_if_known && self.known_pool(&request.pool)?.is_none() {
            return Ok(Some(Rebuilt {
                pool: request.pool.clone(),
                accounts: Vec::new(),
                unaccounted: Money::ZERO,
                granted: Money::ZERO,
                known: false,
            }));
        }
        let pool = self.pool(&request.pool)?;
        self.run(
            "UPDATE pools SET limit_nanos = ?2, hard = ?3 WHERE id = ?1",
            params![
                pool,
                request.budget.limit.nanos(),
                request.budget.enforce == Enforce::Hard
            ],
        )?;
        let (unposted, upto) = self.unposted(pool, request)?;
        for unposted in unposted {
            self.posting((pool, unposted.attempt), &unposted.key, unposted.spent, true)?;
            self.add(pool, &unposted.key, unposted.spent)?;
        }
        self.memory.rebuilt_upto = upto;
        if self.memory.rebuilt_upto.is_some() {
            return Ok(None);
        }
        let granted = self.inherit_lease(pool, count(request.pool.life))?;
        self.answer(pool, request, granted).map(Some)
    }

    /// What was spent when, of a sliding window: by key and bucket, less what the pool itself has ended.
    fn buckets(&self, pool: i64, request: &RebuildRequest) -> rusqlite::Result<Buckets> {
        let mut buckets = Buckets::new();
        let Some(rolling) = request.budget.rolling() else {
            return Ok(buckets);
        };
        let mut statement = self.connection.prepare_cached(
            "SELECT o.key, o.posted, o.held, o.overdraft, a.at FROM postings o JOIN attempts a ON a.id = o.attempt
             WHERE o.pool = ?1",
        )?;
        let mut rows = statement.query([pool])?;
        while let Some(row) = rows.next()? {
            let money = |column| row.get::<_, i64>(column).map(Money::from_nanos);
            let (key, at): (Arc<str>, String) = (row.get("key")?, row.get("at")?);
            let spent = Spent {
                posted: money("posted")?,
                held: money("held")?,
                overdraft: money("overdraft")?,
            };
            let Some(at) = read_time(&at) else { continue };
            let (number, parts) = (rolling.bucket(at), buckets.entry(key).or_default());
            match parts.iter_mut().find(|(known, _)| *known == number) {
                Some((_, sum)) => *sum = sum.plus(spent),
                None => parts.push((number, spent)),
            }
        }
        for (key, parts) in &mut buckets {
            for (number, spent) in parts {
                let known = self.memory.own(request.pool.life, &(key.clone(), Some(*number)));
                *spent = spent.minus(known);
            }
        }
        Ok(buckets)
    }

    /// A pool that the books made anew has taken the open reservations of the one before it over, and so it does with
    /// that one's lease. Returns what is leased to it now.
    fn inherit_lease(&mut self, pool: i64, life: i64) -> rusqlite::Result<Money> {
        let now = time(Timestamp::now());
        self.run(
            "INSERT INTO leases (pool, incarnation, life, granted, granted_at)
             SELECT ?1, ?2, ?3, sum(max(granted - used, 0)), ?4 FROM leases
             WHERE pool = ?1 AND incarnation = ?2 AND life < ?3 AND ended_at IS NULL HAVING count(*) > 0
             ON CONFLICT (incarnation, pool, life) DO UPDATE SET granted = granted + excluded.granted",
            params![pool, self.incarnation, life, now],
        )?;
        self.run(
            "UPDATE leases SET ended_at = ?4, settled = 1
             WHERE pool = ?1 AND incarnation = ?2 AND life < ?3 AND ended_at IS NULL",
            params![pool, self.incarnation, life, now],
        )?;
        let granted = self
            .connection
            .prepare_cached("SELECT granted FROM leases WHERE pool = ?1 AND incarnation = ?2 AND life = ?3")?
            .query_row(params![pool, self.incarnation, life], |row| row.get(0))
            .optional()?;
        Ok(Money::from_nanos(granted.unwrap_or(0)))
    }

    /// What a crash left unrecorded under another shape of the same budget was spent all the same; that it may not be
    /// covered by this one is not known, so it counts.
    pub(super) fn inherit_unaccounted(&mut self, pool: i64) -> rusqlite::Result<()> {
        self.run(
            "INSERT INTO accounts (pool, key, held, unaccounted)
             SELECT p.id, CASE WHEN p.keyed THEN ?2 ELSE '' END, u.most, u.most
             FROM pools p, (
                 SELECT max(total) AS most FROM (
                     SELECT sum(a.unaccounted) AS total
                     FROM pools mine JOIN pools other ON other.budget = mine.budget AND other.currency = mine.currency
                         AND other.id <> mine.id AND other.period_start < mine.period_end
                         AND other.period_end > mine.period_start
                     JOIN accounts a ON a.pool = other.id
                     WHERE mine.id = ?1 GROUP BY other.id)) u
             WHERE p.id = ?1 AND u.most > 0",
            params![pool, UNACCOUNTED_KEY],
        )
    }

    /// Of the next slice, and up to where that goes unless it is the last.
    fn unposted(&self, pool: i64, request: &RebuildRequest) -> rusqlite::Result<(Vec<Unposted>, Option<Upto>)> {
        let id = &request.pool;
        let mut statement = self.connection.prepare_cached(
            "SELECT id, at, model, provider, supply, client, tags, purpose, route, territory, run, mirror, ended, amount,
             currency = ?4 AND amount <> 0 AND ended <> 'voided'
             AND NOT EXISTS (SELECT 1 FROM postings p WHERE p.pool = ?1 AND p.attempt = a.id) AS unposted
             FROM (SELECT * FROM attempts WHERE at >= ?2 AND at < ?3 AND (at > ?2 OR id > ?5) ORDER BY at, id LIMIT ?6) a
             ORDER BY at, id",
        )?;
        let (start, end) = (time(id.span.start), time(id.span.end));
        let (from, behind) = self.memory.rebuilt_upto.clone().unwrap_or((start, i64::MIN));
        let mut rows = statement.query(params![pool, from, end, id.currency.code(), behind, SLICE])?;
        let (mut unposted, mut looked_at, mut upto) = (Vec::new(), 0, None);
        while let Some(row) = rows.next()? {
            looked_at += 1;
            upto = Some((row.get("at")?, row.get("id")?));
            if row.get("unposted")? {
                unposted.extend(covered(row, request)?);
            }
        }
        Ok((unposted, upto.filter(|_| looked_at == SLICE)))
    }

    fn answer(&self, pool: i64, request: &RebuildRequest, granted: Money) -> rusqlite::Result<Rebuilt> {
        let mut statement = self.connection.prepare_cached(
            "SELECT key, posted, held, overdraft, unaccounted, exhausted_at, exhausted_limit FROM accounts WHERE pool = ?1",
        )?;
        let mut rows = statement.query([pool])?;
        let (mut accounts, mut unaccounted) = (Vec::new(), Money::ZERO);
        let mut buckets = self.buckets(pool, request)?;
        while let Some(row) = rows.next()? {
            let money = |column| row.get::<_, i64>(column).map(Money::from_nanos);
            let key: Arc<str> = row.get("key")?;
            let crashed = money("unaccounted")?;
            unaccounted = unaccounted.plus(crashed);
            if request.pool.keyed && key.as_ref() == UNACCOUNTED_KEY {
                continue;
            }
            let spent = Spent {
                posted: money("posted")?,
                held: money("held")?.minus(crashed),
                overdraft: money("overdraft")?,
            };
            let exhausted_at: Option<String> = row.get("exhausted_at")?;
            let under: Option<i64> = row.get("exhausted_limit")?;
            let known = self.memory.own_total(request.pool.life, &key);
            accounts.push(RebuiltAccount {
                spent: spent.minus(known),
                buckets: buckets.remove(&key).unwrap_or_default(),
                exhausted: exhausted_at
                    .as_deref()
                    .and_then(read_time)
                    .zip(under.map(Money::from_nanos)),
                key,
            });
        }
        Ok(Rebuilt {
            pool: request.pool.clone(),
            accounts,
            unaccounted,
            granted,
            known: true,
        })
    }
}

/// What the record says of the model.
pub(super) fn recorded(row: &Row<'_>) -> rusqlite::Result<ModelFacts> {
    let (name, provider): (Arc<str>, Arc<str>) = (row.get("model")?, row.get("provider")?);
    let word = row.get_ref("supply")?.as_str()?;
    let supply = Supply::ALL
        .iter()
        .map(|supply| supply.word())
        .find(|known| *known == word);
    Ok(ModelFacts::recorded(name, provider, supply.unwrap_or_default()))
}

fn covered(row: &Row<'_>, request: &RebuildRequest) -> rusqlite::Result<Option<Unposted>> {
    let caller = read_payer(row)?;
    let model = request.selectors.complete(recorded(row)?);
    if !covers(&request.budget, &model, &caller) {
        return Ok(None);
    }
    let amount = Money::from_nanos(row.get("amount")?);
    let held = row.get_ref("ended")?.as_str()? == "held";
    let spent = if held {
        Spent {
            held: amount,
            ..Spent::default()
        }
    } else {
        Spent {
            posted: amount,
            ..Spent::default()
        }
    };
    let key = Arc::from(key_of(&request.budget, &model, &caller));
    Ok(Some(Unposted {
        attempt: row.get("id")?,
        key,
        spent,
    }))
}
