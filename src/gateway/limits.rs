//! Lets requests in under the policy's limits, or has them wait their turn; what was let in is counted out again
//! whatever becomes of it, because the count is given back when it is dropped.

use super::Gateway;
use super::failed::{self, Told};
use super::prepare::Prepared;
use crate::clock::Clock;
use crate::decide::{self, Candidate};
use crate::limit::{Full, Left, Scope, Seat};
use crate::live::Live;
use crate::policy::snapshot::{Limits, ModelId, Snapshot};
use crate::request::Requirements;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::LimitLabels;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// A place under all its limits.
pub struct Admission {
    live: Arc<Live>,
    clock: Clock,
    scopes: Vec<Scope>,
    reserved: u64,
    used: AtomicU64,
    /// Something went out: it counts as a request.
    sent: AtomicBool,
}

impl Admission {
    fn new(live: &Arc<Live>, clock: Clock, scopes: Vec<Scope>, reserved: u64) -> Self {
        Self {
            live: live.clone(),
            clock,
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
        let now = self.clock.uptime();
        self.live.limits.lock().left(&self.scopes, now)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut book = self.live.limits.lock();
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
                return Ok(Admission::new(&gateway.live, gateway.clock, scopes, tokens));
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
            seat = Seated::take(&gateway.live, &gateway.metrics, &full.scope);
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
    entered.then(|| Some(Admission::new(&gateway.live, gateway.clock, scopes, tokens)))
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
    live: Arc<Live>,
    metrics: Arc<Metrics>,
    scope: Scope,
    seat: Seat,
    wake: Arc<Notify>,
}

impl Seated {
    fn take(live: &Arc<Live>, metrics: &Arc<Metrics>, scope: &Scope) -> Option<Self> {
        let wake = Arc::new(Notify::new());
        let waker = wake.clone();
        let seat = live.limits.lock().join(scope, Arc::new(move || waker.notify_one()))?;
        metrics.queued.inc();
        Some(Self {
            live: live.clone(),
            metrics: metrics.clone(),
            scope: scope.clone(),
            seat,
            wake,
        })
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.live.limits.lock().leave(self.seat);
        self.metrics.queued.dec();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plans;
    use crate::policy::{Sources, compile};

    const POLICY: &str = "
providers: {home: {vendor: llama.cpp, limits: {in_flight: 1, queue: 1, wait: 1m}}}
models: {tiny: {provider: home, supply: local}}
routes: [{name: chat, try: [tiny]}]
";

    fn live(clock: Clock) -> Arc<Live> {
        let sources = Sources::single("policy.yaml", "/".into(), POLICY);
        let snapshot = compile(&sources, clock.now()).unwrap().snapshot;
        Arc::new(Live::new(snapshot, Plans::default(), clock.now()).0)
    }

    async fn panics_with<T: Send + 'static>(held: T) {
        let task = tokio::spawn(async move {
            let _held = held;
            tokio::task::yield_now().await;
            panic!("in the middle of a request");
        });
        assert!(task.await.unwrap_err().is_panic());
    }

    #[tokio::test]
    async fn a_task_that_panics_gives_its_place_and_its_seat_back() {
        let (clock, metrics) = (Clock::start(), Arc::new(Metrics::default()));
        let live = live(clock);
        let scopes = scopes(&live.policy().snapshot, ModelId(0), 0);
        let enter = || live.limits.lock().enter(&scopes, 10, None, clock.uptime());
        enter().unwrap();
        let admission = Admission::new(&live, clock, scopes.clone(), 10);
        let seat = || Seated::take(&live, &metrics, &scopes[0]);
        let waiting = seat().unwrap();
        assert!(
            enter().is_err() && seat().is_none(),
            "a place and a seat are all there is"
        );
        panics_with(admission).await;
        waiting.wake.notified().await;
        assert!(enter().is_err(), "the place is that of the first in line");
        panics_with(waiting).await;
        assert_eq!(metrics.queued.get(), 0);
        enter().unwrap();
        assert!(seat().is_some(), "and nothing is left of either");
    }
}
