//! Conditions of the policy: the subset of CEL in [`signature`], checked for names and types when the policy loads.
//!
//! Evaluation cannot fail and allocates nothing. The text is parsed by planb's own small parser: the `cel` crate's
//! parser needs over 100 KB of stack for each bracket, so that an edit with sixteen of them would end the daemon, and
//! places inside the expression come out exact this way. A test holds parser and evaluation against that crate.

mod check;
mod lex;
mod literals;
mod parse;
pub mod signature;
mod syntax;
mod tree;

#[cfg(test)]
mod tests;

use crate::request::Caller;
use signature::Environment;
use std::ops::Range;
use std::sync::Arc;
use tree::{Truth, World};

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
    tree: Arc<Truth>,
}

impl Selector {
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn matches(&self, model: ModelFacts<'_>, caller: &Caller) -> bool {
        self.tree.holds(&Request {
            model,
            caller: Some(caller),
        }) == Some(true)
    }

    /// The answer when it depends on the model alone; `None` when the request's caller decides.
    pub fn folded(&self, model: ModelFacts<'_>) -> Option<bool> {
        self.tree.holds(&Request { model, caller: None })
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
    tree: Arc<Truth>,
}

impl StateCondition {
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn holds(&self, signals: &dyn Signals) -> bool {
        self.tree.holds(&State(signals)) == Some(true)
    }

    /// The signals it reads with their present values, for people: `budget("month").used = 0.83`.
    pub fn why(&self, signals: &dyn Signals) -> String {
        self.tree.readings(&State(signals)).join(", ")
    }
}

/// The policy's names, against which a condition is checked.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub providers: Vec<Arc<str>>,
    pub models: Vec<Arc<str>>,
    pub clients: Vec<Arc<str>>,
    /// With whether it is enforced hard.
    pub budgets: Vec<(Arc<str>, bool)>,
}

/// Something wrong or unwise in a condition; `range` is in bytes of its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub warning: bool,
    pub code: &'static str,
    pub range: Range<usize>,
    pub message: String,
    pub help: Option<String>,
}

impl Fault {
    fn error(code: &'static str, range: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            warning: false,
            code,
            range,
            message: message.into(),
            help: None,
        }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }
}

pub(super) fn selector(text: &str, names: &Names) -> (Option<Selector>, Vec<Fault>) {
    let (tree, faults) = compile(text, Environment::Selector, names);
    let text = Arc::from(text.trim());
    (tree.map(|tree| Selector { text, tree }), faults)
}

pub(super) fn state(text: &str, names: &Names) -> (Option<StateCondition>, Vec<Fault>) {
    let (tree, faults) = compile(text, Environment::State, names);
    let text = Arc::from(text.trim());
    (tree.map(|tree| StateCondition { text, tree }), faults)
}

fn compile(text: &str, environment: Environment, names: &Names) -> (Option<Arc<Truth>>, Vec<Fault>) {
    let syntax = match parse::parse(text) {
        Ok(syntax) => syntax,
        Err(fault) => return (None, vec![fault]),
    };
    let (tree, faults) = check::check(&syntax, environment, names);
    (tree.map(Arc::new), faults)
}

/// A request's half of the values, or only its model's.
struct Request<'a> {
    model: ModelFacts<'a>,
    caller: Option<&'a Caller>,
}

impl World for Request<'_> {
    fn text(&self, fact: &tree::Fact) -> Option<&str> {
        match fact {
            tree::Fact::ModelName => Some(self.model.name),
            tree::Fact::ModelProvider => Some(self.model.provider),
            tree::Fact::ModelSupply => Some(self.model.supply),
            tree::Fact::Tag(name) => self.caller.map(|caller| caller.tags.get(name)),
            tree::Fact::Client => self.caller.map(|caller| caller.client.as_ref()),
            tree::Fact::Use => self.caller.map(|caller| caller.purpose.as_ref()),
        }
    }

    fn number(&self, _: &tree::Gauge) -> Option<f64> {
        None
    }

    fn truth(&self, _: &tree::Flag) -> Option<bool> {
        None
    }
}

struct State<'a>(&'a dyn Signals);

impl World for State<'_> {
    fn text(&self, _: &tree::Fact) -> Option<&str> {
        None
    }

    fn number(&self, gauge: &tree::Gauge) -> Option<f64> {
        match gauge {
            tree::Gauge::BudgetUsed(name) => Some(self.0.budget_used(name)),
        }
    }

    fn truth(&self, flag: &tree::Flag) -> Option<bool> {
        match flag {
            tree::Flag::BudgetExhausted(name) => Some(self.0.budget_exhausted(name)),
            tree::Flag::ProviderUp(name) => Some(self.0.provider_up(name)),
        }
    }
}
