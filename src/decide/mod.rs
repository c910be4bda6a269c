//! Which models may serve one request, in which order, and for every other model of the route why not.
//!
//! [`survey`] is a pure function of the policy's rules, the request and one [`Present`]: no I/O, no clock, no dice, no
//! lock. The same inputs give the same decision. The gateway gives it the live state; whoever decides offline (a test of
//! a policy, a comparison of two) implements [`Present`] over what is assumed, and takes [`Calm`] for all the rest.

mod constraints;
pub mod explain;
mod output;
mod pick;
mod present;
mod reason;
mod refusal;
pub mod reshape;
mod spare;
mod standing;
#[cfg(test)]
mod tests;

pub use pick::DEFAULT_OUTPUT;
pub use present::{Calm, Funds, Present, Shaped, Speed, State, Wait};
pub use reason::{Family, Misfit, Reason};
pub use refusal::{Refusal, refusal};
pub use standing::Barred;

use crate::money::Money;
use crate::plan::Effective;
use crate::policy::condition::Answers;
pub use crate::policy::snapshot::Terms;
use crate::policy::snapshot::{Model, ModelId, RouteId, Snapshot};
use crate::price::{self, Quote};
use crate::request::Requirements;
use jiff::Timestamp;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// A policy, and what its active plans make of it.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    pub snapshot: &'a Snapshot,
    pub effective: &'a Effective,
}

/// Which models may serve, and on whose terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Route(RouteId),
    /// One model asked for by its own name.
    Model(ModelId),
}

/// A request, as far as a decision reads it.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    pub target: Target,
    pub needs: &'a Requirements,
    /// What the policy's selectors say of the caller; offline, [`Selectors::ask`](crate::policy::condition::Selectors).
    pub answers: &'a Answers,
    /// When it arrived: what prices go by.
    pub at: Timestamp,
    /// The longest that its client lets it take; the policy's timeouts may be shorter.
    pub patience: Duration,
    /// In place of dice: requests of one conversation share it, others differ.
    pub seed: u64,
    /// What the conversation has at the model that answered it last. It counts where the route keeps conversations.
    pub held: Option<Held>,
    /// Models that this request was sent to already, in vain.
    pub attempted: &'a [ModelId],
}

impl Question<'_> {
    /// The longest that an attempt at this model may take.
    pub fn patience_with(&self, snapshot: &Snapshot, id: ModelId) -> Duration {
        let route = match self.target {
            Target::Route(id) => Some(id),
            Target::Model(_) => None,
        };
        self.patience.min(snapshot.patience(route, id))
    }
}

/// A conversation's ties to the model that answered it last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    pub model: ModelId,
    /// Only that model can go on.
    pub lock: Option<Lock>,
    /// The share of the prompt that is likely to be in its cache, in basis points; `None` once the cache has expired.
    pub cached: Option<u32>,
    /// Where the conversation came from: nothing moves back before the cache has expired.
    pub moved_from: Option<ModelId>,
    /// Other plans are active than when it answered.
    pub replanned: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// The request answers a tool call that the model made.
    ToolLoop,
    /// The request carries reasoning that only the model can read.
    Reasoning,
}

/// What became of a conversation's ties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    Locked(Lock),
    /// It stays where it was.
    Kept,
    /// Another model is better, its cache lost.
    Moves,
    /// Its model is excluded.
    Leaves,
}

impl Stay {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Locked(Lock::ToolLoop) => "tool_loop",
            Self::Locked(Lock::Reasoning) => "reasoning",
            Self::Kept => "kept",
            Self::Moves => "moves",
            Self::Leaves => "leaves",
        }
    }
}

/// One model of the route with all that is known of it at this instant.
#[derive(Clone, Debug)]
pub struct Standing<'a> {
    pub id: ModelId,
    pub model: &'a Model,
    /// The first active plan that shuts it out for this caller.
    pub shut_by: Option<&'a Arc<str>>,
    /// The name of its provider, where that is switched off.
    pub disabled: Option<&'a Arc<str>>,
    /// Why the request cannot be sent there.
    pub misfit: Option<&'a Misfit>,
    pub barred: Barred<'a>,
    /// The request was sent there before, in vain.
    pub attempted: bool,
    /// The vendor does not count thinking under the output bound.
    pub thinks_outside_bound: bool,
    /// Its thinking can be switched off.
    pub stops_thinking: bool,
    /// What its price says of this request; `None`: unpriced.
    pub quote: Option<Quote<'a>>,
    /// How fast it answered lately, where the terms ask for a speed.
    pub speed: Option<Speed>,
    pub state: State<'a>,
}

/// A model that may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub id: ModelId,
    /// Output tokens per choice that are reserved for.
    pub output: u64,
    /// All output tokens that may be billed: choices, and what is thought outside the bound.
    pub billable: u64,
    /// The output bound that planb sends because it is less than the model's own maximum, or than the client's.
    pub cap: Option<u64>,
    /// A thinking budget that planb sends where the client switched thinking on without one.
    pub thinking_budget: Option<u64>,
    /// planb switches its thinking off, because an active plan says so.
    pub thinking_off: bool,
    /// Worst-case cost of one attempt.
    pub worst: Money,
    pub cold: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Exclusion {
    pub id: ModelId,
    pub reason: Reason,
}

/// A model with what the request would most likely cost on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    pub id: ModelId,
    pub cost: Money,
}

/// Every model of the route, once: as a candidate in the order to try, or excluded.
#[derive(Debug, Default, PartialEq)]
pub struct Decision {
    pub candidates: Vec<Candidate>,
    pub excluded: Vec<Exclusion>,
    /// Active plans that touched the request (changed its route or shut a model of it out), as indices into
    /// [`Snapshot::plans`].
    pub plans: Vec<usize>,
    /// What would have been asked first without any plan.
    pub unrestricted: Option<Choice>,
    /// The same had money been no matter either: what forecasts count.
    pub wished: Option<Choice>,
    /// Of a conversation that was answered before.
    pub stay: Option<Stay>,
}

/// What may stand between a model and a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    All,
    /// All but plans.
    NoPlan,
    /// Neither plans nor what budgets have left.
    NoPlanNorMoney,
}

/// Decides. Allocates nothing once a thread has decided before and given its decisions back by dropping them.
pub fn survey(rules: Rules<'_>, question: &Question<'_>, present: &dyn Present) -> Decision {
    let view = View::new(rules, question, present);
    let mut decision = spare::decision();
    let terms = terms(rules, question.target);
    match view.shed() {
        Some(shed) => view.refuse(shed, &terms, &mut decision),
        None => view.weigh(&terms, Bound::All, &mut decision),
    }
    decision.stay = view.held.and_then(|held| stay(held, &decision));
    view.touched(&terms, &mut decision.plans);
    let (unrestricted, short) = if decision.plans.is_empty() {
        let first = decision.candidates.first().map(|first| view.choice(first.id));
        (first, decision.excluded.iter().any(|one| one.reason.is_money()))
    } else {
        view.first_choice(Bound::NoPlan)
    };
    decision.unrestricted = unrestricted;
    decision.wished = if short {
        view.first_choice(Bound::NoPlanNorMoney).0
    } else {
        unrestricted
    };
    decision
}

/// Whether a copy of the request may go to a model that none of its clients sees, on the terms of its route. `question`
/// needs what [`Requirements::mirrored`] leaves of the request's needs; how good the model is, is perhaps to be found out.
pub fn shadow(
    rules: Rules<'_>,
    question: &Question<'_>,
    present: &dyn Present,
    id: ModelId,
) -> Result<Candidate, Reason> {
    let view = View::new(rules, question, present);
    let mut terms = terms(rules, question.target).into_owned();
    terms.need.quality = None;
    constraints::check(
        &terms,
        view.needs(id),
        &view.standing(id, &terms, Bound::All),
        present.now(),
    )
}

/// What a request would most likely cost on a model, as its place by `pick: cheapest` is reckoned.
pub fn expected(rules: Rules<'_>, question: &Question<'_>, present: &dyn Present, id: ModelId) -> Money {
    View::new(rules, question, present).choice(id).cost
}

/// The target's terms as the active plans leave them.
pub fn terms<'a>(rules: Rules<'a>, target: Target) -> Cow<'a, Terms> {
    match target {
        Target::Model(id) => Cow::Owned(Terms::direct(id)),
        Target::Route(id) => {
            let now = rules.effective.route(id).map(|now| &now.terms);
            Cow::Borrowed(now.unwrap_or(&rules.snapshot.route(id).terms))
        }
    }
}

/// One request before one policy at one instant.
struct View<'a> {
    rules: Rules<'a>,
    question: &'a Question<'a>,
    present: &'a dyn Present,
    /// What prices must know of the request.
    moment: price::Moment<'a>,
    /// Only where the route keeps conversations.
    held: Option<Held>,
    attempted: &'a [ModelId],
}

impl<'a> View<'a> {
    fn new(rules: Rules<'a>, question: &'a Question<'a>, present: &'a dyn Present) -> Self {
        Self {
            rules,
            question,
            present,
            moment: price::Moment::of(question.needs, question.at, question.patience),
            held: question.held.filter(|_| terms(rules, question.target).sticks()),
            attempted: question.attempted,
        }
    }

    fn shed(&self) -> Option<usize> {
        let route = match self.question.target {
            Target::Route(id) => Some(id),
            Target::Model(_) => None,
        };
        self.rules.effective.shed(route).map(|shed| shed.plan)
    }

    /// A plan that sheds leaves no model a candidate.
    fn refuse(&self, plan: usize, terms: &Terms, decision: &mut Decision) {
        let Some(plan) = self.rules.snapshot.plans.get(plan) else {
            return;
        };
        decision.excluded.extend(terms.candidates.iter().map(|id| Exclusion {
            id: *id,
            reason: Reason::Shed {
                plan: plan.name.clone(),
            },
        }));
    }

    /// Puts each model of the terms where it belongs, the candidates in order.
    fn weigh(&self, terms: &Terms, bound: Bound, decision: &mut Decision) {
        let now = self.present.now();
        let mut order = pick::Order::new(self, terms);
        for id in terms.candidates.iter() {
            let standing = self.standing(*id, terms, bound);
            match constraints::check(terms, self.needs(*id), &standing, now) {
                Ok(candidate) => {
                    order.add(&candidate, &standing);
                    decision.candidates.push(candidate);
                }
                Err(reason) => decision.excluded.push(Exclusion { id: *id, reason }),
            }
        }
        order.apply(&mut decision.candidates);
    }

    fn standing(&self, id: ModelId, terms: &Terms, bound: Bound) -> Standing<'_> {
        let Rules { snapshot, effective } = self.rules;
        let plan = effective
            .restriction(id, self.question.answers)
            .filter(|_| bound == Bound::All);
        let shaped = self.present.shaped(id);
        let (quote, mut state) = (self.quoted(id, shaped), self.present.state(id));
        // What has no price stays out under a budget, whatever that has left.
        if bound == Bound::NoPlanNorMoney && quote.is_some() {
            state.funds = None;
        }
        let provider = snapshot.provider_of(id);
        Standing {
            id,
            model: snapshot.model(id),
            shut_by: plan.and_then(|plan| snapshot.plans.get(plan)).map(|plan| &plan.name),
            thinks_outside_bound: provider.vendor.facts().thinking_outside_bound,
            disabled: provider.disabled.then_some(&provider.name),
            quote,
            state,
            speed: terms.need.speed.and_then(|_| self.present.speed(id)),
            stops_thinking: snapshot.thinking_switch(id).is_some(),
            misfit: match shaped {
                Shaped::Misfit(why) => Some(why),
                _ => None,
            },
            barred: Barred::of(snapshot, snapshot.model(id), self.question, |license| {
                self.present.crowded(license)
            }),
            attempted: self.attempted.contains(&id),
        }
    }

    fn quote(&self, id: ModelId) -> Option<Quote<'_>> {
        self.quoted(id, self.present.shaped(id))
    }

    fn quoted<'s>(&'s self, id: ModelId, shaped: Shaped<'s>) -> Option<Quote<'s>> {
        let price = self.rules.snapshot.model(id).price.as_ref()?;
        let mut moment = match shaped {
            Shaped::Needs(needs) => price::Moment::of(needs, self.question.at, self.question.patience),
            _ => self.moment,
        };
        moment.patience = self.question.patience_with(self.rules.snapshot, id);
        Some(price.quote(&moment).at(self.present.positions(id)))
    }

    /// As they are on the way to this model.
    fn needs(&self, id: ModelId) -> &Requirements {
        match self.present.shaped(id) {
            Shaped::Needs(needs) => needs,
            _ => self.question.needs,
        }
    }

    /// Plans that changed the route, shed its requests or shut a model of it out, whatever else is against it.
    fn touched(&self, terms: &Terms, plans: &mut Vec<usize>) {
        let effective = self.rules.effective;
        if effective.active().is_empty() {
            return;
        }
        if let Target::Route(id) = self.question.target {
            plans.extend(effective.route(id).map_or(&[][..], |now| &now.changed_by));
        }
        let shut = terms
            .candidates
            .iter()
            .filter_map(|id| effective.restriction(*id, self.question.answers));
        for plan in self.shed().into_iter().chain(shut) {
            if !plans.contains(&plan) {
                plans.push(plan);
            }
        }
    }

    /// The first by the route's terms as written, and whether money kept a model out.
    fn first_choice(&self, bound: Bound) -> (Option<Choice>, bool) {
        let plain = match self.question.target {
            Target::Route(id) => {
                let plain = &self.rules.snapshot.route(id).terms;
                let succeeded = self.rules.snapshot.succeeded(plain, self.question.at);
                succeeded.map_or(Cow::Borrowed(plain), Cow::Owned)
            }
            Target::Model(id) => Cow::Owned(Terms::direct(id)),
        };
        // Where a conversation is now is the plans' doing, too; and a failure is nobody's wish.
        let free = Self {
            held: None,
            attempted: &[],
            ..Self::new(self.rules, self.question, self.present)
        };
        let (first, short) = if pick::is_by_place(&plain) {
            free.first_by_place(&plain, bound)
        } else {
            let mut spare = spare::decision();
            free.weigh(&plain, bound, &mut spare);
            let short = spare.excluded.iter().any(|one| one.reason.is_money());
            (spare.candidates.first().map(|candidate| candidate.id), short)
        };
        (first.map(|id| free.choice(id)), short)
    }

    /// The first that is warm, or else the first.
    fn first_by_place(&self, terms: &Terms, bound: Bound) -> (Option<ModelId>, bool) {
        let now = self.present.now();
        let (mut cold, mut short) = (None, false);
        for id in terms.candidates.iter() {
            let standing = self.standing(*id, terms, bound);
            match constraints::check(terms, self.needs(*id), &standing, now) {
                Ok(candidate) if !candidate.cold => return (Some(*id), short),
                Ok(_) => cold = cold.or(Some(*id)),
                Err(reason) => short |= reason.is_money(),
            }
        }
        (cold, short)
    }

    fn choice(&self, id: ModelId) -> Choice {
        Choice {
            id,
            cost: pick::expected(self, id),
        }
    }
}

fn stay(held: Held, decision: &Decision) -> Option<Stay> {
    let is_held = |candidate: &Candidate| candidate.id == held.model;
    if decision.excluded.iter().any(|exclusion| exclusion.id == held.model) {
        return Some(Stay::Leaves);
    }
    // A model that the route no longer tries holds nothing.
    decision.candidates.iter().find(|candidate| is_held(candidate))?;
    Some(match (held.lock, decision.candidates.first().is_some_and(is_held)) {
        (Some(lock), true) => Stay::Locked(lock),
        (None, true) => Stay::Kept,
        (_, false) => Stay::Moves,
    })
}
