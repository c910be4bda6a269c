//! What becomes of a command while nothing can be written.

use super::error::LedgerError;
use super::writer::Command;

/// While nothing can be written, leases and rebuilds are refused at once; records stay in line.
pub(super) fn refuse(command: Command, reason: &str) -> Option<Command> {
    let degraded = || LedgerError::Degraded(reason.to_owned());
    match command {
        Command::Grant(_, reply) => drop(reply.send(Err(degraded()))),
        Command::Rebuild(_, reply) => drop(reply.send(Err(degraded()))),
        Command::Meters(_, reply) => drop(reply.send(Err(degraded()))),
        Command::Compact(_, reply) => drop(reply.send(Err(degraded()))),
        Command::Barrier { reply, .. } => drop(reply.send(Err(degraded()))),
        kept => return Some(kept),
    }
    None
}
