//! How each provider stands: its credential, its local server, its health; found each second, told when it changes.

use crate::alert::{AlertEvent, EventKind};
use crate::gateway::Gateway;
use crate::health::ProviderHealth;
use crate::live::{Policy, ProviderNews, ProviderState};
use crate::policy::snapshot::{ModelId, Provider};
use crate::upstream::local::LocalState;
use serde_json::json;
use std::sync::Arc;

/// Brings every provider's standing up to date. Returns the events of those that went down or came back.
pub fn refresh(gateway: &Gateway, policy: &Policy) -> Vec<AlertEvent> {
    let now = gateway.clock.now();
    let mut events = Vec::new();
    for (index, provider) in policy.snapshot.providers.iter().enumerate() {
        let (state, reason) = standing(gateway, policy, index, provider);
        let news = policy.providers[index].set(state, reason.clone(), now);
        gateway.metrics.set_provider_up(&provider.name, state.is_up());
        let Some(news) = news else { continue };
        let kind = match news {
            ProviderNews::Down => EventKind::ProviderDown,
            ProviderNews::Recovered => EventKind::ProviderRecovered,
        };
        events.push(AlertEvent {
            kind,
            at: now,
            dedupe: None,
            data: json!({"provider": &*provider.name, "state": state.word(), "reason": &*reason}),
        });
    }
    events
}

fn standing(gateway: &Gateway, policy: &Policy, index: usize, provider: &Provider) -> (ProviderState, Arc<str>) {
    if provider.disabled {
        return (ProviderState::Disabled, "the policy says so".into());
    }
    let present: Vec<_> = provider
        .keys
        .iter()
        .map(|key| gateway.credentials.present(&key.credential))
        .collect();
    // One key that is there is enough.
    if let Some(Err(missing)) = present.first()
        && present.iter().all(Result::is_err)
    {
        return (ProviderState::NoCredential, missing.to_string().into());
    }
    match gateway.locals.state(&provider.name) {
        None | Some(LocalState::Ready { .. }) => {}
        Some(LocalState::Failed { why, .. }) => return (ProviderState::Down, why),
        Some(LocalState::Cold) => return (ProviderState::Cold, "not running; it starts when it is needed".into()),
        Some(state) => return (ProviderState::Cold, state.line()),
    }
    let of_provider = |id: &usize| policy.snapshot.models[*id].provider.0 == index;
    let models: Vec<ModelId> = (0..policy.snapshot.models.len())
        .filter(of_provider)
        .map(ModelId)
        .collect();
    let now = gateway.clock.uptime();
    let health = gateway.live.health.lock();
    // As good as its best key.
    let of_key = |at: usize| {
        let keys: Vec<_> = models
            .iter()
            .filter_map(|id| policy.keys(*id).get(at).cloned())
            .collect();
        health.provider_state(&provider.base_url, &keys, now)
    };
    let there = |at: &usize| present.get(*at).is_none_or(Result::is_ok);
    let states = (0..provider.keys.len().max(1)).filter(there).map(of_key);
    let best = states.min_by_key(|state| match state {
        ProviderHealth::Up => 0,
        ProviderHealth::Cooling { .. } => 1,
        ProviderHealth::Down { .. } => 2,
    });
    match best.unwrap_or(ProviderHealth::Up) {
        ProviderHealth::Up => (ProviderState::Up, "".into()),
        ProviderHealth::Cooling { reason, .. } => (ProviderState::Cooling, reason.word().into()),
        ProviderHealth::Down { reason, .. } => (ProviderState::Down, reason.word().into()),
    }
}
