//! Which fleet this ledger belongs to, and under which name its spend is reported there. It goes with the file: a copy
//! that is put back is the same holder, and the fleet's store then knows what the copy does not.

use super::error::LedgerError;
use super::handle::Ledger;
use super::record::{Membership, Record};
use super::text::time;
use super::write::Write;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

impl Ledger {
    pub async fn membership(&self) -> Result<Option<Membership>, LedgerError> {
        self.read(|connection| {
            let found = connection.query_row("SELECT name, holder FROM fleet", [], |row| {
                let (fleet, holder) = (row.get("name")?, row.get("holder")?);
                Ok(Membership { fleet, holder })
            });
            found.optional()
        })
        .await
    }

    /// Remembered for good; on the disk when this returns.
    pub async fn join(&self, membership: Membership, at: Timestamp) -> Result<(), LedgerError> {
        self.send(Record::Joined { membership, at }).await?;
        self.flush().await
    }
}

impl Write<'_> {
    pub(super) fn joined(&self, membership: &Membership, at: Timestamp) -> rusqlite::Result<()> {
        self.run(
            "INSERT INTO fleet (name, holder, joined_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            params![membership.fleet, membership.holder, time(at)],
        )
    }
}
