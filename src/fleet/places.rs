//! The rows of pools and accounts in the store: found, or made by whoever comes first.

use super::exchange::Exchange;
use super::session::{AccountKey, Row as Place};
use crate::budget::ShareRequest;
use std::collections::HashSet;
use tokio_postgres::types::ToSql;

/// Of a window that slides there is a new pool for each block; those that no window reaches any more go, in the order in
/// which they refer to each other.
const FORGET: &[&str] = &[
    "DELETE FROM planb.buckets u USING planb.accounts a, planb.pools p WHERE u.account = a.id AND a.pool = p.id AND ",
    "DELETE FROM planb.leases u USING planb.accounts a, planb.pools p WHERE u.account = a.id AND a.pool = p.id AND ",
    "DELETE FROM planb.accounts a USING planb.pools p WHERE a.pool = p.id AND ",
    "DELETE FROM planb.reports a USING planb.pools p WHERE a.pool = p.id AND ",
    "DELETE FROM planb.pools p WHERE ",
];
/// The daemons' own books still look at a block for an hour.
const OVER: &str = "p.fleet = $1 AND p.budget = $2 AND p.bucket_seconds IS NOT NULL
    AND p.period_end + make_interval(secs => 120 * p.bucket_seconds) < now() - interval '2 hours'";

impl Exchange<'_> {
    /// Finds or makes the rows of accounts that are asked for the first time. Returns the pools among them, and those
    /// whose past is not told by all yet.
    pub(super) async fn resolve(&mut self, requests: &[ShareRequest]) -> Result<HashSet<i64>, tokio_postgres::Error> {
        let mut touched = HashSet::new();
        for request in requests {
            if let Some(place) = self.place(&AccountKey::of(&request.pool, &request.key)) {
                if self.session.counting.contains(&place.pool) {
                    self.report(place.pool).await?;
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
        let seconds: &(dyn ToSql + Sync) = &request.bucket_seconds;
        let made = self
            .transaction
            .execute(
                "INSERT INTO planb.pools (fleet, budget, shape, period_start, period_end, currency, bucket_seconds)
                 VALUES ($1, $2, $3, $4::text::timestamptz, $5::text::timestamptz, $6, $7) ON CONFLICT DO NOTHING",
                &[&named[..], &[seconds]].concat(),
            )
            .await?;
        if made == 1 && request.bucket_seconds.is_some() {
            for statement in FORGET {
                let statement = format!("{statement}{OVER}");
                self.transaction
                    .execute(&statement, &[&self.session.fleet, &budget])
                    .await?;
            }
        }
        let row = self
            .transaction
            .query_one(
                "SELECT id FROM planb.pools WHERE fleet = $1 AND budget = $2 AND shape = $3
                 AND period_start = $4::text::timestamptz AND period_end = $5::text::timestamptz AND currency = $6",
                &named,
            )
            .await?;
        let pool: i64 = row.get(0);
        self.report(pool).await?;
        Ok(pool)
    }

    /// This daemon has told what it spent in a pool.
    async fn report(&self, pool: i64) -> Result<(), tokio_postgres::Error> {
        self.transaction
            .execute(
                "INSERT INTO planb.reports (pool, holder) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                &[&pool, &self.session.holder],
            )
            .await?;
        Ok(())
    }
}

/// The database's texts hold every character but one.
pub(super) fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
