//! Are the files that the writer holds open still the ones that everybody else finds under the ledger's name?
//!
//! A file that was removed or replaced can be written for ever, and nobody will read it: a lease in it is not durable.

use rusqlite::{Error, ffi};
use std::fs::metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Device and inode.
type Identity = (u64, u64);

#[derive(Debug, Default)]
pub(super) struct Files {
    ledger: Option<Identity>,
    /// SQLite's write-ahead log, known once it is there.
    log: Option<Identity>,
}

impl Files {
    pub(super) fn of(path: &Path) -> Self {
        Self {
            ledger: identity(path),
            log: identity(&log_of(path)),
        }
    }

    pub(super) fn check(&mut self, path: &Path) -> rusqlite::Result<()> {
        let log = identity(&log_of(path));
        self.log = self.log.or(log);
        if identity(path) == self.ledger && log == self.log {
            return Ok(());
        }
        let code = ffi::Error::new(ffi::SQLITE_READONLY_DBMOVED);
        let why = "its file was removed or replaced while planb runs; put it back, or start planb again";
        Err(Error::SqliteFailure(code, Some(why.to_owned())))
    }
}

fn identity(path: &Path) -> Option<Identity> {
    metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}
