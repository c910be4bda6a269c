//! What can go wrong with the ledger, by what a caller can do about it.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("cannot open the ledger {path}: {reason}")]
    Open { path: PathBuf, reason: String },
    #[error(
        "the ledger {path} was written by a newer planb (schema {found}; this one knows {known}): use that version, or another state directory"
    )]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error(
        "the ledger {path} was written by an older planb (schema {found}; this one reads {known}): start `planb serve` on it once, which brings it up to date and keeps a copy"
    )]
    Older { path: PathBuf, found: i64, known: i64 },
    #[error(
        "the ledger {path} is damaged: {reason}; keep the file, and put a backup in its place, or give planb another directory with --state DIR"
    )]
    Damaged { path: PathBuf, reason: String },
    #[error("the ledger cannot be copied to {path}: {reason}")]
    Copy { path: PathBuf, reason: String },
    #[error(
        "the ledger's spend is shared with a fleet, whose other daemons would not hear of a correction: nothing is posted"
    )]
    Shared,
    /// Writing fails at present; it is retried, and nothing paid may be started meanwhile.
    #[error("the ledger cannot be written: {0}")]
    Degraded(String),
    /// Another daemon has taken this ledger over.
    #[error("a newer daemon holds this ledger")]
    Superseded,
    #[error("the ledger is closed")]
    Closed,
    #[error("the ledger cannot be read: {0}")]
    Read(#[from] rusqlite::Error),
}
