//! Files and names that outlast a power cut, however early it comes: a secret that is made once is whole or not there.

use std::fs::{File, OpenOptions, rename};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The content of a file that its owner alone may read; made, when it is not there, from what `make` gives.
pub fn made_once(path: &Path, make: impl FnOnce() -> io::Result<Vec<u8>>) -> io::Result<Vec<u8>> {
    match OpenOptions::new().read(true).open(path) {
        Ok(mut file) => {
            let mut found = Vec::new();
            file.read_to_end(&mut found)?;
            Ok(found)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let bytes = make()?;
            write_whole(path, &bytes)?;
            Ok(bytes)
        }
        Err(error) => Err(error),
    }
}

/// Whatever the disk has of this file stays, and its name too.
pub fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()?;
    sync_name(path)
}

/// A new file's name is in its folder for good.
pub fn sync_name(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Its name comes after its bytes. The draft of an earlier try is written over.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let draft = PathBuf::from(name);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    rename(&draft, path)?;
    sync_name(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_read_and_never_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert_eq!(made_once(&path, || Ok(vec![1, 2])).unwrap(), [1, 2]);
        let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(made_once(&path, || panic!("made twice")).unwrap(), [1, 2]);
    }

    #[test]
    fn half_a_draft_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(folder.path().join("key.new"), "hal").unwrap();
        assert!(made_once(&path, || Err(io::Error::other("no chance"))).is_err());
        assert!(!path.exists());
        assert_eq!(made_once(&path, || Ok(vec![7])).unwrap(), [7]);
    }
}
