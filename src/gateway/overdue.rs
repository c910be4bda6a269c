//! Ends a committed answer at its deadline also where its client has stopped reading: a body that nobody polls would
//! otherwise keep its provider's connection, its reservation and its breaker's leave for ever.

use parking_lot::Mutex;
use std::sync::{Arc, Weak};
use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;

/// An answer that can be told that its time is over.
pub trait Overdue: Send + 'static {
    fn overdue(&mut self);
}

/// An answer and the task that watches its deadline. Dropping it ends both.
pub struct Watched<T> {
    answer: Arc<Mutex<T>>,
    _watch: AbortOnDropHandle<()>,
}

impl<T: Overdue> Watched<T> {
    pub fn new(answer: T, until: Instant) -> Self {
        let answer = Arc::new(Mutex::new(answer));
        let watch = tokio::spawn(watch(Arc::downgrade(&answer), until));
        Self {
            answer,
            _watch: AbortOnDropHandle::new(watch),
        }
    }

    pub fn with<R>(&mut self, act: impl FnOnce(&mut T) -> R) -> R {
        act(&mut self.answer.lock())
    }
}

async fn watch<T: Overdue>(answer: Weak<Mutex<T>>, until: Instant) {
    sleep_until(until).await;
    if let Some(answer) = answer.upgrade() {
        answer.lock().overdue();
    }
}
