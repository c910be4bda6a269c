//! What the writer is asked, in the order in which it is done.

use super::error::LedgerError;
use super::fold::Folded;
use super::record::Record;
use crate::budget::{Grant, GrantRequest, RebuildRequest, Rebuilt};
use crate::price::MeterRow;
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

pub(super) type Reply<T> = oneshot::Sender<Result<T, LedgerError>>;

pub(super) enum Command {
    /// Its place in the queue is free again when it is committed.
    Record(Record, OwnedSemaphorePermit),
    Grant(Vec<GrantRequest>, Reply<Vec<Grant>>),
    Rebuild(Box<RebuildRequest>, Reply<Rebuilt>),
    /// Meters that begin anew; answered with the last attempt before that.
    Meters(Vec<MeterRow>, Reply<i64>),
    /// Folds some of the attempts before then; `None` where there are none.
    Compact(Timestamp, Reply<Option<Folded>>),
    /// Answered when all before it is committed, and on the disk if asked for.
    Barrier {
        synced: bool,
        reply: Reply<()>,
    },
    /// `settled`: every reservation has ended, and the leases go back.
    Close {
        settled: bool,
        reply: Reply<()>,
    },
    #[cfg(test)]
    Crash,
    #[cfg(test)]
    With(Box<dyn FnOnce(&rusqlite::Connection) + Send>),
}

impl Command {
    /// While nothing can be written, leases and rebuilds are refused at once; records stay in line.
    pub(super) fn refused(self, reason: &str) -> Option<Self> {
        let degraded = || LedgerError::Degraded(reason.to_owned());
        match self {
            Command::Grant(_, reply) => drop(reply.send(Err(degraded()))),
            Command::Rebuild(_, reply) => drop(reply.send(Err(degraded()))),
            Command::Meters(_, reply) => drop(reply.send(Err(degraded()))),
            Command::Compact(_, reply) => drop(reply.send(Err(degraded()))),
            Command::Barrier { reply, .. } => drop(reply.send(Err(degraded()))),
            kept => return Some(kept),
        }
        None
    }
}
