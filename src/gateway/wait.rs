//! Waiting for money that other requests have reserved and may not need: in line, as long as the route and the request's
//! deadline allow.
//!
//! Promises that who waits longest for an account is the next to have its money, and that nobody who fits is kept from
//! it by a line that it does not stand in: a route without `limits.wait` neither waits nor is waited for.

use super::Gateway;
use super::prepare::Prepared;
use super::survey::{self, Survey};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, OwnedMutexGuard};
use tokio::time::{Instant, timeout_at};

/// Money also comes by a period's end, a raise or an edit, which ring no bell.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// A budget and one of its keys.
pub type Account = (Arc<str>, Arc<str>);
type Line = Arc<tokio::sync::Mutex<()>>;

/// Everybody who waits, by account.
#[derive(Default)]
pub struct Lines {
    lines: Mutex<HashMap<Account, Line>>,
    waiting: AtomicUsize,
    ended: Notify,
}

/// The head of an account's line. Given up with it.
pub struct Head {
    gateway: Arc<Gateway>,
    account: Account,
    _turn: Option<OwnedMutexGuard<()>>,
}

impl Lines {
    /// A reservation has ended: there may be money.
    pub fn ring(&self) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.ended.notify_waiters();
        }
    }

    /// Somebody waits for money of this account.
    pub fn has(&self, account: &Account) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0 && self.lines.lock().contains_key(account)
    }

    fn line(&self, account: &Account) -> Line {
        self.lines.lock().entry(account.clone()).or_default().clone()
    }
}

impl Head {
    /// At the end of the line; `None` where the head is not reached in time.
    async fn queue(gateway: &Arc<Gateway>, account: Account, until: Instant) -> Option<Self> {
        gateway.lines.waiting.fetch_add(1, Ordering::Relaxed);
        let line = gateway.lines.line(&account);
        // From here on whatever becomes of it is counted off.
        let mut turn = Self {
            gateway: gateway.clone(),
            account,
            _turn: None,
        };
        turn._turn = Some(timeout_at(until, line.lock_owned()).await.ok()?);
        Some(turn)
    }
}

impl Drop for Head {
    fn drop(&mut self) {
        let lines = &self.gateway.lines;
        lines.waiting.fetch_sub(1, Ordering::Relaxed);
        self._turn = None;
        let mut known = lines.lines.lock();
        // This map's own is the only one left.
        if known
            .get(&self.account)
            .is_some_and(|line| Arc::strong_count(line) == 1)
        {
            known.remove(&self.account);
        }
    }
}

/// The account that a request waits for, where only what others have reserved keeps money from it.
pub fn wanting(gateway: &Gateway, prepared: &Prepared) -> Option<Account> {
    let settled = survey::survey_as_if_settled(gateway, prepared);
    let first = settled.decision.candidates.first()?;
    survey::tightest(gateway, prepared, first.id)
}

/// The account that a candidate's money comes from, where somebody waits for that already.
pub fn behind(gateway: &Gateway, prepared: &Prepared, survey: &Survey) -> Option<Account> {
    if gateway.lines.waiting.load(Ordering::Relaxed) == 0 {
        return None;
    }
    let first = survey.decision.candidates.first()?;
    survey::tightest(gateway, prepared, first.id).filter(|account| gateway.lines.has(account))
}

/// Stands in line until a decision has candidates, or `until`. The turn is kept until the money is taken.
pub async fn stand(
    gateway: &Arc<Gateway>,
    prepared: &Prepared,
    (account, turn): (Account, Option<Head>),
    until: Instant,
) -> Option<(Survey, Head)> {
    let turn = match turn {
        Some(turn) => turn,
        None => Head::queue(gateway, account, until).await?,
    };
    loop {
        let mut ended = std::pin::pin!(gateway.lines.ended.notified());
        // Before the look, so that no bell between the two is missed.
        ended.as_mut().enable();
        let survey = survey::survey(gateway, prepared);
        if !survey.decision.candidates.is_empty() {
            return Some((survey, turn));
        }
        let now = Instant::now();
        if now >= until || wanting(gateway, prepared).is_none() {
            return None;
        }
        // Either way it is looked at again.
        let _ = timeout_at(until.min(now + LOOK_AGAIN), ended).await;
    }
}
