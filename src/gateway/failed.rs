//! What the client is told of a refusal or a failure: status, kind, code, message, and whether a retry can help.

use crate::decide::{Family, Reason, Refusal};
use crate::failure::Failure;
use crate::limit::{Full, Left, Scope};
use crate::policy::snapshot::Compat;
use http::StatusCode;
use std::time::Duration;

/// A plan is looked at each second; nobody need come back as often.
const LEAST_WAIT_FOR_A_PLAN: Duration = Duration::from_secs(10);

/// An error as the client will see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub status: StatusCode,
    pub kind: &'static str,
    pub code: &'static str,
    pub message: String,
    pub param: Option<String>,
    pub retry_after: Option<Duration>,
    /// False where a retry cannot help: `x-should-retry: false` keeps SDKs from trying.
    pub may_retry: bool,
    /// What is left of requests and of tokens, where a limit is the reason.
    pub limits: Option<Box<(Option<Left>, Option<Left>)>>,
}

impl Told {
    pub fn new(status: StatusCode, kind: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            code,
            message: message.into(),
            param: None,
            retry_after: None,
            may_retry: false,
            limits: None,
        }
    }
}

impl Told {
    /// As a client with these habits is told.
    pub fn under(mut self, compat: Compat) -> Self {
        let status = compat.status(self.status.as_u16());
        self.status = StatusCode::from_u16(status).unwrap_or(self.status);
        self
    }
}

pub fn bad_request(code: &'static str, message: impl Into<String>) -> Told {
    Told::new(StatusCode::BAD_REQUEST, "invalid_request_error", code, message)
}

/// No candidate was left before anything was sent. `nearest` names the model that came nearest and its reason.
pub fn refused(refusal: &Refusal, nearest: &str) -> Told {
    let message = |lead: &str| {
        if nearest.is_empty() {
            lead.to_owned()
        } else {
            format!("{lead}; nearest: {nearest}")
        }
    };
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_GATEWAY);
    let told = match refusal.family {
        Family::Need => {
            let code = match refusal.nearest.as_ref().map(|exclusion| &exclusion.reason) {
                Some(Reason::Context { .. }) => "context_length_exceeded",
                _ => "requirements_not_met",
            };
            let lead = "no model of this route meets the request";
            Told::new(status, "invalid_request_error", code, message(lead))
        }
        Family::Time => match refusal.nearest.as_ref().map(|exclusion| &exclusion.reason) {
            Some(Reason::Limited { wait, .. }) => too_many(
                message("every model of this route that could answer is at its limit"),
                *wait,
            ),
            _ => unavailable(nearest.to_owned(), refusal.retry_after),
        },
        Family::Money => out_of_money(message("the budget does not allow this request")),
        Family::Credential => Told::new(
            status,
            "server_error",
            "upstream_credential",
            message("no model of this route has a usable credential"),
        ),
        Family::License => Told::new(
            status,
            "permission_error",
            "license",
            message("no licence permits this use of a model of this route now"),
        ),
        Family::Plan => Told::new(
            status,
            "server_error",
            "plan_active",
            message("an active plan keeps every model of this route from traffic"),
        ),
    };
    Told { status, ..told }
}

/// A plan refuses the request: in its own words where it has some. It may be over once it has stayed for `left`; an
/// SDK's own retry would only be refused again.
pub fn kept_by_plan(plan: &str, message: Option<&str>, left: Duration) -> Told {
    let default = || format!("plan `{plan}` is active and leaves this route no model");
    Told {
        retry_after: Some(left.max(LEAST_WAIT_FOR_A_PLAN)),
        ..Told::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "server_error",
            "plan_active",
            message.map_or_else(default, str::to_owned),
        )
    }
}

/// A limit of the client or of the route.
pub fn limited(full: &Full, hidden: bool) -> Told {
    let whose = match &full.scope {
        Scope::Route(_) if hidden => "this route".to_owned(),
        scope => scope.to_string(),
    };
    let message = format!("`limits.{}` of {whose} is reached", full.kind.word());
    too_many(message, full.after)
}

/// Our own limits, not a provider's.
pub fn too_many(message: String, wait: Duration) -> Told {
    Told {
        retry_after: Some(wait),
        may_retry: true,
        ..Told::new(
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limit_error",
            "rate_limit_exceeded",
            message,
        )
    }
}

/// No provider can be asked now; later one may.
pub fn unavailable(why: String, wait: Option<Duration>) -> Told {
    let lead = "no provider of this route is available now";
    let message = if why.is_empty() {
        lead.to_owned()
    } else {
        format!("{lead}; nearest: {why}")
    };
    Told {
        retry_after: Some(wait.unwrap_or(Duration::from_secs(1))),
        may_retry: true,
        ..Told::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "server_error",
            "no_provider_available",
            message,
        )
    }
}

/// Two providers in a row had nothing to say.
pub fn empty() -> Told {
    let message = "the providers answered without any content";
    Told {
        may_retry: true,
        ..Told::new(StatusCode::BAD_GATEWAY, "server_error", "empty_completion", message)
    }
}

pub fn out_of_money(message: String) -> Told {
    Told::new(
        StatusCode::PAYMENT_REQUIRED,
        "insufficient_quota",
        "insufficient_quota",
        message,
    )
}

/// The last attempt failed and nothing is left to try. A client that may not see who answers is told the kind of failure
/// and not the provider's words.
pub fn told(failure: &Failure, hidden: bool) -> Told {
    let status = StatusCode::from_u16(failure.client_status()).unwrap_or(StatusCode::BAD_GATEWAY);
    let kind = match status.as_u16() {
        402 => "insufficient_quota",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    };
    let message = if hidden {
        format!("the request could not be answered ({})", failure.class.word())
    } else {
        failure.message.clone()
    };
    let waits = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let wait = failure
        .hint
        .or(failure.cooldown.map(|cooldown| cooldown.lasts))
        .unwrap_or(Duration::from_secs(1));
    Told {
        retry_after: waits.then_some(wait),
        may_retry: !failure.is_final(),
        ..Told::new(status, kind, failure.client_code(), message)
    }
}
