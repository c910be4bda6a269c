//! Conditions of the policy: parsed as CEL, checked and lowered by planb itself.

use crate::request::Caller;
use std::sync::Arc;

/// What a selector may know of a model.
#[derive(Clone, Copy, Debug)]
pub struct ModelFacts<'a> {
    pub name: &'a str,
    pub provider: &'a str,
    pub supply: &'a str,
}

/// A checked condition over `model.*`, `tag.*`, `client` and `use`.
#[derive(Clone, Debug)]
pub struct Selector {
    text: Arc<str>,
}

impl Selector {
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn matches(&self, _model: ModelFacts<'_>, _caller: &Caller) -> bool {
        todo!()
    }

    /// The answer when it depends on the model alone; `None` when the request's caller decides.
    pub fn folded(&self, _model: ModelFacts<'_>) -> Option<bool> {
        todo!()
    }
}

/// The live values that a state condition may read.
pub trait Signals {
    /// `(posted + held) / limit`; of a keyed budget, its fullest key.
    fn budget_used(&self, budget: &str) -> f64;
    fn budget_exhausted(&self, budget: &str) -> bool;
    fn provider_up(&self, provider: &str) -> bool;
}

/// A checked condition over live signals.
#[derive(Clone, Debug)]
pub struct StateCondition {
    text: Arc<str>,
}

impl StateCondition {
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn holds(&self, _signals: &dyn Signals) -> bool {
        todo!()
    }

    /// The signals it reads with their present values, for people: `budget("month").used = 0.83`.
    pub fn why(&self, _signals: &dyn Signals) -> String {
        todo!()
    }
}
