//! The one place where mutable state lives: the policy in force, and the core's state machines behind small locks.
//!
//! Everything here is keyed by name, so that a reload keeps it. No lock is held across an await, none is taken while
//! another is held but for `plans` before the others. No I/O.

mod answers;
mod freeze;
mod measures;
mod mix;
mod prices;
mod refusals;
mod standing;
mod users;

#[cfg(test)]
mod tests;

pub use answers::CallerAnswers;
pub use measures::{Answered, Measures};
pub use mix::Mixes;
pub use prices::{BEFORE, PastPrices};
pub use refusals::{Refusal, Refusals, RefusedStretch};
pub use standing::{ProviderLive, ProviderNews, ProviderState};
pub use users::LicenseUsers;

use crate::budget::{self, Books, Prospects, RebuildRequest};
use crate::health::{Health, ModelKey};
use crate::limit::{Book, Scope};
use crate::plan::{Cause, Effective, News, Now, Override, PlanError, Plans, Transition};
use crate::policy::Diagnostic;
use crate::policy::snapshot::{Limits, ModelId, Provider, ProviderId, ProviderKey, Snapshot};
use crate::price::{Counters, Price};
use crate::session::{Repeats, Sessions};
use crate::uptime::Uptime;
use crate::usage::OutputRatios;
use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::HashSet;
use std::sync::Arc;

/// What a request takes once and keeps to its end.
pub struct Policy {
    pub snapshot: Arc<Snapshot>,
    pub effective: Arc<Effective>,
    pub providers: Arc<[ProviderLive]>,
    /// By model and key of its provider: under what its health is kept. Each model has one at least.
    pub keys: Arc<[Box<[ModelKey]>]>,
    /// What the policy's selectors say of the callers that were seen.
    pub answers: Arc<CallerAnswers>,
    /// By model: those of one number are charged to the same accounts.
    pub charge_classes: Arc<[u32]>,
    /// What answers have lately been like.
    pub measures: Arc<Measures>,
    pub mixes: Arc<Mixes>,
    pub since: Timestamp,
}

impl Policy {
    pub fn keys(&self, id: ModelId) -> &[ModelKey] {
        &self.keys[id.0]
    }

    pub fn provider(&self, id: ProviderId) -> &ProviderLive {
        &self.providers[id.0]
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
    /// What the last edit would have meant for recorded traffic, with the hash of the policy that it made.
    projected: ArcSwapOption<(Arc<str>, Value)>,
    pub books: Mutex<Books>,
    /// How budgets will end.
    pub prospects: Mutex<Prospects>,
    /// Requests that may be sent again.
    pub repeats: Mutex<Repeats>,
    pub health: Mutex<Health>,
    pub limits: Mutex<Book>,
    pub plans: Mutex<Plans>,
    past_prices: ArcSwapOption<PastPrices>,
    /// Of prices: ladders, quotas, commitments and machines' time. Taken while `books` is held, never the other way round.
    pub counters: Mutex<Counters>,
    pub sessions: Mutex<Sessions>,
    /// How own counts of output stand to what providers report.
    pub output_ratios: Mutex<OutputRatios>,
    /// Requests that were turned away before there was a decision.
    pub refusals: Mutex<Refusals>,
    /// Distinct users of this month, by licence.
    pub license_users: Mutex<LicenseUsers>,
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
        let mut prospects = Prospects::default();
        prospects.install(&snapshot);
        let mut limits = Book::default();
        limits.install(limits_of(&snapshot), Uptime::ZERO);
        let policy = compose(Arc::new(snapshot), &plans, None, now);
        let live = Self {
            policy: ArcSwap::from_pointee(policy),
            rejected: ArcSwapOption::empty(),
            projected: ArcSwapOption::empty(),
            books: Mutex::new(books),
            prospects: Mutex::new(prospects),
            repeats: Mutex::default(),
            health: Mutex::new(Health::default()),
            limits: Mutex::new(limits),
            plans: Mutex::new(plans),
            past_prices: ArcSwapOption::empty(),
            counters: Mutex::default(),
            sessions: Mutex::default(),
            output_ratios: Mutex::default(),
            refusals: Mutex::default(),
            license_users: Mutex::default(),
            changed: Mutex::default(),
        };
        (live, rebuilds)
    }

    pub fn policy(&self) -> Arc<Policy> {
        self.policy.load_full()
    }

    /// What models cost a while ago; without it they cost what they cost now.
    pub fn know_past_prices(&self, prices: PastPrices) {
        self.past_prices.store(Some(Arc::new(prices)));
    }

    /// Keeps what an edit would have meant, for as long as its policy is in force.
    pub fn project(&self, hash: &Arc<str>, projected: Option<Value>) {
        self.projected
            .store(projected.map(|value| Arc::new((hash.clone(), value))));
    }

    pub fn projected(&self) -> Option<Value> {
        let projected = self.projected.load_full()?;
        (projected.0 == self.policy().snapshot.hash).then(|| projected.1.clone())
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
        self.prospects.lock().install(&snapshot);
        {
            let mut health = self.health.lock();
            health.reloaded(now.up);
        }
        self.limits.lock().install(limits_of(&snapshot), now.up);
        self.counters.lock().take_over(prices_of(&snapshot), now.wall);
        let before = self.policy.load_full();
        let policy = compose(snapshot, &plans, Some(&before), now.wall);
        let keys: HashSet<&ModelKey> = policy.keys.iter().flatten().collect();
        self.health.lock().keep(|key| keys.contains(key));
        self.policy.store(Arc::new(policy));
        self.rejected.store(None);
        rebuilds
    }

    /// Meets the meters of the period that is, and of one that begins soon.
    pub fn roll_meters(&self, now: Timestamp) {
        // Under the lock that a reload takes, so that no older policy's come after.
        let _plans = self.plans.lock();
        let policy = self.policy.load();
        self.counters.lock().take_over(prices_of(&policy.snapshot), now);
    }

    /// Activates or releases a plan by hand, at once.
    pub fn override_plan(&self, name: &str, word: Override, now: Now) -> Result<(), PlanError> {
        let mut plans = self.plans.lock();
        let transition = plans.set_by_hand(name, word, now)?;
        if transition.is_some() {
            self.recompose(&plans, now.wall);
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

    /// The same policy under another set of active plans, or on a later day.
    pub fn recompose(&self, plans: &Plans, now: Timestamp) {
        let old = self.policy.load();
        let effective = Effective::compose(&old.snapshot, &plans.active())
            .staying(plans.stays_until())
            .because(plans.whys())
            .at(&old.snapshot, now);
        self.policy.store(Arc::new(Policy {
            snapshot: old.snapshot.clone(),
            effective: Arc::new(effective),
            providers: old.providers.clone(),
            keys: old.keys.clone(),
            answers: old.answers.clone(),
            charge_classes: old.charge_classes.clone(),
            measures: old.measures.clone(),
            mixes: old.mixes.clone(),
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

/// By whose they are; what has none is not kept.
fn limits_of(snapshot: &Snapshot) -> Vec<(Scope, Limits)> {
    let clients = snapshot
        .clients
        .iter()
        .map(|one| (Scope::Client(one.name.clone()), &one.limits));
    let routes = snapshot
        .routes
        .iter()
        .map(|one| (Scope::Route(one.name.clone()), &one.limits));
    let models = snapshot
        .models
        .iter()
        .map(|one| (Scope::Model(one.name.clone()), &one.limits));
    let providers = snapshot.providers.iter().flat_map(|provider| {
        let name = &provider.name;
        let key = |key: &'_ ProviderKey| Scope::Key(name.clone(), key.credential.label().into());
        let keys = provider.keys.iter().map(move |one| (key(one), &one.limits));
        keys.chain([(Scope::Provider(name.clone()), &provider.limits)])
    });
    let all = clients.chain(routes).chain(models).chain(providers);
    all.filter(|(_, limits)| !limits.is_none())
        .map(|(scope, limits)| (scope, limits.clone()))
        .collect()
}

fn prices_of(snapshot: &Snapshot) -> impl Iterator<Item = &Price> {
    snapshot.models.iter().filter_map(|model| model.price.as_ref())
}

fn install_budgets(books: &mut Books, snapshot: &Snapshot, now: Timestamp) -> Vec<RebuildRequest> {
    books.judge_by(&snapshot.selectors);
    books.install(&snapshot.budgets, &snapshot.timezone, snapshot.currency, now)
}

/// How a provider stands goes on over a reload: between the two, plans and requests must not take it for another.
fn compose(snapshot: Arc<Snapshot>, plans: &Plans, before: Option<&Policy>, now: Timestamp) -> Policy {
    let standing = |name: &Arc<str>| {
        let before = before?;
        let place = before.snapshot.providers.iter().position(|known| known.name == *name)?;
        Some(ProviderLive::from(before.providers.get(place)?))
    };
    let live = |provider: &Provider| standing(&provider.name).unwrap_or_else(|| ProviderLive::new(now));
    let keys = |id: usize| -> Box<[ModelKey]> {
        let model = &snapshot.models[id];
        let provider = snapshot.provider(model.provider);
        let key = |(credential, _)| ModelKey {
            endpoint: provider.base_url.clone(),
            upstream_model: model.upstream.clone(),
            credential,
        };
        provider.weighted_keys().into_iter().map(key).collect()
    };
    let facts = (0..snapshot.models.len()).map(|id| snapshot.facts(ModelId(id)).as_ref());
    let measures = Measures::new(
        &snapshot,
        before.map(|before| (before.snapshot.as_ref(), before.measures.as_ref())),
    );
    Policy {
        charge_classes: budget::classes(&snapshot.budgets, facts).into(),
        measures: Arc::new(measures),
        effective: Arc::new(
            Effective::compose(&snapshot, &plans.active())
                .staying(plans.stays_until())
                .because(plans.whys())
                .at(&snapshot, now),
        ),
        providers: snapshot.providers.iter().map(live).collect(),
        keys: (0..snapshot.models.len()).map(keys).collect(),
        answers: Arc::new(CallerAnswers::new(&snapshot.selectors)),
        mixes: Arc::new(Mixes::new(
            &snapshot,
            before.map(|before| (before.snapshot.as_ref(), before.mixes.as_ref())),
        )),
        since: now,
        snapshot,
    }
}
