//! What a person wants to know first: which policy is in force, who can answer and why others cannot, where to look.

use super::{Options, state_dir};
use crate::live::Policy;

/// Characters of a policy's hash that tell it from others, for people.
const SHORT_HASH: usize = 12;

pub fn introduce(policy: &Policy, options: &Options, url: &str) {
    let routes: Vec<&str> = policy.snapshot.routes.iter().map(|route| &*route.name).collect();
    tracing::info!(
        "policy {} ({}) serves {}",
        policy.snapshot.origin,
        short(&policy.snapshot.hash),
        routes.join(", ")
    );
    for (provider, live) in policy.snapshot.providers.iter().zip(policy.providers.iter()) {
        let standing = live.standing();
        let reason = if standing.reason.is_empty() {
            String::new()
        } else {
            format!(" ({})", standing.reason)
        };
        tracing::info!("provider {}: {}{reason}", provider.name, standing.state.word());
    }
    let state = if options.state == state_dir::default_state() {
        String::new()
    } else {
        format!(" --state {}", options.state.display())
    };
    tracing::info!("what it does: planb status{state}, or {url}/planb/status");
}

pub fn short(hash: &str) -> &str {
    hash.get(..SHORT_HASH).unwrap_or(hash)
}
