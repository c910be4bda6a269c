//! The store that daemons share: one PostgreSQL, from which each draws shares of the budgets' money.
//!
//! Every daemon keeps its own ledger as its durable record; what stands here is what they must agree on. Promises that
//! all daemons together draw no more than a limit, that one who lost the database draws for at most 200 s more, and that
//! what a vanished one had not told stays held in its name. Decides nothing: the books ask and are answered.

mod error;
mod exchange;
mod line;
mod link;
mod places;
mod schema;
mod session;
mod standing;
mod statements;
mod summary;
mod telling;
mod tls;
mod url;

pub use error::FleetError;
pub use link::Call;
pub use session::Stamp;
pub use summary::{FleetBudget, FleetPart};
pub use telling::Telling;
pub use url::Target;

use crate::budget::{PoolId, ShareAnswer, ShareRequest};
use crate::clock::Clock;
use line::Line;
use parking_lot::Mutex;
use session::Session;
use standing::Standing;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tls::Tls;
use tokio::sync::MutexGuard;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::timeout;

/// Calls that wait to be answered.
const CALLS: usize = 256;

/// What is asked beside the exchanges waits no longer.
const LOOK_WITHIN: Duration = Duration::from_secs(8);

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
    /// How many daemons share the budgets, as the store said last.
    pub daemons: u32,
}

pub struct Fleet {
    name: Arc<str>,
    holder: Arc<str>,
    place: String,
    clock: Clock,
    line: tokio::sync::Mutex<Line>,
    stamp: Mutex<Stamp>,
    standing: Mutex<Standing>,
    /// How many are there, as the store said last.
    daemons: AtomicU32,
}

impl Fleet {
    /// Connects to nothing yet. The receiver gets what the store says unasked.
    pub fn new(
        target: Target,
        name: &str,
        holder: &str,
        stamp: Stamp,
        clock: Clock,
    ) -> Result<(Self, Receiver<Call>), FleetError> {
        let (calls, called): (Sender<Call>, Receiver<Call>) = channel(CALLS);
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
                calls,
                superseded: false,
            }),
            stamp: Mutex::new(stamp),
            standing: Mutex::default(),
            daemons: AtomicU32::new(1),
        };
        Ok((fleet, called))
    }

    /// Reports what was spent and asks for shares. Of what fails at present the error is told again at once.
    pub async fn exchange(&self, requests: &[ShareRequest]) -> Result<Vec<ShareAnswer>, FleetError> {
        let mut line = self.line.lock().await;
        let began = self.clock.uptime();
        if let Some(error) = self.standing.lock().refusal(began) {
            return Err(error);
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
            Ok(_) => {
                self.daemons.store(line.session.daemons, Ordering::Relaxed);
                if self.standing.lock().succeed(began) {
                    tracing::info!(fleet = &*self.name, "the fleet's database answers again");
                }
            }
            Err(error) => self.fail(error),
        }
        done
    }

    /// Gives all back that these requests say, and is gone.
    pub async fn leave(&self, requests: &[ShareRequest]) -> Result<(), FleetError> {
        self.exchange(requests).await?;
        self.line.lock().await.leave().await
    }

    /// Whose it is to tell people of something; the same words are the same thing.
    pub async fn claim(&self, what: &str) -> Result<Telling, FleetError> {
        let (mut line, mut stamp) = self.look().await?;
        within(line.claim(what, &mut stamp)).await
    }

    /// What was this daemon's to tell has been.
    pub async fn told(&self, what: &str) -> Result<(), FleetError> {
        let (mut line, mut stamp) = self.look().await?;
        within(line.tell_done(what, &mut stamp)).await
    }

    /// What all have spent of the present periods' budgets, as the store knows it.
    pub async fn summary(&self) -> Result<Vec<FleetBudget>, FleetError> {
        let (mut line, mut stamp) = self.look().await?;
        within(line.summary(&mut stamp)).await
    }

    /// For what is asked beside the exchanges, which alone say how the database stands.
    async fn look(&self) -> Result<(MutexGuard<'_, Line>, Stamp), FleetError> {
        let line = self.line.lock().await;
        match self.standing.lock().refusal(self.clock.uptime()) {
            Some(error) => Err(error),
            None => Ok((line, self.stamp.lock().clone())),
        }
    }

    /// Pool and key of an account that was exchanged before, by its number in the store.
    pub async fn account(&self, number: i64) -> Option<(Arc<PoolId>, Arc<str>)> {
        self.line.lock().await.session.named.get(&number).cloned()
    }

    pub fn policy_edited(&self, stamp: Stamp) {
        *self.stamp.lock() = stamp;
    }

    /// How many daemons share the budgets, this one included.
    pub fn daemons(&self) -> u32 {
        self.daemons.load(Ordering::Relaxed)
    }

    /// May shares be drawn on still?
    pub fn is_good(&self) -> bool {
        self.draws_for() > Duration::ZERO
    }

    pub fn is_failing(&self) -> bool {
        self.standing.lock().is_failing()
    }

    pub fn state(&self) -> FleetState {
        let now = self.clock.uptime();
        let standing = self.standing.lock();
        FleetState {
            name: self.name.clone(),
            holder: self.holder.clone(),
            database: self.place.clone(),
            state: standing.state(now),
            reason: standing.reason(),
            draws_for: standing.draws_for(now),
            daemons: self.daemons(),
        }
    }

    fn draws_for(&self) -> Duration {
        self.standing.lock().draws_for(self.clock.uptime())
    }

    fn fail(&self, error: &FleetError) {
        if self.standing.lock().fail(error, self.clock.uptime()) {
            tracing::error!(
                fleet = &*self.name, %error,
                "the fleet's database does not answer; shares are drawn on for {} s more, free models go on",
                self.draws_for().as_secs()
            );
        }
    }
}

async fn within<T>(asked: impl Future<Output = Result<T, FleetError>>) -> Result<T, FleetError> {
    timeout(LOOK_WITHIN, asked).await.unwrap_or(Err(FleetError::Slow))
}
