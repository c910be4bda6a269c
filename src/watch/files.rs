//! The policy's files as texts: which they are, in which order, and how large they may be.

use crate::policy::{Diagnostic, SourceFile, Sources};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// All files together. A policy of a thousand models is a twentieth of it.
const MOST_BYTES: u64 = 8 * 1024 * 1024;
/// No key is longer.
const MOST_SECRET_BYTES: u64 = 64 * 1024;
const QUICKSTART: &str = include_str!("../../policies/quickstart.yaml");

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("cannot read {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{} is not text in UTF-8 (line {line}, byte {byte} of it)", path.display())]
    NotText { path: PathBuf, line: usize, byte: usize },
    #[error("{} is larger than a policy may be (8 MiB in all)", path.display())]
    TooLarge { path: PathBuf },
    #[error("{} has no *.yaml file", path.display())]
    NoFiles { path: PathBuf },
}

impl ReadError {
    pub fn path(&self) -> &Path {
        match self {
            Self::Unreadable { path, .. } | Self::NotText { path, .. } => path,
            Self::TooLarge { path } | Self::NoFiles { path } => path,
        }
    }

    /// As a policy's error, at its place where it has one.
    pub fn diagnostic(&self) -> Diagnostic {
        let mut found = Diagnostic::of_file("unreadable", &self.path().display().to_string(), &self.to_string());
        found.help = match self {
            Self::Unreadable { .. } => None,
            Self::NotText { .. } => Some("save it as UTF-8, with or without a byte-order mark".to_owned()),
            Self::TooLarge { .. } => {
                Some("a policy says what differs; what is alike can stand once under an anchor".to_owned())
            }
            Self::NoFiles { .. } => Some("name a file, or put `*.yaml` files into the folder".to_owned()),
        };
        if let Self::NotText { line, byte, .. } = self {
            (found.line, found.column) = (*line, *byte);
        }
        found
    }
}

/// Reads a file, or the `*.yaml` and `*.yml` files of a folder in byte order of their names; `None` is the quickstart
/// that is compiled in, as if it lay in `policies/` under the working directory.
pub fn read_sources(path: Option<&Path>) -> Result<Sources, ReadError> {
    let Some(path) = path else {
        return Ok(Sources {
            origin: "built-in quickstart".to_owned(),
            directory: std::path::absolute("policies").unwrap_or_else(|_| PathBuf::from("policies")),
            files: vec![SourceFile {
                name: "built-in quickstart".to_owned(),
                text: QUICKSTART.to_owned(),
            }],
        });
    };
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let directory = if whole.is_dir() {
        whole
    } else {
        whole.parent().map_or_else(PathBuf::new, Path::to_path_buf)
    };
    let mut left = MOST_BYTES;
    let names = policy_files(path)?;
    if names.is_empty() {
        return Err(ReadError::NoFiles {
            path: path.to_path_buf(),
        });
    }
    let files: Result<_, _> = names.into_iter().map(|name| read(name, &mut left)).collect();
    Ok(Sources {
        origin: path.display().to_string(),
        directory,
        files: files?,
    })
}

/// The files that make up the policy at a path, in their order.
pub fn policy_files(path: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let unreadable = |source| ReadError::Unreadable {
        path: path.to_path_buf(),
        source,
    };
    // Links count as what they lead to.
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.path();
        if is_policy(&name) && name.is_file() {
            names.push(name);
        }
    }
    names.sort_by(|a, b| a.as_os_str().as_encoded_bytes().cmp(b.as_os_str().as_encoded_bytes()));
    Ok(names)
}

/// One file as text.
pub fn read_text(path: &Path) -> Result<String, ReadError> {
    let mut left = MOST_BYTES;
    read(path.to_path_buf(), &mut left).map(|file| file.text)
}

fn is_policy(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return false;
    };
    let Some(stem) = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")) else {
        return false;
    };
    // Editors' backups and swap files, and the policy's own tests, are no policy.
    !name.starts_with('.') && !stem.ends_with('~') && !stem.ends_with(".test")
}

fn read(path: PathBuf, left: &mut u64) -> Result<SourceFile, ReadError> {
    let bytes = match bytes_of(&path, *left + 1) {
        Ok(bytes) => bytes,
        Err(source) => return Err(ReadError::Unreadable { path, source }),
    };
    let Some(rest) = left.checked_sub(bytes.len() as u64) else {
        return Err(ReadError::TooLarge { path });
    };
    *left = rest;
    let name = path.display().to_string();
    match String::from_utf8(bytes) {
        Ok(text) => Ok(SourceFile { name, text }),
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            let before = error.as_bytes().get(..good).unwrap_or_default();
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            let byte = good - before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1) + 1;
            Err(ReadError::NotText { path, line, byte })
        }
    }
}

fn bytes_of(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    // A pipe would keep the reader waiting.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Equal as long as reading would give the same.
pub(super) fn fingerprint(path: &Path) -> String {
    match read_sources(Some(path)) {
        Ok(sources) => sources.hash(),
        Err(error) => format!("unreadable: {error}"),
    }
}

/// A hash of a credential's file: the secret itself is not kept.
pub(super) fn secret_fingerprint(path: &Path) -> String {
    match bytes_of(path, MOST_SECRET_BYTES) {
        Ok(bytes) => format!("{:?}", Sha256::digest(bytes)),
        Err(error) => format!("unreadable: {:?}", error.kind()),
    }
}
