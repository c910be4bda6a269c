//! Requests that are told no before there is a decision: a wrong key, a body that cannot be read, a model that nobody
//! serves, a limit that is reached. Each is counted with its code; the ledger and the log get them by stretches of time.

use super::Gateway;
use super::body::ResponseBody;
use super::failed::Told;
use super::prepare::Prepared;
use crate::live::Refusal;
use crate::telemetry::metrics::RefusalLabels;
use http::{HeaderName, HeaderValue, Response};
use std::sync::Arc;

pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the client is told, and as far as it was found who asked for what.
#[derive(Debug)]
pub struct TurnedAway {
    told: Box<Told>,
    client: Arc<str>,
    route: Arc<str>,
    id: Option<Arc<str>>,
}

impl From<Told> for TurnedAway {
    fn from(told: Told) -> Self {
        Self {
            told: Box::new(told),
            client: Arc::default(),
            route: Arc::default(),
            id: None,
        }
    }
}

impl TurnedAway {
    pub fn by(self, client: &Arc<str>) -> Self {
        Self {
            client: client.clone(),
            ..self
        }
    }

    /// A request that could be read.
    pub fn of(prepared: &Prepared, told: Told) -> Self {
        let client = prepared.client.map(|id| prepared.policy.snapshot.client(id));
        Self {
            told: Box::new(told),
            client: client.map(|client| client.name.clone()).unwrap_or_default(),
            route: prepared.route.clone(),
            id: Some(prepared.id.clone()),
        }
    }

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
