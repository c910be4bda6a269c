//! Which of a provider's keys an attempt is made with: the one whose turn it is among those that are there, do not rest,
//! have room under their limits, and have not failed this request before. A conversation keeps its key while its cache is
//! warm or its model holds it: both are of an account.

use super::Serving;
use crate::decide::Candidate;
use crate::failover::{NotTaken, Turn};
use crate::gateway::claim::Claim;
use crate::gateway::limits::{self, Admission, admit};
use crate::health::{Options, Verdict, WaitReason};
use crate::limit::{Full, Kind};
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
    pub admission: Option<Admission>,
}

/// What the keys came to.
#[derive(Default)]
struct Looked {
    ready: Vec<bool>,
    /// The first of those that rest.
    wait: Option<(Uptime, WaitReason)>,
    full: Option<Full>,
}

impl Serving {
    pub(super) async fn choose_key(&mut self, turn: &Turn, candidate: Candidate) -> Result<Chosen, NotTaken> {
        let policy = self.prepared.policy.clone();
        let provider = policy.snapshot.provider_of(candidate.id);
        let names = policy.keys(candidate.id);
        let credentials = self.credentials(&provider.keys);
        let looked = self.look(turn, candidate, &credentials);
        let usable = |at: usize| looked.ready.get(at) == Some(&true);
        let next = match names.len() {
            1 => Some(0).filter(|at| usable(*at)),
            _ => {
                let keys = provider.weighted_keys();
                let wanted = self.held_key(candidate.id, &keys);
                let mut health = self.gateway.live.health.lock();
                health.next_key(&provider.name, &keys, wanted, usable)
            }
        };
        let Some((key, name)) = next.and_then(|key| Some((key, names.get(key)?))) else {
            return Err(self.none_ready(candidate, looked));
        };
        let scopes = limits::scopes(&policy.snapshot, candidate.id, key);
        let admission = if scopes.is_empty() {
            None
        } else {
            let until = self.gateway.clock.instant(self.deadline);
            let tokens = limits::tokens_of(self.prepared.needs_of(candidate.id), &candidate);
            let admitted = admit(&self.gateway, scopes, tokens, Some(until)).await;
            Some(admitted.map_err(|full| self.full(candidate, &full))?)
        };
        match Claim::take(&self.gateway, name, provider) {
            Ok(claim) => Ok(Chosen {
                claim,
                credential: credentials.get(key).cloned().flatten(),
                key,
                admission,
            }),
            Err(Verdict::Wait { until, reason }) => Err(self.resting(candidate, until, reason)),
            Err(Verdict::Ready) => Err(NotTaken::Barred),
        }
    }

    fn held_key(&self, model: ModelId, keys: &[(Arc<str>, u32)]) -> Option<usize> {
        let held = self.prepared.held.filter(|held| held.model == model)?;
        if held.cached.is_none() && held.lock.is_none() {
            return None;
        }
        let label = self.prepared.held_key.as_ref()?;
        keys.iter().position(|(known, _)| known == label)
    }

    fn look(&self, turn: &Turn, candidate: Candidate, credentials: &[Option<Arc<Credential>>]) -> Looked {
        let policy = &self.prepared.policy;
        let provider = policy.snapshot.provider_of(candidate.id);
        let now = self.gateway.clock.uptime();
        let last = self.used_keys.iter().rev().find(|(model, _)| *model == candidate.id);
        let wanted = |at: usize| match last {
            // The same candidate again is the same key again.
            Some((_, key)) if turn.is_repeat() => at == *key,
            _ => !self.used_keys.contains(&(candidate.id, at)),
        };
        let names = policy.keys(candidate.id);
        let mut looked = Looked {
            ready: vec![false; names.len()],
            ..Looked::default()
        };
        let mut queues = looked.ready.clone();
        let tokens = limits::tokens_of(self.prepared.needs_of(candidate.id), &candidate);
        for (at, name) in names.iter().enumerate().filter(|(at, _)| wanted(*at)) {
            if matches!(credentials.get(at), Some(None)) {
                continue;
            }
            let verdict = self
                .gateway
                .live
                .health
                .lock()
                .verdict(name, Options::of(provider), now);
            if let Verdict::Wait { until, reason } = verdict {
                if looked.wait.is_none_or(|(first, _)| until < first) {
                    looked.wait = Some((until, reason));
                }
                continue;
            }
            let scopes = limits::scopes(&policy.snapshot, candidate.id, at);
            let mut book = self.gateway.live.limits.lock();
            looked.ready[at] = scopes.is_empty() || book.is_free(&scopes, tokens, now);
            match book.look(&scopes, tokens, now) {
                Ok(()) => queues[at] = true,
                Err(full) if looked.full.as_ref().is_none_or(|first| full.after < first.after) => {
                    looked.full = Some(full);
                }
                Err(_) => {}
            }
        }
        // A key with room comes before one with a queue.
        if !looked.ready.contains(&true) {
            looked.ready = queues;
        }
        looked
    }

    /// In the keys' order; `None` for one that is not there.
    fn credentials(&self, keys: &[ProviderKey]) -> Vec<Option<Arc<Credential>>> {
        let find = |key: &ProviderKey| self.gateway.credentials.get(&key.credential).ok();
        keys.iter().map(find).collect()
    }

    fn none_ready(&mut self, candidate: Candidate, looked: Looked) -> NotTaken {
        match (looked.full, looked.wait) {
            (Some(full), _) => self.full(candidate, &full),
            (None, Some((until, reason))) => self.resting(candidate, until, reason),
            (None, None) => NotTaken::Barred,
        }
    }

    fn full(&mut self, candidate: Candidate, full: &Full) -> NotTaken {
        let code = match full.kind {
            Kind::InFlight => "in_flight",
            Kind::Requests | Kind::Tokens => "rate_limit",
        };
        let detail = format!("`limits.{}` of {} is reached", full.kind.word(), full.scope);
        self.exclude(candidate, code, detail);
        NotTaken::Full {
            until: self.gateway.clock.uptime() + full.after,
        }
    }

    fn resting(&mut self, candidate: Candidate, until: Uptime, reason: WaitReason) -> NotTaken {
        let left = until.saturating_sub(self.gateway.clock.uptime()).as_secs().max(1);
        let detail = format!("not for another {left} s ({})", reason.word());
        self.exclude(candidate, reason.code(), detail);
        NotTaken::Resting { until }
    }
}

/// Keys that this request was sent with, by model.
pub type UsedKeys = Vec<(ModelId, usize)>;
