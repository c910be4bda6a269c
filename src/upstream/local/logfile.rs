//! A local server's output: a file in the state directory that it appends to by itself, read back line by line.
//!
//! The server writes straight into the file, so that its output survives planb and planb never stands in its way.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A longer file is set aside at the next start; one older file is kept.
const LONGEST: u64 = 10 * 1024 * 1024;
/// Enough to find the last line in; a line is cut to [`LINE`].
const WINDOW: u64 = 8 * 1024;
const LINE: usize = 400;

/// The output of one run of a server.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    /// How much has been read; lines of earlier runs lie before it.
    read: u64,
}

impl LogFile {
    /// Makes `local/{provider}.log` ready for another run; the two handles are the server's standard output and error.
    pub fn open(state_directory: &Path, provider: &str) -> io::Result<(Self, [File; 2])> {
        let folder = state_directory.join("local");
        fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{provider}.log"));
        if fs::metadata(&path).is_ok_and(|data| data.len() > LONGEST) {
            fs::rename(&path, folder.join(format!("{provider}.log.1")))?;
        }
        let output = OpenOptions::new().create(true).append(true).open(&path)?;
        let error = output.try_clone()?;
        let read = output.metadata()?.len();
        Ok((Self { path, read }, [output, error]))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The last whole line printed since the last call, if any.
    pub fn last_new_line(&mut self) -> io::Result<Option<Arc<str>>> {
        let mut file = File::open(&self.path)?;
        let length = file.metadata()?.len();
        if length <= self.read {
            return Ok(None);
        }
        let from = self.read.max(length.saturating_sub(WINDOW));
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(length - from).read_to_end(&mut bytes)?;
        let Some(end) = memchr::memrchr(b'\n', &bytes) else {
            return Ok(None);
        };
        self.read = from + end as u64 + 1;
        let text = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned();
        let last = text.lines().map(str::trim).rfind(|line| !line.is_empty());
        Ok(last.map(|line| {
            line.chars()
                .filter(|c| !c.is_control())
                .take(LINE)
                .collect::<String>()
                .into()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn reads_the_last_whole_line_of_this_run_only() {
        let folder = tempfile::tempdir().unwrap();
        let (_, [mut earlier, _]) = LogFile::open(folder.path(), "home").unwrap();
        earlier.write_all(b"from an earlier run\n").unwrap();
        let (mut log, [mut output, mut error]) = LogFile::open(folder.path(), "home").unwrap();
        assert_eq!(log.last_new_line().unwrap(), None);
        output.write_all(b"one\ntwo\n\nthr").unwrap();
        assert_eq!(log.last_new_line().unwrap().as_deref(), Some("two"));
        assert_eq!(log.last_new_line().unwrap(), None);
        error.write_all(b"ee\n").unwrap();
        assert_eq!(log.last_new_line().unwrap().as_deref(), Some("three"));
    }

    #[test]
    fn a_flood_is_read_from_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, [mut output, _]) = LogFile::open(folder.path(), "home").unwrap();
        for number in 0..20_000 {
            writeln!(output, "line {number}").unwrap();
        }
        assert_eq!(log.last_new_line().unwrap().as_deref(), Some("line 19999"));
    }

    #[test]
    fn a_long_file_is_set_aside_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let (log, [output, _]) = LogFile::open(folder.path(), "home").unwrap();
        output.set_len(LONGEST + 1).unwrap();
        LogFile::open(folder.path(), "home").unwrap();
        assert_eq!(fs::metadata(log.path()).unwrap().len(), 0);
        assert_eq!(
            fs::metadata(folder.path().join("local/home.log.1")).unwrap().len(),
            LONGEST + 1
        );
    }
}
