//! The one place where mutable state lives: the policy in force, and the core's state machines behind small locks.
//!
//! Everything here is keyed by name, so that a reload keeps it. No lock is held across an await, none is taken while
//! another is held but for `plans` before `books`. No I/O.

use crate::budget::{Books, RebuildRequest};
use crate::health::{Health, ModelKey};
use crate::plan::{Cause, Effective, News, Now, Override, PlanError, Plans, Transition};
use crate::policy::Diagnostic;
use crate::policy::condition::Signals;
use crate::policy::snapshot::{ModelId, Provider, ProviderId, Snapshot};
use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use std::sync::Arc;

/// What a request takes once and keeps to its end.
pub struct Policy {
    pub snapshot: Arc<Snapshot>,
    pub effective: Arc<Effective>,
    pub providers: Arc<[ProviderLive]>,
    /// By model: under what its health is kept.
    pub keys: Arc<[ModelKey]>,
    pub since: Timestamp,
}

impl Policy {
    pub fn key(&self, id: ModelId) -> &ModelKey {
        &self.keys[id.0]
    }

    pub fn provider(&self, id: ProviderId) -> &ProviderLive {
        &self.providers[id.0]
    }
}

/// How a provider stands, in the words of the status page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderState {
    Up,
    Cooling,
    /// A local server that is not running; it can be started.
    Cold,
    Down,
    NoCredential,
}

impl ProviderState {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Cooling => "cooling",
            Self::Cold => "cold",
            Self::Down => "down",
            Self::NoCredential => "no_credential",
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
    /// A missing key is no outage, and a server that is starting has not recovered.
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
pub struct ProviderLive(ArcSwap<ProviderStanding>);

impl ProviderLive {
    fn new(now: Timestamp) -> Self {
        Self(ArcSwap::from_pointee(ProviderStanding {
            state: ProviderState::Up,
            reason: "".into(),
            since: now,
            outage: false,
            recovered: None,
        }))
    }

    pub fn standing(&self) -> Arc<ProviderStanding> {
        self.0.load_full()
    }

    /// Written by the tick and after a reload. `since` moves with the state alone.
    pub fn set(&self, state: ProviderState, reason: Arc<str>, now: Timestamp) -> Option<ProviderNews> {
        let before = self.0.load();
        let since = if before.state == state { before.since } else { now };
        let news = before.news(state, since, now);
        if before.state != state || before.reason != reason || news.is_some() {
            self.0.store(Arc::new(ProviderStanding {
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
        let standing = self.0.load();
        (standing.state == ProviderState::NoCredential).then(|| standing.reason.clone())
    }

    pub fn is_cold(&self) -> bool {
        self.0.load().state == ProviderState::Cold
    }

    pub fn is_up(&self) -> bool {
        self.0.load().state.is_up()
    }
}

/// An edit that was not taken over.
#[derive(Clone, Debug)]
pub struct Rejected {
    pub at: Timestamp,
    pub diagnostics: Vec<Diagnostic>,
}

pub struct Live {
    policy: ArcSwap<Policy>,
    rejected: ArcSwapOption<Rejected>,
    pub books: Mutex<Books>,
    pub health: Mutex<Health>,
    pub plans: Mutex<Plans>,
    /// Plans that changed outside the tick and are still to be recorded and told.
    changed: Mutex<Vec<PlanChange>>,
}

/// A plan that was overridden by hand or left the policy; without a transition it already was as it was told to be.
#[derive(Clone, Debug)]
pub struct PlanChange {
    pub plan: Arc<str>,
    pub transition: Option<Transition>,
    pub by_hand: bool,
    /// It toggled too often and is held on from then, by these signals.
    pub flapping: Option<(Timestamp, String)>,
}

impl Live {
    /// Starts with a first policy; its budgets are to be rebuilt from the ledger.
    pub fn new(snapshot: Snapshot, plans: Plans, now: Timestamp) -> (Self, Vec<RebuildRequest>) {
        let mut books = Books::new();
        let rebuilds = install_budgets(&mut books, &snapshot, now);
        let policy = compose(Arc::new(snapshot), &plans, None, now);
        let live = Self {
            policy: ArcSwap::from_pointee(policy),
            rejected: ArcSwapOption::empty(),
            books: Mutex::new(books),
            health: Mutex::new(Health::default()),
            plans: Mutex::new(plans),
            changed: Mutex::default(),
        };
        (live, rebuilds)
    }

    pub fn policy(&self) -> Arc<Policy> {
        self.policy.load_full()
    }

    pub fn rejected(&self) -> Option<Arc<Rejected>> {
        self.rejected.load_full()
    }

    pub fn reject(&self, rejected: Rejected) {
        self.rejected.store(Some(Arc::new(rejected)));
    }

    /// The files hold again what is in force.
    pub fn forget_rejected(&self) {
        self.rejected.store(None);
    }

    /// Takes a new policy over: requests in flight keep theirs. Returns what must be rebuilt from the ledger.
    pub fn install(&self, snapshot: Snapshot, now: Now) -> Vec<RebuildRequest> {
        let snapshot = Arc::new(snapshot);
        let mut plans = self.plans.lock();
        let gone = plans.reload(&snapshot.plans, now);
        self.changed.lock().extend(gone.into_iter().map(PlanChange::of));
        let rebuilds = install_budgets(&mut self.books.lock(), &snapshot, now.wall);
        {
            let mut health = self.health.lock();
            health.reloaded(now.up);
            let named = |endpoint: &str, model: &str| {
                let of = |known: &crate::policy::snapshot::Model| {
                    snapshot.provider(known.provider).base_url.as_ref() == endpoint
                };
                snapshot
                    .models
                    .iter()
                    .any(|known| known.upstream.as_ref() == model && of(known))
            };
            health.keep(named);
        }
        let before = self.policy.load_full();
        let policy = compose(snapshot, &plans, Some(&before), now.wall);
        self.policy.store(Arc::new(policy));
        self.rejected.store(None);
        rebuilds
    }

    /// Activates or releases a plan by hand, at once.
    pub fn override_plan(&self, name: &str, word: Override, now: Now) -> Result<(), PlanError> {
        let mut plans = self.plans.lock();
        let transition = plans.set_by_hand(name, word, now)?;
        if transition.is_some() {
            self.recompose(&plans);
        }
        self.changed.lock().push(PlanChange {
            plan: name.into(),
            transition,
            by_hand: true,
            flapping: None,
        });
        Ok(())
    }

    /// What changed outside the tick since this was asked last.
    pub fn take_plan_changes(&self) -> Vec<PlanChange> {
        std::mem::take(&mut self.changed.lock())
    }

    /// The same policy under another set of active plans.
    pub fn recompose(&self, plans: &Plans) {
        let old = self.policy.load();
        let effective = Effective::compose(&old.snapshot, &plans.active()).staying(plans.stays_until());
        self.policy.store(Arc::new(Policy {
            snapshot: old.snapshot.clone(),
            effective: Arc::new(effective),
            providers: old.providers.clone(),
            keys: old.keys.clone(),
            since: old.since,
        }));
    }
}

impl PlanChange {
    pub fn of(transition: Transition) -> Self {
        Self {
            plan: transition.name.clone(),
            by_hand: transition.cause == Cause::Hand,
            transition: Some(transition),
            flapping: None,
        }
    }

    pub fn of_news(news: News) -> Self {
        match news {
            News::Turned(transition) => Self::of(transition),
            News::Flapping { name, at, why } => Self {
                plan: name,
                transition: None,
                by_hand: false,
                flapping: Some((at, why)),
            },
        }
    }
}

fn install_budgets(books: &mut Books, snapshot: &Snapshot, now: Timestamp) -> Vec<RebuildRequest> {
    books.install(&snapshot.budgets, &snapshot.timezone, snapshot.currency, now)
}

/// How a provider stands goes on over a reload: between the two, plans and requests must not take it for another.
fn compose(snapshot: Arc<Snapshot>, plans: &Plans, before: Option<&Policy>, now: Timestamp) -> Policy {
    let standing = |name: &Arc<str>| {
        let before = before?;
        let place = before.snapshot.providers.iter().position(|known| known.name == *name)?;
        Some(ProviderLive(ArcSwap::new(before.providers.get(place)?.standing())))
    };
    let live = |provider: &Provider| standing(&provider.name).unwrap_or_else(|| ProviderLive::new(now));
    let key = |id: usize| {
        let model = &snapshot.models[id];
        let provider = snapshot.provider(model.provider);
        ModelKey {
            endpoint: provider.base_url.clone(),
            upstream_model: model.upstream.clone(),
            credential: provider
                .api_key
                .as_ref()
                .map_or_else(|| "".into(), |reference| reference.label().into()),
        }
    };
    Policy {
        effective: Arc::new(Effective::compose(&snapshot, &plans.active()).staying(plans.stays_until())),
        providers: snapshot.providers.iter().map(live).collect(),
        keys: (0..snapshot.models.len()).map(key).collect(),
        since: now,
        snapshot,
    }
}

/// The live values that plans read, all of one instant.
pub struct FrozenSignals {
    budgets: Vec<(Arc<str>, f64, bool)>,
    providers: Vec<(Arc<str>, bool)>,
}

impl FrozenSignals {
    pub fn take(policy: &Policy, books: &Books) -> Self {
        let budget = |name: &Arc<str>| (name.clone(), books.used(name), books.exhausted(name));
        let providers = policy.snapshot.providers.iter().zip(policy.providers.iter());
        Self {
            budgets: policy
                .snapshot
                .budgets
                .iter()
                .map(|known| budget(&known.name))
                .collect(),
            providers: providers
                .map(|(provider, live)| (provider.name.clone(), live.is_up()))
                .collect(),
        }
    }
}

impl Signals for FrozenSignals {
    fn budget_used(&self, budget: &str) -> f64 {
        self.budgets
            .iter()
            .find(|(name, ..)| name.as_ref() == budget)
            .map_or(0.0, |(_, used, _)| *used)
    }

    fn budget_exhausted(&self, budget: &str) -> bool {
        self.budgets
            .iter()
            .any(|(name, _, exhausted)| name.as_ref() == budget && *exhausted)
    }

    fn provider_up(&self, provider: &str) -> bool {
        self.providers.iter().any(|(name, up)| name.as_ref() == provider && *up)
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
