//! Drives one request from its decision to its answer: candidate by candidate, as the course says.

use super::Gateway;
use super::attempt::Attempt;
use super::body::ResponseBody;
use super::claim::Claim;
use super::deadlines::Deadlines;
use super::exchange::{Exchanged, Wire, exchange};
use super::failed::{self, Told};
use super::headers::AnswerHeaders;
use super::prepare::{Prepared, prepare};
use super::reserve::{NoMoney, reserve};
use super::stream::{AnswerStream, StreamLimits};
use super::survey::{self, Survey, survey};
use super::ticket::Ticket;
use crate::budget::{Charges, Facts};
use crate::decide::{self, Candidate, Uptime};
use crate::failover::{Course, Ending, Limits, Next, NotTaken};
use crate::failure::Failure;
use crate::health::Verdict;
use crate::ledger::record::ExcludedRecord;
use crate::telemetry::metrics::ExclusionLabels;
use http::{Request, Response};
use hyper::body::Incoming;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Longest that an answer is fetched for a client that left, under `on_disconnect: finish`.
const FINISH_WITHIN: Duration = Duration::from_secs(60);

pub async fn chat(gateway: &Arc<Gateway>, request: Request<Incoming>, peer: Option<IpAddr>) -> Response<ResponseBody> {
    let prepared = match prepare(gateway, request, peer).await {
        Ok(prepared) => prepared,
        Err(told) => return told.response(),
    };
    let survey = survey(gateway, &prepared);
    if prepared.explain {
        return super::explain::response(&prepared, &survey);
    }
    let ticket = open(gateway, &prepared, &survey);
    observe(gateway, &survey);
    if prepared.finishes_alone() && !prepared.chat.stream {
        return finish_alone(gateway, prepared, survey, ticket).await;
    }
    Serving { gateway: gateway.clone(), prepared, survey, ticket }.run().await
}

/// The work goes on without the client, for a while, and is settled by what it used.
async fn finish_alone(gateway: &Arc<Gateway>, prepared: Prepared, survey: Survey, ticket: Ticket) -> Response<ResponseBody> {
    let serving = Serving { gateway: gateway.clone(), prepared, survey, ticket };
    let (answer, mut answered) = tokio::sync::oneshot::channel();
    gateway.tasks.spawn(async move {
        let mut work = std::pin::pin!(serving.run());
        let mut answer = answer;
        tokio::select! {
            response = &mut work => {
                // Nobody may be there to take it; it is settled all the same.
                let _ = answer.send(response);
                return;
            }
            () = answer.closed() => {}
        }
        let _ = tokio::time::timeout(FINISH_WITHIN, work).await;
    });
    match (&mut answered).await {
        Ok(response) => response,
        Err(_) => Told::new(http::StatusCode::BAD_GATEWAY, "server_error", "upstream_error", "planb is stopping").response(),
    }
}

fn open(gateway: &Arc<Gateway>, prepared: &Prepared, survey: &Survey) -> Ticket {
    let mut ticket =
        Ticket::open(gateway, &prepared.policy, prepared.route.clone(), prepared.needs.clone(), survey.plans.clone());
    for exclusion in &survey.decision.excluded {
        let model = &prepared.policy.snapshot.model(exclusion.id).name;
        let labels = ExclusionLabels { model: model.to_string(), reason: exclusion.reason.code() };
        gateway.metrics.excluded.get_or_create(&labels).inc();
        ticket.excluded.push(ExcludedRecord {
            model: model.clone(),
            reason: exclusion.reason.code(),
            detail: exclusion.reason.to_string(),
        });
    }
    ticket
}

fn observe(gateway: &Gateway, survey: &Survey) {
    if let Some((id, worst)) = survey::first_worst(&survey.decision, &survey.charges)
        && let Some(charges) = survey.charges(id)
    {
        gateway.live.books.lock().observe(charges, worst);
    }
}

struct Serving {
    gateway: Arc<Gateway>,
    prepared: Prepared,
    survey: Survey,
    ticket: Ticket,
}

/// How a try at one candidate ended.
enum Tried {
    NotTaken(NotTaken),
    Failed(Failure),
    Answered(Response<ResponseBody>),
}

impl Serving {
    async fn run(mut self) -> Response<ResponseBody> {
        if self.survey.decision.candidates.is_empty() {
            return self.refuse();
        }
        self.warm_up();
        let started = self.gateway.clock.uptime();
        let deadline = self.prepared.deadline.map(|deadline| started + deadline);
        let mut course = Course::new(self.courses(), Limits::new(self.prepared.attempts(), deadline, seed(&self.ticket.id)));
        let mut money: Option<NoMoney> = None;
        loop {
            let now = self.gateway.clock.uptime();
            match course.next(now) {
                Next::Wait { until } => tokio::time::sleep_until(self.gateway.clock.instant(until)).await,
                Next::Try(turn) => {
                    let candidate = self.survey.decision.candidates[turn.candidate()];
                    match self.attempt(candidate, turn.number(), deadline, &mut money).await {
                        Tried::Answered(response) => return response,
                        Tried::NotTaken(why) => course.not_taken(turn, why),
                        Tried::Failed(failure) => {
                            let again = self.gateway.live.health.lock().may_repeat(self.gateway.clock.uptime());
                            course.failed(turn, failure, again, self.gateway.clock.uptime());
                        }
                    }
                }
                Next::End(ending) => return self.tell(ending, money),
            }
        }
    }

    /// A cold server that would have been first is started for those who come later.
    fn warm_up(&self) {
        let declared = self.prepared.candidates();
        let first = declared.iter().find_map(|id| self.survey.decision.candidates.iter().find(|candidate| candidate.id == *id));
        if let Some(candidate) = first.filter(|candidate| candidate.cold) {
            let provider = self.prepared.policy.snapshot.provider_of(candidate.id);
            self.gateway.locals.ensure(&provider.name);
        }
    }

    async fn attempt(&mut self, candidate: Candidate, number: u8, deadline: Option<Uptime>, money: &mut Option<NoMoney>) -> Tried {
        let snapshot = self.prepared.policy.snapshot.clone();
        let (model, provider) = (snapshot.model(candidate.id), snapshot.provider_of(candidate.id));
        if let (Some(start), true) = (&provider.start, self.prepared.policy.provider(model.provider).is_cold()) {
            let until = self.until(deadline, start.ready);
            if let Err(error) = self.gateway.locals.wait_ready(&provider.name, until.into_std()).await {
                self.exclude(candidate, "local_server", error.to_string());
                return Tried::NotTaken(NotTaken::NotReady);
            }
        }
        let key = self.prepared.policy.key(candidate.id);
        let claim = match Claim::take(&self.gateway, key, provider) {
            Ok(claim) => claim,
            Err(Verdict::Wait { until, reason }) => {
                self.exclude(candidate, reason.word(), format!("not before {} s from now", self.seconds_until(until)));
                return Tried::NotTaken(NotTaken::Wait { until });
            }
            Err(Verdict::Ready) => return Tried::NotTaken(NotTaken::NotReady),
        };
        let facts = Facts {
            model: model.name.clone(),
            provider: provider.name.clone(),
            supply: model.supply.word(),
            caller: Arc::new(self.prepared.needs.caller.clone()),
        };
        let nothing = Charges::default();
        let charges = self.survey.charges(candidate.id).unwrap_or(&nothing);
        let reserved = match reserve(&self.gateway, candidate.worst, charges, facts).await {
            Ok(reserved) => reserved,
            Err(why) => {
                let (NoMoney::Refused(text) | NoMoney::Closed(text)) = &why;
                self.exclude(candidate, "budget", text.clone());
                *money = Some(why);
                return Tried::NotTaken(NotTaken::Money);
            }
        };
        let attempt = Attempt::new(&self.ticket, candidate, number, claim, reserved);
        self.send(attempt, deadline).await
    }

    async fn send(&mut self, mut attempt: Attempt, deadline: Option<Uptime>) -> Tried {
        let provider = attempt.provider();
        let deadlines = Deadlines::of(provider.timeouts, self.prepared.timeouts());
        let credential = provider.api_key.as_ref().map(|reference| self.gateway.credentials.get(reference)).transpose();
        let Ok(credential) = credential else {
            // It was there when the decision was made.
            return Tried::NotTaken(NotTaken::NotReady);
        };
        let wire = Wire {
            client: self.gateway.connections.inference(provider.allow_private, deadlines.connect),
            key: credential.as_deref(),
            deadlines,
            until: self.until(deadline, deadlines.total),
        };
        match exchange(&self.prepared, &mut attempt, &wire).await {
            Err(failure) => {
                self.ticket.cost = self.ticket.cost.plus(attempt.fail(&failure));
                tracing::debug!(decision = %self.ticket.id, model = %attempt.model().name, class = failure.class.word(), "attempt failed");
                Tried::Failed(failure)
            }
            Ok(Exchanged::Whole(bytes)) => {
                self.ticket.cost = self.ticket.cost.plus(attempt.succeed());
                let headers = self.headers(&attempt);
                self.ticket.finish(Some(attempt.model().name.clone()), "ok", 200);
                Tried::Answered(headers.whole(bytes))
            }
            Ok(Exchanged::Begun { upstream, reader, head }) => {
                let headers = self.headers(&attempt);
                let limits = StreamLimits { idle: deadlines.idle, total_until: wire.until };
                let ticket = self.ticket.hand_over();
                Tried::Answered(headers.stream(AnswerStream::new(upstream, reader, head, attempt, ticket, limits)))
            }
        }
    }

    fn headers(&self, attempt: &Attempt) -> AnswerHeaders {
        AnswerHeaders {
            decision: self.ticket.id.clone(),
            model: attempt.model().name.clone(),
            provider: attempt.provider().name.clone(),
            plans: self.survey.plans.clone(),
            degraded: !self.survey.plans.is_empty() && self.survey.first_choice != Some(attempt.candidate.id),
            attempts: attempt.number(),
            cost: self.ticket.cost,
            currency: self.prepared.policy.snapshot.currency,
            budget_left: self.survey.budget_left,
            output_cap: attempt.candidate.cap,
        }
    }

    fn courses(&self) -> Vec<crate::failover::Candidate> {
        let snapshot = &self.prepared.policy.snapshot;
        let one = |candidate: &Candidate| {
            let model = snapshot.model(candidate.id);
            crate::failover::Candidate { provider: model.provider.0, context: model.context }
        };
        self.survey.decision.candidates.iter().map(one).collect()
    }

    fn until(&self, deadline: Option<Uptime>, within: Duration) -> tokio::time::Instant {
        let own = self.gateway.clock.uptime() + within;
        self.gateway.clock.instant(deadline.map_or(own, |deadline| deadline.min(own)))
    }

    fn seconds_until(&self, until: Uptime) -> u64 {
        until.saturating_sub(self.gateway.clock.uptime()).as_secs().max(1)
    }

    fn exclude(&mut self, candidate: Candidate, reason: &'static str, detail: String) {
        let model = self.prepared.policy.snapshot.model(candidate.id).name.clone();
        self.ticket.excluded.push(ExcludedRecord { model, reason, detail });
    }

    /// Nothing was sent: every model is excluded.
    fn refuse(&mut self) -> Response<ResponseBody> {
        let refusal = decide::refusal(&self.survey.decision.excluded);
        let nearest = refusal.nearest.map(|exclusion| {
            format!("`{}`: {}", self.prepared.policy.snapshot.model(exclusion.id).name, exclusion.reason)
        });
        let told = failed::refused(&refusal, nearest.as_deref().unwrap_or_default());
        self.end(&told, "refused")
    }

    fn tell(&mut self, ending: Ending, money: Option<NoMoney>) -> Response<ResponseBody> {
        let told = match (ending, money) {
            (Ending::Failed(failure), _) => {
                let told = failed::told(&failure);
                return self.end(&told, "failed");
            }
            (Ending::NothingLeft { .. }, Some(NoMoney::Refused(text))) => failed::out_of_money(text),
            (Ending::NothingLeft { retry_at }, money) => {
                let why = match money {
                    Some(NoMoney::Closed(text)) => text,
                    _ => self.ticket.excluded.last().map(|last| format!("`{}`: {}", last.model, last.detail)).unwrap_or_default(),
                };
                let wait = retry_at.map(|until| until.saturating_sub(self.gateway.clock.uptime()));
                failed::unavailable(why, wait)
            }
        };
        self.end(&told, "refused")
    }

    fn end(&mut self, told: &Told, outcome: &'static str) -> Response<ResponseBody> {
        self.ticket.finish(None, outcome, told.status.as_u16());
        let mut response = told.response();
        AnswerHeaders::refused(&self.ticket.id, &self.survey.plans, &mut response);
        response
    }
}

/// Jitter of its own for each request, and the same again when its course is replayed.
fn seed(id: &str) -> u64 {
    id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
