//! The ledger as everybody else holds it: a place in line first, then a record that cannot be refused.

use super::command::{Command, Reply};
use super::error::LedgerError;
use super::open::{Opening, open_store};
use super::record::{OutboxEvent, PlanRecord, PolicyRecord, Record};
use super::shared::Shared;
use super::soundness::check_beside;
use super::writer::Writer;
use crate::budget::{Grant, GrantRequest, RebuildRequest, Rebuilt};
use jiff::Timestamp;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, PoisonError};
use std::thread::Thread;
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, oneshot};
use tokio::time::timeout;

/// Records under way to the disk. Beyond, paid traffic waits: the queue is never unbounded.
const PLACES: usize = 8_192;
/// Places for what is not on a request's way, so that requests never take the last one from plans and alerts.
const HOUSE_PLACES: usize = 1_024;
/// How long those wait when even these are taken. The tick must go on: plans run without a ledger too.
const HOUSE_WITHIN: Duration = Duration::from_secs(1);

/// For `/planb/status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerState {
    pub kind: &'static str,
    /// `ok` or `degraded`.
    pub state: &'static str,
    pub reason: Option<String>,
}

/// Cheap to clone. The store is written until [`Ledger::close`], or until the last clone is gone.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(super) shared: Arc<Shared>,
    sender: Sender<Command>,
    /// Sleeps while records gather: woken for what cannot wait.
    writer: Thread,
}

/// A place in line. Its one record is written, whatever the disk does meanwhile.
#[derive(Debug)]
pub struct Permit {
    place: OwnedSemaphorePermit,
    sender: Sender<Command>,
}

impl Permit {
    /// Never waits and never fails, so that it may be called while the books are locked.
    pub fn send(self, record: Record) {
        // The writer ends before its senders only when the daemon closes it, and then nothing is under way any more.
        let _ = self.sender.send(Command::Record(record, self.place));
    }
}

impl Ledger {
    /// Opens or makes the ledger, brings it up to date, and holds what earlier daemons left unrecorded. Blocks. The file as
    /// a whole is checked beside the work from then on.
    pub fn open(path: &Path, now: Timestamp) -> Result<(Self, Opening), LedgerError> {
        let (connection, opening) = open_store(path, now)?;
        let shared = Arc::new(Shared::new(path.to_owned(), PLACES, HOUSE_PLACES));
        check_beside(shared.clone());
        let (sender, commands) = channel();
        let writer = Writer::new(connection, commands, shared.clone(), opening.incarnation);
        let running = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| LedgerError::Open {
                path: path.to_owned(),
                reason: error.to_string(),
            })?;
        let writer = running.thread().clone();
        Ok((Self { shared, sender, writer }, opening))
    }

    /// Waits for a place in line; the caller bounds how long.
    pub async fn permit(&self) -> Result<Permit, LedgerError> {
        if let Some(permit) = self.try_permit() {
            return Ok(permit);
        }
        let place = self
            .shared
            .places
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| LedgerError::Closed)?;
        Ok(Permit {
            place,
            sender: self.sender.clone(),
        })
    }

    /// A place in line if there is one now.
    pub fn try_permit(&self) -> Option<Permit> {
        let Ok(place) = self.shared.places.clone().try_acquire_owned() else {
            self.writer.unpark();
            return None;
        };
        Some(Permit {
            place,
            sender: self.sender.clone(),
        })
    }

    /// Makes leases durable, ahead of the records in line. Give the answer to the books, enough or not.
    pub async fn grant(&self, requests: Vec<GrantRequest>) -> Result<Vec<Grant>, LedgerError> {
        if let Some(damage) = self.shared.damage() {
            return Err(LedgerError::Degraded(damage.to_owned()));
        }
        self.shared.leases_asked.fetch_add(1, Ordering::Relaxed);
        self.ask(|reply| Command::Grant(requests, reply)).await
    }

    /// Finds a budget's spend in all that was sent before.
    pub async fn rebuild(&self, request: RebuildRequest) -> Result<Rebuilt, LedgerError> {
        self.ask(|reply| Command::Rebuild(Box::new(request), reply)).await
    }

    /// Waits until all that was sent before is on the disk.
    pub async fn flush(&self) -> Result<(), LedgerError> {
        self.ask(|reply| Command::Barrier { synced: true, reply }).await
    }

    /// Waits until all that was sent before can be read.
    pub(super) async fn settled(&self) -> Result<(), LedgerError> {
        self.ask(|reply| Command::Barrier { synced: false, reply }).await
    }

    /// Puts an event into the outbox, in order with the records that caused it.
    pub async fn event(&self, event: OutboxEvent) -> Result<(), LedgerError> {
        self.send(Record::Event(Box::new(event))).await
    }

    pub async fn plan_changed(&self, plan: PlanRecord) -> Result<(), LedgerError> {
        self.send(Record::Plan(Box::new(plan))).await
    }

    pub async fn policy_in_force(&self, policy: PolicyRecord) -> Result<(), LedgerError> {
        self.send(Record::Policy(policy)).await
    }

    /// For everything that is not on a request's way. Waits a moment for a place, not for a disk that is full.
    pub async fn send(&self, record: Record) -> Result<(), LedgerError> {
        match timeout(HOUSE_WITHIN, self.shared.house.clone().acquire_owned()).await {
            Ok(Ok(place)) => {
                let sender = self.sender.clone();
                Permit { place, sender }.send(record);
                Ok(())
            }
            Ok(Err(_)) => Err(LedgerError::Closed),
            Err(_) => Err(LedgerError::Degraded("too much waits to be written".to_owned())),
        }
    }

    /// Rings when the outbox has something new.
    pub fn outbox_rings(&self) -> Arc<Notify> {
        self.shared.outbox.clone()
    }

    /// Can what is spent be recorded? Nothing paid is started while it cannot.
    pub fn is_in_order(&self) -> bool {
        self.shared.in_order.load(Ordering::Relaxed)
            && self.shared.damage().is_none()
            && !self.shared.places.is_closed()
    }

    pub fn state(&self) -> LedgerState {
        let damage = self.shared.damage().map(str::to_owned);
        let failing = || {
            let failing = self.shared.failing.lock();
            failing.unwrap_or_else(PoisonError::into_inner).clone()
        };
        let reason = damage.or_else(failing);
        let state = if reason.is_some() || self.shared.places.is_closed() {
            "degraded"
        } else {
            "ok"
        };
        LedgerState {
            kind: "sqlite",
            state,
            reason,
        }
    }

    /// Writes all that was sent, gives the leases back and closes the file. Every reservation must have ended.
    pub async fn close(&self) -> Result<(), LedgerError> {
        let settled = true;
        self.ask(|reply| Command::Close { settled, reply }).await
    }

    /// As [`Ledger::close`] when reservations are still open: the leases stay, and the next start holds what they have
    /// left, because some of it may be billed yet.
    pub async fn close_unsettled(&self) -> Result<(), LedgerError> {
        let settled = false;
        self.ask(|reply| Command::Close { settled, reply }).await
    }

    pub(super) fn send_now(&self, command: Command) -> Result<(), LedgerError> {
        let sent = self.sender.send(command).map_err(|_| LedgerError::Closed);
        self.writer.unpark();
        sent
    }

    pub(super) async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.sender.send(command(reply)).map_err(|_| LedgerError::Closed)?;
        self.writer.unpark();
        answer.await.map_err(|_| LedgerError::Closed)?
    }

    #[cfg(test)]
    pub(super) fn command(&self, command: Command) {
        self.sender.send(command).expect("the writer runs");
        self.writer.unpark();
    }
}
