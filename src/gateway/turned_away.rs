//! Requests that are told no before there is a decision: a wrong key, a body that cannot be read, a model that nobody
//! serves, a limit that is reached. Each is counted with its code; the ledger and the log get them by stretches of time.

use super::failed::Told;
use http::HeaderName;
use std::sync::Arc;

pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the client is told, and as far as it was found who asked for what.
#[derive(Debug)]
pub struct TurnedAway {
    pub told: Box<Told>,
    pub client: Arc<str>,
    pub route: Arc<str>,
    pub id: Option<Arc<str>>,
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
    pub fn asking(self, route: &Arc<str>, id: &Arc<str>) -> Self {
        Self {
            route: route.clone(),
            id: Some(id.clone()),
            ..self
        }
    }
}
