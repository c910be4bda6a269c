//! What the ledger's holders and its writer know together: the places in line, and whether writing works.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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
}

impl Shared {
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
