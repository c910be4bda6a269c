//! A request that an SDK sends again: the same `Idempotency-Key`, client, address and body within ten minutes.

use super::Gateway;
use super::failed::Told;
use crate::policy::snapshot::{ModelId, Snapshot};
use crate::session::{SessionKey, Standing};
use http::{HeaderMap, StatusCode};
use std::sync::Arc;
use std::time::Duration;

const HEADER: &str = "idempotency-key";
/// Answers take seconds: whoever comes back earlier is told the same again.
const COME_AGAIN: Duration = Duration::from_secs(2);

/// A request's place among those of its key; whatever becomes of it, the place is given up with it.
pub struct Repeat {
    gateway: Arc<Gateway>,
    key: SessionKey,
    decision: Arc<str>,
    /// Models that failed it.
    pub failed: Vec<Arc<str>>,
}

/// What is known of the request before.
#[derive(Default)]
pub struct Before {
    pub decision: Arc<str>,
    /// They are tried last.
    pub failed: Vec<ModelId>,
}

/// Nothing where the request has no such key; refused while the first is under way.
pub fn begin(
    gateway: &Arc<Gateway>,
    headers: &HeaderMap,
    (client, route, body): (&str, &str, &[u8]),
    decision: &Arc<str>,
    snapshot: &Snapshot,
) -> Result<(Option<Repeat>, Before), Told> {
    let Some(name) = headers.get(HEADER).filter(|name| !name.is_empty()) else {
        return Ok((None, Before::default()));
    };
    let key = gateway
        .keyer
        .whole(&[b"again", client.as_bytes(), route.as_bytes(), name.as_bytes(), body]);
    let standing = gateway.live.repeats.lock().begin(key, decision, gateway.clock.uptime());
    let before = match standing {
        Standing::UnderWay => return Err(under_way()),
        Standing::First => Before::default(),
        Standing::Again { of, failed } => Before {
            decision: of,
            failed: failed.iter().filter_map(|name| snapshot.model_named(name)).collect(),
        },
    };
    let repeat = Repeat {
        gateway: gateway.clone(),
        key,
        decision: decision.clone(),
        failed: Vec::new(),
    };
    Ok((Some(repeat), before))
}

fn under_way() -> Told {
    Told {
        retry_after: Some(COME_AGAIN),
        may_retry: true,
        ..Told::new(
            StatusCode::CONFLICT,
            "invalid_request_error",
            "request_in_progress",
            "a request with this Idempotency-Key is under way; nothing is sent twice at one time",
        )
    }
}

impl Drop for Repeat {
    fn drop(&mut self) {
        let (now, failed) = (self.gateway.clock.uptime(), std::mem::take(&mut self.failed));
        let mut repeats = self.gateway.live.repeats.lock();
        repeats.end(self.key, &self.decision, failed, now);
    }
}
