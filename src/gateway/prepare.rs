//! From the bytes of a request to what it asks for: authenticated, decoded, its route found, its needs derived.

use super::Gateway;
use super::authenticate::authenticate;
use super::deadlines::Deadlines;
use super::failed::Told;
use crate::dialect::chat::request::ChatRequest;
use crate::live::Policy;
use crate::money::Money;
use crate::policy::condition::Answers;
use crate::policy::snapshot::{ModelId, OnDisconnect, RouteId, Terms, Timeouts};
use crate::price::Moment;
use crate::request::{Caller, Extras, Requirements};
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

/// Which models may serve, and on whose terms.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    Route(RouteId),
    /// `planb/NAME`, for debugging.
    Model(ModelId),
}

pub struct Prepared {
    pub policy: Arc<Policy>,
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
    pub fn candidates(&self) -> Vec<ModelId> {
        match self.target {
            Target::Route(id) => self.policy.snapshot.routes[id.0].candidates.clone(),
            Target::Model(id) => vec![id],
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

    /// What a price must know of the request: it may take as long as the whole request may.
    pub fn moment(&self, at: Timestamp) -> Moment<'_> {
        let total = Deadlines::of(Timeouts::default(), self.timeouts()).total;
        Moment::of(
            &self.needs,
            at,
            self.deadline.map_or(total, |deadline| deadline.min(total)),
        )
    }

    pub fn attempts(&self) -> u8 {
        match self.target {
            Target::Route(id) => {
                let now = self.policy.effective.route(id).map(|route| &route.terms);
                now.unwrap_or(&self.policy.snapshot.routes[id.0].terms).attempts
            }
            Target::Model(_) => Terms::DIRECT.attempts,
        }
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
    let (target, route) = target(&policy, &chat.model, known.trusted)?;
    let headers = Headers(&parts.headers);
    headers.refuse_unsupported()?;
    let caller = Caller {
        route: route.clone(),
        ..known.caller
    };
    let answers = policy.answers.to(&caller);
    let needs = Requirements {
        caller,
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
    let (deadline, explain) = (headers.deadline()?, headers.text("x-planb-explain") == Some("1"));
    Ok(Prepared {
        policy,
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

fn target(policy: &Policy, name: &str, trusted: bool) -> Result<(Target, Arc<str>), Told> {
    let snapshot = &policy.snapshot;
    if let Some(direct) = name.strip_prefix(DIRECT).filter(|_| trusted) {
        return match snapshot.model_named(direct) {
            Some(id) => Ok((Target::Model(id), name.into())),
            None => Err(not_found(name)),
        };
    }
    match snapshot.route_for(name) {
        Some(id) => Ok((Target::Route(id), snapshot.routes[id.0].name.clone())),
        None => Err(not_found(name)),
    }
}

pub fn not_found(name: &str) -> Told {
    let shown: String = name.chars().take(100).collect();
    Told {
        param: Some("model".to_owned()),
        ..Told::new(
            StatusCode::NOT_FOUND,
            "invalid_request_error",
            "model_not_found",
            format!("no route serves the model `{shown}`; GET /v1/models lists what is served"),
        )
    }
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
