//! How long an attempt may take: what provider, model and route say, and the default.

use super::defaults::TIMEOUTS;
use super::snapshot::{ModelId, RouteId, Snapshot};
use std::time::Duration;

impl Snapshot {
    /// The longest that an attempt at the model may take on a route: the tightest of what is given, else the default.
    pub fn patience(&self, route: Option<RouteId>, id: ModelId) -> Duration {
        let route = route.and_then(|id| self.routes.get(id.0)).map(|route| route.timeouts);
        let given = [
            self.provider_of(id).timeouts.total,
            self.model(id).timeouts.total,
            route.and_then(|timeouts| timeouts.total),
        ];
        let tightest = given.into_iter().flatten().min();
        tightest.or(TIMEOUTS.total).unwrap_or_default()
    }
}
