//! What an edit that has come into force means for the traffic of the last days, told with the edit.
//!
//! One edit at a time, and the latest wins: the one before it is told without figures. The reckoning stands beside the
//! requests and gives way to them, takes the same whatever the ledger holds, and ends when nobody wants it any more.

use super::announce::Announcer;
use crate::alert::{AlertEvent, EventKind};
use crate::gateway::Gateway;
use crate::ledger::decided::{self, Decided};
use crate::policy::cases::Ask;
use crate::policy::snapshot::Snapshot;
use crate::rehearse::{Projection, Sample, Traffic, project};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Receiver;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Traffic older than that says little of the next month.
const DAYS: i64 = 7;
/// More requests make it slower, and hardly another figure.
const MOST: u32 = 2_000;
/// An edit is told by then, with figures or without; who looks at the policy may still see them later.
const TOLD_WITHIN: Duration = Duration::from_secs(3);
const WITHIN: Duration = Duration::from_secs(60);
/// Edits that wait to be told: they come one by one, and each is told at once when another follows.
pub const PLACES: usize = 64;

/// An edit in force, and what its event says already.
pub struct Edit {
    pub old: Arc<Snapshot>,
    pub new: Arc<Snapshot>,
    pub at: Timestamp,
    pub data: Value,
}

pub struct Projector {
    pub gateway: Arc<Gateway>,
    pub announcer: Arc<Announcer>,
    pub stop: CancellationToken,
    /// Held by the work itself, which may outlive the wish for it by a step.
    turn: Arc<Mutex<()>>,
}

/// What came of the reckoning by the time that its edit was told.
enum Found {
    Figures(Value),
    /// No traffic, or another currency.
    Nothing,
    Late,
    /// Another edit followed.
    Overtaken,
}

impl Projector {
    pub fn new(gateway: Arc<Gateway>, announcer: Arc<Announcer>, stop: CancellationToken) -> Self {
        Self {
            gateway,
            announcer,
            stop,
            turn: Arc::default(),
        }
    }

    /// Until nobody can send an edit any more.
    pub async fn run(self, mut edits: Receiver<Edit>) {
        let mut next = edits.recv().await;
        while let Some(edit) = next {
            next = self.tell(edit, &mut edits).await;
        }
    }

    /// Returns the edit that comes next.
    async fn tell(&self, edit: Edit, edits: &mut Receiver<Edit>) -> Option<Edit> {
        let wanted = self.stop.child_token();
        let _ends = wanted.clone().drop_guard();
        let mut reckoning = pin!(timeout(WITHIN, self.reckon(&edit, wanted)));
        tokio::select! {
            found = &mut reckoning => {
                self.announce(&edit, found.unwrap_or(Found::Late)).await;
                return edits.recv().await;
            }
            next = edits.recv() => {
                self.announce(&edit, if next.is_some() { Found::Overtaken } else { Found::Late }).await;
                return next;
            }
            () = sleep(TOLD_WITHIN) => self.announce(&edit, Found::Late).await,
        }
        tokio::select! {
            found = reckoning => {
                self.show(&edit, &found.unwrap_or(Found::Late));
                edits.recv().await
            }
            next = edits.recv() => next,
        }
    }

    async fn reckon(&self, edit: &Edit, wanted: CancellationToken) -> Found {
        let mut pace = Pace {
            wanted: wanted.clone(),
            began: Instant::now(),
            _turn: Arc::new(self.turn.clone().lock_owned().await),
        };
        let now = self.gateway.clock.now();
        let since = now.saturating_sub(SignedDuration::from_hours(24 * DAYS));
        let mut reading = pace.clone();
        let read = self
            .gateway
            .ledger
            .sample(since.unwrap_or(Timestamp::UNIX_EPOCH), MOST, move || reading.go_on());
        let recorded = match read.await {
            Ok(recorded) => recorded,
            Err(error) => {
                tracing::warn!(%error, "recorded requests could not be read to say what an edit means for them");
                return Found::Late;
            }
        };
        let (old, new) = (edit.old.clone(), edit.new.clone());
        let work = move || project(&old, &new, &traffic(recorded), now, &mut || pace.go_on());
        match tokio::task::spawn_blocking(work).await {
            Ok(Some(found)) => Found::Figures(shown(&found, edit.new.currency.code())),
            _ if wanted.is_cancelled() => Found::Late,
            _ => Found::Nothing,
        }
    }

    async fn announce(&self, edit: &Edit, found: Found) {
        self.show(edit, &found);
        let mut data = edit.data.clone();
        let figure = |name: &str| match &found {
            Found::Figures(figures) => figures[name].clone(),
            _ => Value::Null,
        };
        data["monthly_change"] = figure("monthly_change");
        data["moved_share"] = figure("moved_share");
        data["projection"] = found.word().into();
        let event = AlertEvent {
            kind: EventKind::PolicyReloaded,
            at: edit.at,
            dedupe: None,
            data,
        };
        self.announcer.announce(event).await;
    }

    /// For the control API.
    fn show(&self, edit: &Edit, found: &Found) {
        let figures = match found {
            Found::Figures(figures) => Some(figures.clone()),
            _ => None,
        };
        self.gateway.live.project(&edit.new.hash, figures);
    }
}

impl Found {
    const fn word(&self) -> &'static str {
        match self {
            Self::Figures(_) => "done",
            Self::Nothing => "nothing",
            Self::Late => "late",
            Self::Overtaken => "overtaken",
        }
    }
}

/// Work that gives way: of each stretch of time it takes a tenth, and it ends once it is not wanted.
#[derive(Clone)]
struct Pace {
    wanted: CancellationToken,
    began: Instant,
    _turn: Arc<OwnedMutexGuard<()>>,
}

impl Pace {
    const SLICE: Duration = Duration::from_millis(2);
    const LONGEST_REST: Duration = Duration::from_millis(200);

    /// Before each step, on a thread that may sleep.
    fn go_on(&mut self) -> bool {
        let worked = self.began.elapsed();
        if worked >= Self::SLICE && !self.wanted.is_cancelled() {
            std::thread::sleep((worked * 9).min(Self::LONGEST_REST));
            self.began = Instant::now();
        }
        !self.wanted.is_cancelled()
    }
}

/// Recorded decisions as questions.
pub fn traffic(recorded: decided::Sample) -> Sample {
    Sample {
        of: recorded.of,
        requests: recorded.decided.into_iter().map(question).collect(),
    }
}

/// Its route is the recorded one: neither the model that was named nor the headers are kept, so that what routes `match`
/// cannot be asked again.
pub fn question(decided: Decided) -> Traffic {
    Traffic {
        at: decided.at,
        ask: Ask {
            model: decided.route.clone(),
            route: Some(decided.route),
            dialect: decided.dialect,
            headers: Vec::new(),
            fields: Vec::new(),
            needs: decided.needs,
        },
        plans: decided.plans,
        usage: decided.usage,
    }
}

/// For the event and the control API.
pub fn shown(projection: &Projection, currency: &str) -> Value {
    json!({
        "requests": projection.requests,
        "of": projection.of,
        "moved_share": projection.moved_share(),
        "monthly_change": projection.monthly_change.to_string(),
        "currency": currency,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_gives_way_and_ends_once_nobody_wants_it() {
        let turn = Arc::new(Mutex::new(()));
        let wanted = CancellationToken::new();
        let mut pace = Pace {
            wanted: wanted.clone(),
            began: Instant::now(),
            _turn: Arc::new(turn.clone().lock_owned().await),
        };
        assert!(pace.go_on());
        let before = Instant::now();
        pace.began = before.checked_sub(Pace::SLICE).unwrap();
        assert!(pace.go_on());
        assert!(
            before.elapsed() >= Pace::SLICE * 9,
            "nine parts of ten are the requests'"
        );
        assert!(
            turn.try_lock().is_err(),
            "one at a time, for as long as the work goes on"
        );
        wanted.cancel();
        assert!(!pace.go_on());
        drop(pace);
        assert!(turn.try_lock().is_ok());
    }
}
