//! Which test files there are, and which policy each tests.

use crate::policy::cases::policy_of;
use crate::policy::{SourceFile, Sources};
use crate::watch::read_sources;
use std::path::{Path, PathBuf};

const ENDINGS: [&str; 2] = [".test.yaml", ".test.yml"];

/// A test file with the texts of its policy.
pub(super) struct Suite {
    pub path: PathBuf,
    pub test: SourceFile,
    pub policy: Sources,
}

/// The tests of a policy file, of a folder, or one test file.
pub(super) fn find(path: &Path) -> Result<Vec<Suite>, String> {
    let name = name_of(path);
    let (tests, default) = if path.is_dir() {
        (beside(path, |_| true)?, Some(path.to_owned()))
    } else if stem(&name).is_some() {
        (vec![path.to_owned()], None)
    } else {
        let own = name.rsplit_once('.').map_or(name.as_str(), |(own, _)| own).to_owned();
        let folder = folder_of(path);
        let named = |stem: &str| stem == own || stem.strip_prefix(&own).is_some_and(|rest| rest.starts_with('.'));
        (beside(&folder, named)?, Some(path.to_owned()))
    };
    if tests.is_empty() {
        return Err(format!(
            "{} has no tests: they stand beside it, as NAME.test.yaml",
            path.display()
        ));
    }
    tests.into_iter().map(|test| suite(test, default.as_deref())).collect()
}

fn suite(path: PathBuf, default: Option<&Path>) -> Result<Suite, String> {
    let text = std::fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let test = SourceFile {
        name: path.display().to_string(),
        text,
    };
    let folder = folder_of(&path);
    let policy = match (policy_of(&test), default) {
        (Some(named), _) => folder.join(named),
        (None, Some(default)) => default.to_owned(),
        (None, None) => own_policy(&path, folder),
    };
    let policy = read_sources(Some(&policy)).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Suite { path, test, policy })
}

/// The file of the same name, or the folder.
fn own_policy(test: &Path, folder: PathBuf) -> PathBuf {
    let name = name_of(test);
    let own = stem(&name).unwrap_or_default();
    let files = [".yaml", ".yml"].map(|ending| folder.join(format!("{own}{ending}")));
    files.into_iter().find(|file| file.is_file()).unwrap_or(folder)
}

fn beside(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, String> {
    let unreadable = |error: std::io::Error| format!("cannot read {}: {error}", folder.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if stem(&name_of(&path)).is_some_and(&wanted) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// `quickstart` of `quickstart.test.yaml`.
fn stem(name: &str) -> Option<&str> {
    let own = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending))?;
    (!own.starts_with('.')).then_some(own)
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}
