//! How far the ledger has certainly come on the disk, noted beside it after each synced commit, so that a start can tell when
//! what was durable is gone: SQLite takes a log with a damaged part for one that ends there, and says nothing.
//!
//! Never synced itself: after a power cut it may say too little, and never too much. It speaks of one file: a backup in
//! the ledger's place is another one.

use super::private::create_private;
use std::fs::{File, OpenOptions, metadata};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

const WORDS: usize = 5;
const BYTES: usize = WORDS * 8;

#[derive(Debug)]
pub(super) struct Mark {
    file: Option<File>,
    /// Of the ledger's file: inode, and when it was made.
    of: [u64; 2],
}

/// A start's number, and how many synced commits it has made.
pub(super) type Reached = (i64, i64);

impl Mark {
    /// Without a file nothing is noted, and nothing else is the worse for it.
    pub(super) fn of(ledger: &Path) -> Self {
        let path = path_of(ledger);
        let opened = create_private(&path).and_then(|()| OpenOptions::new().write(true).open(&path));
        if let Err(error) = &opened {
            tracing::debug!(%error, "how far the ledger has come is not noted");
        }
        Self {
            file: opened.ok(),
            of: identity(ledger),
        }
    }

    pub(super) fn note(&self, (start, syncs): Reached) {
        let [inode, made] = self.of;
        let words = [inode, made, start.cast_unsigned(), syncs.cast_unsigned()];
        let bytes: Vec<u8> = words
            .into_iter()
            .chain([sum(&words)])
            .flat_map(u64::to_le_bytes)
            .collect();
        if let Some(file) = &self.file {
            let _ = file.write_all_at(&bytes, 0);
        }
    }
}

/// What was noted of this very file; nothing where that is torn, or of another.
pub(super) fn reached(ledger: &Path) -> Option<Reached> {
    let bytes: [u8; BYTES] = std::fs::read(path_of(ledger)).ok()?.try_into().ok()?;
    let mut words = bytes
        .chunks_exact(8)
        .filter_map(|word| word.try_into().ok())
        .map(u64::from_le_bytes);
    let noted = [words.next()?, words.next()?, words.next()?, words.next()?];
    let [inode, made, start, syncs] = noted;
    let is_whole = words.next()? == sum(&noted);
    (is_whole && [inode, made] == identity(ledger)).then_some((start.cast_signed(), syncs.cast_signed()))
}

pub(super) fn path_of(ledger: &Path) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push("-mark");
    PathBuf::from(name)
}

fn identity(ledger: &Path) -> [u64; 2] {
    let found = metadata(ledger).ok();
    let made = found.as_ref().and_then(|found| found.created().ok());
    let made = made.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let nanos = made.map_or(0, |made| u64::try_from(made.as_nanos()).unwrap_or(u64::MAX));
    [found.map_or(0, |found| found.ino()), nanos]
}

/// FNV: it tells a torn note from a whole one.
fn sum(words: &[u64]) -> u64 {
    let bytes = words.iter().flat_map(|word| word.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
