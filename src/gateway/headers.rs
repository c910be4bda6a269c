//! The headers of an answer: what planb decided, in names that stay.

use super::body::ResponseBody;
use super::large::LargeAnswer;
use super::overdue::Watched;
use super::stream::AnswerStream;
use crate::limit::Left;
use crate::money::{Currency, Money};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use std::sync::Arc;
use std::time::Duration;

pub struct AnswerHeaders {
    pub decision: Arc<str>,
    /// The policy's names of who answers; `None` for a client that may not see them.
    pub answered_by: Option<(Arc<str>, Arc<str>)>,
    pub plans: Vec<Arc<str>>,
    pub degraded: bool,
    pub attempts: u8,
    pub cost: Money,
    pub currency: Currency,
    pub budget_left: Option<f64>,
    pub output_cap: Option<u64>,
    /// Fields of the request that were left out for the model.
    pub dropped: String,
    /// What the client's and the route's limits have left, of requests and of tokens.
    pub limits: Option<(Option<Left>, Option<Left>)>,
}

impl AnswerHeaders {
    pub fn whole(&self, body: Bytes) -> Response<ResponseBody> {
        let mut response = Response::new(ResponseBody::whole(body));
        self.write(response.headers_mut());
        set(
            response.headers_mut(),
            "x-planb-cost",
            &format!("{} {}", self.cost, self.currency),
        );
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }

    /// A stream's cost is known at its end: it comes in a comment there.
    pub fn stream(&self, stream: Watched<AnswerStream>) -> Response<ResponseBody> {
        let mut response = Self::events(ResponseBody::Stream(stream));
        self.write(response.headers_mut());
        response
    }

    /// The head of a stream that nobody answers yet.
    pub fn early(decision: &str, body: ResponseBody) -> Response<ResponseBody> {
        let mut response = Self::events(body);
        set(response.headers_mut(), "x-planb-decision", decision);
        set(response.headers_mut(), "x-request-id", decision);
        response
    }

    fn events(body: ResponseBody) -> Response<ResponseBody> {
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }

    /// An answer that is passed through has no known cost yet either, and no place to say it later.
    pub fn large(&self, answer: Watched<LargeAnswer>) -> Response<ResponseBody> {
        let mut response = Response::new(ResponseBody::Large(answer));
        self.write(response.headers_mut());
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }

    /// What a refusal or failure can say.
    pub fn refused(decision: &str, plans: &[Arc<str>], response: &mut Response<ResponseBody>) {
        let headers = response.headers_mut();
        set(headers, "x-planb-decision", decision);
        set(headers, "x-request-id", decision);
        if !plans.is_empty() {
            set(headers, "x-planb-plan", &plans.join(", "));
        }
    }

    fn write(&self, headers: &mut HeaderMap) {
        set(headers, "x-planb-decision", &self.decision);
        set(headers, "x-request-id", &self.decision);
        if let Some((model, provider)) = &self.answered_by {
            set(headers, "x-planb-model", model);
            set(headers, "x-planb-provider", provider);
        }
        set(headers, "x-planb-attempts", &self.attempts.to_string());
        if !self.plans.is_empty() {
            set(headers, "x-planb-plan", &self.plans.join(", "));
        }
        if self.degraded {
            set(headers, "x-planb-degraded", "true");
        }
        if let Some(share) = self.budget_left {
            set(headers, "x-planb-budget-remaining", &format!("{share:.4}"));
        }
        if !self.dropped.is_empty() {
            set(headers, "x-planb-dropped", &self.dropped);
        }
        if let Some(limits) = self.limits {
            write_limits(headers, limits);
        }
        if let Some(cap) = self.output_cap {
            set(headers, "x-planb-output-cap", &cap.to_string());
        }
    }
}

/// `x-ratelimit-…` as OpenAI's clients read them.
pub fn write_limits(headers: &mut HeaderMap, (requests, tokens): (Option<Left>, Option<Left>)) {
    let mut write = |names: [&'static str; 3], left: Left| {
        set(headers, names[0], &left.limit.to_string());
        set(headers, names[1], &left.remaining.to_string());
        set(headers, names[2], &reset(left.reset));
    };
    if let Some(left) = requests {
        let names = [
            "x-ratelimit-limit-requests",
            "x-ratelimit-remaining-requests",
            "x-ratelimit-reset-requests",
        ];
        write(names, left);
    }
    if let Some(left) = tokens {
        let names = [
            "x-ratelimit-limit-tokens",
            "x-ratelimit-remaining-tokens",
            "x-ratelimit-reset-tokens",
        ];
        write(names, left);
    }
}

/// `120ms`, `1s`, `6m0s`.
fn reset(left: Duration) -> String {
    let seconds = left.as_millis().div_ceil(1_000);
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        _ if left < Duration::from_secs(1) => format!("{}ms", left.as_millis()),
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds}s"),
        (hours, minutes, seconds) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// Names of the policy may hold any character; what no header can carry is left out.
fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        headers.insert(HeaderName::from_static(name), value);
    }
}
