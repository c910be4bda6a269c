//! What delivery needs of the store of undelivered alerts. The ledger keeps it; tests keep it in memory.

use jiff::Timestamp;
use std::error::Error;
use std::sync::Arc;

pub type OutboxError = Box<dyn Error + Send + Sync>;

/// One event for one target, not yet delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Sent as `webhook-id`, the same on each try: receivers tell repeats by it.
    pub id: Arc<str>,
    /// [`crate::policy::snapshot::AlertTarget::id`].
    pub target: Arc<str>,
    pub event: Arc<str>,
    pub body: Arc<str>,
    /// Tries so far.
    pub attempts: u32,
    pub created_at: Timestamp,
}

/// The undelivered alerts. Each answer is durable before its future ends.
pub trait Outbox: Send + Sync + 'static {
    /// What is to be tried at `now`, oldest first, at most `limit`.
    fn due(&self, now: Timestamp, limit: usize) -> impl Future<Output = Result<Vec<Delivery>, OutboxError>> + Send;

    fn delivered(&self, id: &str, at: Timestamp) -> impl Future<Output = Result<(), OutboxError>> + Send;

    /// Counts a failed try; the next is due at `next_at`.
    fn failed(&self, id: &str, next_at: Timestamp, error: &str)
    -> impl Future<Output = Result<(), OutboxError>> + Send;

    /// Gives it up; it stays listed with its reason.
    fn dead(&self, id: &str, error: &str) -> impl Future<Output = Result<(), OutboxError>> + Send;
}
