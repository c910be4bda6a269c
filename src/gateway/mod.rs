//! The request's way, one file a step: `accept` → `guard` → `prepare` (`authenticate`, decode) → `survey` (decide) →
//! `serve` (drives the course: `claim`, `reserve`, `exchange`) → `stream` → `attempt` (settle) → `ticket` (record).

pub mod accept;
mod again;
mod attempt;
mod authenticate;
mod body;
mod claim;
mod deadlines;
mod drain;
mod error_response;
mod exchange;
mod explain;
mod failed;
mod grounds;
pub mod guard;
mod headers;
mod heartbeat;
mod large;
mod limits;
mod mirror;
mod models;
mod no_money;
mod overdue;
mod prepare;
mod reader;
mod reserve;
mod reserved;
mod serve;
mod session;
pub mod sharing;
mod stream;
mod survey;
mod tariff;
mod ticket;
mod turned_away;
mod user;
pub mod wait;
mod wished;
mod wishes;

pub use mirror::Mirrors;

use crate::clock::Clock;
use crate::fleet::Fleet;
use crate::ledger::Ledger;
use crate::live::Live;
use crate::session::Keyer;
use crate::telemetry::Metrics;
use crate::upstream::connect::Connections;
use crate::upstream::credentials::Credentials;
use crate::upstream::local::LocalServers;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What every request needs of the daemon.
pub struct Gateway {
    pub live: Arc<Live>,
    pub ledger: Ledger,
    pub credentials: Arc<Credentials>,
    pub connections: Arc<Connections>,
    pub locals: Arc<LocalServers>,
    pub metrics: Arc<Metrics>,
    pub clock: Clock,
    /// Makes the keys of conversations.
    pub keyer: Keyer,
    /// Makes the hashes of users.
    pub users: Keyer,
    /// One lease at a time.
    pub leasing: Arc<tokio::sync::Mutex<()>>,
    /// Requests that wait for money that others have reserved.
    pub lines: wait::Lines,
    /// Wakes the task that leases ahead of need.
    pub lease_ahead: Notify,
    /// The fleet whose budgets these are, if they are shared.
    pub fleet: Option<Arc<Fleet>>,
    /// One exchange with the fleet's store at a time, from asking the books to telling them.
    pub sharing: tokio::sync::Mutex<()>,
    /// Wakes the task that exchanges with the fleet's store.
    pub share_ahead: Notify,
    /// The fleet's store has money again that was waited for.
    pub share_freed: Notify,
    /// Copies of requests that no client waits for.
    pub mirrors: Mirrors,
    /// Work that goes on without its client.
    pub tasks: TaskTracker,
    /// Ends what outlives the grace of a shutdown.
    pub cut: CancellationToken,
}
