//! One child process in its own group, bound to planb's life.
//!
//! A thread of its own spawns the child and waits for it to the end: the kernel sends the parent-death signal when the
//! spawning *thread* ends, so that thread must live as long as the child. When the leader exits, whatever is left of
//! its group is killed before its id can be given to anybody else.

use super::logfile::LogFile;
use crate::policy::snapshot::Start;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// A running server. Dropping it does not stop it; [`Process::signal`] and the exit do.
pub struct Process {
    /// The group's id while its leader has not been reaped.
    group: Arc<Mutex<Option<libc::pid_t>>>,
    pub exit: oneshot::Receiver<String>,
    pub log: LogFile,
}

impl Process {
    /// Starts the command; resolves once it runs or could not be run.
    pub async fn spawn(
        provider: &str,
        start: &Start,
        state_directory: &Path,
        withheld: &[Arc<str>],
    ) -> io::Result<Self> {
        let (log, [output, error]) = LogFile::open(state_directory, provider)?;
        let mut command = command(start, state_directory, withheld)?;
        command.stdin(Stdio::null()).stdout(output).stderr(error);
        let group = Arc::new(Mutex::new(None));
        let (spawned, spawning) = oneshot::channel();
        let (ended, exit) = oneshot::channel();
        let shared = group.clone();
        std::thread::Builder::new()
            .name(format!("local-{provider}"))
            .spawn(move || {
                let spawn = command.spawn();
                // Closes planb's copies of the log's handles.
                drop(command);
                match spawn {
                    Ok(child) => {
                        *shared.lock().unwrap_or_else(PoisonError::into_inner) = Some(child.id().cast_signed());
                        let _listening = spawned.send(Ok(()));
                        let _listening = ended.send(wait(child, &shared));
                    }
                    Err(error) => {
                        let _listening = spawned.send(Err(error));
                    }
                }
            })?;
        match spawning.await {
            Ok(Ok(())) => Ok(Self { group, exit, log }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(io::Error::other("the spawning thread ended")),
        }
    }

    /// Sends a signal to the whole group, unless it is gone.
    pub fn signal(&self, signal: libc::c_int) {
        let group = self.group.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = *group {
            kill_group(id, signal);
        }
    }
}

fn command(start: &Start, state_directory: &Path, withheld: &[Arc<str>]) -> io::Result<Command> {
    let Some((program, arguments)) = start.command.split_first() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the command is empty"));
    };
    // The child changes its directory first: a relative path would be looked for there.
    let program = if program.contains('/') {
        std::path::absolute(program)?
    } else {
        PathBuf::from(program)
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("PLANB_STATE", state_directory)
        .process_group(0);
    if !start.directory.as_os_str().is_empty() {
        command.current_dir(&start.directory);
    }
    for name in withheld {
        command.env_remove(name.as_ref());
    }
    command.envs(start.env.iter().map(|(name, value)| (name.as_ref(), value.as_ref())));
    die_with_planb(&mut command);
    Ok(command)
}

#[cfg(target_os = "linux")]
fn die_with_planb(command: &mut Command) {
    let planb = std::process::id().cast_signed();
    let ask = move || {
        // SAFETY: prctl and getppid are async-signal-safe and touch no memory of ours.
        let (asked, parent) = unsafe { (libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL), libc::getppid()) };
        if asked != 0 {
            return Err(io::Error::last_os_error());
        }
        // planb died between the fork and the request: no signal would ever come.
        if parent != planb {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        Ok(())
    };
    // SAFETY: the closure runs between fork and exec and only makes the two system calls above; its errors do not allocate.
    unsafe { command.pre_exec(ask) };
}

#[cfg(not(target_os = "linux"))]
fn die_with_planb(_: &mut Command) {}

/// Waits for the leader, ends the rest of its group, reaps it; says in words how it ended.
fn wait(mut child: Child, group: &Mutex<Option<libc::pid_t>>) -> String {
    let id = child.id().cast_signed();
    wait_without_reaping(child.id());
    // While the leader is not reaped, no other process can have its id.
    let mut group = group.lock().unwrap_or_else(PoisonError::into_inner);
    kill_group(id, libc::SIGKILL);
    *group = None;
    match child.wait() {
        Ok(status) => describe(status),
        Err(error) => format!("it cannot be waited for: {error}"),
    }
}

fn wait_without_reaping(id: u32) {
    loop {
        let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::uninit();
        // SAFETY: the pointer is to writable memory of the right type, which is not read afterwards.
        let result = unsafe { libc::waitid(libc::P_PID, id, info.as_mut_ptr(), libc::WEXITED | libc::WNOWAIT) };
        if result == 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return;
        }
    }
}

fn kill_group(id: libc::pid_t, signal: libc::c_int) {
    // SAFETY: a system call without memory; the caller holds the lock that keeps the id ours.
    unsafe { libc::kill(-id, signal) };
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it ended with exit code {code}"),
        (None, Some(signal)) => format!("it was ended by signal {signal}"),
        (None, None) => "it ended".to_owned(),
    }
}
