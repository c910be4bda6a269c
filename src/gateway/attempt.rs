//! One call to one provider, from its reservation to its settlement: posted, voided or held, exactly once.
//!
//! Settling is synchronous and also runs on drop, so that a client that leaves (its future is dropped) leaks nothing.
//! The record goes into the ledger's channel under the books' lock: channel order is books order, which is what lets a
//! new budget be rebuilt without missing or doubling an attempt.

mod used;

use super::Gateway;
use super::claim::Claim;
use super::limits::Admission;
use super::prepare::Prepared;
use super::reserved::Reserved;
use super::session;
use super::tariff::Billed;
use super::ticket::{Errand, Ticket};
use super::user;
use super::wished::Wished;
use crate::budget::End;
use crate::decide::{Candidate, Target};
use crate::failure::{Billing, Failure};
use crate::health::{Outcome, Quotas};
use crate::ledger::record::Record;
use crate::ledger::record::{Adjustment, AttemptRecord, EndKind};
use crate::live::{Answered, Policy};
use crate::money::Money;
use crate::policy::snapshot::{Model, Provider};
use crate::price::Moment;
use crate::request::Requirements;
use crate::session::SessionKey;
use crate::telemetry::metrics::{AttemptLabels, ModelLabels, TokenLabels};
use crate::upstream::local::Occupied;
use crate::usage::{OutputCount, Usage};
use http::HeaderMap;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

pub struct Attempt {
    gateway: Arc<Gateway>,
    policy: Arc<Policy>,
    decision: Arc<str>,
    needs: Arc<Requirements>,
    target: Target,
    session: Option<SessionKey>,
    pub candidate: Candidate,
    wished: Option<Arc<Wished>>,
    /// Its place among the provider's keys.
    key: usize,
    /// Its place under the limits of provider, key and model, where they have any.
    admission: Option<Admission>,
    /// The whole request's, to which it adds.
    request: Option<Arc<Admission>>,
    /// From 1; 0 for a shadow call.
    number: u8,
    claim: Claim,
    reserved: Option<Reserved>,
    /// A local server does not rest under it.
    _server: Option<Occupied>,
    sent_at: Duration,
    /// Bytes may have reached the provider: from here on abandoning is not free.
    pub sent: bool,
    pub status: u16,
    pub first_token: Option<Duration>,
    /// Output seen so far, counted on the safe side, for an answer that ends early.
    pub seen: OutputCount,
    /// The provider's own figures, as soon as they are there.
    pub usage: Option<Usage>,
    counted: user::Counted,
    /// Every choice has ended: no more output will be billed than `usage` says.
    pub ended: bool,
}

impl Attempt {
    pub fn new(ticket: &Ticket, candidate: Candidate, number: u8, claim: Claim, reserved: Reserved) -> Self {
        let mut attempt = Self::of(ticket.errand(), candidate, claim, reserved);
        attempt.number = number;
        attempt.session = ticket.session;
        attempt.wished = ticket.wished.clone();
        attempt.request = ticket.admission.clone();
        attempt
    }

    /// Beside the request's attempts, and part of none of its counts.
    pub fn of(errand: Errand, candidate: Candidate, claim: Claim, reserved: Reserved) -> Self {
        Self {
            counted: user::Counted::begin(&errand, candidate.id),
            sent_at: errand.gateway.clock.uptime(),
            gateway: errand.gateway,
            policy: errand.policy,
            decision: errand.decision,
            needs: errand.needs,
            target: errand.target,
            session: None,
            candidate,
            wished: None,
            key: 0,
            admission: None,
            request: None,
            number: 0,
            claim,
            reserved: Some(reserved),
            _server: None,
            sent: false,
            status: 0,
            first_token: None,
            seen: OutputCount::default(),
            usage: None,
            ended: false,
        }
    }

    /// Its provider is a local server of planb's.
    pub fn on(mut self, server: Option<Occupied>) -> Self {
        self._server = server;
        self
    }

    /// Which of the provider's keys it is made with.
    pub fn with_key(mut self, key: usize, admission: Option<Admission>) -> Self {
        (self.key, self.admission) = (key, admission);
        self
    }

    /// The request as it goes to this model.
    pub fn shaped_by(mut self, prepared: &Prepared) -> Self {
        self.needs = prepared.needs_of(self.candidate.id).clone();
        self
    }

    /// As the policy calls it; empty where there is one only.
    fn key_name(&self) -> Arc<str> {
        self.provider()
            .keys
            .get(self.key)
            .map_or_else(Arc::default, |key| key.name.clone())
    }

    pub fn model(&self) -> &Model {
        self.policy.snapshot.model(self.candidate.id)
    }

    pub fn provider(&self) -> &Provider {
        self.policy.snapshot.provider_of(self.candidate.id)
    }

    /// 1 for the first of its request.
    pub const fn number(&self) -> u8 {
        self.number
    }

    pub fn now(&self) -> Timestamp {
        self.gateway.clock.now()
    }

    pub fn note_first_token(&mut self) {
        let after = self.gateway.clock.uptime().saturating_sub(self.sent_at);
        self.first_token = Some(after);
        self.claim.answering(after);
        self.gateway.metrics.observe_first_token(&self.model().name, after);
    }

    /// The answer's headers may tell what is left of the provider's quotas.
    pub fn note_headers(&self, headers: &HeaderMap) {
        if let Some(quotas) = Quotas::read(headers, self.now()) {
            let now = self.gateway.clock.uptime();
            if let Some(key) = self.policy.keys(self.candidate.id).get(self.key) {
                self.gateway.live.health.lock().told(key, quotas, now);
            }
        }
    }

    /// The answer is whole. Returns what was posted.
    pub fn succeed(&mut self) -> Money {
        let usage = self.usage_or_estimate();
        self.settle(
            Settlement {
                end: EndKind::Posted,
                usage,
                outcome: "ok",
                class: "",
            },
            Outcome::Ok,
        )
    }

    /// The attempt failed. Returns what was posted, if the failure is billed.
    pub fn fail(&mut self, failure: &Failure) -> Money {
        let (end, usage) = match failure.billing {
            Billing::No => (EndKind::Voided, Usage::default()),
            Billing::Hold => (EndKind::Held, Usage::default()),
            Billing::Estimate => (EndKind::Posted, self.estimate()),
            Billing::ActualElseEstimate => (EndKind::Posted, self.usage_or_estimate()),
        };
        let settlement = Settlement {
            end,
            usage,
            outcome: "failed",
            class: failure.class.word(),
        };
        self.settle(settlement, Outcome::Failed(failure))
    }

    /// The client left. Unsent costs nothing; a cut stream is billed for what it gave; an abandoned whole answer
    /// usually runs to its end and is billed in full, which nobody will tell us: held.
    fn abandon(&mut self) {
        let (end, usage) = match (self.sent, self.needs.stream) {
            (false, _) => (EndKind::Voided, Usage::default()),
            (true, true) => (EndKind::Posted, self.usage_of_cut()),
            (true, false) => (EndKind::Held, Usage::default()),
        };
        self.settle(
            Settlement {
                end,
                usage,
                outcome: "cancelled",
                class: "",
            },
            Outcome::Abandoned,
        );
    }

    fn settle(&mut self, mut settlement: Settlement, outcome: Outcome<'_>) -> Money {
        let Some(reserved) = self.reserved.take() else {
            return Money::ZERO;
        };
        self.counted.settle(&self.gateway, settlement.end);
        let (needs, sent_at) = (self.needs.clone(), self.sent_at);
        let mut tariff = reserved.tariff;
        let estimate = (settlement.end == EndKind::Held).then(|| tariff.estimate(&needs, self.usual_output()));
        let mut freed = None;
        let amount = {
            let mut books = self.gateway.live.books.lock();
            // Under the books' lock: who comes later sees the money itself.
            if self.gateway.lines.has_any() {
                freed = Some(books.accounts_of(&reserved.reservation));
            }
            let posted = settlement.end == EndKind::Posted;
            let Billed {
                bill,
                lines,
                mut counted,
            } = tariff.bill(&mut settlement.usage, &needs, sent_at, posted);
            let cost = bill.as_ref().map_or(Money::ZERO, |bill| bill.amount);
            // Our own count is on the safe side; only the provider's figures can say that it billed beyond its bound.
            let cost = if settlement.usage.estimated {
                cost.min(tariff.worst)
            } else {
                cost
            };
            if cost > tariff.worst {
                self.tell_overdraft(&settlement.usage, cost, tariff.worst);
            }
            let (end, amount) = match settlement.end {
                EndKind::Posted => (End::Post(cost), cost),
                EndKind::Voided => (End::Void, Money::ZERO),
                EndKind::Held => {
                    counted = tariff.draw_unknown(&needs);
                    (End::Hold, tariff.worst)
                }
            };
            let ended = books.end_corrected(reserved.reservation, end, counted.adjustment);
            let adjustment = counted.adjustment.map(|amount| Adjustment {
                amount,
                postings: ended.corrections,
            });
            if let Some(permit) = reserved.permit {
                let record = AttemptRecord {
                    at: reserved.at,
                    amount,
                    worst: tariff.worst,
                    bill,
                    lines,
                    postings: ended.postings,
                    estimate,
                    meters: counted.changes,
                    adjustment,
                    ..self.record(&settlement)
                };
                permit.send(Record::Attempt(Box::new(record)));
            }
            amount
        };
        if let Some(freed) = freed {
            self.gateway.lines.ring(freed);
        }
        if let (Some(wished), EndKind::Posted, "ok" | "cancelled") = (&self.wished, settlement.end, settlement.outcome)
        {
            let moment = Moment::of(&needs, reserved.at, Duration::ZERO);
            wished.billed(
                &self.gateway,
                &self.policy,
                &moment,
                self.candidate.id,
                (&settlement.usage, amount),
            );
        }
        self.count(&settlement, amount);
        self.charge_limits(&settlement);
        self.measure(&settlement);
        self.claim.end(outcome);
        if settlement.end == EndKind::Posted {
            amount
        } else {
            Money::ZERO
        }
    }

    /// A provider billed more than its bound allows: more tokens, or a dearer tier than was asked for.
    fn tell_overdraft(&self, usage: &Usage, billed: Money, reserved: Money) {
        tracing::warn!(
            model = &*self.model().name,
            decision = &*self.decision,
            %billed,
            %reserved,
            tier = usage.tier.map_or("", |tier| tier.word()),
            asked = self.needs.extras.tier.map_or("", |tier| tier.word()),
            "an answer cost more than had been reserved for it"
        );
    }

    /// What answers of this model have been like, each choice by itself.
    fn usual_output(&self) -> Option<u64> {
        let route = match self.target {
            Target::Route(id) => Some(id),
            Target::Model(_) => None,
        };
        let each = self.policy.measures.output(route, self.candidate.id)?;
        Some(each.saturating_mul(self.needs.choices.max(1)))
    }

    /// What a whole answer was like, for the decisions to come.
    fn measure(&self, settlement: &Settlement) {
        // How others are served is not decided by what was only tried out.
        if settlement.outcome != "ok" || self.needs.caller.is_shadow() {
            return;
        }
        if let Some(session) = self.session {
            let model = (self.candidate.id, self.key);
            session::answered(&self.gateway, &self.policy, session, model, &settlement.usage);
        }
        if settlement.usage.estimated {
            return;
        }
        self.learn_output(settlement.usage.output);
        let route = match self.target {
            Target::Route(id) => Some(id),
            Target::Model(_) => None,
        };
        let now = self.gateway.clock.uptime();
        let answered = Answered {
            output: settlement.usage.output,
            choices: self.needs.choices,
            first_token: self.first_token.filter(|_| self.needs.stream),
            total: now.saturating_sub(self.sent_at),
            now,
        };
        self.policy.measures.answered(route, self.candidate.id, answered);
        if let Some(route) = route {
            self.policy.mixes.answered(route, &settlement.usage);
        }
    }

    /// All of the record but its money.
    fn record(&self, settlement: &Settlement) -> AttemptRecord {
        let (model, provider) = (self.model(), self.provider());
        AttemptRecord {
            decision: self.decision.clone(),
            number: self.number,
            at: Timestamp::UNIX_EPOCH,
            model: model.name.clone(),
            provider: provider.name.clone(),
            supply: model.supply.word(),
            upstream: model.upstream.clone(),
            key: self.key_name(),
            caller: self.needs.caller.clone(),
            user: self.needs.user,
            licenses: self.policy.snapshot.license_names(self.candidate.id),
            end: settlement.end,
            outcome: settlement.outcome,
            class: settlement.class,
            status: self.status,
            usage: settlement.usage,
            amount: Money::ZERO,
            worst: Money::ZERO,
            currency: self.policy.snapshot.currency,
            bill: None,
            lines: Vec::new(),
            options: self.needs.extras.options.clone(),
            policy: self.policy.snapshot.hash.clone(),
            first_token_ms: self.first_token.map(milliseconds),
            total_ms: milliseconds(self.gateway.clock.uptime().saturating_sub(self.sent_at)),
            postings: Vec::new(),
            estimate: None,
            meters: Vec::new(),
            adjustment: None,
        }
    }

    fn charge_limits(&self, settlement: &Settlement) {
        let tokens = match settlement.end {
            EndKind::Posted => Some(settlement.usage.input.saturating_add(settlement.usage.output)),
            EndKind::Voided => Some(0),
            EndKind::Held => None,
        };
        if let Some(admission) = &self.admission {
            if self.sent {
                admission.note_sent();
            }
            admission.charge(tokens);
        }
        if let Some(request) = &self.request {
            request.charge(tokens);
        }
    }

    fn count(&self, settlement: &Settlement, amount: Money) {
        let (model, provider, metrics) = (self.model(), self.provider(), &self.gateway.metrics);
        let labels = AttemptLabels {
            model: model.name.clone(),
            provider: provider.name.clone(),
            key: self.key_name(),
            supply: model.supply.word(),
            outcome: settlement.outcome,
            class: settlement.class,
        };
        metrics.attempts.get_or_create(&labels).inc();
        let nanos = amount.nanos().unsigned_abs();
        let by_model = ModelLabels {
            model: model.name.clone(),
        };
        match settlement.end {
            EndKind::Posted => metrics.spend.get_or_create(&by_model).inc_by(nanos),
            EndKind::Held => metrics.held.get_or_create(&by_model).inc_by(nanos),
            EndKind::Voided => 0,
        };
        let usage = &settlement.usage;
        for (kind, tokens) in [
            ("input", usage.input),
            ("cache_read", usage.cache_read),
            ("output", usage.output),
        ] {
            if tokens > 0 {
                metrics
                    .tokens
                    .get_or_create(&TokenLabels {
                        model: model.name.clone(),
                        kind,
                    })
                    .inc_by(tokens);
            }
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.reserved.is_some() {
            self.abandon();
        }
    }
}

struct Settlement {
    end: EndKind,
    usage: Usage,
    outcome: &'static str,
    class: &'static str,
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
