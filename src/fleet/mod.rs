//! The store that daemons share: one PostgreSQL, from which each draws shares of the budgets' money.
//!
//! Every daemon keeps its own ledger as its durable record; what stands here is what they must agree on. Promises that
//! all daemons together draw no more than a limit, that one who lost the database draws for at most 200 s more, and that
//! what a vanished one had not told stays held in its name. Decides nothing: the books ask and are answered.

mod error;
mod exchange;
mod line;
mod link;
mod schema;
mod session;
mod tls;
mod url;

pub use error::FleetError;
pub use session::Stamp;
pub use url::Target;

use crate::budget::{PoolId, ShareAnswer, ShareRequest};
use crate::clock::Clock;
use line::Line;
use parking_lot::Mutex;
use session::Session;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tls::Tls;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Nothing is drawn so long after the exchange that was answered last began. The store takes a lease for lost after
/// 300 s of its own clock: who is paused or cut off has stopped by then.
pub const DRAWS_FOR: Duration = Duration::from_secs(200);
/// After a failure a request does not try anew before this; each failure doubles it.
const AGAIN_FIRST: Duration = Duration::from_millis(250);
const AGAIN_LAST: Duration = Duration::from_secs(10);
/// Recalls that wait to be answered.
const RECALLS: usize = 256;

/// For `/planb/status`.
#[derive(Clone, Debug)]
pub struct FleetState {
    pub name: Arc<str>,
    pub holder: Arc<str>,
    pub database: String,
    /// `ok`, `degraded` (the database fails, shares are drawn on) or `apart` (nothing paid is started).
    pub state: &'static str,
    pub reason: Option<String>,
    /// How long shares may still be drawn on without an answer.
    pub draws_for: Duration,
}

#[derive(Clone, Debug, Default)]
struct Failing {
    error: Option<FleetError>,
    retry_at: Duration,
    wait: Duration,
}

pub struct Fleet {
    name: Arc<str>,
    holder: Arc<str>,
    place: String,
    clock: Clock,
    line: tokio::sync::Mutex<Line>,
    stamp: Mutex<Stamp>,
    failing: Mutex<Failing>,
    /// Until when shares are good, in milliseconds of uptime.
    good_until: AtomicU64,
}

impl Fleet {
    /// Connects to nothing yet. The receiver gets the numbers of accounts that others need money of.
    pub fn new(
        target: Target,
        name: &str,
        holder: &str,
        stamp: Stamp,
        clock: Clock,
    ) -> Result<(Self, Receiver<i64>), FleetError> {
        let (recalls, recalled): (Sender<i64>, Receiver<i64>) = channel(RECALLS);
        let fleet = Self {
            name: name.into(),
            holder: holder.into(),
            place: target.place.clone(),
            clock,
            line: tokio::sync::Mutex::new(Line {
                tls: Tls::of(&target)?,
                target,
                session: Session::new(name, holder),
                link: None,
                recalls,
                superseded: false,
            }),
            stamp: Mutex::new(stamp),
            failing: Mutex::new(Failing::default()),
            good_until: AtomicU64::new(0),
        };
        Ok((fleet, recalled))
    }

    /// Reports what was spent and asks for shares. Of what fails at present the error is told again at once.
    pub async fn exchange(&self, requests: &[ShareRequest]) -> Result<Vec<ShareAnswer>, FleetError> {
        let mut line = self.line.lock().await;
        let began = self.clock.uptime();
        {
            let failing = self.failing.lock();
            if let Some(error) = failing.error.clone().filter(|_| began < failing.retry_at) {
                return Err(error);
            }
        }
        let mut stamp = self.stamp.lock().clone();
        let hash = stamp.hash.clone();
        let done = line.exchange(requests, &mut stamp).await;
        {
            let mut current = self.stamp.lock();
            if current.hash == hash {
                *current = stamp;
            }
        }
        match &done {
            Ok(_) => self.succeed(began),
            Err(error) => self.fail(error),
        }
        done
    }

    /// Gives all back that these requests say, and is gone.
    pub async fn leave(&self, requests: &[ShareRequest]) -> Result<(), FleetError> {
        self.exchange(requests).await?;
        self.line.lock().await.leave().await
    }

    /// Pool and key of an account that was exchanged before, by its number in the store.
    pub async fn account(&self, number: i64) -> Option<(Arc<PoolId>, Arc<str>)> {
        self.line.lock().await.session.named.get(&number).cloned()
    }

    pub fn policy_edited(&self, stamp: Stamp) {
        *self.stamp.lock() = stamp;
    }

    /// May shares be drawn on still?
    pub fn is_good(&self) -> bool {
        self.draws_for() > Duration::ZERO
    }

    pub fn is_failing(&self) -> bool {
        self.failing.lock().error.is_some()
    }

    pub fn state(&self) -> FleetState {
        let reason = self.failing.lock().error.as_ref().map(ToString::to_string);
        let draws_for = self.draws_for();
        let state = match reason {
            _ if draws_for.is_zero() => "apart",
            Some(_) => "degraded",
            None => "ok",
        };
        FleetState {
            name: self.name.clone(),
            holder: self.holder.clone(),
            database: self.place.clone(),
            state,
            reason,
            draws_for,
        }
    }

    fn draws_for(&self) -> Duration {
        Duration::from_millis(self.good_until.load(Ordering::Relaxed)).saturating_sub(self.clock.uptime())
    }

    fn succeed(&self, began: Duration) {
        let until = u64::try_from((began + DRAWS_FOR).as_millis()).unwrap_or(u64::MAX);
        self.good_until.store(until, Ordering::Relaxed);
        if std::mem::take(&mut *self.failing.lock()).error.is_some() {
            tracing::info!(fleet = &*self.name, "the fleet's database answers again");
        }
    }

    fn fail(&self, error: &FleetError) {
        let mut failing = self.failing.lock();
        if failing.error.is_none() {
            tracing::error!(
                fleet = &*self.name, %error,
                "the fleet's database does not answer; shares are drawn on for {} s more, free models go on",
                self.draws_for().as_secs()
            );
        }
        if matches!(error, FleetError::Superseded) {
            self.good_until.store(0, Ordering::Relaxed);
        }
        failing.wait = (failing.wait * 2).clamp(AGAIN_FIRST, AGAIN_LAST);
        failing.retry_at = self.clock.uptime() + failing.wait;
        failing.error = Some(error.clone());
    }
}
