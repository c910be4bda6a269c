//! One request from its decision to its record. Whatever happens, it is recorded once: by `finish`, or as cancelled
//! when it is dropped because the client left.

use super::Gateway;
use super::again::Repeat;
use super::grounds::grounds;
use super::heartbeat::Heartbeat;
use super::limits::Admission;
use super::prepare::Prepared;
use super::survey::Survey;
use super::wished::{Over, Wished};
use crate::decide::Target;
use crate::decide::explain::{Explanation, Grounds};
use crate::ledger::Permit;
use crate::ledger::record::Record;
use crate::ledger::record::{DecisionRecord, ExcludedRecord};
use crate::live::Policy;
use crate::money::Money;
use crate::request::Requirements;
use crate::session::SessionKey;
use crate::telemetry::metrics::RequestLabels;
use jiff::Timestamp;
use std::sync::Arc;

/// The status that stands in the record when nobody was there to see one.
const CLIENT_LEFT: u16 = 499;

pub struct Ticket {
    pub gateway: Arc<Gateway>,
    pub policy: Arc<Policy>,
    pub id: Arc<str>,
    pub at: Timestamp,
    pub route: Arc<str>,
    pub target: Target,
    /// The decision of the request that an SDK sent again.
    pub retry_of: Arc<str>,
    pub session: Option<SessionKey>,
    pub needs: Arc<Requirements>,
    /// What the decision rested on.
    grounds: Option<Box<Grounds>>,
    /// Candidates that could not be had when their turn came.
    pub passed: Vec<ExcludedRecord>,
    /// What would have been asked first without plans.
    pub wished: Option<Arc<Wished>>,
    /// Posted so far, over all attempts.
    pub cost: Money,
    /// The client may not see who answers.
    pub hides: bool,
    /// Its place under its client's and its route's limits, where they have any.
    pub admission: Option<Arc<Admission>>,
    /// Its place among the requests of one `Idempotency-Key`.
    pub repeat: Option<Repeat>,
    heartbeat: Option<Heartbeat>,
    permit: Option<Permit>,
    finished: bool,
}

/// What an attempt is made for.
pub struct Errand {
    pub gateway: Arc<Gateway>,
    pub policy: Arc<Policy>,
    pub decision: Arc<str>,
    pub needs: Arc<Requirements>,
    pub target: Target,
}

impl Ticket {
    pub fn open(gateway: &Arc<Gateway>, prepared: &Prepared, survey: &Survey) -> Self {
        gateway.metrics.in_flight.inc();
        let permit = gateway.ledger.try_permit();
        if permit.is_none() {
            gateway.metrics.records_dropped.inc();
        }
        Self {
            gateway: gateway.clone(),
            policy: prepared.policy.clone(),
            id: prepared.id.clone(),
            at: gateway.clock.now(),
            route: prepared.route.clone(),
            target: prepared.target,
            retry_of: prepared.retry_of.clone(),
            session: prepared.session,
            needs: prepared.needs.clone(),
            grounds: Some(Box::new(grounds(prepared, survey))),
            passed: Vec::new(),
            wished: None,
            cost: Money::ZERO,
            hides: prepared.shown_as.is_some(),
            admission: None,
            repeat: None,
            heartbeat: prepared.heartbeat.clone(),
            permit,
            finished: false,
        }
    }

    /// Less money, or another candidate gone: what was decided before counts no more.
    pub fn decided_anew(&mut self, prepared: &Prepared, survey: &Survey) {
        self.grounds = Some(Box::new(grounds(prepared, survey)));
        self.passed.clear();
    }

    /// The model that was last found to be no candidate, and why.
    pub fn last_reason(&self) -> Option<String> {
        let passed = self.passed.last().map(|last| (last.model.clone(), last.detail.clone()));
        let excluded = || {
            let (model, _, detail) = self.grounds.as_ref()?.exclusions().last()?;
            Some((model.clone(), detail))
        };
        let (model, detail) = passed.or_else(excluded)?;
        Some(format!("`{model}`: {detail}"))
    }

    pub fn errand(&self) -> Errand {
        Errand {
            gateway: self.gateway.clone(),
            policy: self.policy.clone(),
            decision: self.id.clone(),
            needs: self.needs.clone(),
            target: self.target,
        }
    }

    /// The request goes on elsewhere (in a stream): this one has nothing left to record.
    pub fn hand_over(&mut self) -> Self {
        let next = Self {
            gateway: self.gateway.clone(),
            policy: self.policy.clone(),
            id: self.id.clone(),
            at: self.at,
            route: self.route.clone(),
            target: self.target,
            retry_of: self.retry_of.clone(),
            session: self.session,
            needs: self.needs.clone(),
            grounds: self.grounds.take(),
            passed: std::mem::take(&mut self.passed),
            wished: self.wished.take(),
            cost: self.cost,
            hides: self.hides,
            admission: self.admission.take(),
            repeat: self.repeat.take(),
            heartbeat: self.heartbeat.take(),
            permit: self.permit.take(),
            finished: false,
        };
        self.finished = true;
        self.gateway.metrics.in_flight.inc();
        next
    }

    /// `outcome` is `ok`, `failed`, `refused` or `cancelled`; `status` what the client saw, if no beat had sent the head.
    pub fn finish(&mut self, chosen: Option<Arc<str>>, outcome: &'static str, status: u16) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        let sent_head = self.heartbeat.as_ref().is_some_and(Heartbeat::sent_head);
        let status = if sent_head && status != CLIENT_LEFT {
            200
        } else {
            status
        };
        let labels = RequestLabels {
            route: self.route.clone(),
            outcome,
        };
        self.gateway.metrics.requests.get_or_create(&labels).inc();
        self.tell(chosen.as_deref(), outcome, status);
        let (first_choice, first_cost) = self.count(outcome);
        if outcome == "failed" {
            self.failed_by(chosen.as_ref());
        }
        let Some(permit) = self.permit.take() else { return };
        permit.send(Record::Decision(Box::new(DecisionRecord {
            id: self.id.clone(),
            retry_of: self.retry_of.clone(),
            at: self.at,
            route: self.route.clone(),
            dialect: if self.needs.embeds { "embeddings" } else { "chat" },
            stream: self.needs.stream,
            grounds: self.grounds.take(),
            chosen,
            first_choice,
            first_cost,
            passed: std::mem::take(&mut self.passed),
            caller: self.needs.caller.clone(),
            input: self.needs.input,
            needs: self.needs.clone(),
            cost: self.cost,
            currency: self.policy.snapshot.currency,
            outcome,
            status,
            policy_hash: self.policy.snapshot.hash.clone(),
        })));
    }

    /// Whoever sends the request again has this model tried last.
    pub fn failed_by(&mut self, model: Option<&Arc<str>>) {
        if let (Some(repeat), Some(model)) = (&mut self.repeat, model) {
            repeat.failed.push(model.clone());
        }
    }

    /// The model that would have been asked first without plans, and what that would have cost.
    fn count(&self, outcome: &'static str) -> (Option<Arc<str>>, Money) {
        let Some(wished) = &self.wished else {
            return (None, Money::ZERO);
        };
        let over = Over {
            policy: &self.policy,
            target: self.target,
            needs: &self.needs,
            at: self.at,
            outcome,
        };
        let name = self.policy.snapshot.model(wished.id).name.clone();
        (Some(name), wished.count(&self.gateway, &over))
    }

    /// One line of the log; where there is no answer, or all is to be said, with the explanation below it.
    fn tell(&self, chosen: Option<&str>, outcome: &'static str, status: u16) {
        let ms = self.gateway.clock.now().duration_since(self.at).as_millis();
        let cost = format!("{} {}", self.cost, self.policy.snapshot.currency);
        let (id, route) = (&self.id, &self.route);
        match chosen {
            Some(model) if outcome == "ok" => {
                tracing::info!(%route, %model, status, %cost, ms, decision = %id, "answered");
                if tracing::enabled!(tracing::Level::DEBUG) {
                    self.lines(|line| tracing::debug!(decision = %id, "{line}"));
                }
            }
            _ => {
                tracing::info!(%route, status, %cost, ms, decision = %id, "{outcome}");
                self.lines(|line| tracing::info!(decision = %id, "{line}"));
            }
        }
    }

    /// The explanation, a line at a time: each of the log's lines has the decision's id.
    fn lines(&self, each: impl Fn(&str)) {
        let Some(grounds) = &self.grounds else { return };
        let mut explanation = Explanation::new(grounds, &self.route, &self.needs, self.at);
        for one in &self.passed {
            explanation.passed(&one.model, one.reason, &one.detail);
        }
        explanation.to_string().lines().for_each(each);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.finish(None, "cancelled", CLIENT_LEFT);
        // Whoever sees it gone finds its place free.
        self.admission = None;
        self.gateway.metrics.in_flight.dec();
    }
}
