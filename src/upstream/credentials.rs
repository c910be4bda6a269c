//! Secret values behind the policy's references, ready in memory for the request's way.
//!
//! `env:` is read once, when a reference is first tracked: a running process never sees its environment change.
//! `file:` and `credential:` are read when tracked and again by [`Credentials::refresh`]. Values never appear in an error, a log line or
//! `Debug`; errors name the reference alone.

use crate::policy::snapshot::CredentialRef;
use arc_swap::ArcSwap;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use subtle::ConstantTimeEq;

const FOLDER: &str = "CREDENTIALS_DIRECTORY";
/// Far more than any key; a larger file is not a key but a mistake.
const LONGEST: u64 = 16 * 1024;

/// A secret and the number of the value it has: a cooling that an old value earned does not bind a new one.
#[derive(Clone, Debug)]
pub struct Credential {
    pub secret: SecretString,
    pub generation: u64,
    digest: [u8; 32],
}

impl Credential {
    /// Is this its digest, by [`digest`]? Takes the same time whatever the answer.
    pub fn has_digest(&self, given: &[u8; 32]) -> bool {
        self.digest.ct_eq(given).into()
    }

    pub fn is_same(&self, other: &Self) -> bool {
        self.has_digest(&other.digest)
    }
}

/// SHA-256: what keys are compared by, so that time tells neither a key's length nor how much of it was right.
pub fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// Why a reference has no value. The text names the reference, never what is behind it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    #[error("{0} is not set")]
    NotSet(String),
    /// No service manager handed any over.
    #[error("{0} is not there: $CREDENTIALS_DIRECTORY is not set")]
    NoFolder(String),
    #[error("{0} is empty")]
    Empty(String),
    #[error("{reference} cannot be read: {why}")]
    Unreadable { reference: String, why: io::ErrorKind },
    #[error("{0} is not a regular file")]
    NotAFile(String),
    #[error("{0} is longer than 16 KiB, so it is not a key")]
    TooLong(String),
    #[error("{0} holds a line break or another character that no key has")]
    Malformed(String),
    /// Asked for a reference that no policy in force names.
    #[error("{0} is not a credential of the policy in force")]
    Unknown(String),
}

/// Reads one environment variable; the process's own outside tests.
type Environment = Box<dyn Fn(&str) -> Option<OsString> + Send + Sync>;
type Values = HashMap<CredentialRef, Held>;

#[derive(Clone)]
struct Held {
    value: Result<Arc<Credential>, Missing>,
    generation: u64,
}

/// The credentials of the policy in force.
pub struct Credentials {
    environment: Environment,
    /// `$CREDENTIALS_DIRECTORY`, where systemd puts what `credential:` names.
    folder: Option<PathBuf>,
    values: ArcSwap<Values>,
    /// Held while a new map is built, so that two refreshes cannot undo each other.
    changing: Mutex<()>,
}

impl Default for Credentials {
    fn default() -> Self {
        Self::with_environment(|name| std::env::var_os(name))
    }
}

impl Credentials {
    pub fn with_environment(read: impl Fn(&str) -> Option<OsString> + Send + Sync + 'static) -> Self {
        let folder = read(FOLDER).filter(|path| !path.is_empty()).map(PathBuf::from);
        let (environment, values) = (Box::new(read), ArcSwap::default());
        Self {
            environment,
            folder,
            values,
            changing: Mutex::default(),
        }
    }

    /// Makes these references the known ones: new ones are read, files are read again, all others are forgotten.
    /// Reads files; not for the request's way.
    pub fn track(&self, references: impl IntoIterator<Item = CredentialRef>) {
        let _guard = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.values.load();
        let next = references.into_iter().map(|reference| {
            let held = self.look_again(&reference, old.get(&reference));
            (reference, held)
        });
        self.values.store(Arc::new(next.collect()));
    }

    /// Reads the files again; answers with the references whose value is another one now. Not for the request's way.
    pub fn refresh(&self) -> Vec<CredentialRef> {
        let _guard = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.values.load();
        let next: Values = old
            .iter()
            .map(|(reference, held)| (reference.clone(), self.look_again(reference, Some(held))))
            .collect();
        let moved = |(reference, held): (&CredentialRef, &Held)| {
            (old.get(reference).map(|before| before.generation) != Some(held.generation)).then(|| reference.clone())
        };
        let changed: Vec<_> = next.iter().filter_map(moved).collect();
        if !changed.is_empty() {
            self.values.store(Arc::new(next));
        }
        changed
    }

    /// The value as last read: one map lookup, no disk.
    pub fn get(&self, reference: &CredentialRef) -> Result<Arc<Credential>, Missing> {
        match self.values.load().get(reference) {
            Some(held) => held.value.clone(),
            None => Err(Missing::Unknown(reference.label())),
        }
    }

    pub fn present(&self, reference: &CredentialRef) -> Result<(), Missing> {
        self.get(reference).map(drop)
    }

    /// Grows each time the reference's value changes, appears or vanishes; 0 when it is unknown.
    pub fn generation(&self, reference: &CredentialRef) -> u64 {
        self.values.load().get(reference).map_or(0, |held| held.generation)
    }

    /// The files behind the references, to be watched.
    pub fn files(&self) -> Vec<PathBuf> {
        self.values
            .load()
            .keys()
            .filter_map(|reference| self.path(reference))
            .collect()
    }

    /// The environment variables behind the references: what a process that planb starts must not inherit.
    pub fn variables(&self) -> Vec<Arc<str>> {
        let name = |reference: &CredentialRef| match reference {
            CredentialRef::Env(name) => Some(name.clone()),
            CredentialRef::File(_) | CredentialRef::Credential(_) => None,
        };
        self.values.load().keys().filter_map(name).collect()
    }

    fn look_again(&self, reference: &CredentialRef, before: Option<&Held>) -> Held {
        if let (CredentialRef::Env(_), Some(held)) = (reference, before) {
            return held.clone();
        }
        let found = match reference {
            CredentialRef::Env(name) => self.read_variable(name),
            CredentialRef::File(_) | CredentialRef::Credential(_) => match self.path(reference) {
                Some(path) => read_file(&path, reference.label()),
                None => Err(Missing::NoFolder(reference.label())),
            },
        };
        let unchanged = |held: &&Held| match (&held.value, &found) {
            (Ok(old), Ok(new)) => exposed(&old.secret) == new,
            (Err(old), Err(new)) => old == new,
            _ => false,
        };
        if let Some(held) = before.filter(unchanged) {
            return held.clone();
        }
        if let (CredentialRef::File(path), Ok(_)) = (reference, &found) {
            warn_when_open(path);
        }
        let generation = before.map_or(1, |held| held.generation + 1);
        let hide = |text: String| {
            Arc::new(Credential {
                digest: digest(&text),
                secret: SecretString::from(text),
                generation,
            })
        };
        Held {
            value: found.map(hide),
            generation,
        }
    }

    fn path(&self, reference: &CredentialRef) -> Option<PathBuf> {
        match reference {
            CredentialRef::Env(_) => None,
            CredentialRef::File(path) => Some(path.clone()),
            // The policy's reader lets no name through that leaves the folder.
            CredentialRef::Credential(name) => Some(self.folder.as_ref()?.join(&**name)),
        }
    }

    fn read_variable(&self, name: &str) -> Result<String, Missing> {
        let label = format!("env:{name}");
        let Some(value) = (self.environment)(name) else {
            return Err(Missing::NotSet(label));
        };
        match value.into_string() {
            Ok(text) => clean(text, label),
            Err(_) => Err(Missing::Malformed(label)),
        }
    }
}

fn read_file(path: &Path, label: String) -> Result<String, Missing> {
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Missing::NotSet(label.clone()),
        why => Missing::Unreadable {
            reference: label.clone(),
            why,
        },
    };
    // Asked before opening: opening a pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Missing::NotAFile(label));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    match String::from_utf8(bytes) {
        Ok(text) => clean(text, label),
        Err(_) => Err(Missing::Malformed(label)),
    }
}

fn clean(text: String, label: String) -> Result<String, Missing> {
    if text.len() as u64 > LONGEST {
        return Err(Missing::TooLong(label));
    }
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(Missing::Empty(label));
    }
    if trimmed.chars().any(char::is_control) {
        return Err(Missing::Malformed(label));
    }
    Ok(trimmed.to_owned())
}

fn warn_when_open(path: &Path) {
    let open_to_others = 0o044;
    if std::fs::metadata(path).is_ok_and(|data| data.permissions().mode() & open_to_others != 0) {
        tracing::warn!(path = %path.display(), "credential file can be read by other users; chmod 600 closes it");
    }
}

fn exposed(secret: &SecretString) -> &str {
    secrecy::ExposeSecret::expose_secret(secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn env(name: &str) -> CredentialRef {
        CredentialRef::Env(name.into())
    }

    fn with_variables(variables: &'static [(&'static str, &'static str)]) -> Credentials {
        Credentials::with_environment(move |name| {
            variables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value.into())
        })
    }

    #[test]
    fn variables_are_trimmed_and_absent_ones_are_named() {
        let credentials = with_variables(&[("KEY", " sk-1 \n"), ("BLANK", "  ")]);
        credentials.track([env("KEY"), env("BLANK"), env("NONE")]);
        let found = credentials.get(&env("KEY")).unwrap();
        assert_eq!(found.secret.expose_secret(), "sk-1");
        assert_eq!(
            credentials.present(&env("BLANK")).unwrap_err().to_string(),
            "env:BLANK is empty"
        );
        assert_eq!(
            credentials.present(&env("NONE")).unwrap_err().to_string(),
            "env:NONE is not set"
        );
        assert_eq!(
            credentials.present(&env("OTHER")),
            Err(Missing::Unknown("env:OTHER".into()))
        );
    }

    #[test]
    fn a_changed_file_is_another_generation_and_an_unchanged_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let reference = CredentialRef::File(path.clone());
        let credentials = with_variables(&[]);
        credentials.track([reference.clone()]);
        assert!(matches!(credentials.present(&reference), Err(Missing::NotSet(_))));
        let absent = credentials.generation(&reference);

        std::fs::write(&path, "sk-1\n").unwrap();
        assert_eq!(credentials.refresh(), vec![reference.clone()]);
        assert_eq!(credentials.get(&reference).unwrap().secret.expose_secret(), "sk-1");
        assert!(credentials.generation(&reference) > absent);
        assert_eq!(credentials.refresh(), vec![]);

        let first = credentials.get(&reference).unwrap().generation;
        std::fs::write(&path, "sk-2\n").unwrap();
        credentials.track([reference.clone()]);
        let second = credentials.get(&reference).unwrap();
        assert_eq!(
            (second.secret.expose_secret(), second.generation > first),
            ("sk-2", true)
        );
    }

    #[test]
    fn a_service_managers_credential_is_read_from_its_folder_and_again_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path: OsString = folder.path().into();
        let credentials = Credentials::with_environment(move |name| (name == FOLDER).then(|| path.clone()));
        let reference = CredentialRef::Credential("qwen.key".into());
        credentials.track([reference.clone()]);
        let missing = credentials.present(&reference).unwrap_err();
        assert_eq!(missing.to_string(), "credential:qwen.key is not set");
        assert_eq!(credentials.files(), vec![folder.path().join("qwen.key")]);
        for key in ["sk-1", "sk-2"] {
            std::fs::write(folder.path().join("qwen.key"), key).unwrap();
            assert_eq!(credentials.refresh(), vec![reference.clone()]);
            assert_eq!(credentials.get(&reference).unwrap().secret.expose_secret(), key);
        }
        let alone = with_variables(&[]);
        alone.track([reference.clone()]);
        assert!(matches!(alone.present(&reference), Err(Missing::NoFolder(_))));
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let reference = CredentialRef::File(path.clone());
        let credentials = with_variables(&[]);
        let refused = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            credentials.track([reference.clone()]);
            credentials.present(&reference).unwrap_err()
        };
        assert!(matches!(refused(b"sk-1\nsk-2"), Missing::Malformed(_)));
        assert!(matches!(refused(b"sk-\xff"), Missing::Malformed(_)));
        assert!(matches!(refused(b" \n"), Missing::Empty(_)));
        assert!(matches!(refused(&[b'k'; 20_000]), Missing::TooLong(_)));
        assert!(!format!("{:?}", refused(b"secret-one\nsecret-two")).contains("secret-one"));
        let directory = CredentialRef::File(folder.path().to_owned());
        credentials.track([directory.clone()]);
        assert!(matches!(credentials.present(&directory), Err(Missing::NotAFile(_))));
    }

    #[test]
    fn debug_output_hides_the_value() {
        let credentials = with_variables(&[("KEY", "sk-hidden")]);
        credentials.track([env("KEY")]);
        assert!(!format!("{:?}", credentials.get(&env("KEY"))).contains("sk-hidden"));
    }

    #[test]
    fn names_what_to_watch_and_what_to_keep_from_children() {
        let credentials = with_variables(&[]);
        credentials.track([env("KEY"), CredentialRef::File("/run/key".into())]);
        assert_eq!(credentials.files(), vec![PathBuf::from("/run/key")]);
        assert_eq!(credentials.variables(), vec![Arc::from("KEY")]);
        credentials.track([]);
        assert!(credentials.files().is_empty());
    }
}
