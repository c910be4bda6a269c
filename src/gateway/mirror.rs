//! Shadow traffic: copies of some requests, sent to another model beside the one that serves.
//!
//! Promises that the client meets nothing of it. A copy is made once its request is admitted, on a task of its own; it waits
//! in no queue, takes no probe and no more than half of a limit from those who do, and is paid by the mirror's budget. Its
//! answer is read and dropped. At most [`MOST`] are under way, each has an end, and [`Mirrors`] ends them all.

use super::Gateway;
use super::attempt::Attempt;
use super::claim::Claim;
use super::deadlines::Deadlines;
use super::exchange::{Exchanged, Wire, exchange};
use super::limits::{Admission, enter_beside, scopes, tokens_of};
use super::prepare::{Prepared, seed};
use super::reader::{Event, Reader, StreamFault};
use super::reserve::{LEDGER_WITHIN, reserve};
use super::reserved::Reserved;
use super::stream::stream_failure;
use super::survey;
use super::tariff::Tariff;
use super::ticket::Errand;
use crate::budget::{Charges, Facts};
use crate::decide::explain::MirrorLine;
use crate::decide::{Candidate, Reason, reshape};
use crate::failure::{Failure, Fault, Phase, classify};
use crate::health::{Options, Verdict};
use crate::money::Money;
use crate::policy::snapshot::{Mirror, ModelId, Provider};
use crate::telemetry::metrics::MirrorLabels;
use crate::upstream::connect::Kind;
use crate::upstream::credentials::Credential;
use crate::upstream::local::LocalState;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::sync::Arc;

use tokio::sync::{Semaphore, TryAcquireError};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Of ordinary text; an answer of any length holds more than its text.
const BYTES_PER_TOKEN: u64 = 4;
/// Shadow calls under way at one time, over all routes: each holds a request and what has come of its answer.
const MOST: usize = 32;

/// The owner of all shadow calls.
pub struct Mirrors {
    places: Arc<Semaphore>,
    tasks: TaskTracker,
    cut: CancellationToken,
}

impl Default for Mirrors {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(MOST)),
            tasks: TaskTracker::new(),
            cut: CancellationToken::new(),
        }
    }
}

impl Mirrors {
    /// Lets no new ones begin.
    pub fn close(&self) {
        self.places.close();
        self.tasks.close();
    }

    /// Ends those under way. Each settles as it is dropped.
    pub async fn cut(&self) {
        self.cut.cancel();
        self.tasks.wait().await;
    }
}

/// The request is admitted, and `served` is asked: perhaps a copy of it goes to the route's mirror.
pub fn mirror(gateway: &Arc<Gateway>, prepared: &Prepared, served: ModelId) {
    // Each request is drawn by itself, also within one conversation.
    let Some(mirror) = mirror_of(prepared).filter(|mirror| mirror.takes(seed(&prepared.id))) else {
        return;
    };
    let snapshot = &prepared.policy.snapshot;
    let model = snapshot.serving(mirror.model, gateway.clock.now());
    // What it served itself says nothing new.
    if model == served {
        return;
    }
    let labels = |outcome| MirrorLabels {
        route: prepared.route.clone(),
        model: snapshot.model(model).name.clone(),
        outcome,
    };
    let place = match gateway.mirrors.places.clone().try_acquire_owned() {
        Ok(place) => place,
        Err(error) => {
            let why = match error {
                TryAcquireError::NoPermits => "busy",
                TryAcquireError::Closed => "stopping",
            };
            gateway.metrics.mirrors.get_or_create(&labels(why)).inc();
            return;
        }
    };
    let (gateway, labels) = (gateway.clone(), labels("cancelled"));
    let (copied, budget) = (copied(prepared), mirror.budget.clone());
    let cut = gateway.mirrors.cut.clone();
    gateway.mirrors.tasks.clone().spawn(async move {
        let shadow = Shadow::of(gateway.clone(), copied, model, &budget);
        let outcome = cut.run_until_cancelled_owned(shadow.run()).await;
        let labels = MirrorLabels {
            outcome: outcome.unwrap_or("cancelled"),
            ..labels
        };
        gateway.metrics.mirrors.get_or_create(&labels).inc();
        drop(place);
    });
}

/// Where a copy would go, were the request of the mirror's share.
pub fn explained(gateway: &Arc<Gateway>, prepared: &Prepared) -> Option<MirrorLine> {
    let mirror = mirror_of(prepared)?;
    let snapshot = &prepared.policy.snapshot;
    let model = snapshot.serving(mirror.model, gateway.clock.now());
    let shadow = Shadow::of(gateway.clone(), copied(prepared), model, &mirror.budget);
    let decided = survey::of_shadow(gateway, &shadow.prepared, model);
    Some(MirrorLine::new(snapshot, mirror, model, decided))
}

fn mirror_of(prepared: &Prepared) -> Option<&Mirror> {
    prepared.policy.snapshot.route(prepared.route_id()?).mirror.as_ref()
}

/// Without anything that belongs to the client alone: its conversation, its wishes of deadline and secrecy.
fn copied(prepared: &Prepared) -> Prepared {
    Prepared {
        policy: prepared.policy.clone(),
        id: prepared.id.clone(),
        seed: prepared.seed,
        inbound: prepared.inbound.clone(),
        needs: prepared.needs.clone(),
        reshapes: Vec::new(),
        answers: prepared.answers.clone(),
        target: prepared.target,
        session: None,
        held: None,
        held_key: None,
        attempted: Vec::new(),
        route: prepared.route.clone(),
        deadline: None,
        explain: false,
        heartbeat: None,
        retry_of: Arc::default(),
        repeat: None,
        tried_last: Vec::new(),
        client: None,
        shown_as: None,
    }
}

/// One copy on its way.
struct Shadow {
    gateway: Arc<Gateway>,
    prepared: Prepared,
    model: ModelId,
}

/// What a call is sent with.
struct Taken {
    attempt: Attempt,
    credential: Option<Arc<Credential>>,
    charges: Charges,
}

/// A key of the model's provider that may be used now.
struct Key {
    at: usize,
    credential: Option<Arc<Credential>>,
    claim: Claim,
    admission: Option<Admission>,
}

impl Shadow {
    /// The same caller with the mirror's purse.
    fn of(gateway: Arc<Gateway>, mut prepared: Prepared, model: ModelId, budget: &Arc<str>) -> Self {
        prepared.needs = Arc::new(prepared.needs.mirrored(budget));
        prepared.answers = prepared.policy.answers.to(&prepared.needs.caller);
        let (rules, target) = (prepared.rules(), prepared.target);
        let reshaped = reshape::to(rules, target, &[model], &prepared.inbound, &prepared.needs);
        prepared.reshapes = reshaped;
        Self {
            gateway,
            prepared,
            model,
        }
    }

    /// What became of it, in a word.
    async fn run(self) -> &'static str {
        match self.take().await {
            Ok(taken) => self.send(taken).await,
            Err(why) => why,
        }
    }

    async fn take(&self) -> Result<Taken, &'static str> {
        let (gateway, prepared) = (&self.gateway, &self.prepared);
        let snapshot = &prepared.policy.snapshot;
        let facts = Facts {
            model: snapshot.facts(self.model).clone(),
            currency: snapshot.currency,
            caller: prepared.needs.caller.clone(),
        };
        let decided = survey::of_shadow(gateway, prepared, self.model);
        let charges = self.charges(&facts, &decided);
        let candidate = decided.map_err(|reason| reason.code())?;
        let provider = snapshot.provider_of(self.model);
        if let Some(state) = gateway.locals.state(&provider.name)
            && !matches!(state, LocalState::Ready { .. })
        {
            gateway.locals.ensure(&provider.name);
            return Err("cold");
        }
        let server = gateway.locals.occupy(&provider.name).map_err(|_| "cold")?;
        let key = self.key(provider, &candidate)?;
        let reserved = self.reserve(&candidate, &charges, facts).await?;
        let attempt = Attempt::of(self.errand(), candidate, key.claim, reserved)
            .with_key(key.at, key.admission)
            .shaped_by(prepared)
            .on(server);
        Ok(Taken {
            attempt,
            credential: key.credential,
            charges,
        })
    }

    fn errand(&self) -> Errand {
        Errand {
            gateway: self.gateway.clone(),
            policy: self.prepared.policy.clone(),
            decision: self.prepared.id.clone(),
            needs: self.prepared.needs.clone(),
            target: self.prepared.target,
        }
    }

    /// The mirror's budget, which learns what such a call may cost also where it has too little left.
    fn charges(&self, facts: &Facts, decided: &Result<Candidate, Reason>) -> Charges {
        let mut books = self.gateway.live.books.lock();
        let now = self.gateway.clock.now();
        let charges = books.charges_by(&self.prepared.answers, self.model, &facts.caller, now);
        let worst = match decided {
            Ok(candidate) => candidate.worst,
            Err(Reason::Budget { needs, .. }) => *needs,
            Err(_) => Money::ZERO,
        };
        if worst > Money::ZERO {
            books.observe(&charges, worst);
        }
        charges
    }

    /// One that is there, well, and has half of its limits free.
    fn key(&self, provider: &Provider, candidate: &Candidate) -> Result<Key, &'static str> {
        let (gateway, policy) = (&self.gateway, &self.prepared.policy);
        let (names, now) = (policy.keys(self.model), gateway.clock.uptime());
        let find = |at: usize| match provider.keys.get(at) {
            Some(key) => gateway.credentials.get(&key.credential).map(Some),
            None => Ok(None),
        };
        let is_sound = |at: usize| {
            let health = gateway.live.health.lock();
            let name = names.get(at);
            // Where clients are served too, probes and steps of a ramp are theirs.
            let tried = policy.snapshot.is_tried(self.model);
            name.is_some_and(|name| match tried {
                true => health.is_sound(name, Options::of(provider), now),
                false => health.verdict(name, Options::of(provider), now) == Verdict::Ready,
            })
        };
        let usable: Vec<bool> = (0..names.len()).map(|at| find(at).is_ok() && is_sound(at)).collect();
        let at = match names.len() {
            1 => usable.first().filter(|usable| **usable).map(|_| 0),
            _ => {
                let keys = provider.weighted_keys();
                let mut health = gateway.live.health.lock();
                health.next_key(&provider.name, &keys, None, |at| usable.get(at) == Some(&true))
            }
        };
        let (at, name) = at.and_then(|at| Some((at, names.get(at)?))).ok_or("resting")?;
        let tokens = tokens_of(self.prepared.needs_of(self.model), candidate);
        let admission = enter_beside(gateway, scopes(&policy.snapshot, self.model, at), tokens).ok_or("limited")?;
        Ok(Key {
            credential: find(at).ok().flatten(),
            claim: Claim::take(gateway, name, provider).map_err(|_| "resting")?,
            admission,
            at,
        })
    }

    async fn reserve(&self, candidate: &Candidate, charges: &Charges, facts: Facts) -> Result<Reserved, &'static str> {
        let tariff = Tariff::take(&self.gateway, &self.prepared, candidate);
        let until = Instant::now() + LEDGER_WITHIN;
        let reserved = reserve(&self.gateway, tariff, charges, facts, until).await;
        reserved.map_err(|_| "budget")
    }

    async fn send(&self, taken: Taken) -> &'static str {
        let Taken {
            mut attempt,
            credential,
            charges,
        } = taken;
        let provider = attempt.provider();
        let deadlines = Deadlines::of([provider.timeouts, attempt.model().timeouts, self.prepared.timeouts()]);
        let wire = Wire {
            client: self.gateway.connections.inference(Kind {
                allow_private: provider.allow_private,
                connect: deadlines.connect,
                fresh: false,
            }),
            key: credential.as_deref(),
            deadlines,
            until: self
                .gateway
                .clock
                .instant(self.gateway.clock.uptime() + deadlines.total),
        };
        let failed = match exchange(&self.prepared, &mut attempt, &wire).await {
            Err(failure) => Some(failure),
            Ok(Exchanged::Whole(_)) => None,
            // Longer than anything that is worth comparing: what came of it is counted, the rest is not fetched.
            Ok(Exchanged::Large { head, .. }) => {
                attempt.seen.tokens = attempt.candidate.output.min(head.len() as u64 / BYTES_PER_TOKEN);
                None
            }
            Ok(Exchanged::Begun { upstream, reader, .. }) => listen(&mut attempt, upstream, *reader, &wire).await,
        };
        let (cost, outcome) = match failed {
            None => (attempt.succeed(), "ok"),
            Some(failure) => (attempt.fail(&failure), "failed"),
        };
        self.gateway.live.books.lock().plan_free(&charges, cost);
        outcome
    }
}

/// Reads a stream to its end; what it failed of, if it did.
async fn listen(attempt: &mut Attempt, mut upstream: Incoming, mut reader: Reader, wire: &Wire<'_>) -> Option<Failure> {
    loop {
        if let Some(fault) = heard(attempt, &mut reader) {
            return fault.map(|fault| stream_failure(attempt, &fault, true));
        }
        let silent = Instant::now() + wire.deadlines.idle;
        let fault = match timeout_at(silent.min(wire.until), upstream.frame()).await {
            Ok(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    reader.push(&data);
                }
                continue;
            }
            Ok(None) => {
                reader.close();
                heard(attempt, &mut reader).unwrap_or_else(|| reader.end(true))
            }
            Ok(Some(Err(_))) => reader.end(false),
            Err(_) => {
                let phase = if silent < wire.until { Phase::Idle } else { Phase::Total };
                let fault = Fault::Timeout { phase, stream: true };
                return Some(classify(attempt.provider().vendor, &fault, attempt.now()));
            }
        };
        return fault.map(|fault| stream_failure(attempt, &fault, true));
    }
}

/// What has been read so far: `Some` once it has ended, in order or by a fault.
fn heard(attempt: &mut Attempt, reader: &mut Reader) -> Option<Option<StreamFault>> {
    let ended = std::iter::from_fn(|| reader.next_event()).find_map(|event| match event {
        Event::Done(_) => Some(None),
        Event::Fault(fault) => Some(Some(fault)),
        Event::Comment(_) | Event::Preamble(_) | Event::Content(_) | Event::Usage(_) | Event::Hidden => None,
    });
    let progress = reader.progress();
    attempt.seen = progress.counted();
    attempt.usage = progress.usage();
    attempt.ended = progress.has_finished();
    ended
}
