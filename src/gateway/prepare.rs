//! From the bytes of a request to what it asks for: authenticated, decoded, its route found, its needs derived.

use super::Gateway;
use super::again::{self, Before, Repeat};
use super::authenticate::authenticate;
use super::failed::{Told, bad_request};
use super::heartbeat::Heartbeat;
use super::session;
use super::turned_away::TurnedAway;
use super::user;
use super::wishes::Wishes;
use crate::decide::reshape::{Reshaped, Reshapes, reshape};
use crate::decide::{self, Held, Question, Rules, Target};
use crate::dialect::{Inbound, Unreadable};
use crate::live::Policy;
use crate::policy::condition::Answers;
use crate::policy::snapshot::{
    Asked, Client, ClientId, Compat, Criterion, ModelId, OnDisconnect, Route, RouteId, Timeouts, Unmatched,
};
use crate::request::Requirements;
use crate::session::SessionKey;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use jiff::Timestamp;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Largest request body; several images in base64 fit.
const MOST_BODY: usize = 32 * 1024 * 1024;
/// A body must arrive within this time.
const BODY_WITHIN: Duration = Duration::from_secs(60);
/// Asks for one model of the policy by its own name.
const DIRECT: &str = "planb/";

pub struct Prepared {
    pub policy: Arc<Policy>,
    /// The decision's.
    pub id: Arc<str>,
    /// In place of dice.
    pub seed: u64,
    pub inbound: Inbound,
    pub needs: Arc<Requirements>,
    /// Where the policy changes it on its way.
    pub reshapes: Reshapes,
    /// What the policy's selectors say of the caller.
    pub answers: Arc<Answers>,
    pub target: Target,
    /// The conversation that it goes on with, where the route keeps those.
    pub session: Option<SessionKey>,
    pub held: Option<Held>,
    /// The label of the key with which the conversation has what is held.
    pub held_key: Option<Arc<str>>,
    /// Models that it was sent to already, in vain.
    pub attempted: Vec<ModelId>,
    /// The route's name, or `planb/NAME`.
    pub route: Arc<str>,
    /// From `x-planb-deadline`.
    pub deadline: Option<Duration>,
    pub explain: bool,
    pub heartbeat: Option<Heartbeat>,
    /// The decision of the request that this one repeats, and the models that failed it.
    pub retry_of: Arc<str>,
    pub tried_last: Vec<ModelId>,
    /// Its place among the requests of one `Idempotency-Key`.
    pub repeat: Option<Repeat>,
    pub client: Option<ClientId>,
    /// What the client named, where it may see no other name.
    pub shown_as: Option<Arc<str>>,
}

impl Prepared {
    /// Told no, though it could be read.
    pub fn turned_away(&self, told: Told) -> TurnedAway {
        let told = TurnedAway::from(told).asking(&self.route, &self.id);
        match self.client {
            Some(id) => told.by(&self.policy.snapshot.client(id).name),
            None => told,
        }
    }

    pub fn rules(&self) -> Rules<'_> {
        Rules {
            snapshot: &self.policy.snapshot,
            effective: &self.policy.effective,
        }
    }

    pub fn question(&self, at: Timestamp) -> Question<'_> {
        Question {
            target: self.target,
            needs: &self.needs,
            answers: &self.answers,
            at,
            patience: self.deadline.unwrap_or(Duration::MAX),
            seed: self.seed,
            held: self.held,
            attempted: &self.attempted,
        }
    }

    fn reshaped(&self, id: ModelId) -> Option<&Reshaped> {
        let found = self.reshapes.iter().find(|(known, _)| *known == id)?;
        found.1.as_deref().ok()
    }

    /// As it goes to this model.
    pub fn inbound_of(&self, id: ModelId) -> &Inbound {
        self.reshaped(id).map_or(&self.inbound, |reshaped| &reshaped.inbound)
    }

    pub fn needs_of(&self, id: ModelId) -> &Arc<Requirements> {
        self.reshaped(id).map_or(&self.needs, |reshaped| &reshaped.needs)
    }

    /// Fields that do not go to this model.
    pub fn dropped(&self, id: ModelId) -> &[&'static str] {
        self.reshaped(id).map_or(&[], |reshaped| &reshaped.dropped)
    }

    pub fn compat(&self) -> Compat {
        let client = self.client.map(|id| self.policy.snapshot.client(id));
        client.map_or_else(Compat::default, |client| client.compat)
    }

    pub const fn route_id(&self) -> Option<RouteId> {
        match self.target {
            Target::Route(id) => Some(id),
            Target::Model(_) => None,
        }
    }

    pub fn timeouts(&self) -> Timeouts {
        match self.target {
            Target::Route(id) => self.policy.snapshot.routes[id.0].timeouts,
            Target::Model(_) => Timeouts::default(),
        }
    }

    /// How long the request waits for money that others have reserved.
    pub fn money_wait(&self) -> Option<Duration> {
        match self.target {
            Target::Route(id) => self.policy.snapshot.routes[id.0].money_wait,
            Target::Model(_) => None,
        }
    }

    pub fn attempts(&self) -> u8 {
        decide::terms(self.rules(), self.target).attempts
    }

    pub fn finishes_alone(&self) -> bool {
        match self.target {
            Target::Route(id) => self.policy.snapshot.routes[id.0].on_disconnect == OnDisconnect::Finish,
            Target::Model(_) => false,
        }
    }
}

/// `read` takes the body in the dialect of the request's path.
pub async fn prepare(
    gateway: &Arc<Gateway>,
    request: Request<Incoming>,
    peer: Option<IpAddr>,
    read: fn(Bytes) -> Result<Inbound, Unreadable>,
) -> Result<Prepared, TurnedAway> {
    let policy = gateway.live.policy();
    let (parts, body) = request.into_parts();
    let client = authenticate(gateway, &policy.snapshot, &parts.headers, peer)?;
    let name = client.map(|id| policy.snapshot.client(id).name.clone());
    let prepared = prepare_for(gateway, policy, client, (&parts.headers, body), read).await;
    prepared.map_err(|told| TurnedAway::from(told).by(&name.unwrap_or_default()))
}

async fn prepare_for(
    gateway: &Arc<Gateway>,
    policy: Arc<Policy>,
    client_id: Option<ClientId>,
    (headers, body): (&HeaderMap, Incoming),
    read: fn(Bytes) -> Result<Inbound, Unreadable>,
) -> Result<Prepared, Told> {
    let client = client_id.map(|id| policy.snapshot.client(id));
    let body = read_body(body).await?;
    let inbound = read(body).map_err(|error| Told {
        param: error.field().map(str::to_owned),
        ..bad_request("invalid_request", error.to_string())
    })?;
    let wishes = Wishes::new(headers, client);
    let mut needs = Requirements {
        caller: Arc::new(wishes.caller()),
        min_quality: wishes.min_quality()?,
        max_cost: wishes.max_cost(policy.snapshot.currency)?,
        ..inbound.needs(&policy.snapshot.priced_fields)
    };
    let asked = Asked {
        model: inbound.model(),
        dialect: inbound.dialect(),
        needs: &needs,
        headers: &wishes,
        routes: client.and_then(|client| client.routes.as_deref()),
    };
    let (target, route) = target(&policy, &asked, client)?;
    // Nobody else has it yet.
    Arc::make_mut(&mut needs.caller).route = route.clone();
    let answers = policy.answers.to(&needs.caller);
    if policy.snapshot.counts_runs() {
        // After the answers, which are kept for each caller: no selector reads it.
        let run = session::run(&gateway.keyer, headers, &inbound, &needs.caller);
        Arc::make_mut(&mut needs.caller).run = run;
    }
    if !policy.snapshot.licenses.is_empty() {
        needs.user = user::hashed(&gateway.users, headers, &inbound, &needs.caller.client);
    }
    let id: Arc<str> = uuid::Uuid::now_v7().simple().to_string().into();
    let rules = Rules {
        snapshot: &policy.snapshot,
        effective: &policy.effective,
    };
    let sticks = decide::terms(rules, target).sticks();
    let chat = inbound.as_chat().filter(|_| sticks);
    let session = chat.map(|chat| session::key(&gateway.keyer, headers, chat, &needs.caller));
    let held = chat
        .zip(session)
        .and_then(|(chat, key)| session::held(gateway, &policy, key, chat, &needs));
    let (held, held_key) = held.unzip();
    let hidden = hides(&policy, client, target);
    let (deadline, explain) = (wishes.deadline()?, wishes.explain(hidden)?);
    let heartbeat = match target {
        Target::Route(id) if inbound.stream() && !explain => policy.snapshot.route(id).heartbeat.map(Heartbeat::new),
        _ => None,
    };
    let shown_as = hidden.then(|| Arc::from(inbound.model()));
    let reshapes = reshape(rules, target, &inbound, &needs);
    let of = (needs.caller.client.as_ref(), route.as_ref(), inbound.body().as_ref());
    let (repeat, before) = match explain {
        true => (None, Before::default()),
        false => again::begin(gateway, headers, of, &id, &policy.snapshot)?,
    };
    Ok(Prepared {
        reshapes,
        policy,
        seed: session.map_or_else(|| seed(&id), SessionKey::seed),
        session,
        held,
        held_key,
        attempted: Vec::new(),
        id,
        inbound,
        needs: Arc::new(needs),
        answers,
        target,
        route,
        deadline,
        explain,
        heartbeat,
        retry_of: before.decision,
        tried_last: before.failed,
        repeat,
        client: client_id,
        shown_as,
    })
}

async fn read_body(body: Incoming) -> Result<Bytes, Told> {
    let read = tokio::time::timeout(BODY_WITHIN, Limited::new(body, MOST_BODY).collect()).await;
    match read {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Told::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "invalid_request_error",
            "request_too_large",
            format!("the body is larger than {} MiB", MOST_BODY / (1024 * 1024)),
        )),
        Ok(Err(_)) => Err(bad_request("invalid_request", "the body broke off")),
        Err(_) => Err(Told::new(
            StatusCode::REQUEST_TIMEOUT,
            "invalid_request_error",
            "request_timeout",
            "the body did not arrive in time",
        )),
    }
}

/// One model may be asked for by name where no client is to be kept from it.
fn target(policy: &Policy, asked: &Asked<'_>, client: Option<&Client>) -> Result<(Target, Arc<str>), Told> {
    let snapshot = &policy.snapshot;
    let name = asked.model;
    if let Some(direct) = name.strip_prefix(DIRECT).filter(|_| client.is_none()) {
        return match snapshot.model_named(direct) {
            Some(id) => Ok((Target::Model(id), name.into())),
            None => Err(not_found(name)),
        };
    }
    match snapshot.route_for(asked) {
        Ok(id) => Ok((Target::Route(id), snapshot.route(id).name.clone())),
        Err(Unmatched::Name) => Err(not_found(name)),
        Err(Unmatched::Close(id, criterion)) => Err(close(name, snapshot.route(id), criterion)),
    }
}

/// The client may not see who answers, or nobody may on this route.
fn hides(policy: &Policy, client: Option<&Client>, target: Target) -> bool {
    let of_route = match target {
        Target::Route(id) => !policy.snapshot.route(id).exposes,
        Target::Model(_) => false,
    };
    of_route || client.is_some_and(|client| !client.exposes)
}

pub fn not_found(name: &str) -> Told {
    let shown: String = name.chars().take(100).collect();
    nothing_serves(format!(
        "no route serves the model `{shown}`; GET /v1/models lists what is served"
    ))
}

/// There are routes of that name, and none takes this request.
fn close(name: &str, route: &Route, criterion: Criterion<'_>) -> Told {
    let shown: String = name.chars().take(100).collect();
    nothing_serves(format!(
        "no route takes this request for the model `{shown}`; nearest: route `{}`, {}",
        route.name,
        criterion.told(&route.matches)
    ))
}

fn nothing_serves(message: String) -> Told {
    Told {
        param: Some("model".to_owned()),
        ..Told::new(
            StatusCode::NOT_FOUND,
            "invalid_request_error",
            "model_not_found",
            message,
        )
    }
}

/// Of its own for each request, and the same again when its course is replayed.
pub fn seed(id: &str) -> u64 {
    id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
