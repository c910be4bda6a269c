//! The state that is given, completed: what nobody mentions is as on a quiet day.

use super::scene::REST;
use crate::budget::covers;
use crate::decide::Funds;
use crate::money::{Money, NANOS_PER_UNIT};
use crate::policy::cases::{Given, Health, KeyState};
use crate::policy::condition::signature::Live;
use crate::policy::condition::{Signals, Value};
use crate::policy::snapshot::{Budget, Enforce, ModelId, Snapshot};
use crate::price::Moment;
use crate::request::Caller;
use jiff::Timestamp;
use std::sync::Arc;

/// Tokens in and out by which unit costs are told: three to one.
const MIX: (u64, u64) = (3_000, 1_000);
const ONE: Money = Money::from_nanos(NANOS_PER_UNIT);

/// Providers answer and have their keys, budgets are full, no server is cold; but for what is given.
#[derive(Clone, Debug)]
pub struct World {
    given: Given,
    left: Vec<(Arc<str>, Money)>,
}

impl World {
    pub fn of(snapshot: &Snapshot, given: &Given) -> Self {
        let left = |budget: &Budget| (budget.name.clone(), left(budget, given));
        Self {
            given: given.clone(),
            left: snapshot.budgets.iter().map(left).collect(),
        }
    }

    /// A quiet day.
    pub fn quiet(snapshot: &Snapshot) -> Self {
        Self::of(snapshot, &Given::at(Timestamp::UNIX_EPOCH))
    }

    pub fn given(&self) -> &Given {
        &self.given
    }

    /// All that conditions may read. What is neither given nor follows from it is not known.
    pub fn signals(&self, snapshot: &Snapshot, at: Timestamp) -> Signals {
        let mut signals = Signals::default();
        signals.set_time(at, &snapshot.timezone);
        for budget in &snapshot.budgets {
            let (name, left) = (budget.name.clone(), self.left(&budget.name));
            signals.set(Live::BudgetUsed, name.clone(), 1.0 - left.share_of(budget.limit));
            signals.set(Live::BudgetRemaining, name.clone(), left.as_number());
            signals.set(Live::BudgetExhausted, name, left <= Money::ZERO);
        }
        for provider in &snapshot.providers {
            let health = self.provider(&provider.name);
            let up = !matches!(health, Health::Down | Health::NoCredential);
            signals.set(Live::ProviderUp, provider.name.clone(), up);
            let cooling = matches!(health, Health::Cooling(_));
            signals.set(Live::ProviderCooling, provider.name.clone(), cooling);
        }
        for model in &snapshot.models {
            let quote = model.price.as_ref().map(|price| price.quote(&Moment::plain(at)));
            if let Some(quote) = quote {
                let cost = quote.expected(MIX.0, MIX.1).as_number() * 1_000_000.0 / (MIX.0 + MIX.1) as f64;
                signals.set(Live::ModelUnitCost, model.name.clone(), cost);
            }
        }
        for (signal, value) in &self.given.signals {
            signals.set(signal.live, signal.name.clone(), value.clone());
        }
        signals
    }

    /// A model's own state, or its provider's.
    pub(super) fn health(&self, snapshot: &Snapshot, id: ModelId) -> Health {
        let own = self
            .given
            .models
            .iter()
            .find(|(name, _)| *name == snapshot.model(id).name);
        own.map_or_else(|| self.provider(&snapshot.provider_of(id).name), |(_, health)| *health)
    }

    pub(super) fn provider(&self, name: &str) -> Health {
        let given = self.given.providers.iter().find(|(known, _)| known.as_ref() == name);
        match given {
            Some((_, health)) => *health,
            None if self.says(Live::ProviderUp, name, false) => Health::Down,
            None if self.says(Live::ProviderCooling, name, true) => Health::Cooling(REST),
            None => Health::Up,
        }
    }

    /// How one of a provider's keys stands.
    pub(super) fn key(&self, provider: &str, key: &str) -> KeyState {
        let mut keys = self.given.moment.keys.iter();
        let found = keys.find(|(of, name, _)| of.as_ref() == provider && name.as_ref() == key);
        found.map_or(KeyState::Up, |(.., state)| *state)
    }

    fn says(&self, live: Live, name: &str, truth: bool) -> bool {
        let mut signals = self.given.signals.iter();
        signals
            .any(|(signal, value)| signal.live == live && signal.name.as_ref() == name && *value == Value::Truth(truth))
    }

    /// The tightest hard budget that covers the request.
    pub(super) fn funds(&self, snapshot: &Snapshot, id: ModelId, caller: &Caller) -> Option<Funds> {
        let covering = hard(snapshot).filter(|budget| covers(budget, snapshot.facts(id), caller));
        let funds = covering.map(|budget| Funds {
            budget: budget.name.clone(),
            remaining: self.left(&budget.name),
            closed: None,
        });
        funds.min_by_key(|funds| funds.remaining)
    }

    fn left(&self, budget: &str) -> Money {
        let known = self.left.iter().find(|(name, _)| name.as_ref() == budget);
        known.map_or(Money::ZERO, |(_, left)| *left)
    }

    /// What is left of the tightest budget that covers one of these models, as a share of its limit.
    pub(super) fn share_left(&self, snapshot: &Snapshot, ids: &[ModelId], caller: &Caller) -> Option<f64> {
        let covering = hard(snapshot).filter(|budget| {
            let mut ids = ids.iter();
            ids.any(|id| covers(budget, snapshot.facts(*id), caller))
        });
        let shares = covering.map(|budget| self.left(&budget.name).share_of(budget.limit));
        shares.min_by(f64::total_cmp)
    }
}

fn hard(snapshot: &Snapshot) -> impl Iterator<Item = &Budget> {
    snapshot.budgets.iter().filter(|budget| budget.enforce == Enforce::Hard)
}

/// What is said of the money, of the used share, or that it is exhausted: the first that is given counts.
fn left(budget: &Budget, given: &Given) -> Money {
    if let Some((_, left)) = given.left.iter().find(|(name, _)| *name == budget.name) {
        return *left;
    }
    let said = |live: Live| {
        let mut signals = given.signals.iter();
        let found = signals.find(|(signal, _)| signal.live == live && signal.name == budget.name);
        found.map(|(_, value)| value.clone())
    };
    let said = (
        said(Live::BudgetUsed),
        said(Live::BudgetRemaining),
        said(Live::BudgetExhausted),
    );
    match said {
        (Some(Value::Number(used)), ..) => parts_of(budget.limit, 1.0 - used),
        (_, Some(Value::Number(left)), _) => parts_of(ONE, left),
        (.., Some(Value::Truth(true))) => Money::ZERO,
        _ => budget.limit,
    }
}

/// In whole millionths: a given share is a round number.
fn parts_of(whole: Money, share: f64) -> Money {
    const PARTS: i64 = 1_000_000;
    whole.scaled_down((share.max(0.0) * PARTS as f64).round() as i64, PARTS)
}
