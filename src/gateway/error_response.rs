//! An error as a response: the dialect's body, and the headers that tell an SDK whether and when to try again.

use super::Gateway;
use super::body::ResponseBody;
use super::failed::Told;
use super::headers::write_limits;
use super::turned_away::{REQUEST_ID, TurnedAway};
use crate::dialect::chat::error::ErrorBody;
use crate::live::Refusal;
use crate::telemetry::metrics::RefusalLabels;
use http::{HeaderName, HeaderValue, Response, header};
use std::time::Duration;

const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
/// What OpenAI's SDKs read first.
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
/// SDKs refuse to wait longer than one to two minutes.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

impl Told {
    pub fn response(&self) -> Response<ResponseBody> {
        let error = ErrorBody {
            message: &self.message,
            kind: self.kind,
            code: self.code,
            param: self.param.as_deref(),
        };
        let mut response = Response::new(ResponseBody::whole(error.json()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
            headers.insert(RETRY_AFTER_MS, HeaderValue::from(milliseconds(wait)));
        }
        if let Some(limits) = &self.limits {
            write_limits(headers, **limits);
        }
        if !self.may_retry {
            headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        }
        response
    }
}

impl TurnedAway {
    /// Counts it, too.
    pub fn response(self, gateway: &Gateway) -> Response<ResponseBody> {
        let id = self
            .id
            .unwrap_or_else(|| uuid::Uuid::now_v7().simple().to_string().into());
        let labels = RefusalLabels {
            client: self.client.clone(),
            code: self.told.code,
        };
        gateway.metrics.refusals.get_or_create(&labels).inc();
        let refusal = Refusal {
            client: &self.client,
            route: &self.route,
            code: self.told.code,
            status: self.told.status.as_u16(),
            detail: &self.told.message,
            request: &id,
        };
        let (at, now) = (gateway.clock.now(), gateway.clock.uptime());
        gateway.live.refusals.lock().count(refusal, at, now);
        let mut response = self.told.response();
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    }
}

/// At least 1, at most 60.
fn whole_seconds(wait: Duration) -> u64 {
    wait.min(LONGEST_RETRY_AFTER).as_millis().div_ceil(1000).max(1) as u64
}

/// Never nothing: an SDK that is told so would come back at once.
fn milliseconds(wait: Duration) -> u64 {
    wait.min(LONGEST_RETRY_AFTER).as_millis().max(100) as u64
}
