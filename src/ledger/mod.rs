//! The durable record: leases, attempts, decisions, accounts, plan history and undelivered webhooks in one SQLite file.
//!
//! One thread writes, in the order in which records are sent, many to a transaction; only what must be durable before
//! the answer (a lease) waits for a disk. People read over connections of their own. Nothing is deleted unless somebody asks for it ([`fold`]).

mod attempts;
pub mod bill;
pub mod charges;
mod command;
pub mod compact;
mod connection;
pub mod copy;
pub mod decided;
mod decisions;
mod error;
mod explain;
mod fees;
mod files;
pub mod fold;
mod handle;
mod holds;
mod hours;
mod mark;
mod membership;
mod meters;
mod needs;
mod open;
mod past;
mod plans;
mod private;
mod ratios;
pub mod read;
mod rebuild;
pub mod reconcile;
pub mod record;
pub mod refusals;
mod replay;
mod schema;
mod shared;
mod shrink;
mod soundness;
pub mod spend;
mod text;
pub mod users;
pub mod verify;
mod write;
mod writer;

pub use error::LedgerError;
pub use handle::{Ledger, LedgerState, Permit};
pub use open::Opening;
pub use record::Membership;

/// The ledger's name in the state directory.
pub const FILE_NAME: &str = "ledger.sqlite";

#[cfg(test)]
mod tests;
