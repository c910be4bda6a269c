//! Conditions of the policy: the subset of CEL in [`signature`], checked for names and types when the policy loads.
//!
//! Evaluation cannot fail and allocates nothing. The text is parsed by planb's own small parser: the `cel` crate's
//! parser needs over 100 KB of stack for each bracket, so that an edit with sixteen of them would end the daemon, and
//! places inside the expression come out exact this way. A test holds parser and evaluation against that crate.

mod answers;
mod check;
mod checker;
mod facts;
mod lex;
mod literals;
mod names;
mod parse;
pub mod reach;
mod read;
mod signals;
pub mod signature;
mod syntax;
mod tree;
mod world;

#[cfg(test)]
mod tests;

pub use answers::{Answers, Selectors};
pub use facts::{ModelFacts, MoreFacts};
pub(super) use names::Names;
pub use signals::{Sample, Signal, Signals, Value};

use crate::request::Caller;
use signature::Environment;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tree::{Fact, Truth};

/// A checked condition over `model.*`, `tag.*`, `client`, `use` and their like.
#[derive(Clone, Debug)]
pub struct Selector {
    text: Arc<str>,
    tree: Arc<Truth>,
    /// Its place among the policy's selectors.
    at: usize,
}

impl Selector {
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Evaluates it. On a request's way [`Answers`] has the answer already.
    pub fn matches(&self, model: &ModelFacts, caller: &Caller) -> bool {
        count(Environment::Selector);
        self.tree.holds(&world::Request::by(model, caller)) == Some(true)
    }

    /// The answer when it depends on the model alone; `None` when the request's caller decides.
    pub fn folded(&self, model: &ModelFacts) -> Option<bool> {
        self.tree.holds(&world::Request::of(model))
    }

    /// Its place among the selectors of its policy, in [`Selectors`].
    pub(super) fn placed(self, at: usize) -> Self {
        Self { at, ..self }
    }
}

/// A checked condition over live signals.
#[derive(Clone, Debug)]
pub struct StateCondition {
    text: Arc<str>,
    tree: Arc<Truth>,
    /// Each that it reads, once.
    signals: Arc<[Signal]>,
}

impl StateCondition {
    pub fn text(&self) -> &str {
        &self.text
    }

    /// False too where it depends on a signal that is not known yet.
    pub fn holds(&self, signals: &Signals) -> bool {
        count(Environment::State);
        self.tree.holds(signals) == Some(true)
    }

    /// The signals that it reads.
    pub fn signals(&self) -> &[Signal] {
        &self.signals
    }

    /// The answer where no signal matters.
    pub fn constant(&self) -> Option<bool> {
        self.tree.holds(&tree::Nothing)
    }

    /// The signals it reads with their present values, for people: `budget("month").used = 0.83`.
    pub fn why(&self, signals: &Signals) -> String {
        let readings: Vec<String> = self
            .signals
            .iter()
            .map(|signal| signals::reading(signal, signals))
            .collect();
        readings.join(", ")
    }
}

/// How often conditions of each kind were evaluated since the start.
static EVALUATIONS: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];

fn count(environment: Environment) {
    EVALUATIONS[environment as usize].fetch_add(1, Ordering::Relaxed);
}

/// How many conditions of this kind were evaluated since the start.
pub fn evaluations(environment: Environment) -> u64 {
    EVALUATIONS[environment as usize].load(Ordering::Relaxed)
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

    fn warning(code: &'static str, range: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            warning: true,
            ..Self::error(code, range, message)
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

/// Has it the form of a condition, whatever it names?
pub(super) fn is_well_formed(text: &str) -> bool {
    parse::parse(text).is_ok()
}

pub(super) fn selector(text: &str, names: &Names) -> (Option<Selector>, Vec<Fault>) {
    let (tree, faults) = compile(text, Environment::Selector, names);
    let text = Arc::from(text.trim());
    (
        tree.map(|tree| Selector {
            text,
            tree,
            at: usize::MAX,
        }),
        faults,
    )
}

pub(super) fn state(text: &str, names: &Names) -> (Option<StateCondition>, Vec<Fault>) {
    let (tree, faults) = compile(text, Environment::State, names);
    let text = Arc::from(text.trim());
    let condition = tree.map(|tree| StateCondition {
        signals: signals_of(&tree),
        text,
        tree,
    });
    (condition, faults)
}

fn compile(text: &str, environment: Environment, names: &Names) -> (Option<Arc<Truth>>, Vec<Fault>) {
    let syntax = match parse::parse(text) {
        Ok(syntax) => syntax,
        Err(fault) => return (None, vec![fault]),
    };
    let (tree, faults) = check::check(&syntax, environment, names);
    (tree.map(Arc::new), faults)
}

fn signals_of(tree: &Truth) -> Arc<[Signal]> {
    let mut facts = Vec::new();
    tree.facts(&mut facts);
    let mut signals: Vec<Signal> = Vec::new();
    for fact in facts {
        if let Fact::Live(signal) = fact
            && !signals.contains(signal)
        {
            signals.push(signal.clone());
        }
    }
    signals.into()
}
