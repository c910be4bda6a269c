//! Which accounts a request charges: by a budget's `covers`, and by its `each` for the key.

use crate::money::Currency;
use crate::policy::condition::ModelFacts;
use crate::policy::snapshot::{Budget, Each};
use crate::request::Caller;
use std::sync::Arc;

/// The key of a request that lacks what `each` asks for.
pub const NONE_KEY: &str = "(none)";
/// The key of everyone who came after a budget had as many keys as it may have.
pub const OTHER_KEY: &str = "(other)";
/// The store's own key in a keyed budget: what a crash left unrecorded. No caller can be charged under it.
pub const UNACCOUNTED_KEY: &str = "(unaccounted)";

/// What a reservation remembers of its request, so that a budget that is new meanwhile can take it over.
#[derive(Clone, Debug)]
pub struct Facts {
    pub model: Arc<ModelFacts>,
    /// In which its worst case and its bill are reckoned.
    pub currency: Currency,
    pub caller: Arc<Caller>,
}

impl Facts {
    pub fn model(&self) -> &ModelFacts {
        &self.model
    }
}

/// Does the budget count what this caller spends on this model?
pub fn covers(budget: &Budget, model: &ModelFacts, caller: &Caller) -> bool {
    let covers = |budget: &Budget| {
        let selector = budget.covers.as_ref();
        selector.is_none_or(|selector| selector.matches(model, caller))
    };
    paid_apart(budget, caller).unwrap_or_else(|| covers(budget))
}

/// A shadow call is paid by its mirror's budget alone, and that one pays for nothing else. `None` where neither is one.
pub(super) fn paid_apart(budget: &Budget, caller: &Caller) -> Option<bool> {
    (caller.is_shadow() || budget.shadows).then(|| caller.mirror == budget.name)
}

/// The account's key: empty for a budget without `each`.
pub fn key_of<'a>(budget: &Budget, model: &'a ModelFacts, caller: &'a Caller) -> &'a str {
    let key = match &budget.each {
        None => return "",
        Some(Each::Tag(name)) => caller.tags.get(name),
        Some(Each::Client) => caller.client.as_ref(),
        Some(Each::Model) => &model.name,
        Some(Each::Provider) => &model.provider,
        Some(Each::Route) => caller.route.as_ref(),
        Some(Each::Use) => caller.purpose.as_ref(),
        Some(Each::Run) => caller.run.as_ref(),
    };
    match key {
        "" => NONE_KEY,
        UNACCOUNTED_KEY => OTHER_KEY,
        key => key,
    }
}

/// Numbers models so that those of one number are charged alike, whoever asks: one look at the books serves them all.
pub fn classes<'a>(budgets: &[Budget], models: impl Iterator<Item = &'a ModelFacts>) -> Vec<u32> {
    let mut known: Vec<Vec<Kind<'a>>> = Vec::new();
    let class = |facts: &'a ModelFacts| {
        let kinds: Vec<Kind<'a>> = budgets.iter().map(|budget| Kind::of(budget, facts)).collect();
        let at = known.iter().position(|other| *other == kinds).unwrap_or_else(|| {
            known.push(kinds);
            known.len() - 1
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    };
    models.map(class).collect()
}

/// What one budget makes of a model.
#[derive(PartialEq)]
enum Kind<'a> {
    Uncovered,
    Covered,
    /// Of its own kind: what depends on the request may depend on the model too.
    Own(&'a str),
}

impl<'a> Kind<'a> {
    fn of(budget: &Budget, model: &'a ModelFacts) -> Self {
        if budget.shadows {
            return Self::Uncovered;
        }
        match budget.covers.as_ref().map(|selector| selector.folded(model)) {
            Some(Some(false)) => Self::Uncovered,
            Some(None) => Self::Own(&model.name),
            Some(Some(true)) | None => match &budget.each {
                Some(Each::Model) => Self::Own(&model.name),
                Some(Each::Provider) => Self::Own(&model.provider),
                _ => Self::Covered,
            },
        }
    }
}

/// An account within its pool: found, or to be made at the first reservation.
#[derive(Clone, Debug)]
pub(super) enum Slot {
    Known(usize),
    New(Arc<str>),
}

#[derive(Clone, Debug)]
pub(super) struct Charge {
    pub(super) pool: u64,
    pub(super) slot: Slot,
}

/// Budgets beyond this many cost an allocation.
const INLINE: usize = 4;

/// The accounts that one request on one model would charge. Valid while the books' pools stay the same; after that
/// [`super::Books::reserve`] finds them anew from the request's facts.
#[derive(Clone, Debug, Default)]
pub struct Charges {
    pub(super) epoch: u64,
    /// A budget that covers the request and has no pool for this instant yet.
    pub(super) missing: Option<Arc<str>>,
    few: [Option<Charge>; INLINE],
    more: Vec<Charge>,
}

impl Charges {
    pub(super) fn of(epoch: u64) -> Self {
        Self {
            epoch,
            ..Self::default()
        }
    }

    pub(super) fn push(&mut self, charge: Charge) {
        match self.few.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(charge),
            None => self.more.push(charge),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Charge> {
        self.few.iter().flatten().chain(&self.more)
    }

    /// No budget covers the request.
    pub fn is_empty(&self) -> bool {
        self.missing.is_none() && self.iter().next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Sources, compile};

    const POLICY: &str = r#"
providers: {home: {vendor: llama.cpp}}
models: {tiny: {provider: home, supply: local}, other: {provider: home, supply: local}}
routes: [{name: chat, try: [tiny], mirror: {model: other, share: 5%, budget: shadow}}]
budgets:
  all: {limit: 1 USD, per: day}
  local: {limit: 1 USD, per: day, covers: 'model.supply == "local"'}
  shadow: {limit: 1 USD, per: day}
"#;

    #[test]
    fn shadow_calls_and_requests_are_paid_from_different_purses() {
        let sources = Sources::single("policy.yaml", "/".into(), POLICY);
        let snapshot = compile(&sources, jiff::Timestamp::UNIX_EPOCH).unwrap().snapshot;
        let model = &snapshot.selectors.models()[0];
        let paying = |mirror: &str| {
            let caller = Caller {
                mirror: mirror.into(),
                ..Caller::default()
            };
            let paying = snapshot.budgets.iter().filter(|budget| covers(budget, model, &caller));
            paying.map(|budget| budget.name.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(paying(""), ["all", "local"]);
        assert_eq!(paying("shadow"), ["shadow"]);
        assert!(paying("another").is_empty(), "one that is gone");
    }
}
