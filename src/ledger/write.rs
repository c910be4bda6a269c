//! One record into the tables: the SQL of everything that is written.

use super::error::LedgerError;
use super::hours::Hours;
use super::rebuild::Upto;
use super::record::{Delivery, OutboxEvent, PlanRecord, PolicyRecord, Posting, RaiseRecord, Record};
use super::text::{count, time};
use crate::budget::{Grant, GrantRequest, PoolId, Spent};
use crate::money::{Currency, Money};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;
use std::sync::Arc;

/// An account by its key; of a sliding window one of its buckets.
pub(super) type AccountPart = (Arc<str>, Option<i64>);

/// What the writer knows beside the tables; changed only by transactions that were committed.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Rows of the books' pools.
    pools: HashMap<u64, i64>,
    /// What each of the books' pools has ended so far, as far as it was recorded: a rebuild leaves that out.
    own: HashMap<u64, HashMap<AccountPart, Spent>>,
    /// How many users were counted by licence and month.
    pub(super) users: HashMap<(Arc<str>, String), i64>,
    /// Provider and supply of each model when an attempt at it was recorded last.
    pub(super) served: HashMap<Arc<str>, (Arc<str>, &'static str)>,
    /// How far the rebuild under way has come.
    pub(super) rebuilt_upto: Option<Upto>,
    staged: Vec<(u64, AccountPart, Spent)>,
    returned: Vec<u64>,
}

impl Memory {
    pub(super) fn commit(&mut self) {
        for (life, part, spent) in self.staged.drain(..) {
            let own = self.own.entry(life).or_default().entry(part).or_default();
            *own = own.plus(spent);
        }
        for life in self.returned.drain(..) {
            self.own.remove(&life);
            self.pools.remove(&life);
        }
    }

    /// Rows that the transaction made are gone; those that were there before are found again.
    pub(super) fn roll_back(&mut self) {
        self.rebuilt_upto = None;
        self.staged.clear();
        self.returned.clear();
        self.pools.clear();
        self.users.clear();
    }

    pub(super) fn own(&self, life: u64, part: &AccountPart) -> Spent {
        self.own
            .get(&life)
            .and_then(|own| own.get(part))
            .copied()
            .unwrap_or_default()
    }

    /// Over all buckets.
    pub(super) fn own_total(&self, life: u64, key: &str) -> Spent {
        let parts = self.own.get(&life).into_iter().flatten();
        let of_key = parts.filter(|((known, _), _)| known.as_ref() == key);
        of_key.fold(Spent::default(), |sum, (_, spent)| sum.plus(*spent))
    }
}

/// One transaction's view.
pub(super) struct Write<'a> {
    pub(super) connection: &'a Connection,
    pub(super) incarnation: i64,
    pub(super) memory: &'a mut Memory,
    /// An event was put into the outbox.
    pub(super) rang: bool,
    pub(super) hours: Hours,
    /// What was posted since [`Write::sum_up`], by pool's row, life and key.
    sums: HashMap<(i64, u64, Arc<str>), Spent>,
}

impl<'a> Write<'a> {
    pub(super) fn new(connection: &'a Connection, incarnation: i64, memory: &'a mut Memory) -> Self {
        Self {
            connection,
            incarnation,
            memory,
            rang: false,
            hours: Hours::default(),
            sums: HashMap::new(),
        }
    }
}

impl Write<'_> {
    pub(super) fn record(&mut self, record: &Record) -> rusqlite::Result<()> {
        match record {
            Record::Attempt(attempt) => self.attempt(attempt),
            Record::Decision(decision) => self.decision(decision),
            Record::Event(event) => self.event(event),
            Record::Delivery {
                event,
                target,
                delivery,
            } => self.delivery(event, target, delivery),
            Record::Plan(plan) => self.plan(plan),
            Record::Policy(policy) => self.policy(policy),
            Record::Raise(raise) => self.raise(raise),
            Record::MetersFound(rows) => self.meters_found(rows),
            Record::MetersLeft(keys) => self.meters_left(keys),
            Record::Refused(refused) => refused.iter().try_for_each(|refused| self.refused(refused)),
            Record::Release(release) => self.release(release),
            Record::OutputRatios(rows) => rows.iter().try_for_each(|row| self.output_ratio(row)),
            Record::Joined { membership, at } => self.joined(membership, *at),
            Record::Return(pool) => self.take_back(pool),
            Record::Exhausted { pool, key, at, limit } => self.exhausted(pool, key, *at, *limit),
        }
    }

    /// Raises a lease as far as the limit lets it: `posted + held + outstanding + more ≤ limit`.
    pub(super) fn grant(&mut self, request: &GrantRequest) -> rusqlite::Result<Result<Grant, LedgerError>> {
        let newest: i64 = self.value("SELECT max(number) FROM incarnations", [])?;
        if newest != self.incarnation {
            return Ok(Err(LedgerError::Superseded));
        }
        let pool = self.pool(&request.pool)?;
        self.run(
            "UPDATE pools SET limit_nanos = ?2, hard = ?3 WHERE id = ?1",
            params![pool, request.limit.nanos(), request.hard],
        )?;
        let life = count(request.pool.life);
        self.run(
            "INSERT INTO leases (pool, incarnation, life, granted_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
            params![pool, self.incarnation, life, time(Timestamp::now())],
        )?;
        let granted: i64 = self.value(
            "SELECT granted FROM leases WHERE pool = ?1 AND incarnation = ?2 AND life = ?3",
            params![pool, self.incarnation, life],
        )?;
        let mut more = request.upto.nanos().saturating_sub(granted).max(0);
        if let Some(limit) = request.bound() {
            let committed: i64 = self.value(
                "SELECT coalesce((SELECT sum(posted + held) FROM accounts WHERE pool = ?1), 0)
                 + coalesce((SELECT sum(granted - used) FROM leases WHERE pool = ?1 AND ended_at IS NULL), 0)",
                [pool],
            )?;
            more = more.min(limit.nanos().saturating_sub(committed).max(0));
        }
        if more > 0 {
            self.run(
                "UPDATE leases SET granted = granted + ?4, granted_at = ?5
                 WHERE pool = ?1 AND incarnation = ?2 AND life = ?3",
                params![pool, self.incarnation, life, more, time(Timestamp::now())],
            )?;
        }
        let total = Money::from_nanos(granted + more);
        let enough = total >= request.least;
        Ok(Ok(Grant {
            pool: request.pool.clone(),
            total,
            enough,
        }))
    }

    /// The pool's row, made when it is new.
    pub(super) fn pool(&mut self, id: &PoolId) -> rusqlite::Result<i64> {
        let names = (id.budget.as_ref(), id.shape.as_ref());
        self.pool_row(id.life, names, (id.span.start, id.span.end), id.currency, id.keyed)
    }

    pub(super) fn known_pool(&self, id: &PoolId) -> rusqlite::Result<Option<i64>> {
        let names = (id.budget.as_ref(), id.shape.as_ref());
        self.find_pool(id.life, names, (id.span.start, id.span.end), id.currency)
    }

    pub(super) fn add(&mut self, pool: i64, key: &str, spent: Spent) -> rusqlite::Result<()> {
        self.run(
            "INSERT INTO accounts (pool, key, posted, held, overdraft) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (pool, key) DO UPDATE SET posted = posted + excluded.posted, held = held + excluded.held,
             overdraft = overdraft + excluded.overdraft",
            params![
                pool,
                key,
                spent.posted.nanos(),
                spent.held.nanos(),
                spent.overdraft.nanos()
            ],
        )
    }

    /// `found` marks what a rebuild added later.
    pub(super) fn posting(
        &mut self,
        (pool, attempt): (i64, i64),
        key: &str,
        spent: Spent,
        found: bool,
    ) -> rusqlite::Result<()> {
        self.run(
            "INSERT INTO postings (pool, attempt, key, posted, held, overdraft, found) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![pool, attempt, key, spent.posted.nanos(), spent.held.nanos(), spent.overdraft.nanos(), found],
        )
    }

    pub(super) fn post(&mut self, attempt: i64, p: &Posting, currency: Currency) -> rusqlite::Result<()> {
        let names = (p.budget.as_ref(), p.shape.as_ref());
        let span = (p.span.start, p.span.end);
        if p.only_if_known && self.find_pool(p.life, names, span, currency)?.is_none() {
            return Ok(());
        }
        let pool = self.pool_row(p.life, names, span, currency, !p.key.is_empty())?;
        let spent = Spent {
            posted: p.posted,
            held: p.held,
            overdraft: p.overdraft,
        };
        self.posting((pool, attempt), &p.key, spent, false)?;
        let sum = self.sums.entry((pool, p.life, p.key.clone())).or_default();
        *sum = sum.plus(spent);
        self.memory.staged.push((p.life, (p.key.clone(), p.bucket), spent));
        Ok(())
    }

    /// Brings accounts and leases up to the postings: once for many, and before anything that reads them or commits.
    pub(super) fn sum_up(&mut self) -> rusqlite::Result<()> {
        for ((pool, life, key), spent) in std::mem::take(&mut self.sums) {
            self.add(pool, &key, spent)?;
            self.run(
                "INSERT INTO leases (pool, incarnation, life, used, granted_at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (incarnation, pool, life) DO UPDATE SET used = used + excluded.used",
                params![
                    pool,
                    self.incarnation,
                    count(life),
                    spent.drawn().nanos(),
                    time(Timestamp::now())
                ],
            )?;
        }
        self.write_hours()
    }

    fn event(&mut self, e: &OutboxEvent) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO outbox (id, type, at, dedupe, body) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
        )?;
        if statement.execute(params![e.id, e.kind, time(e.at), e.dedupe, e.body])? == 0 {
            return Ok(());
        }
        self.rang = true;
        e.targets.iter().try_for_each(|target| {
            self.run(
                "INSERT INTO deliveries (event, target, next_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                params![e.id, target, time(e.at)],
            )
        })
    }

    fn delivery(&mut self, event: &str, target: &str, delivery: &Delivery) -> rusqlite::Result<()> {
        let (state, next_at, done_at, error) = match delivery {
            Delivery::Delivered { at } => ("delivered", None, Some(*at), None),
            Delivery::Failed { next_at, error } => ("pending", Some(*next_at), None, Some(error)),
            Delivery::Dead { at, error } => ("dead", None, Some(*at), Some(error)),
        };
        self.run(
            "UPDATE deliveries SET state = ?3, tries = tries + 1, next_at = coalesce(?4, next_at), done_at = ?5, error = ?6
             WHERE event = ?1 AND target = ?2 AND state = 'pending'",
            params![event, target, state, next_at.map(time), done_at.map(time), error],
        )
    }

    fn plan(&mut self, p: &PlanRecord) -> rusqlite::Result<()> {
        let manual = p.manual.as_ref();
        self.run(
            "INSERT INTO plan_history (at, plan, active, since, why, override, override_until, cause, latched)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                time(p.at),
                p.plan,
                p.active,
                p.since.map(time),
                p.why,
                manual.map(|manual| if manual.active { "active" } else { "released" }),
                manual.and_then(|manual| manual.until).map(time),
                p.cause,
                p.latched,
            ],
        )
    }

    fn raise(&mut self, r: &RaiseRecord) -> rusqlite::Result<()> {
        self.run(
            "INSERT INTO raises (at, budget, amount, currency, until) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                time(r.at),
                r.budget,
                r.by.map(Money::nanos),
                r.currency.to_string(),
                time(r.until),
            ],
        )
    }

    /// The same text again (a restart) is the same policy still.
    fn policy(&mut self, p: &PolicyRecord) -> rusqlite::Result<()> {
        self.run(
            "INSERT INTO policies (since, hash, origin, text) SELECT ?1, ?2, ?3, ?4
             WHERE ?2 IS NOT (SELECT hash FROM policies ORDER BY id DESC LIMIT 1)",
            params![time(p.since), p.hash, p.origin, p.text],
        )
    }

    fn take_back(&mut self, id: &PoolId) -> rusqlite::Result<()> {
        // One that the store was only asked about has no row, and must not get one.
        if let Some(pool) = self.known_pool(id)? {
            self.run(
                "UPDATE leases SET ended_at = ?4, settled = 1 WHERE pool = ?1 AND incarnation = ?2 AND life = ?3",
                params![pool, self.incarnation, count(id.life), time(Timestamp::now())],
            )?;
        }
        self.memory.returned.push(id.life);
        Ok(())
    }

    fn exhausted(&mut self, id: &PoolId, key: &str, at: Timestamp, limit: Money) -> rusqlite::Result<()> {
        let pool = self.pool(id)?;
        self.add(pool, key, Spent::default())?;
        self.run(
            "UPDATE accounts SET exhausted_at = ?3, exhausted_limit = ?4 WHERE pool = ?1 AND key = ?2",
            params![pool, key, time(at), limit.nanos()],
        )
    }

    /// The pool's row, if there is one.
    pub(super) fn find_pool(
        &self,
        life: u64,
        (budget, shape): (&str, &str),
        (start, end): (Timestamp, Timestamp),
        currency: Currency,
    ) -> rusqlite::Result<Option<i64>> {
        if let Some(known) = self.memory.pools.get(&life) {
            return Ok(Some(*known));
        }
        let find = "SELECT id FROM pools WHERE budget = ?1 AND shape = ?2 AND period_start = ?3 AND period_end = ?4
                    AND currency = ?5";
        self.connection
            .prepare_cached(find)?
            .query_row(params![budget, shape, time(start), time(end), currency.code()], |row| {
                row.get(0)
            })
            .optional()
    }

    fn pool_row(
        &mut self,
        life: u64,
        names: (&str, &str),
        (start, end): (Timestamp, Timestamp),
        currency: Currency,
        keyed: bool,
    ) -> rusqlite::Result<i64> {
        let found = self.find_pool(life, names, (start, end), currency)?;
        let (budget, shape) = names;
        let (start, end) = (time(start), time(end));
        let pool = match found {
            Some(pool) => pool,
            None => {
                self.run(
                    "INSERT INTO pools (budget, shape, period_start, period_end, currency, keyed)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![budget, shape, start, end, currency.code(), keyed],
                )?;
                let pool = self.connection.last_insert_rowid();
                self.inherit_unaccounted(pool)?;
                pool
            }
        };
        self.memory.pools.insert(life, pool);
        Ok(pool)
    }

    pub(super) fn run(&self, sql: &str, params: impl rusqlite::Params) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute(params).map(|_| ())
    }

    fn value(&self, sql: &str, params: impl rusqlite::Params) -> rusqlite::Result<i64> {
        self.connection.prepare_cached(sql)?.query_row(params, |row| row.get(0))
    }
}
