//! Everything that a decision must know of the route's models at one instant, gathered under short locks; then the
//! decision itself.

use super::Gateway;
use super::limits;
use super::prepare::Prepared;
use super::reserve::{LEDGER_WITHIN, LOOK_AGAIN};
use crate::budget::{Books, Charges, Headroom};
use crate::decide::reshape::{self, Reshapes};
use crate::decide::{self, Candidate, Decision, Funds, Present, Reason, Shaped, Speed, State, Target, Wait};
use crate::health::{Options, Verdict};
use crate::limit::Full;
use crate::live::Policy;
use crate::money::Money;
use crate::policy::snapshot::{LicenseId, ModelId, RouteId};
use crate::price::Positions;
use crate::uptime::Uptime;
use jiff::Timestamp;
use std::cell::RefCell;
use std::sync::Arc;
use tokio::time::{Instant, sleep};

pub struct Survey {
    pub decision: Decision,
    /// Active plans that touched this request: changed its route or shut a model of it out.
    pub plans: Vec<Arc<str>>,
    /// What is left of the tightest covering budget, as a share of its limit.
    pub budget_left: Option<f64>,
    /// A covering budget's spend is being found, or what a price's meter has counted: a moment later the decision may be
    /// another one.
    pub rebuilding: bool,
}

pub fn survey(gateway: &Gateway, prepared: &Prepared) -> Survey {
    survey_with(gateway, prepared, Books::headroom)
}

/// What it would be if no reservation of others cost anything.
pub fn survey_as_if_settled(gateway: &Gateway, prepared: &Prepared) -> Survey {
    survey_with(gateway, prepared, Books::headroom_if_settled)
}

/// The account that a model's money comes from, or that has least of it.
pub fn tightest(gateway: &Gateway, prepared: &Prepared, id: ModelId) -> Option<(Arc<str>, Arc<str>)> {
    let books = gateway.live.books.lock();
    let caller = &prepared.needs.caller;
    let charges = books.charges_by(&prepared.answers, id, caller, gateway.clock.now());
    let headroom = books.headroom(&charges);
    headroom.remaining.map(|_| (headroom.budget, headroom.key))
}

fn survey_with(gateway: &Gateway, prepared: &Prepared, headroom: Reckon) -> Survey {
    LOOK.with(|look| {
        // Nothing below asks for another survey.
        let mut look = look.take();
        look.headroom = headroom;
        look.gather(gateway, prepared);
        let present = Now::of(prepared, &look);
        let mut decision = decide::survey(prepared.rules(), &prepared.question(look.at), &present);
        // Where the request that this one repeats has failed.
        let failed = |candidate: &Candidate| prepared.tried_last.contains(&candidate.id);
        decision.candidates.sort_by_key(failed);
        let plans = decision
            .plans
            .iter()
            .map(|plan| prepared.policy.snapshot.plans[*plan].name.clone());
        let survey = Survey {
            plans: plans.collect(),
            budget_left: look.budget_left,
            rebuilding: look.rebuilding,
            decision,
        };
        LOOK.set(look);
        survey
    })
}

/// Whether a copy of the request, with its own needs and answers, may go to a model beside the route's.
pub fn of_shadow(gateway: &Gateway, prepared: &Prepared, id: ModelId) -> Result<Candidate, Reason> {
    let mut look = Look::default();
    look.crowd(gateway, prepared);
    look.gather_of(gateway, prepared, &[id]);
    let question = prepared.question(look.at);
    decide::shadow(prepared.rules(), &question, &Now::of(prepared, &look), id)
}

/// A budget that is new or rolls over is known in a moment, and so is a ladder: nobody is sent elsewhere or away for
/// that, or billed at its dearest.
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

thread_local! {
    static LOOK: RefCell<Look> = RefCell::new(Look::default());
}

/// How what is left of budgets is reckoned.
type Reckon = fn(&Books, &Charges) -> Headroom;

/// What was seen under the locks; a thread uses it again and again.
struct Look {
    headroom: Reckon,
    at: Timestamp,
    uptime: Uptime,
    /// By charge class: what the tightest budget has left.
    funds: Vec<(u32, Option<Funds>)>,
    waits: Vec<(ModelId, Wait)>,
    full: Vec<(ModelId, Full)>,
    /// Of the models whose prices have meters.
    positions: Vec<(ModelId, Positions)>,
    /// Licences that have as many users as they allow, and the request's is none of them.
    crowded: Vec<(LicenseId, u64)>,
    budget_left: Option<f64>,
    rebuilding: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            headroom: Books::headroom,
            at: Timestamp::default(),
            uptime: Uptime::default(),
            funds: Vec::new(),
            waits: Vec::new(),
            full: Vec::new(),
            positions: Vec::new(),
            crowded: Vec::new(),
            budget_left: None,
            rebuilding: false,
        }
    }
}

impl Look {
    fn gather(&mut self, gateway: &Gateway, prepared: &Prepared) {
        (self.budget_left, self.rebuilding) = (None, false);
        self.funds.clear();
        self.waits.clear();
        self.full.clear();
        self.positions.clear();
        self.crowd(gateway, prepared);
        let terms = decide::terms(prepared.rules(), prepared.target);
        self.gather_of(gateway, prepared, &terms.candidates);
        // What would have been without plans may be of other models.
        if let Target::Route(id) = prepared.target {
            let plain = &prepared.policy.snapshot.route(id).terms;
            if plain.candidates != terms.candidates {
                let budget_left = self.budget_left;
                self.gather_of(gateway, prepared, &plain.candidates);
                self.budget_left = budget_left;
            }
        }
    }

    fn gather_of(&mut self, gateway: &Gateway, prepared: &Prepared, ids: &[ModelId]) {
        (self.at, self.uptime) = (gateway.clock.now(), gateway.clock.uptime());
        self.fund(gateway, prepared, ids);
        self.wait(gateway, &prepared.policy, ids);
        self.count(gateway, prepared, ids);
        self.meter(gateway, &prepared.policy, ids);
    }

    /// Most policies bound no users, and no lock is taken.
    fn crowd(&mut self, gateway: &Gateway, prepared: &Prepared) {
        self.crowded.clear();
        let Some(user) = prepared.needs.user else { return };
        let now = gateway.clock.now();
        for (at, license) in prepared.policy.snapshot.licenses.iter().enumerate() {
            let max = license.users.and_then(|users| users.max);
            if let Some(max) = max.filter(|_| license.bounds_users())
                && let Some(counted) = gateway.live.license_users.lock().crowded(&license.name, max, user, now)
            {
                self.crowded.push((LicenseId(at), counted));
            }
        }
    }

    fn fund(&mut self, gateway: &Gateway, prepared: &Prepared, ids: &[ModelId]) {
        let policy = &prepared.policy;
        if policy.snapshot.budgets.is_empty() {
            return;
        }
        let books = gateway.live.books.lock();
        for id in ids {
            let class = policy.charge_classes[id.0];
            if self.funds.iter().any(|(known, _)| *known == class) {
                continue;
            }
            let charges = books.charges_by(&prepared.answers, *id, &prepared.needs.caller, self.at);
            let headroom = (self.headroom)(&books, &charges);
            if headroom.remaining.is_some() {
                let least = self
                    .budget_left
                    .map_or(headroom.share, |least| least.min(headroom.share));
                self.budget_left = Some(least);
            }
            self.rebuilding |= headroom.rebuilding.is_some();
            self.funds.push((class, funds_of(headroom)));
        }
    }

    fn meter(&mut self, gateway: &Gateway, policy: &Policy, ids: &[ModelId]) {
        let price = |id: ModelId| policy.snapshot.model(id).price.as_ref();
        let metered = |id: &&ModelId| price(**id).is_some_and(|price| price.is_metered(self.at));
        // Most policies have none, and no lock is taken.
        let mut metered = ids.iter().filter(metered).peekable();
        if metered.peek().is_none() {
            return;
        }
        let counters = gateway.live.counters.lock();
        for id in metered {
            if let Some(price) = price(*id) {
                let positions = counters.positions(price, self.at);
                self.rebuilding |= positions.are_unknown();
                self.positions.push((*id, positions));
            }
        }
    }

    /// Limits that are reached now: of the model with the key that has most room.
    fn count(&mut self, gateway: &Gateway, prepared: &Prepared, ids: &[ModelId]) {
        let policy = &prepared.policy;
        for id in ids {
            let mut first: Option<Full> = None;
            let mut is_free = false;
            for key in 0..policy.keys(*id).len() {
                let scopes = limits::scopes(&policy.snapshot, *id, key);
                let looked = match scopes.is_empty() {
                    true => Ok(()),
                    false => gateway
                        .live
                        .limits
                        .lock()
                        .look(&scopes, prepared.needs.input, self.uptime),
                };
                match looked {
                    Ok(()) => is_free = true,
                    Err(full) if first.as_ref().is_none_or(|first| full.after < first.after) => first = Some(full),
                    Err(_) => {}
                }
            }
            if let Some(full) = first.filter(|_| !is_free) {
                self.full.push((*id, full));
            }
        }
    }

    fn wait(&mut self, gateway: &Gateway, policy: &Policy, ids: &[ModelId]) {
        let health = gateway.live.health.lock();
        for id in ids {
            let provider = policy.snapshot.provider_of(*id);
            let there = |at: usize| {
                let key = provider.keys.get(at).map(|key| &key.credential);
                key.is_none_or(|key| gateway.credentials.present(key).is_ok())
            };
            let keys = policy.keys(*id);
            // The provider's standing says whether its only key is there.
            let usable = keys.iter().enumerate().filter(|(at, _)| keys.len() == 1 || there(*at));
            let verdict = health.best_verdict(usable.map(|(_, key)| key), Options::of(provider), self.uptime);
            if let Verdict::Wait { until, reason } = verdict {
                let wait = Wait {
                    until,
                    why: reason.word(),
                    breaker: reason.is_breaker(),
                };
                self.waits.push((*id, wait));
            }
        }
    }
}

/// The live state as one decision sees it.
struct Now<'a> {
    policy: &'a Policy,
    uptime: Uptime,
    route: Option<RouteId>,
    look: &'a Look,
    reshapes: &'a Reshapes,
}

impl<'a> Now<'a> {
    fn of(prepared: &'a Prepared, look: &'a Look) -> Self {
        Self {
            policy: &prepared.policy,
            uptime: look.uptime,
            route: prepared.route_id(),
            look,
            reshapes: &prepared.reshapes,
        }
    }
}

impl Present for Now<'_> {
    fn now(&self) -> Uptime {
        self.uptime
    }

    fn state(&self, model: ModelId) -> State<'_> {
        let live = self.policy.provider(self.policy.snapshot.model(model).provider);
        let class = self.policy.charge_classes[model.0];
        let mut waits = self.look.waits.iter();
        let mut funds = self.look.funds.iter();
        let mut full = self.look.full.iter();
        State {
            missing_credential: live.missing_credential(),
            cold: live.is_cold(),
            full: full.find(|(id, _)| *id == model).map(|(_, full)| full.clone()),
            wait: waits.find(|(id, _)| *id == model).map(|(_, wait)| wait.clone()),
            funds: funds
                .find(|(known, _)| *known == class)
                .and_then(|(_, funds)| funds.as_ref()),
        }
    }

    fn shaped(&self, model: ModelId) -> Shaped<'_> {
        reshape::of(self.reshapes, model)
    }

    fn positions(&self, model: ModelId) -> &Positions {
        let mut known = self.look.positions.iter();
        known
            .find(|(id, _)| *id == model)
            .map_or(&Positions::START, |(_, positions)| positions)
    }

    fn crowded(&self, license: LicenseId) -> Option<u64> {
        let mut crowded = self.look.crowded.iter();
        crowded.find(|(id, _)| *id == license).map(|(_, counted)| *counted)
    }

    fn output(&self, model: ModelId) -> Option<u64> {
        self.policy.measures.output(self.route, model)
    }

    fn speed(&self, model: ModelId) -> Option<Speed> {
        self.policy.measures.speed(model, self.uptime)
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
