//! How each provider stands: written by the tick and after a reload, read by requests; told once when it goes down and
//! once when it is back.

use crate::money::Money;
use crate::uptime::Uptime;
use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// How a provider stands, in the words of the status page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderState {
    Up,
    Cooling,
    /// A local server that is not running; it can be started.
    Cold,
    Down,
    NoCredential,
    /// Switched off in the policy.
    Disabled,
}

impl ProviderState {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Cooling => "cooling",
            Self::Cold => "cold",
            Self::Down => "down",
            Self::NoCredential => "no_credential",
            Self::Disabled => "disabled",
        }
    }

    /// `provider("x").up` in conditions: may it be asked, now or after a moment?
    pub const fn is_up(self) -> bool {
        matches!(self, Self::Up | Self::Cooling | Self::Cold)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderStanding {
    pub state: ProviderState,
    /// Empty when there is nothing to say.
    pub reason: Arc<str>,
    pub since: Timestamp,
    /// It was told to be down, and not yet to have recovered.
    outage: bool,
    recovered: Option<Timestamp>,
}

/// What is told of a provider: once when it goes down, once when it is back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderNews {
    Down,
    Recovered,
}

/// Down again so soon after a recovery, the next one is only told once it has lasted.
const UNSTEADY: SignedDuration = SignedDuration::from_mins(10);
const STEADY: SignedDuration = SignedDuration::from_mins(5);

impl ProviderStanding {
    /// A missing key and a provider that is switched off are no outage, and a server that is starting has not recovered.
    fn news(&self, state: ProviderState, since: Timestamp, now: Timestamp) -> Option<ProviderNews> {
        match state {
            ProviderState::Down if !self.outage => Some(ProviderNews::Down),
            ProviderState::Up | ProviderState::Cooling if self.outage => {
                let unsteady = self.recovered.is_some_and(|at| now.duration_since(at) < UNSTEADY);
                let lasted = now.duration_since(since) >= STEADY;
                (!unsteady || lasted).then_some(ProviderNews::Recovered)
            }
            _ => None,
        }
    }
}

/// What the edges find out about a provider; written by the tick, read by requests.
pub struct ProviderLive {
    standing: ArcSwap<ProviderStanding>,
    /// Prepaid money that the vendor said is left, and when.
    balance: ArcSwapOption<(Money, Uptime)>,
}

/// A balance that was told longer ago is stale: it is asked every ten minutes.
const BALANCE_FRESH: Duration = Duration::from_secs(1_800);

impl ProviderLive {
    pub(super) fn new(now: Timestamp) -> Self {
        let standing = ArcSwap::from_pointee(ProviderStanding {
            state: ProviderState::Up,
            reason: "".into(),
            since: now,
            outage: false,
            recovered: None,
        });
        Self {
            standing,
            balance: ArcSwapOption::empty(),
        }
    }

    /// Goes on as it stood.
    pub(super) fn from(before: &Self) -> Self {
        Self {
            standing: ArcSwap::new(before.standing()),
            balance: ArcSwapOption::new(before.balance.load_full()),
        }
    }

    pub fn set_balance(&self, left: Money, now: Uptime) {
        self.balance.store(Some(Arc::new((left, now))));
    }

    /// What the vendor said is left, and whether that was long ago.
    pub fn balance(&self, now: Uptime) -> Option<(Money, bool)> {
        let balance = self.balance.load();
        let (left, at) = balance.as_deref()?;
        Some((*left, now.saturating_sub(*at) > BALANCE_FRESH))
    }

    pub fn standing(&self) -> Arc<ProviderStanding> {
        self.standing.load_full()
    }

    /// Written by the tick and after a reload. `since` moves with the state alone.
    pub fn set(&self, state: ProviderState, reason: Arc<str>, now: Timestamp) -> Option<ProviderNews> {
        let before = self.standing.load();
        let since = if before.state == state { before.since } else { now };
        let news = before.news(state, since, now);
        if before.state != state || before.reason != reason || news.is_some() {
            self.standing.store(Arc::new(ProviderStanding {
                state,
                reason,
                since,
                outage: news.map_or(before.outage, |news| news == ProviderNews::Down),
                recovered: match news {
                    Some(ProviderNews::Recovered) => Some(now),
                    _ => before.recovered,
                },
            }));
        }
        news
    }

    /// Why its credential cannot be used; `None` when it can.
    pub fn missing_credential(&self) -> Option<Arc<str>> {
        let standing = self.standing.load();
        (standing.state == ProviderState::NoCredential).then(|| standing.reason.clone())
    }

    pub fn is_cold(&self) -> bool {
        self.standing.load().state == ProviderState::Cold
    }

    pub fn is_up(&self) -> bool {
        self.standing.load().state.is_up()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ProviderState::{Cold, Cooling, Down, NoCredential, Up};

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    /// What is told as a provider goes through these states, minute by minute.
    fn told(states: &[ProviderState]) -> Vec<(usize, ProviderNews)> {
        let live = ProviderLive::new(at(0));
        let news = |(minute, state): (usize, &ProviderState)| {
            let now = at(i64::try_from(minute).unwrap());
            Some((minute, live.set(*state, "".into(), now)?))
        };
        states.iter().enumerate().filter_map(news).collect()
    }

    #[test]
    fn an_outage_is_told_once_and_its_end_once() {
        let expected = [(1, ProviderNews::Down), (3, ProviderNews::Recovered)];
        assert_eq!(told(&[Up, Down, Down, Up, Up, Cooling, Up]), expected);
    }

    #[test]
    fn a_missing_key_is_no_outage_and_ends_none() {
        assert_eq!(told(&[NoCredential, Up, NoCredential, Up]), []);
        let expected = [(1, ProviderNews::Down), (3, ProviderNews::Recovered)];
        assert_eq!(told(&[Up, Down, NoCredential, Up]), expected);
    }

    #[test]
    fn a_server_that_keeps_failing_to_start_is_down_once() {
        assert_eq!(told(&[Cold, Down, Cold, Down, Cold]), [(1, ProviderNews::Down)]);
    }

    #[test]
    fn a_provider_that_comes_and_goes_is_not_told_each_time() {
        let flapping = [Up, Down, Up, Down, Up, Down, Up, Up, Up, Up, Up, Up, Up];
        let expected = [
            (1, ProviderNews::Down),
            (2, ProviderNews::Recovered),
            (3, ProviderNews::Down),
            (11, ProviderNews::Recovered),
        ];
        assert_eq!(told(&flapping), expected);
    }
}
