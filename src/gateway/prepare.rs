//! From the bytes of a request to what it asks for: authenticated, decoded, its route found, its needs derived.

use super::Gateway;
use super::authenticate::authenticate;
use super::deadlines::Deadlines;
use super::failed::Told;
use crate::decide::{self, Question, Rules, Target};
use crate::dialect::chat::request::ChatRequest;
use crate::live::Policy;
use crate::money::Money;
use crate::policy::condition::Answers;
use crate::policy::snapshot::{Asked, Criterion, HeaderValues, OnDisconnect, Route, RouteId, Timeouts, Unmatched};
use crate::request::{Extras, Requirements};
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
    pub chat: ChatRequest,
    pub needs: Arc<Requirements>,
    /// What the policy's selectors say of the caller.
    pub answers: Arc<Answers>,
    pub target: Target,
    /// The route's name, or `planb/NAME`.
    pub route: Arc<str>,
    /// From `x-planb-deadline`.
    pub deadline: Option<Duration>,
    pub explain: bool,
}

impl Prepared {
    pub fn rules(&self) -> Rules<'_> {
        Rules {
            snapshot: &self.policy.snapshot,
            effective: &self.policy.effective,
        }
    }

    /// It may take as long as the whole request may.
    pub fn question(&self, at: Timestamp) -> Question<'_> {
        let total = Deadlines::of(Timeouts::default(), self.timeouts()).total;
        Question {
            target: self.target,
            needs: &self.needs,
            answers: &self.answers,
            at,
            patience: self.deadline.map_or(total, |deadline| deadline.min(total)),
            seed: self.seed,
        }
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

pub async fn prepare(gateway: &Gateway, request: Request<Incoming>, peer: Option<IpAddr>) -> Result<Prepared, Told> {
    let policy = gateway.live.policy();
    let (parts, body) = request.into_parts();
    let known = authenticate(&policy.snapshot, &gateway.credentials, &parts.headers, peer).map_err(|error| {
        Told::new(
            StatusCode::UNAUTHORIZED,
            "invalid_request_error",
            "invalid_api_key",
            error.to_string(),
        )
    })?;
    let body = read_body(body).await?;
    let chat = ChatRequest::read(body).map_err(|error| Told {
        param: error.field().map(str::to_owned),
        ..bad_request("invalid_request", error.to_string())
    })?;
    let headers = Headers(&parts.headers);
    headers.refuse_unsupported()?;
    let mut needs = Requirements {
        caller: Arc::new(known.caller),
        input: chat.input,
        output_bound: chat.output_bound,
        thinking: chat.thinking,
        choices: chat.choices,
        tools: chat.tools,
        images: chat.images,
        json_schema: chat.json_schema,
        extras: Extras::default(),
        stream: chat.stream,
        min_quality: headers.min_quality()?,
        max_cost: headers.max_cost()?,
    };
    let asked = Asked {
        model: &chat.model,
        dialect: "chat",
        needs: &needs,
        headers: &headers,
    };
    let (target, route) = target(&policy, &asked, known.trusted)?;
    // Nobody else has it yet.
    Arc::make_mut(&mut needs.caller).route = route.clone();
    let answers = policy.answers.to(&needs.caller);
    let id: Arc<str> = uuid::Uuid::now_v7().simple().to_string().into();
    let (deadline, explain) = (headers.deadline()?, headers.text("x-planb-explain") == Some("1"));
    Ok(Prepared {
        policy,
        seed: seed(&id),
        id,
        chat,
        needs: Arc::new(needs),
        answers,
        target,
        route,
        deadline,
        explain,
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

fn target(policy: &Policy, asked: &Asked<'_>, trusted: bool) -> Result<(Target, Arc<str>), Told> {
    let snapshot = &policy.snapshot;
    let name = asked.model;
    if let Some(direct) = name.strip_prefix(DIRECT).filter(|_| trusted) {
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
        criterion.wanted(&route.matches)
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

impl HeaderValues for Headers<'_> {
    fn value(&self, name: &str) -> Option<&str> {
        self.text(name)
    }
}

/// Of its own for each request, and the same again when its course is replayed.
fn seed(id: &str) -> u64 {
    id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn bad_request(code: &'static str, message: impl Into<String>) -> Told {
    Told::new(StatusCode::BAD_REQUEST, "invalid_request_error", code, message)
}

/// What the request's own headers ask for. They can only narrow what the policy allows.
struct Headers<'a>(&'a HeaderMap);

impl Headers<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
    }

    /// A constraint that is asked for and cannot be kept must not be dropped silently.
    fn refuse_unsupported(&self) -> Result<(), Told> {
        match self.text("x-planb-territory") {
            Some(_) => Err(bad_request(
                "unsupported_header",
                "`x-planb-territory` is not supported by this version yet",
            )),
            None => Ok(()),
        }
    }

    fn min_quality(&self) -> Result<Option<u8>, Told> {
        let Some(text) = self.text("x-planb-min-quality") else {
            return Ok(None);
        };
        match text.parse::<u8>() {
            Ok(quality) if quality <= 100 => Ok(Some(quality)),
            _ => Err(bad_request(
                "invalid_header",
                "`x-planb-min-quality` must be a whole number from 0 to 100",
            )),
        }
    }

    /// A decimal amount in the policy's currency, with or without its code behind it.
    fn max_cost(&self) -> Result<Option<Money>, Told> {
        let Some(text) = self.text("x-planb-max-cost") else {
            return Ok(None);
        };
        let amount = text.trim_end_matches(|c: char| c.is_ascii_uppercase()).trim();
        match Money::parse(amount) {
            Some(money) if money >= Money::ZERO => Ok(Some(money)),
            _ => Err(bad_request(
                "invalid_header",
                "`x-planb-max-cost` must be an amount such as 0.05",
            )),
        }
    }

    /// Seconds, with an optional `s` or `ms`.
    fn deadline(&self) -> Result<Option<Duration>, Told> {
        let Some(text) = self.text("x-planb-deadline") else {
            return Ok(None);
        };
        let (number, milliseconds) = match text.strip_suffix("ms") {
            Some(number) => (number, true),
            None => (text.strip_suffix('s').unwrap_or(text), false),
        };
        let seconds: Option<f64> = number.trim().parse().ok().filter(|n: &f64| n.is_finite() && *n > 0.0);
        match seconds.map(|n| if milliseconds { n / 1000.0 } else { n }) {
            Some(seconds) if seconds <= 86_400.0 => Ok(Some(Duration::from_secs_f64(seconds))),
            _ => Err(bad_request(
                "invalid_header",
                "`x-planb-deadline` must be a duration such as 30s or 1500ms",
            )),
        }
    }
}
