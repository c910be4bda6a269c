//! The state directory: one daemon each, found by others through `daemon.json`.

use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const LOCK: &str = "lock";
const ADDRESS: &str = "daemon.json";

#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("the state directory {path} cannot be used: {reason}; give planb one that it can write to with --state DIR", path = path.display())]
    Unusable { path: PathBuf, reason: io::Error },
    #[error("another planb uses the state directory {path}; give this one its own with --state DIR", path = path.display())]
    Taken { path: PathBuf },
}

/// How verbs find the running daemon.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Address {
    pub url: String,
    pub pid: u32,
}

/// Held while the daemon lives; the lock goes with the process, however it ends.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    _lock: File,
}

impl StateDir {
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let unusable = |reason| StateError::Unusable {
            path: path.to_owned(),
            reason,
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(unusable)?;
        let path = path.canonicalize().map_err(unusable)?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join(LOCK));
        let lock = lock.map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StateError::Taken { path }),
            Err(TryLockError::Error(reason)) => Err(unusable(reason)),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn publish(&self, address: &Address) -> Result<(), StateError> {
        let unusable = |reason| StateError::Unusable {
            path: self.path.clone(),
            reason,
        };
        let text = serde_json::to_string(address)
            .map_err(io::Error::other)
            .map_err(unusable)?;
        let (draft, target) = (self.path.join("daemon.json.new"), self.path.join(ADDRESS));
        fs::write(&draft, text)
            .and_then(|()| fs::rename(&draft, &target))
            .map_err(unusable)
    }

    pub fn withdraw(&self) {
        // A stale address is found out by whoever follows it.
        let _ = fs::remove_file(self.path.join(ADDRESS));
    }
}

/// The address of the daemon that uses this state directory, if one does.
pub fn running(state: &Path) -> Option<Address> {
    serde_json::from_slice(&fs::read(state.join(ADDRESS)).ok()?).ok()
}

/// `$XDG_STATE_HOME/planb`, else `~/.local/state/planb`.
pub fn default_state() -> PathBuf {
    xdg("XDG_STATE_HOME", ".local/state").join("planb")
}

/// `$XDG_CONFIG_HOME/planb/policy.yaml` (or the directory `policy.d` beside it), where there is one.
pub fn default_policy() -> Option<PathBuf> {
    let folder = xdg("XDG_CONFIG_HOME", ".config").join("planb");
    ["policy.yaml", "policy.d"]
        .iter()
        .map(|name| folder.join(name))
        .find(|path| path.exists())
}

fn xdg(variable: &str, fallback: &str) -> PathBuf {
    let given = std::env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    given.unwrap_or_else(|| {
        let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("."), PathBuf::from);
        home.join(fallback)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_daemon_a_state_directory_and_the_next_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let first = StateDir::open(folder.path()).unwrap();
        assert!(matches!(StateDir::open(folder.path()), Err(StateError::Taken { .. })));
        drop(first);
        StateDir::open(folder.path()).unwrap();
    }

    #[test]
    fn the_address_is_found_until_it_is_withdrawn() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path()).unwrap();
        assert!(running(folder.path()).is_none());
        state
            .publish(&Address {
                url: "http://127.0.0.1:1".into(),
                pid: 7,
            })
            .unwrap();
        assert_eq!(running(folder.path()).map(|address| address.pid), Some(7));
        state.withdraw();
        assert!(running(folder.path()).is_none());
    }
}
