//! Waiting for money that other requests have reserved and may not need: in line, as long as the route and the request's
//! deadline allow.
//!
//! Promises that who waits longest for an account is the next to have its money, that an end of a reservation wakes
//! nobody but the heads of its accounts' lines, and that nobody who fits is kept from it by a line that it does not stand
//! in: a route without `limits.wait` neither waits nor is waited for.

use super::Gateway;
use super::prepare::Prepared;
use super::reserve;
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

/// Those who wait for one account.
#[derive(Default)]
struct Line {
    turn: Arc<tokio::sync::Mutex<()>>,
    /// A reservation has ended: there may be money. Only the head listens.
    bell: Notify,
}

/// Everybody who waits, by account.
#[derive(Default)]
pub struct Lines {
    lines: Mutex<HashMap<Account, Arc<Line>>>,
    waiting: AtomicUsize,
}

/// A place in an account's line, and at last its head. Given up with it.
pub struct Head {
    gateway: Arc<Gateway>,
    account: Account,
    line: Option<Arc<Line>>,
    turn: Option<OwnedMutexGuard<()>>,
}

impl Lines {
    /// Somebody waits for money.
    pub fn has_any(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Reservations of these accounts have ended: there may be money.
    pub fn ring(&self, accounts: impl IntoIterator<Item = Account>) {
        if !self.has_any() {
            return;
        }
        let lines = self.lines.lock();
        for line in accounts.into_iter().filter_map(|account| lines.get(&account)) {
            line.bell.notify_waiters();
        }
    }

    /// Somebody waits for money of this account.
    pub fn has(&self, account: &Account) -> bool {
        self.has_any() && self.lines.lock().contains_key(account)
    }

    fn join(&self, account: &Account) -> Arc<Line> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.lines.lock().entry(account.clone()).or_default().clone()
    }

    /// Once nobody stands in it any more, the line is gone.
    fn leave(&self, account: &Account, line: Option<Arc<Line>>) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        let mut known = self.lines.lock();
        drop(line);
        // This map's own is the only one left.
        if known.get(account).is_some_and(|line| Arc::strong_count(line) == 1) {
            known.remove(account);
        }
    }
}

impl Head {
    /// At the end of the line; `None` where the head is not reached in time.
    async fn queue(gateway: &Arc<Gateway>, account: Account, until: Instant) -> Option<Self> {
        let line = gateway.lines.join(&account);
        let turn = line.turn.clone();
        // From here on whatever becomes of it is counted off.
        let mut head = Self {
            gateway: gateway.clone(),
            account,
            line: Some(line),
            turn: None,
        };
        head.turn = Some(timeout_at(until, turn.lock_owned()).await.ok()?);
        Some(head)
    }
}

impl Drop for Head {
    fn drop(&mut self) {
        self.turn = None;
        self.gateway.lines.leave(&self.account, self.line.take());
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
    if !gateway.lines.has_any() {
        return None;
    }
    let first = survey.decision.candidates.first()?;
    survey::tightest(gateway, prepared, first.id).filter(|account| gateway.lines.has(account))
}

/// What the head of a line makes of a look at the models.
#[derive(Debug, PartialEq)]
enum Next {
    /// There is a model, and its money is that of this line or of none.
    Go,
    /// What is wanted is another account's money.
    Move(Account),
    Wait,
    /// A budget's spend is being found: nobody is sent away for that.
    WaitForBooks,
    /// No end of a reservation helps.
    GiveUp,
}

/// `wants`: the account whose line it should stand in, if any.
fn next(own: &Account, served: bool, rebuilding: bool, wants: Option<Account>) -> Next {
    match wants {
        Some(other) if other != *own => Next::Move(other),
        _ if served => Next::Go,
        Some(_) => Next::Wait,
        None if rebuilding => Next::WaitForBooks,
        None => Next::GiveUp,
    }
}

/// Stands in line until a decision has candidates, or `until`. The turn is kept until the money is taken.
pub async fn stand(
    gateway: &Arc<Gateway>,
    prepared: &Prepared,
    (account, head): (Account, Option<Head>),
    until: Instant,
) -> Option<(Survey, Head)> {
    let mut head = match head.filter(|head| head.account == account) {
        Some(head) => head,
        None => Head::queue(gateway, account, until).await?,
    };
    loop {
        match look(gateway, prepared, &head, until).await {
            Looked::Served(survey) => return Some((survey, head)),
            Looked::Elsewhere(account) => {
                drop(head);
                head = Head::queue(gateway, account, until).await?;
            }
            Looked::InVain => {}
            Looked::Over => return None,
        }
    }
}

enum Looked {
    Served(Survey),
    Elsewhere(Account),
    InVain,
    Over,
}

/// One look at the models from the head of a line; in vain, it returns when there is reason for another.
async fn look(gateway: &Arc<Gateway>, prepared: &Prepared, head: &Head, until: Instant) -> Looked {
    let Some(line) = &head.line else {
        return Looked::Over;
    };
    let mut rung = std::pin::pin!(line.bell.notified());
    // Before the look, so that no bell between the two is missed.
    rung.as_mut().enable();
    let survey = survey::survey(gateway, prepared);
    let served = !survey.decision.candidates.is_empty();
    let rebuilding = survey.rebuilding && gateway.ledger.is_in_order();
    let wants = match served {
        true => behind(gateway, prepared, &survey),
        false => wanting(gateway, prepared),
    };
    let now = Instant::now();
    let wait = match next(&head.account, served, rebuilding, wants) {
        Next::Go => return Looked::Served(survey),
        _ if now >= until => return Looked::Over,
        Next::GiveUp => return Looked::Over,
        Next::Move(account) => return Looked::Elsewhere(account),
        Next::Wait => LOOK_AGAIN,
        Next::WaitForBooks => reserve::LOOK_AGAIN,
    };
    // Either way it is looked at again.
    let _ = timeout_at(until.min(now + wait), rung).await;
    Looked::InVain
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::task::{Context, Poll, Waker};

    fn account(key: &str) -> Account {
        ("teams".into(), key.into())
    }

    #[test]
    fn an_end_of_a_reservation_wakes_the_lines_of_its_own_accounts() {
        let lines = Lines::default();
        let (a, b) = (lines.join(&account("a")), lines.join(&account("b")));
        let (mut first, mut second) = (std::pin::pin!(a.bell.notified()), std::pin::pin!(b.bell.notified()));
        first.as_mut().enable();
        second.as_mut().enable();
        lines.ring([account("a"), account("nobody")]);
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(first.as_mut().poll(&mut context), Poll::Ready(()));
        assert_eq!(second.as_mut().poll(&mut context), Poll::Pending);
    }

    #[test]
    fn a_line_is_gone_with_the_last_who_stood_in_it() {
        let lines = Lines::default();
        let (first, second) = (lines.join(&account("a")), lines.join(&account("a")));
        lines.leave(&account("a"), Some(first));
        assert!(lines.has(&account("a")) && lines.has_any());
        lines.leave(&account("a"), Some(second));
        assert!(!lines.has(&account("a")) && !lines.has_any() && lines.lines.lock().is_empty());
    }

    #[test]
    fn nobody_is_sent_away_for_a_rebuild_or_passes_the_line_of_another_account() {
        let own = account("a");
        assert_eq!(next(&own, true, false, None), Next::Go);
        assert_eq!(next(&own, true, false, Some(own.clone())), Next::Go);
        assert_eq!(next(&own, false, false, Some(own.clone())), Next::Wait);
        assert_eq!(next(&own, false, true, None), Next::WaitForBooks);
        assert_eq!(next(&own, false, false, None), Next::GiveUp);
        for served in [true, false] {
            assert_eq!(next(&own, served, false, Some(account("b"))), Next::Move(account("b")));
        }
    }
}
