//! Providers that a breaker or a plan keeps from traffic are asked by their free listing, so that it shows when they are
//! back and when they are gone again. Never with a completion, never a provider that has traffic to tell, at most one
//! listing a provider in half a minute.

use crate::catalog::Dialect;
use crate::gateway::Gateway;
use crate::health::Listing;
use crate::live::{Policy, ProviderState};
use crate::policy::snapshot::{ModelId, Provider, ProviderId, ProviderKey};
use crate::request::Caller;
use crate::upstream::credentials::Credential;
use crate::upstream::local::LocalState;
use crate::upstream::probe::{self, LISTING_TIMEOUT, Probe, probe_listing};
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
            if !is_kept_from_traffic(&gateway, &policy, ProviderId(index)) {
                due.remove(&provider.name);
                continue;
            }
            let next = due.entry(provider.name.clone()).or_insert(now + EACH);
            if *next > now {
                continue;
            }
            *next = now + EACH;
            for (credential, key) in keys(&gateway, provider) {
                let web = gateway.connections.web(provider.allow_private);
                let url = provider.listing();
                let asked = probe::Listing {
                    url: &url,
                    key: key.as_ref().map(|key| &key.secret),
                    key_header: provider.key_header,
                    versioned: provider.vendor.facts().dialect == Dialect::Messages,
                };
                let probe = tokio::select! {
                    () = stop.cancelled() => return,
                    probe = probe_listing(web, asked, LISTING_TIMEOUT) => probe,
                };
                tracing::debug!(provider = &*provider.name, ?probe, "listing");
                let (at, listing) = (gateway.clock.uptime(), listing(&probe));
                let mut health = gateway.live.health.lock();
                health.listed(&provider.base_url, &credential, listing, at);
                if listing == Listing::Alive {
                    break;
                }
            }
        }
    }
}

/// Those that are there, by what health knows them by; one nameless where none is needed.
fn keys(gateway: &Gateway, provider: &Provider) -> Vec<(Arc<str>, Option<Arc<Credential>>)> {
    if provider.keys.is_empty() {
        return vec![("".into(), None)];
    }
    let there = |key: &ProviderKey| {
        let credential = gateway.credentials.get(&key.credential).ok()?;
        Some((key.credential.label().into(), Some(credential)))
    };
    provider.keys.iter().filter_map(there).collect()
}

fn is_kept_from_traffic(gateway: &Gateway, policy: &Policy, id: ProviderId) -> bool {
    // A local server of ours is watched by its supervisor, which knows more, until it is ready.
    let local = gateway.locals.state(&policy.snapshot.provider(id).name);
    if local.is_some_and(|state| !matches!(state, LocalState::Ready { .. })) {
        return false;
    }
    match policy.provider(id).standing().state {
        ProviderState::Down => true,
        ProviderState::Up | ProviderState::Cooling => is_shut_by_plans(policy, id),
        ProviderState::Cold | ProviderState::NoCredential | ProviderState::Disabled => false,
    }
}

/// For a caller without tags: what plans keep from everybody.
fn is_shut_by_plans(policy: &Policy, id: ProviderId) -> bool {
    let answers = policy.answers.to(&Caller::default());
    let models = policy.snapshot.models.iter().enumerate();
    let mut of_provider = models.filter(|(_, model)| model.provider == id).peekable();
    of_provider.peek().is_some()
        && of_provider.all(|(model, _)| policy.effective.restriction(ModelId(model), &answers).is_some())
}

fn listing(probe: &Probe) -> Listing {
    match probe {
        Probe::Alive => Listing::Alive,
        Probe::Reachable => Listing::Reachable,
        Probe::Refused { .. } => Listing::Refused,
        Probe::Dead { .. } => Listing::Dead,
    }
}
