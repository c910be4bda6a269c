//! `planb fmt FILE…`: lays policies out in one way. Comments, order and meaning stay.

use crate::policy::format::{format, unified};
use crate::watch::{policy_files, read_text};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub struct FmtArgs {
    /// Files, or directories of files; `-` is standard input, laid out on standard output
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Change nothing, name the files that would change, and fail where there are any
    #[arg(long)]
    check: bool,
    /// Change nothing, and show what would change
    #[arg(long)]
    diff: bool,
}

/// 0 when every file is laid out, 1 when one could not be, or with `--check` is not yet.
pub fn run(args: &FmtArgs) -> ExitCode {
    let mut good = true;
    for path in &args.files {
        let files = match path.as_os_str() == "-" {
            true => Ok(vec![path.clone()]),
            false => policy_files(path),
        };
        match files {
            Ok(files) => {
                good &= files
                    .iter()
                    .map(|file| one(file, args))
                    .fold(true, |all, one| all & one)
            }
            Err(error) => good = refuse(&error.diagnostic().to_string()),
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// False where there is something to say against the file.
fn one(path: &Path, args: &FmtArgs) -> bool {
    let (name, is_input) = (path.display().to_string(), path.as_os_str() == "-");
    let name = if is_input { "standard input".to_owned() } else { name };
    let text = match is_input {
        true => input().map_err(|error| format!("error: cannot read {name}: {error}")),
        false => read_text(path).map_err(|error| error.diagnostic().to_string()),
    };
    let text = match text {
        Ok(text) => text,
        Err(error) => return refuse(&error),
    };
    let laid_out = match format(&name, &text) {
        Ok(laid_out) => laid_out,
        Err(found) => return found.iter().fold(false, |_, found| refuse(&found.to_string())),
    };
    let same = laid_out == text;
    if args.diff {
        tell(&unified(&name, &text, &laid_out));
    } else if args.check && !same {
        tell(&std::format!("{name}\n"));
    } else if is_input && !args.check {
        tell(&laid_out);
    } else if !same && !args.check {
        return match replace(path, &laid_out) {
            Ok(()) => true,
            Err(error) => refuse(&std::format!("error: cannot write {name}: {error}")),
        };
    }
    same || !args.check
}

fn input() -> io::Result<String> {
    let mut text = String::new();
    io::stdin().lock().read_to_string(&mut text)?;
    Ok(text)
}

/// In one step, so that a daemon that watches the file never sees half of it. Links keep leading there.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let target = path.canonicalize()?;
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let beside = target.with_file_name(std::format!(".{name}.{}", std::process::id()));
    let written = std::fs::write(&beside, text)
        .and_then(|()| std::fs::set_permissions(&beside, target.metadata()?.permissions()))
        .and_then(|()| std::fs::rename(&beside, &target));
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

/// A reader that has gone away (`| head`) is no failure.
fn tell(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

fn refuse(why: &str) -> bool {
    let _ = writeln!(io::stderr(), "{why}\n");
    false
}
