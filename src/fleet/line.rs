//! What stands behind the handle: the connection, who this daemon is to the store, what both know of each other. One
//! exchange at a time.

use super::error::FleetError;
use super::exchange::Exchange;
use super::link::{Call, Link};
use super::session::{AccountKey, Session, Stamp};
use super::tls::Tls;
use super::url::Target;
use crate::budget::{ShareAnswer, ShareRequest};
use jiff::Timestamp;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::mpsc::Sender;
use tokio::time::{sleep, timeout};

/// An exchange that takes longer has found a database that is gone or overrun.
const EXCHANGE_WITHIN: Duration = Duration::from_secs(8);
/// Tries of a transaction that another one made fail.
const TRIES: usize = 5;
/// How long a start waits for the connection of the start before to be closed.
const NAME_TRIES: usize = 12;
const NAME_AGAIN: Duration = Duration::from_millis(250);
/// Rows that are remembered; beyond, they are found anew.
const REMEMBERED: usize = 50_000;

pub(super) struct Line {
    pub(super) target: Target,
    pub(super) tls: Tls,
    pub(super) session: Session,
    pub(super) link: Option<Link>,
    pub(super) calls: Sender<Call>,
    pub(super) superseded: bool,
}

impl Line {
    /// The connection, opened where there is none, and this daemon's number in the store.
    pub(super) async fn link(&mut self, stamp: &mut Stamp) -> Result<(), FleetError> {
        if self.link.as_ref().is_some_and(|link| !link.is_closed()) {
            return Ok(());
        }
        self.link = None;
        let link = Link::open(&self.target, &self.tls, &self.session.holder, self.calls.clone()).await?;
        if self.session.incarnation == 0 {
            self.take_name(&link).await?;
            self.join(&link).await?;
        } else {
            // Whoever has it: the number of the start says which of the two may exchange.
            self.try_name(&link).await?;
        }
        self.tell_policy(&link, stamp).await?;
        self.link = Some(link);
        Ok(())
    }

    /// A new number, from which on earlier starts of this holder are refused.
    async fn join(&mut self, link: &Link) -> Result<(), FleetError> {
        let machine = machine();
        let row = link
            .client
            .query_one(
                "INSERT INTO planb.members AS m (fleet, holder, machine, version, incarnation) VALUES ($1, $2, $3, $4, 1)
                 ON CONFLICT (fleet, holder) DO UPDATE SET incarnation = m.incarnation + 1, exchange = 0, nonce = 0,
                     machine = excluded.machine, version = excluded.version, seen_at = now(), stopped_at = NULL
                 RETURNING incarnation",
                &[&self.session.fleet, &self.session.holder, &machine, &env!("CARGO_PKG_VERSION")],
            )
            .await
            .map_err(|error| self.failed(&error))?;
        self.session.incarnation = row.get(0);
        Ok(())
    }

    /// One daemon alone goes by a name: a copied state directory is told from one that comes back. The name is free as
    /// soon as the connection of whoever had it is closed.
    async fn take_name(&self, link: &Link) -> Result<(), FleetError> {
        for _ in 0..NAME_TRIES {
            if self.try_name(link).await? {
                return Ok(());
            }
            sleep(NAME_AGAIN).await;
        }
        let found = link
            .client
            .query_opt(
                "SELECT machine, extract(epoch FROM now() - seen_at)::bigint FROM planb.members WHERE fleet = $1 AND holder = $2",
                &[&self.session.fleet, &self.session.holder],
            )
            .await
            .map_err(|error| self.failed(&error))?;
        let (machine, seen) = found.map_or_else(Default::default, |row| (row.get(0), row.get(1)));
        Err(FleetError::NameTaken { machine, seen })
    }

    async fn try_name(&self, link: &Link) -> Result<bool, FleetError> {
        let name = format!("{}\u{1f}{}", self.session.fleet, self.session.holder);
        let row = link
            .client
            .query_one("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", &[&name])
            .await
            .map_err(|error| self.failed(&error))?;
        Ok(row.get(0))
    }

    /// Learns or tells when this policy was edited.
    async fn tell_policy(&mut self, link: &Link, stamp: &mut Stamp) -> Result<(), FleetError> {
        if self.session.told.as_ref() == Some(&stamp.hash) {
            return Ok(());
        }
        let edited = stamp.edited_at.to_string();
        let row = link
            .client
            .query_one(
                "INSERT INTO planb.policies AS p (fleet, hash, edited_at) VALUES ($1, $2, $3::text::timestamptz)
                 ON CONFLICT (fleet, hash) DO UPDATE SET edited_at = CASE WHEN $4 THEN p.edited_at
                     ELSE greatest(p.edited_at, excluded.edited_at) END
                 RETURNING (extract(epoch FROM edited_at) * 1000000)::bigint",
                &[&self.session.fleet, &&*stamp.hash, &edited, &stamp.fresh],
            )
            .await
            .map_err(|error| self.failed(&error))?;
        if stamp.fresh
            && let Ok(known) = Timestamp::from_microsecond(row.get(0))
        {
            stamp.edited_at = known;
        }
        self.session.told = Some(stamp.hash.clone());
        Ok(())
    }

    /// One exchange, within its time. A connection that failed is not used again.
    pub(super) async fn exchange(
        &mut self,
        requests: &[ShareRequest],
        stamp: &mut Stamp,
    ) -> Result<Vec<ShareAnswer>, FleetError> {
        if self.superseded {
            return Err(FleetError::Superseded);
        }
        let done = timeout(EXCHANGE_WITHIN, self.try_exchange(requests, stamp)).await;
        let done = done.unwrap_or(Err(FleetError::Slow));
        match &done {
            Ok(_) => {}
            Err(FleetError::Superseded) => self.superseded = true,
            Err(_) => self.link = None,
        }
        done
    }

    async fn try_exchange(
        &mut self,
        requests: &[ShareRequest],
        stamp: &mut Stamp,
    ) -> Result<Vec<ShareAnswer>, FleetError> {
        // One that was open before may have been closed meanwhile.
        let mut is_old = self.link.is_some();
        for _ in 0..TRIES {
            // The same until an answer comes: the store may have gone through with one whose answer was lost.
            let nonce = *self.session.nonce.get_or_insert_with(nonce);
            self.link(stamp).await?;
            if self.session.told.as_ref() != Some(&stamp.hash)
                && let Some(link) = self.link.take()
            {
                self.tell_policy(&link, stamp).await?;
                self.link = Some(link);
            }
            match self.transact(requests, stamp, nonce).await {
                // Its next try is another exchange.
                Ok(Err(FleetError::Older)) => {}
                Ok(answers) => return answers,
                Err(error) if FleetError::is_retried(&error) => {}
                Err(error) if is_old && FleetError::is_cut(&error) => (self.link, is_old) = (None, false),
                Err(error) => return Err(self.failed(&error)),
            }
        }
        Err(FleetError::Slow)
    }

    async fn transact(
        &mut self,
        requests: &[ShareRequest],
        stamp: &Stamp,
        nonce: i64,
    ) -> Result<Result<Vec<ShareAnswer>, FleetError>, tokio_postgres::Error> {
        let Some(link) = &mut self.link else {
            return Ok(Err(FleetError::Slow));
        };
        let transaction = link.client.transaction().await?;
        let mut exchange = Exchange {
            transaction: &transaction,
            statements: &link.statements,
            session: &self.session,
            stamp,
            found: HashMap::new(),
            agreed: HashMap::new(),
            daemons: None,
        };
        let present = exchange.present(nonce).await?;
        if !present {
            drop(transaction);
            return self.set_right().await;
        }
        let answers = exchange.shares(requests).await?;
        let mut counting = self.session.counting.clone();
        let mut named = Vec::with_capacity(answers.len());
        for answer in &answers {
            let Some(place) = exchange.place(&AccountKey::of(&answer.pool, &answer.key)) else {
                continue;
            };
            named.push((place.account, (answer.pool.clone(), answer.key.clone())));
            if answer.counting {
                counting.insert(place.pool);
            } else {
                counting.remove(&place.pool);
            }
        }
        let (found, agreed, daemons) = (exchange.found, exchange.agreed, exchange.daemons);
        transaction.commit().await?;
        let session = &mut self.session;
        session.exchange += 1;
        session.nonce = None;
        session.counting = counting;
        if session.accounts.len() > REMEMBERED {
            session.accounts.clear();
            session.named.clear();
        }
        session.accounts.extend(found);
        session.named.extend(named);
        session.agreed.extend(agreed);
        if let Some(daemons) = daemons {
            session.daemons = u32::try_from(daemons).unwrap_or(u32::MAX);
        }
        Ok(Ok(answers))
    }

    /// The store does not know this daemon as it was. Either another start has taken its place; or the store is an older
    /// one than it was, a copy that was put back or a standby that had not heard all, and does not know of shares that
    /// were given: then it gives none until all who are there have told what they spent.
    async fn set_right(&mut self) -> Result<Result<Vec<ShareAnswer>, FleetError>, tokio_postgres::Error> {
        let Some(link) = &mut self.link else {
            return Ok(Err(FleetError::Slow));
        };
        let session = &mut self.session;
        let transaction = link.client.transaction().await?;
        let found = transaction
            .query_opt(
                "SELECT incarnation, exchange FROM planb.members WHERE fleet = $1 AND holder = $2 FOR UPDATE",
                &[&session.fleet, &session.holder],
            )
            .await?;
        let known: Option<(i64, i64)> = found.map(|row| (row.get(0), row.get(1)));
        if known.is_some_and(|known| known >= (session.incarnation, session.exchange)) {
            return Ok(Err(FleetError::Superseded));
        }
        let machine = machine();
        transaction
            .execute(
                "INSERT INTO planb.members AS m (fleet, holder, machine, version, incarnation, exchange) VALUES ($1, $2, $3, $4, $5, $6)
                 ON CONFLICT (fleet, holder) DO UPDATE SET incarnation = excluded.incarnation, exchange = excluded.exchange",
                &[&session.fleet, &session.holder, &machine, &env!("CARGO_PKG_VERSION"), &session.incarnation, &session.exchange],
            )
            .await?;
        transaction
            .execute(
                "WITH closed AS (
                     UPDATE planb.pools SET opened_at = NULL, created_at = now()
                     WHERE fleet = $1 AND period_start < now() AND opened_at IS NOT NULL RETURNING id
                 )
                 DELETE FROM planb.reports r USING closed c WHERE r.pool = c.id",
                &[&session.fleet],
            )
            .await?;
        transaction.commit().await?;
        session.forget_store();
        tracing::error!(
            fleet = session.fleet,
            "the fleet's database knows less than it did: it gives nothing until the daemons have told what they spent"
        );
        Ok(Err(FleetError::Older))
    }

    /// Told once everything has been given back.
    pub(super) async fn leave(&mut self) -> Result<(), FleetError> {
        let Some(link) = &self.link else { return Ok(()) };
        let session = &self.session;
        link.client
            .execute(
                "UPDATE planb.members SET stopped_at = now() WHERE fleet = $1 AND holder = $2 AND incarnation = $3",
                &[&session.fleet, &session.holder, &session.incarnation],
            )
            .await
            .map(|_| ())
            .map_err(|error| self.failed(&error))
    }

    pub(super) fn failed(&self, error: &tokio_postgres::Error) -> FleetError {
        FleetError::of(&self.target.place, error)
    }
}

/// Tells one exchange from another after a lost answer.
fn nonce() -> i64 {
    let id = uuid::Uuid::now_v7().as_u128();
    i64::from_le_bytes(((id ^ (id >> 64)) as u64).to_le_bytes())
}

fn machine() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}
