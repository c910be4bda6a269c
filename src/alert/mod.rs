//! Alerts: what happened, as signed webhooks, delivered at least once from the ledger's outbox.
//!
//! Who raises an event writes it to the outbox in the transaction that caused it; this room makes its body and brings
//! it to its targets.

pub mod deliver;
pub mod event;
pub mod outbox;
pub mod schedule;
pub mod standard;

pub use deliver::Deliverer;
pub use event::{AlertEvent, EventKind};
pub use outbox::{Delivery, Outbox};
