//! A daemon's part in its fleet without the daemon: the real books and the real exchange, requests that are drawn by lot.

use planb::budget::{
    Books, End, Facts, Grant, GrantRequest, Rebuilt, Refusal, ReservationId, ShareAnswer, ShareRequest,
};
use planb::clock::Clock;
use planb::fleet::{Call, Fleet, Stamp, Target};
use planb::money::Money;
use planb::policy::Compiled;
use planb::policy::condition::ModelFacts;
use planb::request::Caller;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// What all sidecars together did.
#[derive(Default)]
pub struct Tally {
    pub served: AtomicU64,
    pub refused: AtomicU64,
    /// Posted, held and reserved now.
    pub counts: AtomicI64,
    pub highest: AtomicI64,
    /// Mean milliseconds between two requests of one sidecar.
    pub pause: AtomicU64,
}

impl Tally {
    fn add(&self, nanos: i64) {
        let now = self.counts.fetch_add(nanos, Ordering::SeqCst) + nanos;
        self.highest.fetch_max(now, Ordering::SeqCst);
    }
}

pub struct Sidecar {
    books: Books,
    fleet: Fleet,
    calls: Receiver<Call>,
    facts: Facts,
    clock: Clock,
    tally: Arc<Tally>,
    due: Instant,
    wanted_at: Instant,
    seed: u64,
    open: Vec<(Instant, ReservationId, i64, i64)>,
}

impl Sidecar {
    pub async fn join(number: u64, url: &str, policy: &Compiled, tally: Arc<Tally>) -> Self {
        let clock = Clock::start();
        let snapshot = &policy.snapshot;
        let mut books = Books::new();
        let rebuilds = books.install(&snapshot.budgets, &snapshot.timezone, snapshot.currency, clock.now());
        for request in rebuilds {
            books.rebuilt(Rebuilt {
                pool: request.pool,
                accounts: Vec::new(),
                unaccounted: Money::ZERO,
                granted: Money::ZERO,
                known: true,
            });
        }
        books.join_fleet();
        let stamp = Stamp {
            hash: snapshot.hash.clone(),
            edited_at: clock.now(),
            fresh: true,
        };
        let target = Target::parse(url, None).unwrap();
        let (fleet, calls) = Fleet::new(target, super::FLEET, &format!("{number:032x}"), stamp, clock).unwrap();
        let mut sidecar = Self {
            books,
            fleet,
            calls,
            facts: Facts {
                model: Arc::new(ModelFacts::recorded("only", "alpha", "licensed")),
                currency: snapshot.currency,
                caller: Arc::new(Caller::default()),
            },
            clock,
            tally,
            due: Instant::now() + Duration::from_millis(number * 75),
            wanted_at: Instant::now(),
            seed: number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            open: Vec::new(),
        };
        sidecar.exchange(|books, now| books.shares_wanted(now)).await;
        sidecar
    }

    /// Requests until it is told to stop; then what is under way ends.
    pub async fn run(mut self, stop: CancellationToken) -> Self {
        let mut next = Instant::now() + self.pause();
        while !stop.is_cancelled() {
            // Since it was drawn the pause may have become another.
            let mean = self.tally.pause.load(Ordering::Relaxed);
            next = next.min(Instant::now() + Duration::from_millis(mean * 3 / 2));
            let look = Instant::now() + Duration::from_secs(1);
            tokio::select! {
                () = stop.cancelled() => break,
                Some(call) = self.calls.recv() => self.answer(call).await,
                () = sleep_until(next.min(look)) => {}
            }
            self.end_due(Instant::now());
            if Instant::now() >= next {
                let worst = super::CENT;
                let actual = worst * (60 + self.lot(41) as i64) / 100;
                self.request(worst, actual).await;
                next = Instant::now() + self.pause();
            }
            self.look().await;
        }
        self.end_due(Instant::now() + Duration::from_secs(3_600));
        self
    }

    /// All that is left goes back.
    pub async fn leave(mut self) {
        let requests = self.books.shares_returned();
        crate::support::until("the database takes back what is left", || async {
            self.fleet.leave(&requests).await.map_err(|error| error.to_string())
        })
        .await;
    }

    /// One request of so much at worst that comes to so much; whether it was let in.
    pub async fn request(&mut self, worst: i64, actual: i64) -> bool {
        let until = Instant::now() + Duration::from_secs(5);
        while Instant::now() < until {
            match self.reserve(worst) {
                Ok(id) => {
                    self.tally.served.fetch_add(1, Ordering::Relaxed);
                    self.tally.add(worst);
                    let ends = Instant::now() + Duration::from_millis(200 + self.lot(1_800));
                    self.open.push((ends, id, worst, actual));
                    return true;
                }
                Err(Refusal::Lease(requests)) => self.lease(&requests),
                Err(Refusal::Share(wanted)) => {
                    if !self.ask(&wanted).await {
                        break;
                    }
                }
                Err(Refusal::OverLimit { .. }) => break,
                Err(other) => panic!("{other:?}"),
            }
        }
        self.tally.refused.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// False: the store said no.
    async fn ask(&mut self, wanted: &[ShareRequest]) -> bool {
        let answers = self.exchange(|books, _| books.shares_again(wanted)).await;
        let Some(short) = answers.iter().find(|answer| answer.lacks > Money::ZERO) else {
            return true;
        };
        if short.lacks > short.left.plus(short.idle) {
            self.books
                .refuse_share(&wanted[0], self.fleet.daemons(), self.clock.now());
            return false;
        }
        if let Ok(Some(call)) = timeout(Duration::from_secs(1), self.calls.recv()).await {
            self.answer(call).await;
        }
        true
    }

    async fn answer(&mut self, call: Call) {
        let (Call::Recalled(number) | Call::Freed(number)) = call;
        let Some((pool, key)) = self.fleet.account(number).await else {
            return;
        };
        self.exchange(|books, now| match call {
            Call::Recalled(_) => books.shares_recalled(&pool, &key),
            Call::Freed(_) => books.shares_freed(&pool, &key, now),
        })
        .await;
    }

    /// As the daemon's exchanger does each second.
    async fn look(&mut self) {
        let now = Instant::now();
        let due = now >= self.due;
        if due {
            self.exchange(|books, at| books.shares_due(at)).await;
            self.due = now
                + (Duration::from_millis(75) * self.fleet.daemons())
                    .clamp(Duration::from_secs(10), Duration::from_secs(75));
        } else if now >= self.wanted_at && !self.exchange(|books, at| books.shares_wanted(at)).await.is_empty() {
            self.wanted_at = now + Duration::from_secs(5);
        }
    }

    async fn exchange(
        &mut self,
        build: impl FnOnce(&mut Books, jiff::Timestamp) -> Vec<ShareRequest>,
    ) -> Vec<ShareAnswer> {
        let now = self.clock.now();
        self.books.roll(now);
        let requests = build(&mut self.books, now);
        if requests.is_empty() {
            return Vec::new();
        }
        let answers = self.fleet.exchange(&requests).await.unwrap_or_default();
        self.books.shared(&answers, self.clock.now());
        answers
    }

    fn reserve(&mut self, worst: i64) -> Result<ReservationId, Refusal> {
        let now = self.clock.now();
        let charges = self.books.charges(self.facts.model(), &self.facts.caller, now);
        self.books
            .reserve(Money::from_nanos(worst), &charges, self.facts.clone(), now)
    }

    /// Its own ledger says yes to everything: what it writes is tested elsewhere.
    fn lease(&mut self, requests: &[GrantRequest]) {
        for request in requests {
            self.books.grant(&Grant {
                pool: request.pool.clone(),
                total: request.upto,
                enough: true,
            });
        }
    }

    pub fn end_due(&mut self, now: Instant) {
        let due: Vec<_> = self.open.extract_if(.., |(ends, ..)| *ends <= now).collect();
        for (_, id, worst, actual) in due {
            self.books.end(id, End::Post(Money::from_nanos(actual)));
            self.tally.add(actual - worst);
        }
    }

    fn pause(&mut self) -> Duration {
        let mean = self.tally.pause.load(Ordering::Relaxed).max(1);
        // Every tenth is ten times as busy.
        let mean = if self.seed % 10 == 1 { mean / 5 + 1 } else { mean };
        Duration::from_millis(mean / 2 + self.lot(mean))
    }

    fn lot(&mut self, below: u64) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        self.seed % below.max(1)
    }
}
