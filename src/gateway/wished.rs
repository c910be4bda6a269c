//! What a request would have cost without plans: counted once a request, for forecasts.
//!
//! The usage that the answer had, at the price of the model that would have been asked first; where there was no answer
//! because a plan or a budget refused it, a usual request of the route.

use super::Gateway;
use super::prepare::Prepared;
use super::survey::Survey;
use crate::budget::{Books, Charges};
use crate::decide::{self, Decision, Reason, Target};
use crate::live::Policy;
use crate::money::Money;
use crate::policy::snapshot::{ModelId, RouteId};
use crate::price::Moment;
use crate::request::Requirements;
use crate::usage::Usage;
use jiff::Timestamp;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// No answer was billed.
const NOTHING: i64 = i64::MIN;

#[derive(Debug)]
pub struct Wished {
    pub id: ModelId,
    charges: Charges,
    /// As the decision reckoned it.
    expected: Money,
    /// Of the answer's usage.
    billed: AtomicI64,
}

impl Wished {
    /// `books` where there are budgets at all.
    fn of(books: Option<&Books>, prepared: &Prepared, survey: &Survey, now: Timestamp) -> Option<Self> {
        let choice = survey.decision.wished?;
        let caller = &prepared.needs.caller;
        let charges = books.map(|books| books.charges_by(&prepared.answers, choice.id, caller, now));
        Some(Self {
            id: choice.id,
            charges: charges.unwrap_or_default(),
            expected: choice.cost,
            billed: AtomicI64::new(NOTHING),
        })
    }

    /// An answer of `id` was billed `cost` for this usage.
    pub fn billed(
        &self,
        gateway: &Gateway,
        policy: &Policy,
        moment: &Moment<'_>,
        id: ModelId,
        (usage, cost): (&Usage, Money),
    ) {
        let here = if id == self.id {
            cost
        } else {
            self.cost(gateway, policy, moment, usage).unwrap_or_default()
        };
        self.billed.store(here.nanos(), Relaxed);
    }

    /// The request is over: its accounts count what it would have cost them. Returns that.
    pub fn count(&self, gateway: &Gateway, request: &Over<'_>) -> Money {
        let cost = match (self.billed.load(Relaxed), request.outcome) {
            (NOTHING, "refused") => self.usual(gateway, request).unwrap_or(self.expected),
            (NOTHING, _) => Money::ZERO,
            (nanos, _) => Money::from_nanos(nanos),
        };
        if !self.charges.is_empty() {
            gateway.live.books.lock().plan_free(&self.charges, cost);
        }
        cost
    }

    fn usual(&self, gateway: &Gateway, request: &Over<'_>) -> Option<Money> {
        let usage = request.policy.mixes.of(request.route()?)?;
        let moment = Moment::of(request.needs, request.at, std::time::Duration::ZERO);
        self.cost(gateway, request.policy, &moment, &usage)
    }

    /// At where the meters of its price stand now.
    fn cost(&self, gateway: &Gateway, policy: &Policy, moment: &Moment<'_>, usage: &Usage) -> Option<Money> {
        let price = policy.snapshot.model(self.id).price.as_ref()?;
        let positions = gateway.live.counters.lock().positions(price, moment.at);
        Some(price.quote(moment).at(&positions).cost(usage))
    }
}

/// A request that has ended.
pub struct Over<'a> {
    pub policy: &'a Policy,
    pub target: Target,
    pub needs: &'a Requirements,
    pub at: Timestamp,
    pub outcome: &'static str,
}

impl Over<'_> {
    const fn route(&self) -> Option<RouteId> {
        match self.target {
            Target::Route(id) => Some(id),
            Target::Model(_) => None,
        }
    }
}

/// Feeds the books with the worst case that the request's first paid choice has, also where money excluded it: what
/// `exhausted` is measured by. Returns what would have been asked first without plans.
pub fn observe(gateway: &Gateway, prepared: &Prepared, survey: &Survey) -> Option<Wished> {
    let now = gateway.clock.now();
    if prepared.policy.snapshot.budgets.is_empty() {
        return Wished::of(None, prepared, survey, now);
    }
    let terms = decide::terms(prepared.rules(), prepared.target);
    let mut books = gateway.live.books.lock();
    for id in terms.candidates.iter() {
        let Some(worst) = worst_of(&survey.decision, *id) else {
            continue;
        };
        let charges = books.charges_by(&prepared.answers, *id, &prepared.needs.caller, now);
        if !charges.is_empty() {
            books.observe(&charges, worst);
            break;
        }
    }
    Wished::of(Some(&books), prepared, survey, now)
}

fn worst_of(decision: &Decision, id: ModelId) -> Option<Money> {
    let candidate = decision.candidates.iter().find(|candidate| candidate.id == id);
    let needed = || {
        let exclusion = decision.excluded.iter().find(|exclusion| exclusion.id == id)?;
        match &exclusion.reason {
            Reason::Budget { needs, .. } => Some(*needs),
            _ => None,
        }
    };
    candidate
        .map(|candidate| candidate.worst)
        .or_else(needed)
        .filter(|worst| *worst > Money::ZERO)
}
