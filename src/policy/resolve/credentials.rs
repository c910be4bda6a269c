//! References to secrets. A literal is an error, and is never repeated: not in the message, not in the excerpt.

use super::Resolver;
use crate::policy::mask::shown;
use crate::policy::snapshot::CredentialRef;
use crate::policy::source::Word;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

const KINDS: [&str; 3] = ["env:", "file:", "credential:"];

impl Resolver<'_, '_> {
    pub fn credential(&mut self, word: &Word, key: &str) -> Option<CredentialRef> {
        if word.broken {
            return None;
        }
        let help = format!("write `{key}: env:NAME`, `{key}: file:PATH` or `{key}: credential:NAME`");
        if let Some(found) = self.reference(&word.text) {
            return Some(found);
        }
        if let Some(name) = word.text.strip_prefix("credential:").filter(|name| !name.is_empty()) {
            let message = format!("`{}` cannot be the name of a credential", shown(name));
            self.report
                .error(word.place, "bad-value", message)
                .help("it is a file's name in `$CREDENTIALS_DIRECTORY`: letters, digits, `.`, `_`, `-` and no folder");
            return None;
        }
        if KINDS.iter().any(|kind| word.text.starts_with(kind)) {
            self.report
                .error(word.place, "bad-value", format!("`{key}` refers to nothing"))
                .help(help);
            return None;
        }
        self.report.secret(word.place);
        self.report
            .error(
                word.place,
                "literal-credential",
                format!("`{key}` holds a secret itself; a policy only says where one is"),
            )
            .help(help);
        None
    }

    /// `env:NAME`, `file:PATH` or `credential:NAME`; `None` for anything else.
    pub fn reference(&self, text: &str) -> Option<CredentialRef> {
        if let Some(name) = text.strip_prefix("env:") {
            let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            return (plain && begins).then(|| CredentialRef::Env(Arc::from(name)));
        }
        if let Some(name) = text.strip_prefix("credential:") {
            return is_credential_name(name).then(|| CredentialRef::Credential(Arc::from(name)));
        }
        let path = text
            .strip_prefix("file:")
            .filter(|path| !path.is_empty() && !path.contains('\0'))?;
        Some(CredentialRef::File(from_folder(self.directory, path)))
    }
}

/// As systemd names them, and nothing that could leave the folder.
fn is_credential_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    !name.starts_with('.') && (1..=255).contains(&name.len()) && name.chars().all(plain)
}

/// A path as seen from the policy's folder, without `.` and `..` where that can be told from the text.
pub(super) fn from_folder(directory: &Path, path: &str) -> PathBuf {
    let mut whole = PathBuf::new();
    for part in directory.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(whole.components().next_back(), Some(Component::Normal(_))) => {
                whole.pop();
            }
            Component::ParentDir if whole.has_root() => {}
            other => whole.push(other),
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_credentials_stay_in_their_folder() {
        for name in ["qwen", "qwen.key", "a-b_c.1"] {
            assert!(is_credential_name(name), "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            ".hidden",
            "a/b",
            "/etc/passwd",
            "../key",
            "a\\b",
            "a b",
            "é",
            "a\0",
            &"a".repeat(256),
        ] {
            assert!(!is_credential_name(name), "{name}");
        }
    }

    #[test]
    fn paths_begin_in_the_policys_folder_and_are_made_whole() {
        let from = |path| from_folder(Path::new("/etc/planb/policies"), path);
        assert_eq!(from("key"), Path::new("/etc/planb/policies/key"));
        assert_eq!(from("../examples/./serve"), Path::new("/etc/planb/examples/serve"));
        assert_eq!(from("/run/key"), Path::new("/run/key"));
        assert_eq!(from("../../../../../key"), Path::new("/key"));
        assert_eq!(from_folder(Path::new("policies"), "../../x"), Path::new("../x"));
        assert_eq!(from_folder(Path::new(""), "x"), Path::new("x"));
    }
}
