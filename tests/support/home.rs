//! The folder a daemon lives in: written, replaced, given to somebody else. Gone when dropped.

use super::Policy;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The folder a daemon lives in: `policy/policy.yaml` with the files beside it, and `state/`.
pub struct Home(TempDir);

impl Home {
    pub fn new(policy: &Policy) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(home.folder()).unwrap();
        home.write(policy);
        home
    }

    /// Empty, in the place of one that is taken away.
    pub fn nowhere() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn folder(&self) -> PathBuf {
        self.0.path().join("policy")
    }

    pub fn policy(&self) -> PathBuf {
        self.folder().join("policy.yaml")
    }

    pub fn state(&self) -> PathBuf {
        self.0.path().join("state")
    }

    /// In place, as an editor does that truncates and writes.
    pub fn write(&self, policy: &Policy) {
        self.write_files(policy);
        std::fs::write(self.policy(), policy.text()).unwrap();
    }

    /// Beside it and renamed over it, as most editors do.
    pub fn replace(&self, policy: &Policy) {
        self.write_files(policy);
        self.replace_text(&policy.text());
    }

    pub fn replace_text(&self, text: &str) {
        let beside = self.folder().join(".policy.yaml.new");
        std::fs::write(&beside, text).unwrap();
        std::fs::rename(beside, self.policy()).unwrap();
    }

    /// Gives all of it to a user, with the binary in a place that this user reaches.
    pub fn belongs_to(&self, user: u32) -> (PathBuf, u32) {
        let mut folders = vec![self.0.path().to_owned()];
        while let Some(folder) = folders.pop() {
            std::os::unix::fs::chown(&folder, Some(user), Some(user)).unwrap();
            for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
                match entry.file_type().unwrap().is_dir() {
                    true => folders.push(entry.path()),
                    false => std::os::unix::fs::chown(entry.path(), Some(user), Some(user)).unwrap(),
                }
            }
        }
        let (built, program) = (Path::new(env!("CARGO_BIN_EXE_planb")), self.0.path().join("planb"));
        if std::fs::hard_link(built, &program).is_err() {
            std::fs::copy(built, &program).unwrap();
        }
        (program, user)
    }

    /// The files beside the policy that are not there yet as they should be.
    pub fn write_files(&self, policy: &Policy) {
        for (name, text) in &policy.files {
            let path = self.folder().join(name);
            if std::fs::read_to_string(&path).ok().as_ref() != Some(text) {
                std::fs::write(path, text).unwrap();
            }
        }
    }
}
