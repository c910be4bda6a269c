//! Whether the caller may call models, told in the dialect's words when it may not.

use super::Gateway;
use super::failed::Told;
use super::turned_away::TurnedAway;
use crate::access::{Refused, identify};
use crate::peer::Peer;
use crate::policy::snapshot::{ClientId, Snapshot};
use http::{HeaderMap, StatusCode};
use std::net::IpAddr;

/// The client, or `None` for a caller on this machine where the policy has no clients. `peer` is `None` on a transport
/// that is local by nature.
pub fn authenticate(
    gateway: &Gateway,
    snapshot: &Snapshot,
    headers: &HeaderMap,
    peer: Option<IpAddr>,
) -> Result<Option<ClientId>, TurnedAway> {
    let now = gateway.clock.now();
    let found = identify(snapshot, &gateway.credentials, headers, Peer(peer), now);
    let id = found.map_err(|refused| {
        if refused == Refused::SharedKey {
            tracing::error!("a request was refused: {refused}");
        }
        let code = match refused {
            Refused::Expired { .. } => "expired_api_key",
            _ => "invalid_api_key",
        };
        let told = Told::new(
            StatusCode::UNAUTHORIZED,
            "invalid_request_error",
            code,
            refused.to_string(),
        );
        match &refused {
            Refused::Expired { client, .. } => TurnedAway::from(told).by(client),
            _ => told.into(),
        }
    })?;
    match id {
        Some(id) if !snapshot.client(id).inference => {
            let told = Told::new(
                StatusCode::FORBIDDEN,
                "invalid_request_error",
                "out_of_scope",
                "this client's `scope` does not let it call models",
            );
            Err(TurnedAway::from(told).by(&snapshot.client(id).name))
        }
        id => Ok(id),
    }
}
