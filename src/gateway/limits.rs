//! Lets requests in under the policy's limits, or has them wait their turn; what was let in is counted out again
//! whatever becomes of it, because the count is given back when it is dropped.

use super::Gateway;
use super::failed::{self, Told};
use super::prepare::Prepared;
use crate::decide::{self, Candidate};
use crate::limit::{Full, Left, Scope, Seat};
use crate::policy::snapshot::{Limits, ModelId, Snapshot};
use crate::request::Requirements;
use crate::telemetry::metrics::LimitLabels;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// A place under all its limits.
pub struct Admission {
    gateway: Arc<Gateway>,
    scopes: Vec<Scope>,
    reserved: u64,
    used: AtomicU64,
    /// Something went out: it counts as a request.
    sent: AtomicBool,
}

impl Admission {
    fn new(gateway: &Arc<Gateway>, scopes: Vec<Scope>, reserved: u64) -> Self {
        Self {
            gateway: gateway.clone(),
            scopes,
            reserved,
            used: AtomicU64::new(0),
            sent: AtomicBool::new(false),
        }
    }

    /// What it came to; of an attempt whose bill is unknown, what was reserved.
    pub fn charge(&self, tokens: Option<u64>) {
        self.used.fetch_add(tokens.unwrap_or(self.reserved), Ordering::Relaxed);
    }

    pub fn note_sent(&self) {
        self.sent.store(true, Ordering::Relaxed);
    }

    /// What the tightest of its limits has left, of requests and of tokens.
    pub fn left(&self) -> (Option<Left>, Option<Left>) {
        let now = self.gateway.clock.uptime();
        self.gateway.live.limits.lock().left(&self.scopes, now)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut book = self.gateway.live.limits.lock();
        if !self.sent.load(Ordering::Relaxed) {
            book.give_back(&self.scopes);
        }
        book.release(&self.scopes, self.reserved, self.used.load(Ordering::Relaxed));
    }
}

/// A request as a whole, under its client's and its route's limits; `None` where there are none.
pub async fn admit_request(gateway: &Arc<Gateway>, prepared: &Prepared) -> Result<Option<Arc<Admission>>, Told> {
    let snapshot = &prepared.policy.snapshot;
    let client = prepared.client.map(|id| snapshot.client(id));
    let route = prepared.route_id().map(|id| snapshot.route(id));
    let scopes: Vec<Scope> = [
        client.and_then(|client| limited(&client.limits, || Scope::Client(client.name.clone()))),
        route.and_then(|route| limited(&route.limits, || Scope::Route(route.name.clone()))),
    ]
    .into_iter()
    .flatten()
    .collect();
    if scopes.is_empty() {
        return Ok(None);
    }
    let until = prepared.deadline.map(|deadline| Instant::now() + deadline);
    let tokens = most_tokens(prepared);
    match admit(gateway, scopes.clone(), tokens, until).await {
        Ok(admission) => {
            admission.note_sent();
            Ok(Some(Arc::new(admission)))
        }
        Err(full) => {
            let left = gateway.live.limits.lock().left(&scopes, gateway.clock.uptime());
            Err(Told {
                limits: Some(Box::new(left)),
                ..failed::limited(&full, prepared.shown_as.is_some())
            })
        }
    }
}

/// What an attempt on this model with that key is counted under.
pub fn scopes(snapshot: &Snapshot, id: ModelId, key: usize) -> Vec<Scope> {
    let (model, provider) = (snapshot.model(id), snapshot.provider_of(id));
    let key = provider.keys.get(key).and_then(|key| {
        limited(&key.limits, || {
            Scope::Key(provider.name.clone(), key.credential.label().into())
        })
    });
    [
        limited(&provider.limits, || Scope::Provider(provider.name.clone())),
        key,
        limited(&model.limits, || Scope::Model(model.name.clone())),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The tokens that an attempt is reserved for.
pub fn tokens_of(needs: &Requirements, candidate: &Candidate) -> u64 {
    let output = candidate.output.saturating_mul(needs.choices.max(1));
    needs.input.saturating_add(output)
}

/// Enters all of them, at once or after a wait in the queue of the one that is full.
pub async fn admit(
    gateway: &Arc<Gateway>,
    scopes: Vec<Scope>,
    tokens: u64,
    until: Option<Instant>,
) -> Result<Admission, Full> {
    let began = Instant::now();
    let mut seat: Option<Seated> = None;
    loop {
        let entered = {
            let mut book = gateway.live.limits.lock();
            book.enter(
                &scopes,
                tokens,
                seat.as_ref().map(|seat| seat.seat),
                gateway.clock.uptime(),
            )
        };
        let full = match entered {
            Ok(()) => {
                return Ok(Admission::new(gateway, scopes, tokens));
            }
            Err(full) => full,
        };
        let patience = full.wait.map(|wait| began + wait);
        let Some(end) = patience.map(|end| until.map_or(end, |until| end.min(until))) else {
            return Err(refused(gateway, full));
        };
        if Instant::now() >= end {
            return Err(refused(gateway, full));
        }
        if seat.as_ref().is_none_or(|seat| seat.scope != full.scope) {
            seat = Seated::take(gateway, &full.scope);
            if seat.is_some() {
                // Who left before it sat down could not wake it.
                continue;
            }
        }
        let Some(waiting) = &seat else {
            return Err(refused(gateway, full));
        };
        // Woken by who leaves, or when the rate has room again.
        let again = end.min(Instant::now() + full.after);
        let _ = timeout_at(again, waiting.wake.notified()).await;
    }
}

/// Enters all of them at once and without a wait, where half of each stays free; `Some(None)` where there are none.
pub fn enter_beside(gateway: &Arc<Gateway>, scopes: Vec<Scope>, tokens: u64) -> Option<Option<Admission>> {
    if scopes.is_empty() {
        return Some(None);
    }
    let mut book = gateway.live.limits.lock();
    let entered = book.enter_beside(&scopes, tokens, gateway.clock.uptime());
    entered.then(|| Some(Admission::new(gateway, scopes, tokens)))
}

fn refused(gateway: &Gateway, full: Full) -> Full {
    let labels = LimitLabels {
        of: full.scope.word(),
        limit: full.kind.word(),
    };
    gateway.metrics.limited.get_or_create(&labels).inc();
    full
}

/// A place in a queue, given up when it is dropped: a client that leaves waits no longer.
struct Seated {
    gateway: Arc<Gateway>,
    scope: Scope,
    seat: Seat,
    wake: Arc<Notify>,
}

impl Seated {
    fn take(gateway: &Arc<Gateway>, scope: &Scope) -> Option<Self> {
        let wake = Arc::new(Notify::new());
        let waker = wake.clone();
        let mut book = gateway.live.limits.lock();
        let seat = book.join(scope, Arc::new(move || waker.notify_one()))?;
        gateway.metrics.queued.inc();
        Some(Self {
            gateway: gateway.clone(),
            scope: scope.clone(),
            seat,
            wake,
        })
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.gateway.live.limits.lock().leave(self.seat);
        self.gateway.metrics.queued.dec();
    }
}

fn limited(limits: &Limits, scope: impl FnOnce() -> Scope) -> Option<Scope> {
    (!limits.is_none()).then(scope)
}

/// Input, and as much output as the request or the largest of its models may have.
fn most_tokens(prepared: &Prepared) -> u64 {
    let needs = &prepared.needs;
    let terms = decide::terms(prepared.rules(), prepared.target);
    let largest = || {
        let models = terms.candidates.iter();
        models
            .filter_map(|id| prepared.policy.snapshot.model(*id).max_output)
            .max()
    };
    let output = needs.output_bound.or_else(largest).unwrap_or(0);
    needs.input.saturating_add(output.saturating_mul(needs.choices.max(1)))
}
