//! Everything that a decision must know of the route's models at one instant, gathered under short locks; then the
//! decision itself, with and without the active plans.

use super::Gateway;
use super::prepare::{Prepared, Target};
use super::reserve::{LEDGER_WITHIN, LOOK_AGAIN};
use crate::budget::{Charges, Headroom};
use crate::decide::{Decision, Exclusion, Funds, Reason, Standing, Terms, Wait, decide};
use crate::health::{Options, Verdict};
use crate::live::Policy;
use crate::money::Money;
use crate::plan::Shed;
use crate::policy::snapshot::{Model, ModelId};
use crate::uptime::Uptime;
use std::sync::Arc;
use tokio::time::{Instant, sleep};

pub struct Survey {
    pub decision: Decision,
    /// By model of the route: which accounts an attempt on it would charge.
    pub charges: Vec<(ModelId, Charges)>,
    /// Active plans that touched this request: changed its route or shut a model of it out.
    pub plans: Vec<Arc<str>>,
    /// What would have been asked first without any plan.
    pub first_choice: Option<ModelId>,
    /// What is left of the tightest covering budget, as a share of its limit.
    pub budget_left: Option<f64>,
    /// A covering budget's spend is being found: a moment later the decision may be another one.
    pub rebuilding: bool,
}

impl Survey {
    pub fn charges(&self, id: ModelId) -> Option<&Charges> {
        self.charges
            .iter()
            .find(|(known, _)| *known == id)
            .map(|(_, charges)| charges)
    }
}

pub fn survey(gateway: &Gateway, prepared: &Prepared) -> Survey {
    let policy = &prepared.policy;
    let (now, uptime) = (gateway.clock.now(), gateway.clock.uptime());
    let ids = prepared.candidates();
    let caller = &prepared.needs.caller;
    let (mut budget_left, mut rebuilding) = (None::<f64>, false);
    let mut charges = Vec::with_capacity(ids.len());
    let mut funds = Vec::with_capacity(ids.len());
    {
        let books = gateway.live.books.lock();
        for id in &ids {
            let of_model = books.charges_by(&prepared.answers, *id, caller, now);
            let headroom = books.headroom(&of_model);
            if headroom.remaining.is_some() {
                budget_left = Some(budget_left.map_or(headroom.share, |least| least.min(headroom.share)));
            }
            rebuilding |= headroom.rebuilding.is_some();
            funds.push(funds_of(headroom));
            charges.push((*id, of_model));
        }
    }
    let waits = waits(gateway, policy, &ids, uptime);
    let moment = prepared.moment(now);
    let standings: Vec<Standing<'_>> = ids
        .iter()
        .zip(funds)
        .zip(waits)
        .map(|((id, funds), wait)| {
            let price = policy.snapshot.model(*id).price.as_ref();
            Standing {
                quote: price.map(|price| price.quote(&moment)),
                ..standing(prepared, *id, funds, wait)
            }
        })
        .collect();
    let (plain, terms) = terms(prepared);
    let decision = match policy.effective.shed(prepared.route_id()) {
        Some(shed) => refused_by(shed, policy, &ids),
        None => decide(&terms, &prepared.needs, &standings, uptime),
    };
    let (plans, first_choice) = without_plans(prepared, &plain, standings, &decision, uptime);
    Survey {
        decision,
        charges,
        plans,
        first_choice,
        budget_left,
        rebuilding,
    }
}

/// A budget that is new or rolls over is known in a moment: nobody is sent elsewhere or away for that.
pub async fn survey_in_order(gateway: &Gateway, prepared: &Prepared) -> Survey {
    let patience = prepared
        .deadline
        .map_or(LEDGER_WITHIN, |deadline| deadline.min(LEDGER_WITHIN));
    let until = Instant::now() + patience;
    loop {
        let survey = survey(gateway, prepared);
        if !survey.rebuilding || !gateway.ledger.is_in_order() || Instant::now() >= until {
            return survey;
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// A budget whose books are not in order is closed, whatever its figures say.
fn funds_of(headroom: Headroom) -> Option<Funds> {
    let closed = |budget: Arc<str>, why| {
        Some(Funds {
            budget,
            remaining: Money::ZERO,
            closed: Some(why),
        })
    };
    if let Some(budget) = headroom.degraded {
        return closed(
            budget,
            "does not add up and spends nothing until its books are read anew",
        );
    }
    if let Some(budget) = headroom.rebuilding {
        return closed(budget, "is being rebuilt from the ledger");
    }
    headroom.remaining.map(|remaining| Funds {
        budget: headroom.budget,
        remaining,
        closed: None,
    })
}

fn waits(gateway: &Gateway, policy: &Policy, ids: &[ModelId], now: Uptime) -> Vec<Option<Wait>> {
    let health = gateway.live.health.lock();
    let wait = |id: &ModelId| {
        let provider = policy.snapshot.provider_of(*id);
        match health.verdict(policy.key(*id), Options::of(provider), now) {
            Verdict::Ready => None,
            Verdict::Wait { until, reason } => Some(Wait {
                until,
                why: reason.word(),
                breaker: reason.is_breaker(),
            }),
        }
    };
    ids.iter().map(wait).collect()
}

fn standing<'a>(prepared: &'a Prepared, id: ModelId, funds: Option<Funds>, wait: Option<Wait>) -> Standing<'a> {
    let policy = &prepared.policy;
    let model: &Model = policy.snapshot.model(id);
    let provider = policy.snapshot.provider(model.provider);
    let live = policy.provider(model.provider);
    let shut_by = policy
        .effective
        .restriction(id, &prepared.answers)
        .map(|plan| policy.snapshot.plans[plan].name.clone());
    Standing {
        id,
        model,
        quote: None,
        missing_credential: live.missing_credential(),
        shut_by,
        wait,
        cold: live.is_cold(),
        thinks_outside_bound: provider.vendor.facts().thinking_outside_bound,
        funds,
    }
}

/// The target's terms as written, and as the active plans leave them.
fn terms(prepared: &Prepared) -> (Terms, Terms) {
    let Target::Route(id) = prepared.target else {
        return (Terms::DIRECT, Terms::DIRECT);
    };
    let plain = prepared.policy.snapshot.routes[id.0].terms.clone();
    let changed = prepared.policy.effective.route(id).map(|route| route.terms.clone());
    (plain.clone(), changed.unwrap_or(plain))
}

/// A plan that sheds leaves no model a candidate.
fn refused_by(shed: &Shed, policy: &Policy, ids: &[ModelId]) -> Decision {
    let plan = &policy.snapshot.plans[shed.plan].name;
    let excluded = ids.iter().map(|id| Exclusion {
        id: *id,
        reason: Reason::Shed { plan: plan.clone() },
    });
    Decision {
        candidates: Vec::new(),
        excluded: excluded.collect(),
    }
}

/// Which plans had a hand in the decision, and what would have come first without them.
fn without_plans(
    prepared: &Prepared,
    plain: &Terms,
    mut standings: Vec<Standing<'_>>,
    decision: &Decision,
    now: Uptime,
) -> (Vec<Arc<str>>, Option<ModelId>) {
    let mut plans: Vec<Arc<str>> = Vec::new();
    if let Target::Route(id) = prepared.target
        && let Some(route) = prepared.policy.effective.route(id)
    {
        plans.extend(
            route
                .changed_by
                .iter()
                .map(|plan| prepared.policy.snapshot.plans[*plan].name.clone()),
        );
    }
    if let Some(shed) = prepared.policy.effective.shed(prepared.route_id()) {
        let plan = &prepared.policy.snapshot.plans[shed.plan].name;
        if !plans.contains(plan) {
            plans.push(plan.clone());
        }
    }
    for standing in &standings {
        if let Some(plan) = &standing.shut_by
            && !plans.contains(plan)
        {
            plans.push(plan.clone());
        }
    }
    if plans.is_empty() {
        return (plans, decision.candidates.first().map(|candidate| candidate.id));
    }
    for standing in &mut standings {
        standing.shut_by = None;
    }
    let unrestricted = decide(plain, &prepared.needs, &standings, now);
    (plans, unrestricted.candidates.first().map(|candidate| candidate.id))
}

/// The worst case that the request's first paid choice has, also where money excluded it: what `exhausted` is measured by.
pub fn first_worst(decision: &Decision, ids: &[(ModelId, Charges)]) -> Option<(ModelId, Money)> {
    ids.iter()
        .filter(|(_, charges)| !charges.is_empty())
        .find_map(|(id, _)| {
            let candidate = decision
                .candidates
                .iter()
                .find(|candidate| candidate.id == *id)
                .map(|candidate| candidate.worst);
            let excluded = decision
                .excluded
                .iter()
                .find(|exclusion| exclusion.id == *id)
                .and_then(|exclusion| match &exclusion.reason {
                    Reason::Budget { needs, .. } => Some(*needs),
                    _ => None,
                });
            candidate
                .or(excluded)
                .filter(|worst| *worst > Money::ZERO)
                .map(|worst| (*id, worst))
        })
}
