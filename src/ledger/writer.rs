//! The writer thread: takes what is sent, in order, and puts it into the store, many to a transaction.
//!
//! Promises that nothing sent is dropped or reordered while the process lives: a transaction that fails is rolled back
//! and tried again, and meanwhile leases are refused, so that paid work stops and what runs already can still be
//! recorded. A lease is answered only once it is on the disk. It goes before the records in line, for which nobody waits;
//! one that the store could not give is looked at again in its turn, when they have said what they free.

use super::command::{Command, Reply};
use super::error::LedgerError;
use super::files::Files;
use super::mark::Mark;
use super::record::Record;
use super::shared::Shared;
use super::shrink::shrink;
use super::text::time;
use super::write::{Memory, Write};
use crate::budget::{Grant, GrantRequest, Rebuilt};
use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior, params};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How long the first record of a batch waits for company.
const GATHER: Duration = Duration::from_millis(100);
const BATCH: usize = 1_000;
/// How much of a batch a lease waits for: enough that a crowd of leases does not keep records from being written.
const LEASE_WAITS: Duration = Duration::from_millis(10);
/// What a power cut may take, besides what leases cover.
const SYNC_APART: Duration = Duration::from_secs(1);
/// Nothing to do and nobody to wait for.
const IDLE: Duration = Duration::from_secs(3600);
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LAST: Duration = Duration::from_secs(5);

/// An answer that waits for its transaction.
enum Answer {
    None,
    Grants(Result<Vec<Grant>, LedgerError>),
    Rebuilt(Rebuilt),
    /// A slice of it is done.
    GoesOn,
    Upto(i64),
}

/// Writing fails at present.
struct Failing {
    retry_at: Instant,
    wait: Duration,
    reason: String,
}

pub(super) struct Writer {
    connection: Connection,
    commands: Receiver<Command>,
    shared: Arc<Shared>,
    incarnation: i64,
    pending: VecDeque<Command>,
    /// Asked for and not looked at yet.
    leases: Vec<(Vec<GrantRequest>, Reply<Vec<Grant>>)>,
    memory: Memory,
    /// Since when something is committed that no disk has confirmed.
    unsynced: Option<Instant>,
    failing: Option<Failing>,
    closing: Option<(bool, Reply<()>)>,
    files: Files,
    mark: Mark,
    /// Synced commits of this start.
    syncs: i64,
    senders_gone: bool,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        commands: Receiver<Command>,
        shared: Arc<Shared>,
        incarnation: i64,
    ) -> Self {
        let mark = Mark::of(&shared.path);
        mark.note((incarnation, 0));
        Self {
            mark,
            syncs: 0,
            files: Files::of(&shared.path),
            connection,
            commands,
            shared,
            incarnation,
            pending: VecDeque::new(),
            leases: Vec::new(),
            memory: Memory::default(),
            unsynced: None,
            failing: None,
            closing: None,
            senders_gone: false,
        }
    }

    /// Runs until closed, or until nobody is left who could send.
    pub(super) fn run(mut self) {
        loop {
            self.gather();
            self.commit_pending();
            if let Some((settled, reply)) = self.closing.take() {
                return self.close(settled, reply);
            }
            if self.senders_gone {
                return;
            }
        }
    }

    /// Waits until there is a batch worth a transaction, something urgent, or a time to act.
    fn gather(&mut self) {
        let until = match &self.failing {
            Some(failing) => Some(failing.retry_at),
            None => self.unsynced.map(|since| since + SYNC_APART),
        };
        loop {
            let wait = until.map_or(IDLE, |at| at.saturating_duration_since(Instant::now()));
            match self.commands.recv_timeout(wait) {
                Ok(command) => {
                    let urgent = self.accept(command);
                    if self.closing.is_some() || self.senders_gone {
                        return;
                    }
                    if self.failing.is_some() {
                        continue;
                    }
                    if !urgent {
                        // Asleep rather than receiving, so that no record pays for waking this thread; who waits for
                        // an answer, or for a place, wakes it ([`Ledger`]).
                        std::thread::park_timeout(wait.min(GATHER));
                    }
                    return self.drain();
                }
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => {
                    self.senders_gone = true;
                    return;
                }
            }
        }
    }

    /// Whatever else is there already rides along.
    fn drain(&mut self) {
        while self.closing.is_none() && !self.senders_gone {
            match self.commands.try_recv() {
                Ok(command) => self.accept(command),
                Err(_) => return,
            };
        }
    }

    /// Puts a command in line; true when somebody waits for it.
    fn accept(&mut self, command: Command) -> bool {
        match command {
            Command::Close { settled, reply } => self.closing = Some((settled, reply)),
            #[cfg(test)]
            Command::Crash => {
                self.pending.clear();
                self.leases.clear();
                self.unsynced = None;
                self.senders_gone = true;
            }
            #[cfg(test)]
            Command::With(run) if self.failing.is_some() => run(&self.connection),
            Command::Grant(requests, reply) => {
                self.shared.leases_asked.fetch_sub(1, Ordering::Relaxed);
                match &self.failing {
                    Some(failing) => drop(reply.send(Err(LedgerError::Degraded(failing.reason.clone())))),
                    None => self.leases.push((requests, reply)),
                }
            }
            command => {
                let urgent = !matches!(command, Command::Record(..));
                match &self.failing {
                    Some(failing) => self.pending.extend(command.refused(&failing.reason)),
                    None => self.pending.push_back(command),
                }
                return urgent;
            }
        }
        true
    }

    /// While writing fails something is written at each retry, so that recovery is found also when nobody asks.
    fn commit_pending(&mut self) {
        while !self.leases.is_empty() || !self.pending.is_empty() || self.is_sync_due() || self.failing.is_some() {
            match self.lease_first().and_then(|()| self.commit_batch()) {
                Ok(()) => {
                    if self.failing.take().is_some() {
                        self.shared.recovered();
                    }
                }
                Err(error) => {
                    self.memory.roll_back();
                    return self.fail(&error);
                }
            }
            if self.is_lease_asked() {
                self.drain();
            }
        }
    }

    fn is_lease_asked(&self) -> bool {
        self.shared.leases_asked.load(Ordering::Relaxed) > 0
    }

    /// Leases before the records in line. What these have spent is in the leases that they drew from, so that the order
    /// makes no grant too large.
    fn lease_first(&mut self) -> rusqlite::Result<()> {
        if self.leases.is_empty() {
            return Ok(());
        }
        self.begin_synced()?;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut write = Write::new(&transaction, self.incarnation, &mut self.memory);
        let grants = self.leases.iter().map(|(requests, _)| write.grants(requests));
        let grants = grants.collect::<rusqlite::Result<Vec<_>>>()?;
        write.heartbeat()?;
        transaction.commit()?;
        self.memory.commit();
        self.came_to_the_disk();
        for ((requests, reply), granted) in self.leases.drain(..).zip(grants) {
            let short = granted
                .as_ref()
                .is_ok_and(|grants| grants.iter().any(|grant| !grant.enough));
            if short && !self.pending.is_empty() {
                self.pending.push_back(Command::Grant(requests, reply));
            } else {
                let _ = reply.send(granted);
            }
        }
        Ok(())
    }

    /// The next commit is on the disk when it returns, with all before it.
    fn begin_synced(&mut self) -> rusqlite::Result<()> {
        self.files.check(&self.shared.path)?;
        self.connection.pragma_update(None, "synchronous", "FULL")
    }

    /// With a heartbeat in it: what the mark says is in the file.
    fn came_to_the_disk(&mut self) {
        self.unsynced = None;
        self.syncs += 1;
        self.mark.note((self.incarnation, self.syncs));
    }

    fn fail(&mut self, error: &rusqlite::Error) {
        let reason = error.to_string();
        let wait = self
            .failing
            .as_ref()
            .map_or(RETRY_FIRST, |failing| (failing.wait * 2).min(RETRY_LAST));
        self.shared.degraded(&reason);
        let pending = std::mem::take(&mut self.pending);
        self.pending = pending
            .into_iter()
            .filter_map(|command| command.refused(&reason))
            .collect();
        for (_, reply) in self.leases.drain(..) {
            let _ = reply.send(Err(LedgerError::Degraded(reason.clone())));
        }
        self.failing = Some(Failing {
            retry_at: Instant::now() + wait,
            wait,
            reason,
        });
    }

    fn commit_batch(&mut self) -> rusqlite::Result<()> {
        let compacts = match self.pending.front() {
            Some(Command::Compact(before, _)) => Some(*before),
            _ => None,
        };
        if let Some(before) = compacts {
            return self.compact(before);
        }
        #[cfg(test)]
        if let Some(Command::With(_)) = self.pending.front() {
            if let Some(Command::With(run)) = self.pending.pop_front() {
                run(&self.connection);
            }
            return Ok(());
        }
        if self.pending.is_empty() && !self.is_sync_due() && self.failing.is_none() {
            return Ok(());
        }
        let size = self.batch_size();
        let proves = self.is_sync_due() || self.failing.is_some();
        let synced = proves || self.pending.iter().take(size).any(Command::needs_sync);
        if synced {
            self.begin_synced()?;
        } else {
            self.connection.pragma_update(None, "synchronous", "NORMAL")?;
        }
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let begun = Instant::now();
        let mut write = Write::new(&transaction, self.incarnation, &mut self.memory);
        let mut answers = Vec::with_capacity(size);
        for command in self.pending.iter().take(size) {
            answers.push(write.command(command)?);
            if begun.elapsed() >= LEASE_WAITS && self.shared.leases_asked.load(Ordering::Relaxed) > 0 {
                break;
            }
        }
        let size = answers.len();
        if synced {
            write.heartbeat()?;
        }
        write.sum_up()?;
        let rang = write.rang;
        transaction.commit()?;
        self.memory.commit();
        if synced {
            self.came_to_the_disk();
        } else {
            self.unsynced = self.unsynced.or_else(|| Some(Instant::now()));
        }
        if matches!(answers.first(), Some(Answer::GoesOn)) {
            return Ok(());
        }
        for (command, answer) in self.pending.drain(..size).zip(answers) {
            command.answer(answer);
        }
        if rang {
            self.shared.outbox.notify_one();
        }
        Ok(())
    }

    /// Transactions of its own; what they lose in a power cut is done again.
    fn compact(&mut self, before: Timestamp) -> rusqlite::Result<()> {
        self.connection.pragma_update(None, "synchronous", "NORMAL")?;
        let folded = shrink(&self.connection, before)?;
        self.unsynced = self.unsynced.or_else(|| Some(Instant::now()));
        if let Some(Command::Compact(_, reply)) = self.pending.pop_front() {
            let _ = reply.send(Ok(folded));
        }
        Ok(())
    }

    fn is_sync_due(&self) -> bool {
        self.unsynced.is_some_and(|since| since.elapsed() >= SYNC_APART)
    }

    /// A rebuild has a transaction of its own, after all that was sent before it.
    fn batch_size(&self) -> usize {
        let alone = self.pending.iter().take(BATCH).position(Command::is_alone);
        match alone {
            Some(0) => 1,
            Some(before) => before,
            None => self.pending.len().min(BATCH),
        }
    }

    /// Gives the leases back, so that a stop in order leaves nothing unaccounted.
    fn close(self, settled: bool, reply: Reply<()>) {
        self.shared.end_checks();
        let result = match &self.failing {
            Some(failing) => Err(LedgerError::Degraded(failing.reason.clone())),
            None if !settled => Ok(()),
            None => self
                .give_back()
                .map_err(|error| LedgerError::Degraded(error.to_string())),
        };
        self.shared.close();
        drop(self);
        let _ = reply.send(result);
    }

    fn give_back(&self) -> rusqlite::Result<()> {
        let now = time(Timestamp::now());
        self.connection.pragma_update(None, "synchronous", "FULL")?;
        let transaction = self.connection.unchecked_transaction()?;
        transaction.execute(
            "UPDATE leases SET ended_at = ?2, settled = 1 WHERE incarnation = ?1 AND ended_at IS NULL",
            params![self.incarnation, now],
        )?;
        transaction.execute(
            "UPDATE incarnations SET seen_at = ?2, stopped_at = ?2 WHERE number = ?1",
            params![self.incarnation, now],
        )?;
        transaction.commit()?;
        self.connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }
}

impl Drop for Writer {
    /// Whoever waits for a place must learn that there will be none.
    fn drop(&mut self) {
        self.shared.end_checks();
        self.shared.close();
    }
}

impl Command {
    fn needs_sync(&self) -> bool {
        matches!(self, Self::Grant(..) | Self::Barrier { synced: true, .. })
    }

    fn is_alone(&self) -> bool {
        match self {
            Self::Rebuild(..) | Self::Compact(..) => true,
            #[cfg(test)]
            Self::With(_) => true,
            _ => false,
        }
    }

    /// Who asked may have gone; that is no matter.
    fn answer(self, answer: Answer) {
        match (self, answer) {
            (Self::Record(_, place), _) => drop(place),
            (Self::Grant(_, reply), Answer::Grants(grants)) => drop(reply.send(grants)),
            (Self::Rebuild(_, reply), Answer::Rebuilt(rebuilt)) => drop(reply.send(Ok(rebuilt))),
            (Self::Meters(_, reply), Answer::Upto(upto)) => drop(reply.send(Ok(upto))),
            (Self::Barrier { reply, .. }, _) => drop(reply.send(Ok(()))),
            _ => {}
        }
    }
}

impl Write<'_> {
    fn command(&mut self, command: &Command) -> rusqlite::Result<Answer> {
        if !matches!(command, Command::Record(Record::Attempt(_) | Record::Decision(_), _)) {
            self.sum_up()?;
        }
        match command {
            Command::Record(record, _) => self.record(record).map(|()| Answer::None),
            Command::Grant(requests, _) => self.grants(requests).map(Answer::Grants),
            Command::Rebuild(request, _) => {
                let rebuilt = self.rebuild(request)?;
                Ok(rebuilt.map_or(Answer::GoesOn, Answer::Rebuilt))
            }
            Command::Meters(asked, _) => self.begin_meters(asked).map(Answer::Upto),
            _ => Ok(Answer::None),
        }
    }

    fn grants(&mut self, requests: &[GrantRequest]) -> rusqlite::Result<Result<Vec<Grant>, LedgerError>> {
        requests.iter().map(|request| self.grant(request)).collect()
    }

    /// A transaction that writes nothing syncs nothing.
    fn heartbeat(&mut self) -> rusqlite::Result<()> {
        self.run(
            "UPDATE incarnations SET seen_at = ?2, syncs = syncs + 1 WHERE number = ?1",
            params![self.incarnation, time(Timestamp::now())],
        )
    }
}
