//! Explanations that were looked at once and must stay: `NAME.test.snap` beside the test file, plain text.

use std::path::{Path, PathBuf};

const HEAD: &str = "# Written by `planb test --update`; read it like code.\n";
const MARK: &str = "== ";

pub(super) struct Snapshots {
    path: PathBuf,
    update: bool,
    kept: Vec<(String, String)>,
    changed: bool,
}

impl Snapshots {
    pub fn open(test: &Path, update: bool) -> Result<Self, String> {
        let path = test.with_extension("snap");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
        };
        Ok(Self {
            path,
            update,
            kept: parsed(&text),
            changed: false,
        })
    }

    /// What is kept in its place, where that is another text. When updating, the new text is kept.
    pub fn differs(&mut self, name: &str, text: &str) -> Option<String> {
        let entry = self.kept.iter_mut().find(|(known, _)| known == name);
        if entry.as_ref().is_some_and(|(_, kept)| kept == text) {
            return None;
        }
        if self.update {
            self.changed = true;
            match entry {
                Some((_, kept)) => text.clone_into(kept),
                None => self.kept.push((name.to_owned(), text.to_owned())),
            }
            return None;
        }
        let missing = || "nothing is kept yet: run `planb test --update`, and read what it writes\n".to_owned();
        Some(entry.map_or_else(missing, |(_, kept)| kept.clone()))
    }

    pub fn close(self) -> Result<(), String> {
        if !self.changed {
            return Ok(());
        }
        let text = self.kept.iter().fold(HEAD.to_owned(), |mut text, (name, kept)| {
            text.push_str(&format!("\n{MARK}{name}\n{kept}"));
            text
        });
        std::fs::write(&self.path, text).map_err(|error| format!("cannot write {}: {error}", self.path.display()))
    }
}

fn parsed(text: &str) -> Vec<(String, String)> {
    let mut kept: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix(MARK), kept.last_mut()) {
            (Some(name), _) => kept.push((name.to_owned(), String::new())),
            (None, Some((_, text))) if !line.is_empty() => {
                text.push_str(line);
                text.push('\n');
            }
            _ => {}
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_compared_and_an_update_changes_only_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let test = folder.path().join("a.test.yaml");
        let mut first = Snapshots::open(&test, true).unwrap();
        assert_eq!(first.differs("one", "plans: none\nroute chat\n"), None);
        assert_eq!(first.differs("two / 2", "x\n"), None);
        first.close().unwrap();
        let mut second = Snapshots::open(&test, false).unwrap();
        assert_eq!(second.differs("one", "plans: none\nroute chat\n"), None);
        assert_eq!(second.differs("two / 2", "y\n"), Some("x\n".to_owned()));
        assert!(second.differs("three", "z\n").unwrap().contains("--update"));
        let mut third = Snapshots::open(&test, true).unwrap();
        assert_eq!(third.differs("two / 2", "y\n"), None);
        third.close().unwrap();
        let mut last = Snapshots::open(&test, false).unwrap();
        assert_eq!(last.differs("one", "plans: none\nroute chat\n"), None);
        assert_eq!(last.differs("two / 2", "y\n"), None);
    }
}
