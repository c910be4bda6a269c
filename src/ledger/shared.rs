//! What the ledger's holders and its writer know together: the places in line, and whether writing works.

use rusqlite::InterruptHandle;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::{Notify, Semaphore};

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) path: PathBuf,
    pub(super) places: Arc<Semaphore>,
    pub(super) house: Arc<Semaphore>,
    /// Why writing fails at present.
    pub(super) failing: Mutex<Option<String>>,
    /// `failing` is empty; for the requests' way.
    pub(super) in_order: AtomicBool,
    pub(super) outbox: Arc<Notify>,
    /// Leases that were asked for and have not come to the writer: what it is at can wait.
    pub(super) leases_asked: AtomicUsize,
    /// What was found wrong with the file. Never over while the daemon runs.
    damage: OnceLock<String>,
    /// Stops the check of the whole file; `None` once it may not begin any more.
    checking: Mutex<Option<Checking>>,
}

/// The check of the whole file, once it runs.
#[derive(Default)]
struct Checking(Option<InterruptHandle>);

impl std::fmt::Debug for Checking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "under way" } else { "to begin" })
    }
}

impl Shared {
    pub(super) fn new(path: PathBuf, places: usize, house: usize) -> Self {
        Self {
            path,
            places: Arc::new(Semaphore::new(places)),
            house: Arc::new(Semaphore::new(house)),
            failing: Mutex::new(None),
            in_order: AtomicBool::new(true),
            outbox: Arc::new(Notify::new()),
            leases_asked: AtomicUsize::new(0),
            damage: OnceLock::new(),
            checking: Mutex::new(Some(Checking::default())),
        }
    }

    pub(super) fn damaged(&self, reason: &str) {
        if self.checks_are_over() {
            return;
        }
        let reason = format!(
            "the file is damaged ({reason}): stop planb, keep the file, look with `planb ledger check`, and put a backup in its place"
        );
        tracing::error!(reason, "the ledger cannot be relied on; nothing paid is started");
        let _ = self.damage.set(reason);
    }

    pub(super) fn damage(&self) -> Option<&str> {
        self.damage.get().map(String::as_str)
    }

    /// False where the ledger is being closed.
    pub(super) fn begin_check(&self, stop: InterruptHandle) -> bool {
        match &mut *self.checking.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(stops) => {
                stops.0 = Some(stop);
                true
            }
            None => false,
        }
    }

    /// A check that reads would keep the log from being emptied.
    pub(super) fn end_checks(&self) {
        let checking = self.checking.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(stop) = checking.and_then(|checking| checking.0) {
            stop.interrupt();
        }
    }

    fn checks_are_over(&self) -> bool {
        self.checking.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    pub(super) fn degraded(&self, reason: &str) {
        tracing::error!(
            reason,
            "the ledger cannot be written; nothing paid is started until it can"
        );
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
        self.in_order.store(false, Ordering::Relaxed);
    }

    pub(super) fn recovered(&self) {
        tracing::info!("the ledger can be written again");
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.in_order.store(true, Ordering::Relaxed);
    }

    pub(super) fn close(&self) {
        self.places.close();
        self.house.close();
    }
}
