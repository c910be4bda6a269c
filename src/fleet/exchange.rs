//! One exchange with the store: who asks is who it says, what it spent is reported, its shares are extended or given
//! back, in one short transaction.
//!
//! Promises that posted, held, kept and leased of an account never pass its limit by a grant: the accounts are locked in
//! the order of their numbers, and one statement reads them, reckons and writes. What a report says is a total, so that
//! the same report twice is one.

use super::error::FleetError;
use super::session::{AccountKey, Row as Place, Session, Stamp};
use crate::budget::{ShareAnswer, ShareRequest, Spent};
use crate::money::Money;
use std::collections::{HashMap, HashSet};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement, Transaction};

/// Says that this is the newest start of this holder and its next exchange; the same one again after a lost answer is
/// let through.
const PRESENT: &str = "UPDATE planb.members SET exchange = $4 + 1, nonce = $5, seen_at = now(), stopped_at = NULL
    WHERE fleet = $1 AND holder = $2 AND incarnation = $3 AND (exchange = $4 OR (exchange = $4 + 1 AND nonce = $5))";

const LOCK: &str = "SELECT id FROM planb.accounts WHERE id = ANY($1) ORDER BY id FOR UPDATE";

/// $1 holder, $2 incarnation, $3 fleet, then by account: number, posted, held, overdraft, least, upto, hard.
/// A lease of an earlier start is kept: what it has left may have been drawn by a copy of this daemon that still runs.
/// A copy stops 200 s after its last answer, so that 300 s after it the rest is free; where this daemon knows less than it
/// told before, its books are older than the store's, and the rest stays to the period's end.
const EXCHANGE: &str = "WITH asked AS (
        SELECT * FROM unnest($4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::boolean[])
            AS q (account, posted, held, overdraft, least, upto, hard)
    ), was AS (
        SELECT q.*, q.posted + q.held - q.overdraft AS drawn, l.posted AS posted0, l.held AS held0,
               l.overdraft AS overdraft0, l.total AS total0, l.kept AS kept0, l.kept_until, l.renewed_at,
               l.posted + l.held - l.overdraft AS drawn0, l.incarnation <> $2 AS taken_over
        FROM asked q JOIN planb.leases l ON l.account = q.account AND l.holder = $1
    ), told AS (
        SELECT w.*, greatest(w.total0 - w.drawn0, 0) AS out0,
               CASE WHEN w.taken_over THEN w.drawn ELSE greatest(least(w.total0, w.upto), w.drawn) END AS total1,
               CASE WHEN w.kept_until < now() THEN 0 ELSE w.kept0 END
                   + CASE WHEN w.taken_over THEN greatest(w.total0 - w.drawn, 0) ELSE 0 END AS kept1
        FROM was w
    ), room AS (
        SELECT t.*, p.period_end, p.opened_at IS NULL AS counting, b.limit_nanos,
               a.posted - t.posted0 + t.posted AS all_posted, a.held - t.held0 + t.held AS all_held,
               a.overdraft - t.overdraft0 + t.overdraft AS all_overdraft, a.kept - t.kept0 + t.kept1 AS all_kept,
               a.leased - t.out0 + t.total1 - t.drawn AS all_leased
        FROM told t JOIN planb.accounts a ON a.id = t.account JOIN planb.pools p ON p.id = a.pool
        JOIN planb.limits b ON b.fleet = p.fleet AND b.budget = p.budget AND b.currency = p.currency
    ), fits AS (
        SELECT r.*, greatest(r.limit_nanos - r.all_posted - r.all_held - r.all_kept - r.all_leased, 0) AS left0,
               greatest((SELECT count(*) FROM planb.members m WHERE m.fleet = $3 AND m.stopped_at IS NULL
                         AND m.seen_at > now() - interval '300 seconds'), 1) AS daemons
        FROM room r
    ), given AS (
        SELECT f.*, CASE WHEN f.counting OR NOT f.hard OR f.upto <= f.total1 THEN 0
            ELSE least(f.upto - f.total1, f.left0, greatest(f.least - f.total1, f.left0 / (2 * f.daemons))) END AS more
        FROM fits f
    ), lease AS (
        UPDATE planb.leases l SET incarnation = $2, posted = g.posted, held = g.held, overdraft = g.overdraft,
            total = g.total1 + g.more, kept = g.kept1, renewed_at = now(),
            kept_until = CASE WHEN NOT g.taken_over THEN g.kept_until
                WHEN g.drawn < g.drawn0 OR g.kept_until >= g.period_end THEN g.period_end
                ELSE g.renewed_at + interval '300 seconds' END
        FROM given g WHERE l.account = g.account AND l.holder = $1
    )
    UPDATE planb.accounts a SET posted = g.all_posted, held = g.all_held, overdraft = g.all_overdraft,
        kept = g.all_kept, leased = g.all_leased + g.more
    FROM given g WHERE a.id = g.account
    RETURNING a.id, g.total1 + g.more AS total, g.all_posted - g.posted AS posted, g.all_held + g.all_kept - g.held AS held,
        g.all_overdraft - g.overdraft AS overdraft, g.limit_nanos, (g.left0 - g.more)::bigint AS left, g.counting";

/// Of the accounts that gave not enough: what others that are there hold idle.
const IDLE: &str = "SELECT coalesce(sum(greatest(total - (posted + held - overdraft), 0)), 0)::bigint FROM planb.leases
    WHERE account = $1 AND holder <> $2 AND renewed_at > now() - interval '300 seconds'";

/// At most once a second for an account, and only those who hold most: a thousand daemons that answer at once would be
/// the storm that leases are there to avoid.
const RECALL: &str = "WITH due AS (
        UPDATE planb.accounts SET recalled_at = now()
        WHERE id = $1 AND (recalled_at IS NULL OR recalled_at < now() - interval '1 second') RETURNING id
    ), rich AS (
        SELECT l.holder FROM planb.leases l JOIN due ON l.account = due.id
        WHERE l.holder <> $2 AND l.renewed_at > now() - interval '300 seconds'
            AND l.total > l.posted + l.held - l.overdraft
        ORDER BY l.total - (l.posted + l.held - l.overdraft) DESC LIMIT 8
    )
    SELECT pg_notify('planb_' || holder, $1::bigint::text) FROM rich";

const AGREE: &str = "INSERT INTO planb.limits AS l (fleet, budget, currency, limit_nanos, policy, edited_at)
    VALUES ($1, $2, $3, $4, $5, $6::text::timestamptz)
    ON CONFLICT (fleet, budget, currency) DO UPDATE SET limit_nanos = excluded.limit_nanos, policy = excluded.policy,
        edited_at = excluded.edited_at WHERE excluded.edited_at > l.edited_at";

/// A pool that began before its first report has a past that all who are there must tell first. Who has not heard of
/// the budget has, after 100 s, had an exchange without it.
const OPEN: &str = "UPDATE planb.pools p SET opened_at = now()
    WHERE p.id = ANY($1) AND p.opened_at IS NULL AND (p.created_at <= p.period_start
        OR p.created_at < now() - interval '100 seconds'
        OR NOT EXISTS (SELECT 1 FROM planb.members m WHERE m.fleet = $2 AND m.stopped_at IS NULL
            AND m.seen_at > now() - interval '300 seconds'
            AND NOT EXISTS (SELECT 1 FROM planb.reports r WHERE r.pool = p.id AND r.holder = m.holder)))";

pub(super) struct Statements {
    present: Statement,
    lock: Statement,
    exchange: Statement,
    idle: Statement,
    recall: Statement,
    agree: Statement,
    open: Statement,
}

impl Statements {
    pub(super) async fn prepare(client: &Client) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            present: client.prepare(PRESENT).await?,
            lock: client.prepare(LOCK).await?,
            exchange: client.prepare(EXCHANGE).await?,
            idle: client.prepare(IDLE).await?,
            recall: client.prepare(RECALL).await?,
            agree: client.prepare(AGREE).await?,
            open: client.prepare(OPEN).await?,
        })
    }
}

/// One transaction under way.
pub(super) struct Exchange<'a> {
    pub(super) transaction: &'a Transaction<'a>,
    pub(super) statements: &'a Statements,
    pub(super) session: &'a Session,
    pub(super) stamp: &'a Stamp,
    /// Taken over by the session once the transaction is through.
    pub(super) found: HashMap<AccountKey, Place>,
    pub(super) agreed: HashMap<(String, String), (i64, String)>,
}

impl Exchange<'_> {
    /// False: another start of this holder has taken its place.
    pub(super) async fn present(&self, nonce: i64) -> Result<bool, tokio_postgres::Error> {
        let session = self.session;
        let rows = self
            .transaction
            .execute(
                &self.statements.present,
                &[
                    &session.fleet,
                    &session.holder,
                    &session.incarnation,
                    &session.exchange,
                    &nonce,
                ],
            )
            .await?;
        Ok(rows == 1)
    }

    pub(super) async fn shares(
        &mut self,
        requests: &[ShareRequest],
    ) -> Result<Vec<ShareAnswer>, tokio_postgres::Error> {
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        self.agree(requests).await?;
        let opened = self.resolve(requests).await?;
        let mut by_account: HashMap<i64, &ShareRequest> = HashMap::new();
        for request in requests {
            if let Some(place) = self.place(&AccountKey::of(&request.pool, &request.key)) {
                by_account.insert(place.account, request);
            }
        }
        let mut accounts: Vec<i64> = by_account.keys().copied().collect();
        accounts.sort_unstable();
        self.transaction.execute(&self.statements.lock, &[&accounts]).await?;
        if !opened.is_empty() {
            let pools: Vec<i64> = opened.into_iter().collect();
            let fleet = &self.session.fleet;
            self.transaction
                .execute(&self.statements.open, &[&pools, fleet])
                .await?;
        }
        let rows = self.run(&accounts, &by_account).await?;
        let mut answers = Vec::with_capacity(rows.len());
        for row in rows {
            let account: i64 = row.get("id");
            let Some(request) = by_account.get(&account) else {
                continue;
            };
            let mut answer = read(&row, request);
            if answer.lacks > Money::ZERO && !answer.counting {
                answer.idle = self.recall(account).await?;
            }
            answers.push(answer);
        }
        Ok(answers)
    }

    async fn run(
        &self,
        accounts: &[i64],
        by_account: &HashMap<i64, &ShareRequest>,
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let requests: Vec<&ShareRequest> = accounts.iter().filter_map(|id| by_account.get(id).copied()).collect();
        let column = |of: fn(&ShareRequest) -> Money| -> Vec<i64> {
            requests.iter().map(|request| of(request).nanos()).collect()
        };
        let hard: Vec<bool> = requests.iter().map(|request| request.hard).collect();
        let session = self.session;
        let columns = [
            column(|r| r.spent.posted),
            column(|r| r.spent.held),
            column(|r| r.spent.overdraft),
            column(|r| r.least),
            column(|r| r.upto),
        ];
        let [posted, held, overdraft, least, upto] = &columns;
        let parameters: [&(dyn ToSql + Sync); 10] = [
            &session.holder,
            &session.incarnation,
            &session.fleet,
            &accounts,
            posted,
            held,
            overdraft,
            least,
            upto,
            &hard,
        ];
        self.transaction.query(&self.statements.exchange, &parameters).await
    }

    async fn recall(&self, account: i64) -> Result<Money, tokio_postgres::Error> {
        let holder = &self.session.holder;
        let row = self
            .transaction
            .query_one(&self.statements.idle, &[&account, holder])
            .await?;
        let idle: i64 = row.get(0);
        if idle > 0 {
            let recall = &self.statements.recall;
            self.transaction.query(recall, &[&account, holder]).await?;
        }
        Ok(Money::from_nanos(idle))
    }

    /// The newest edit's limit wins; what the store has heard already is not said again.
    async fn agree(&mut self, requests: &[ShareRequest]) -> Result<(), tokio_postgres::Error> {
        for request in requests {
            let name = (request.pool.budget.to_string(), request.pool.currency.to_string());
            let edited = request
                .since
                .map_or(self.stamp.edited_at, |since| since.max(self.stamp.edited_at));
            let said = (request.limit.nanos(), edited.to_string());
            if self.session.agreed.get(&name) == Some(&said) || self.agreed.get(&name) == Some(&said) {
                continue;
            }
            self.transaction
                .execute(
                    &self.statements.agree,
                    &[
                        &self.session.fleet,
                        &name.0,
                        &name.1,
                        &said.0,
                        &&*self.stamp.hash,
                        &said.1,
                    ],
                )
                .await?;
            self.agreed.insert(name, said);
        }
        Ok(())
    }

    /// Finds or makes the rows of accounts that are asked for the first time. Returns the pools among them.
    async fn resolve(&mut self, requests: &[ShareRequest]) -> Result<HashSet<i64>, tokio_postgres::Error> {
        let mut touched = HashSet::new();
        for request in requests {
            if let Some(place) = self.place(&AccountKey::of(&request.pool, &request.key)) {
                if self.session.counting.contains(&place.pool) {
                    touched.insert(place.pool);
                }
                continue;
            }
            let pool = self.pool(request).await?;
            touched.insert(pool);
            let key = clean(&request.key);
            self.transaction
                .execute(
                    "INSERT INTO planb.accounts (pool, key) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                    &[&pool, &key],
                )
                .await?;
            let row = self
                .transaction
                .query_one(
                    "SELECT id FROM planb.accounts WHERE pool = $1 AND key = $2",
                    &[&pool, &key],
                )
                .await?;
            let account: i64 = row.get(0);
            self.transaction
                .execute(
                    "INSERT INTO planb.leases (account, holder, incarnation) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                    &[&account, &self.session.holder, &self.session.incarnation],
                )
                .await?;
            self.found
                .insert(AccountKey::of(&request.pool, &request.key), Place { pool, account });
        }
        Ok(touched)
    }

    async fn pool(&self, request: &ShareRequest) -> Result<i64, tokio_postgres::Error> {
        let id = &request.pool;
        let (start, end) = (id.span.start.to_string(), id.span.end.to_string());
        let (budget, shape, currency) = (clean(&id.budget), clean(&id.shape), id.currency.to_string());
        let named: [&(dyn ToSql + Sync); 6] = [&self.session.fleet, &budget, &shape, &start, &end, &currency];
        self.transaction
            .execute(
                "INSERT INTO planb.pools (fleet, budget, shape, period_start, period_end, currency)
                 VALUES ($1, $2, $3, $4::text::timestamptz, $5::text::timestamptz, $6) ON CONFLICT DO NOTHING",
                &named,
            )
            .await?;
        let row = self
            .transaction
            .query_one(
                "SELECT id FROM planb.pools WHERE fleet = $1 AND budget = $2 AND shape = $3
                 AND period_start = $4::text::timestamptz AND period_end = $5::text::timestamptz AND currency = $6",
                &named,
            )
            .await?;
        let pool: i64 = row.get(0);
        self.transaction
            .execute(
                "INSERT INTO planb.reports (pool, holder) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                &[&pool, &self.session.holder],
            )
            .await?;
        Ok(pool)
    }

    pub(super) fn place(&self, key: &AccountKey) -> Option<Place> {
        self.session.accounts.get(key).or(self.found.get(key)).copied()
    }
}

fn read(row: &Row, request: &ShareRequest) -> ShareAnswer {
    let money = |column| Money::from_nanos(row.get(column));
    let total = money("total");
    ShareAnswer {
        pool: request.pool.clone(),
        key: request.key.clone(),
        total,
        others: Spent {
            posted: money("posted"),
            held: money("held"),
            overdraft: money("overdraft"),
        },
        limit: money("limit_nanos"),
        left: money("left"),
        idle: Money::ZERO,
        lacks: if request.hard {
            request.least.minus(total).max(Money::ZERO)
        } else {
            Money::ZERO
        },
        counting: row.get("counting"),
    }
}

/// The database's texts hold every character but one.
pub(super) fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

impl FleetError {
    pub(super) fn superseded(present: bool) -> Result<(), Self> {
        if present { Ok(()) } else { Err(Self::Superseded) }
    }
}
