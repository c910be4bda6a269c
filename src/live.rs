//! The one place where mutable state lives: the policy in force, and the core's state machines behind small locks.
//!
//! Everything here is keyed by name, so that a reload keeps it. No lock is held across an await, none is taken while
//! another is held but for `plans` before `books`. No I/O.

use crate::budget::{Books, RebuildRequest};
use crate::health::{Health, ModelKey};
use crate::plan::{Effective, Now, Override, PlanError, Plans, Transition};
use crate::policy::Diagnostic;
use crate::policy::condition::Signals;
use crate::policy::snapshot::{ModelId, ProviderId, Snapshot};
use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;
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
}

/// What the edges find out about a provider; written by the tick, read by requests.
pub struct ProviderLive(ArcSwap<ProviderStanding>);

impl ProviderLive {
    fn new(now: Timestamp) -> Self {
        Self(ArcSwap::from_pointee(ProviderStanding {
            state: ProviderState::Up,
            reason: "".into(),
            since: now,
        }))
    }

    pub fn standing(&self) -> Arc<ProviderStanding> {
        self.0.load_full()
    }

    /// Returns the state before, where it is another one now; `since` moves with the state alone.
    pub fn set(&self, state: ProviderState, reason: Arc<str>, now: Timestamp) -> Option<ProviderState> {
        let before = self.0.load();
        let since = if before.state == state { before.since } else { now };
        if before.state != state || before.reason != reason {
            self.0.store(Arc::new(ProviderStanding { state, reason, since }));
        }
        (before.state != state).then_some(before.state)
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
}

impl Live {
    /// Starts with a first policy; its budgets are to be rebuilt from the ledger.
    pub fn new(snapshot: Snapshot, plans: Plans, now: Timestamp) -> (Self, Vec<RebuildRequest>) {
        let mut books = Books::new();
        let rebuilds = install_budgets(&mut books, &snapshot, now);
        let policy = compose(Arc::new(snapshot), &plans, now);
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
        self.policy.store(Arc::new(compose(snapshot, &plans, now.wall)));
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
        let effective = Effective::compose(&old.snapshot, &plans.active());
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
            transition: Some(transition),
            by_hand: false,
        }
    }
}

fn install_budgets(books: &mut Books, snapshot: &Snapshot, now: Timestamp) -> Vec<RebuildRequest> {
    books.install(&snapshot.budgets, &snapshot.timezone, snapshot.currency, now)
}

fn compose(snapshot: Arc<Snapshot>, plans: &Plans, now: Timestamp) -> Policy {
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
        effective: Arc::new(Effective::compose(&snapshot, &plans.active())),
        providers: snapshot.providers.iter().map(|_| ProviderLive::new(now)).collect(),
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
