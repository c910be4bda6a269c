//! Providers that a breaker keeps from traffic are asked by their free listing, so that they come back by themselves.
//! Never with a completion, never a provider that is up, at most one listing a provider in half a minute.

use crate::gateway::Gateway;
use crate::live::ProviderState;
use crate::health::Listing;
use crate::upstream::probe::{LISTING_TIMEOUT, Probe, probe_listing};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between two listings of one provider.
const EACH: Duration = Duration::from_secs(30);
/// How often it is looked who needs one.
const LOOK: Duration = Duration::from_secs(1);

pub async fn run(gateway: Arc<Gateway>, stop: CancellationToken) {
    let mut due: HashMap<Arc<str>, Duration> = HashMap::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let now = gateway.clock.uptime();
        let policy = gateway.live.policy();
        for (index, provider) in policy.snapshot.providers.iter().enumerate() {
            // A local server of ours is watched by its supervisor.
            let down = policy.providers[index].standing().state == ProviderState::Down && provider.start.is_none();
            if !down {
                due.remove(&provider.name);
                continue;
            }
            let next = due.entry(provider.name.clone()).or_insert(now + EACH);
            if *next > now {
                continue;
            }
            *next = now + EACH;
            let key = provider.api_key.as_ref().and_then(|reference| gateway.credentials.get(reference).ok());
            let web = gateway.connections.web(provider.allow_private);
            let secret = key.as_ref().map(|key| &key.secret);
            let probe = tokio::select! {
                () = stop.cancelled() => return,
                probe = probe_listing(web, &provider.base_url, secret, LISTING_TIMEOUT) => probe,
            };
            tracing::debug!(provider = &*provider.name, ?probe, "listing");
            let at = gateway.clock.uptime();
            let credential = provider.api_key.as_ref().map(|reference| reference.label()).unwrap_or_default();
            gateway.live.health.lock().listed(&provider.base_url, &credential, listing(&probe), at);
        }
    }
}

fn listing(probe: &Probe) -> Listing {
    match probe {
        Probe::Alive => Listing::Alive,
        Probe::Reachable => Listing::Reachable,
        Probe::Refused { .. } => Listing::Refused,
        Probe::Dead { .. } => Listing::Dead,
    }
}
