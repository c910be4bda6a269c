//! Which of a provider's keys an attempt is made with: the one whose turn it is among those that are there, do not rest
//! and have not failed this request before.

use super::claim::Claim;
use super::serve::Serving;
use crate::decide::Candidate;
use crate::failover::{NotTaken, Turn};
use crate::health::{Options, Verdict, WaitReason};
use crate::policy::snapshot::{ModelId, ProviderKey};
use crate::upstream::credentials::Credential;
use crate::uptime::Uptime;
use std::sync::Arc;

/// A key and leave to use it.
pub struct Chosen {
    pub claim: Claim,
    /// `None` for a provider that needs none.
    pub credential: Option<Arc<Credential>>,
    /// Its place among the provider's keys.
    pub key: usize,
}

impl Serving {
    pub(super) fn choose_key(&mut self, turn: &Turn, candidate: Candidate) -> Result<Chosen, NotTaken> {
        let policy = self.prepared.policy.clone();
        let provider = policy.snapshot.provider_of(candidate.id);
        let now = self.gateway.clock.uptime();
        let used = |at: usize| self.used_keys.contains(&(candidate.id, at));
        let last = self.used_keys.iter().rev().find(|(model, _)| *model == candidate.id);
        let wanted = |at: usize| match last {
            // The same candidate again is the same key again.
            Some((_, key)) if turn.is_repeat() => at == *key,
            _ => !used(at),
        };
        let names = policy.keys(candidate.id);
        let credentials = self.credentials(&provider.keys);
        let mut health = self.gateway.live.health.lock();
        let mut wait: Option<(Uptime, WaitReason)> = None;
        let mut ready = vec![false; names.len()];
        for (at, name) in names.iter().enumerate().filter(|(at, _)| wanted(*at)) {
            if matches!(credentials.get(at), Some(None)) {
                continue;
            }
            match health.verdict(name, Options::of(provider), now) {
                Verdict::Ready => ready[at] = true,
                Verdict::Wait { until, reason } if wait.is_none_or(|(first, _)| until < first) => {
                    wait = Some((until, reason));
                }
                Verdict::Wait { .. } => {}
            }
        }
        let usable = |at: usize| ready.get(at) == Some(&true);
        let next = match names.len() {
            1 => Some(0).filter(|at| usable(*at)),
            _ => health.next_key(&provider.name, &provider.weighted_keys(), usable),
        };
        let Some(key) = next else {
            drop(health);
            return Err(self.none_ready(candidate, wait, now));
        };
        drop(health);
        match Claim::take(&self.gateway, &names[key], provider) {
            Ok(claim) => Ok(Chosen {
                claim,
                credential: credentials.get(key).cloned().flatten(),
                key,
            }),
            Err(Verdict::Wait { until, reason }) => Err(self.none_ready(candidate, Some((until, reason)), now)),
            Err(Verdict::Ready) => Err(NotTaken::Barred),
        }
    }

    /// In the keys' order; `None` for one that is not there.
    fn credentials(&self, keys: &[ProviderKey]) -> Vec<Option<Arc<Credential>>> {
        let find = |key: &ProviderKey| self.gateway.credentials.get(&key.credential).ok();
        keys.iter().map(find).collect()
    }

    fn none_ready(&mut self, candidate: Candidate, wait: Option<(Uptime, WaitReason)>, now: Uptime) -> NotTaken {
        let Some((until, reason)) = wait else {
            return NotTaken::Barred;
        };
        let left = until.saturating_sub(now).as_secs().max(1);
        let detail = format!("not for another {left} s ({})", reason.word());
        self.exclude(candidate, reason.code(), detail);
        NotTaken::Resting { until }
    }
}

/// Keys that this request was sent with, by model.
pub type UsedKeys = Vec<(ModelId, usize)>;
