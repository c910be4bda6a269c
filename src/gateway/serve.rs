//! Drives one request from its decision to its answer: candidate by candidate, as the course says.

mod aside;
mod keys;
mod line;
mod refuse;

use super::Gateway;
use super::attempt::Attempt;
use super::body::ResponseBody;
use super::deadlines::Deadlines;
use super::exchange::{Exchanged, Wire, exchange};
use super::failed::Told;
use super::headers::AnswerHeaders;
use super::large::LargeAnswer;
use super::limits::admit_request;
use super::mirror::mirror;
use super::no_money::NoMoney;
use super::overdue::Watched;
use super::prepare::{Prepared, prepare};
use super::reserve::{LEDGER_WITHIN, reserve};
use super::reserved::Reserved;
use super::stream::{AnswerStream, StreamLimits};
use super::survey::{Survey, survey, survey_in_order};
use super::tariff::Tariff;
use super::ticket::Ticket;
use super::wait::Head;
use super::wished;
use crate::budget::Facts;
use crate::decide::{self, Candidate, Refusal};
use crate::dialect::chat::cost::with_cost;
use crate::dialect::chat::mask;
use crate::dialect::{Inbound, Unreadable};
use crate::failover::{self, Ending, Limits, NotTaken, Step, Turn, Warming};
use crate::ledger::record::ExcludedRecord;
use crate::telemetry::metrics::ExclusionLabels;
use crate::upstream::connect::Kind;
use crate::upstream::credentials::Credential;
use crate::upstream::local::LocalState;
use crate::uptime::Uptime;
use aside::{beating, finish_alone};
use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use keys::{Chosen, UsedKeys};
use std::net::IpAddr;
use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::Arc;
use std::time::Duration;

/// Others may take the money that planb's own bound was computed from; how often it is computed again.
const DECISIONS_ANEW: u8 = 8;

/// Where the client names none, attempts and their own limits bound the request.
const NO_DEADLINE: Duration = Duration::from_secs(86_400);

pub async fn serve(
    gateway: &Arc<Gateway>,
    request: Request<Incoming>,
    peer: Option<IpAddr>,
    read: fn(Bytes) -> Result<Inbound, Unreadable>,
) -> Response<ResponseBody> {
    let prepared = match prepare(gateway, request, peer, read).await {
        Ok(prepared) => prepared,
        Err(away) => return away.response(gateway),
    };
    match prepared.heartbeat.clone() {
        Some(heartbeat) => beating(gateway, prepared, heartbeat).await,
        None => answer(gateway.clone(), prepared).await,
    }
}

async fn answer(gateway: Arc<Gateway>, mut prepared: Prepared) -> Response<ResponseBody> {
    let gateway = &gateway;
    let admission = match prepared.explain {
        true => None,
        false => match admit_request(gateway, &prepared).await {
            Ok(admission) => admission,
            Err(told) => return prepared.turned_away(told).response(gateway),
        },
    };
    let survey = survey_in_order(gateway, &prepared).await;
    if prepared.explain {
        return super::explain::response(gateway, &prepared, &survey);
    }
    let mut ticket = open(gateway, &prepared, &survey);
    ticket.repeat = prepared.repeat.take();
    ticket.admission = admission;
    ticket.wished = wished::observe(gateway, &prepared, &survey).map(Arc::new);
    if prepared.finishes_alone() && !prepared.inbound.stream() {
        return finish_alone(gateway, prepared, survey, ticket).await;
    }
    Serving::new(gateway, prepared, survey, ticket).run().await
}

fn open(gateway: &Arc<Gateway>, prepared: &Prepared, survey: &Survey) -> Ticket {
    let ticket = Ticket::open(gateway, prepared, survey);
    for exclusion in &survey.decision.excluded {
        let labels = ExclusionLabels {
            model: prepared.policy.snapshot.model(exclusion.id).name.clone(),
            reason: exclusion.reason.code(),
        };
        gateway.metrics.excluded.get_or_create(&labels).inc();
    }
    ticket
}

struct Serving {
    gateway: Arc<Gateway>,
    prepared: Prepared,
    survey: Survey,
    ticket: Ticket,
    deadline: Uptime,
    began: Uptime,
    /// At the head of the line for money.
    head: Option<Head>,
    /// Why the last candidate that lacked money did.
    money: Option<NoMoney>,
    /// Keys that it was sent with.
    used_keys: UsedKeys,
    /// How often the decision may still be made anew.
    anew: u8,
}

impl Serving {
    fn new(gateway: &Arc<Gateway>, prepared: Prepared, survey: Survey, ticket: Ticket) -> Self {
        Self {
            gateway: gateway.clone(),
            prepared,
            survey,
            ticket,
            deadline: Uptime::ZERO,
            began: Uptime::ZERO,
            head: None,
            money: None,
            used_keys: Vec::new(),
            anew: DECISIONS_ANEW,
        }
    }
}

/// A step on, or the answer.
type Go = ControlFlow<Response<ResponseBody>, Step>;

impl Serving {
    async fn run(mut self) -> Response<ResponseBody> {
        let now = self.gateway.clock.uptime();
        self.began = now;
        self.deadline = now + self.prepared.deadline.unwrap_or(NO_DEADLINE);
        self.stand_in_line().await;
        if self.survey.decision.candidates.is_empty() {
            return self.refuse();
        }
        self.warm_up();
        let mut step = self.begin();
        loop {
            let gone = match step {
                Step::Try(turn) => self.attempt(turn).await,
                Step::Wait(pause) => {
                    tokio::time::sleep_until(self.gateway.clock.instant(pause.until())).await;
                    Continue(pause.over(self.gateway.clock.uptime()))
                }
                Step::Warm(warming) => Continue(self.warm(warming).await),
                Step::Tell(ending) if self.may_wait(&ending) => self.wait_again().await,
                Step::Tell(ending) if self.may_decide_anew(&ending) => self.decide_anew(ending),
                Step::Tell(ending) => Break(self.tell(ending)),
            };
            match gone {
                Continue(next) => step = next,
                Break(response) => return response,
            }
        }
    }

    fn begin(&self) -> Step {
        let limits = Limits {
            attempts: self.prepared.attempts(),
            deadline: self.deadline,
            round_filters: false,
        };
        let now = self.gateway.clock.uptime();
        failover::begin(self.courses(), limits, self.prepared.seed, now)
    }

    /// A candidate was not taken for want of money, and what is wanted was planb's own choice: less may fit.
    fn may_decide_anew(&self, ending: &Ending) -> bool {
        let goes_on = match ending {
            Ending::NothingLeft(_) => true,
            Ending::Failed(failed) => failed.may_go_on(self.gateway.clock.uptime()),
            _ => false,
        };
        let refused = matches!(self.money, Some(NoMoney::Refused(_)));
        let own_bound = self.prepared.needs.output_bound.is_none();
        goes_on && refused && own_bound && self.anew > 0
    }

    fn decide_anew(&mut self, ending: Ending) -> Go {
        self.anew -= 1;
        self.money = None;
        let survey = survey(&self.gateway, &self.prepared);
        let failed = match ending {
            Ending::Failed(failed) => Some(failed),
            _ => None,
        };
        if let (true, Some(failed)) = (survey.decision.candidates.is_empty(), &failed) {
            return Break(self.tell(Ending::Failed(failed.clone())));
        }
        self.survey = survey;
        self.ticket.decided_anew(&self.prepared, &self.survey);
        if self.survey.decision.candidates.is_empty() {
            return Break(self.refuse());
        }
        Continue(match failed {
            Some(failed) => failed.go_on(self.courses(), self.gateway.clock.uptime()),
            None => self.begin(),
        })
    }

    /// A cold server that would have been first is started for those who come later.
    fn warm_up(&self) {
        let terms = decide::terms(self.prepared.rules(), self.prepared.target);
        let candidates = &self.survey.decision.candidates;
        let first = terms
            .candidates
            .iter()
            .find_map(|id| candidates.iter().find(|candidate| candidate.id == *id));
        if let Some(candidate) = first.filter(|candidate| candidate.cold) {
            let provider = self.prepared.policy.snapshot.provider_of(candidate.id);
            self.gateway.locals.ensure(&provider.name);
        }
    }

    /// Nobody else is left: the client waits for the server, by the server's own limit.
    async fn warm(&mut self, warming: Warming) -> Step {
        let candidate = self.candidate(warming.candidate());
        let provider = self.prepared.policy.snapshot.provider_of(candidate.id);
        let ready = provider.start.as_ref().map_or(Duration::ZERO, |start| start.ready);
        let until = self.until(ready).into_std();
        let waited = self.gateway.locals.wait_ready(&provider.name, until).await;
        let now = self.gateway.clock.uptime();
        match waited {
            Ok(()) => warming.ready(self.deadline, now),
            Err(error) => {
                self.exclude(candidate, "local_server", error.to_string());
                warming.not_ready(now)
            }
        }
    }

    async fn attempt(&mut self, turn: Turn) -> Go {
        let candidate = self.candidate(turn.candidate());
        let provider = self.prepared.policy.snapshot.provider_of(candidate.id).name.clone();
        let Ok(server) = self.gateway.locals.occupy(&provider) else {
            return self.pass(turn, NotTaken::Cold);
        };
        let (chosen, reserved) = match self.take(&turn, candidate).await {
            Ok(taken) => taken,
            Err(why) => return self.pass(turn, why),
        };
        self.used_keys.push((candidate.id, chosen.key));
        self.prepared.attempted.push(candidate.id);
        if turn.number() == 1 {
            mirror(&self.gateway, &self.prepared, candidate.id);
        }
        let attempt = Attempt::new(&self.ticket, candidate, turn.number(), chosen.claim, reserved)
            .with_key(chosen.key, chosen.admission)
            .shaped_by(&self.prepared)
            .on(server);
        let fresh = turn.fresh_connection();
        self.send(turn.sent(), attempt, chosen.credential.as_deref(), fresh)
            .await
    }

    /// Everything that an attempt needs before it is sent: a running server, leave of its breaker, money.
    async fn take(&mut self, turn: &Turn, candidate: Candidate) -> Result<(Chosen, Reserved), NotTaken> {
        let snapshot = self.prepared.policy.snapshot.clone();
        let provider = snapshot.provider_of(candidate.id);
        if let Some(state) = self.gateway.locals.state(&provider.name)
            && !matches!(state, LocalState::Ready { .. })
        {
            self.gateway.locals.ensure(&provider.name);
            return Err(NotTaken::Cold);
        }
        let now = self.gateway.clock.uptime();
        if turn.is_repeat() && !self.gateway.live.health.lock().repeat(&provider.base_url, now) {
            self.exclude(
                candidate,
                "retry_budget",
                "too many repeats to this provider lately".to_owned(),
            );
            return Err(NotTaken::Barred);
        }
        let chosen = self.choose_key(turn, candidate).await?;
        let facts = Facts {
            model: snapshot.facts(candidate.id).clone(),
            currency: snapshot.currency,
            caller: self.prepared.needs.caller.clone(),
        };
        let charges = {
            let books = self.gateway.live.books.lock();
            books.charges_by(
                &self.prepared.answers,
                candidate.id,
                &facts.caller,
                self.gateway.clock.now(),
            )
        };
        let until = self.until(LEDGER_WITHIN);
        let tariff = Tariff::take(&self.gateway, &self.prepared, &candidate);
        match reserve(&self.gateway, tariff, &charges, facts, until).await {
            Ok(reserved) => {
                self.head = None;
                Ok((chosen, reserved))
            }
            Err(why) => {
                let (NoMoney::Refused(text) | NoMoney::Closed(text)) = &why;
                self.exclude(candidate, "budget", text.clone());
                // What may be otherwise in a moment is the better thing to tell.
                if !matches!(self.money, Some(NoMoney::Closed(_))) {
                    self.money = Some(why);
                }
                Err(NotTaken::Money)
            }
        }
    }

    async fn send(
        &mut self,
        sent: failover::Attempt,
        mut attempt: Attempt,
        key: Option<&Credential>,
        fresh: bool,
    ) -> Go {
        let provider = attempt.provider();
        let deadlines = Deadlines::of([provider.timeouts, attempt.model().timeouts, self.prepared.timeouts()]);
        let client = self.gateway.connections.inference(Kind {
            allow_private: provider.allow_private,
            connect: deadlines.connect,
            fresh,
        });
        let wire = Wire {
            client,
            key,
            deadlines,
            until: self.until(deadlines.total),
        };
        match exchange(&self.prepared, &mut attempt, &wire).await {
            Err(failure) => {
                self.ticket.cost = self.ticket.cost.plus(attempt.fail(&failure));
                let (model, class) = (&attempt.model().name, failure.class.word());
                self.ticket.failed_by(Some(model));
                tracing::info!(decision = %self.ticket.id, %model, class, "attempt failed: {}", failure.message);
                let now = self.gateway.clock.uptime();
                let may_repeat = self
                    .gateway
                    .live
                    .health
                    .lock()
                    .may_repeat(&attempt.provider().base_url, now);
                Continue(sent.failed(failure, false, may_repeat, now))
            }
            Ok(Exchanged::Whole(bytes)) => {
                sent.succeeded();
                self.ticket.cost = self.ticket.cost.plus(attempt.succeed());
                let headers = self.headers(&attempt);
                self.ticket.finish(Some(attempt.model().name.clone()), "ok", 200);
                Break(headers.whole(self.shown(bytes)))
            }
            Ok(Exchanged::Begun { upstream, reader, head }) => {
                sent.succeeded();
                let headers = self.headers(&attempt);
                let limits = StreamLimits {
                    idle: deadlines.idle,
                    total_until: wire.until,
                };
                let ticket = self.ticket.hand_over();
                let stream = AnswerStream::new(upstream, *reader, head, attempt, ticket, limits);
                Break(headers.stream(Watched::new(stream, wire.until)))
            }
            Ok(Exchanged::Large { upstream, head }) => {
                sent.succeeded();
                let shown_as = self.prepared.shown_as.clone();
                let headers = self.headers(&attempt);
                let answer = LargeAnswer::new(upstream, head, attempt, self.ticket.hand_over(), shown_as);
                Break(headers.large(Watched::new(answer, wire.until)))
            }
        }
    }

    fn headers(&self, attempt: &Attempt) -> AnswerHeaders {
        AnswerHeaders {
            decision: self.ticket.id.clone(),
            answered_by: (!self.hides()).then(|| (attempt.model().name.clone(), attempt.provider().name.clone())),
            plans: self.survey.plans.clone(),
            degraded: self.is_degraded(attempt.candidate),
            attempts: attempt.number(),
            cost: self.ticket.cost,
            currency: self.prepared.policy.snapshot.currency,
            budget_left: self.survey.budget_left,
            output_cap: attempt.candidate.cap,
            dropped: self.prepared.dropped(attempt.candidate.id).join(", "),
            limits: self.ticket.admission.as_ref().map(|admission| admission.left()),
        }
    }

    fn shown(&self, answer: Bytes) -> Bytes {
        let answer = match &self.prepared.shown_as {
            Some(name) => mask::masked(&answer, name),
            None => answer,
        };
        match self.prepared.compat().usage_cost {
            true => with_cost(&answer, &self.ticket.cost.to_string()),
            false => answer,
        }
    }

    fn hides(&self) -> bool {
        self.prepared.shown_as.is_some()
    }

    /// An active plan made this another answer than the route's first choice.
    fn is_degraded(&self, answers: Candidate) -> bool {
        let first = self.survey.decision.unrestricted.map(|choice| choice.id);
        !self.survey.plans.is_empty() && (first != Some(answers.id) || answers.thinking_off)
    }

    /// Each candidate once for each key that it may be tried with.
    fn courses(&self) -> Vec<failover::Candidate> {
        let policy = &self.prepared.policy;
        let each = |candidate: &Candidate| {
            let model = policy.snapshot.model(candidate.id);
            let place = failover::Candidate {
                model: candidate.id,
                provider: model.provider,
                context: model.context,
            };
            std::iter::repeat_n(place, policy.keys(candidate.id).len())
        };
        self.survey.decision.candidates.iter().flat_map(each).collect()
    }

    /// The candidate at a place of the course.
    fn candidate(&self, place: usize) -> Candidate {
        let (policy, mut place) = (&self.prepared.policy, place);
        let mut candidates = self.survey.decision.candidates.iter().copied();
        let here = candidates.find(|candidate| {
            let keys = policy.keys(candidate.id).len();
            let here = place < keys;
            place = place.saturating_sub(keys);
            here
        });
        // The course knows no other places than those that it was given.
        here.unwrap_or(self.survey.decision.candidates[0])
    }

    /// The end of something that may take `within`, never past the request's deadline.
    fn until(&self, within: Duration) -> tokio::time::Instant {
        let own = self.gateway.clock.uptime() + within;
        self.gateway.clock.instant(self.deadline.min(own))
    }

    fn exclude(&mut self, candidate: Candidate, reason: &'static str, detail: String) {
        let model = self.prepared.policy.snapshot.model(candidate.id).name.clone();
        self.ticket.passed.push(ExcludedRecord { model, reason, detail });
    }

    fn refusal(&self) -> Refusal {
        let question = self.prepared.question(self.ticket.at);
        decide::refusal(self.prepared.rules(), &question, &self.survey.decision)
    }

    fn end(&mut self, told: Told, outcome: &'static str) -> Response<ResponseBody> {
        let told = told.under(self.prepared.compat());
        self.ticket.finish(None, outcome, told.status.as_u16());
        let mut response = told.response();
        AnswerHeaders::refused(&self.ticket.id, &self.survey.plans, &mut response);
        response
    }
}
