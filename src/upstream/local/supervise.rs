//! Drives one server's machine: asks its health path, starts and stops its process, tells what changed.
//!
//! One task a server. It sleeps until the server is needed, and while an own server is ready it waits for its exit
//! alone; only a server on its way and an adopted one are asked again and again.

use super::LocalSpec;
use super::machine::{LocalState, Machine};
use super::occupied::Uses;
use super::process::Process;
use crate::upstream::connect::Connections;
use crate::upstream::probe::{Health, probe_health};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// Between two looks at a starting server: its first answer is not to wait for us.
const LOOK: Duration = Duration::from_millis(150);
/// Between two looks at an adopted server, whose end nobody tells us.
const LOOK_ADOPTED: Duration = Duration::from_secs(2);
/// How long a server may take to end by itself.
const GRACE: Duration = Duration::from_secs(3);

pub struct Supervisor {
    pub spec: LocalSpec,
    pub state_directory: PathBuf,
    pub withheld: Vec<Arc<str>>,
    pub connections: Arc<Connections>,
    pub needed: watch::Receiver<u64>,
    /// It has been idle long enough.
    pub rest: Arc<Notify>,
    pub uses: Arc<Uses>,
    pub publish: watch::Sender<LocalState>,
    pub changes: watch::Sender<u64>,
    pub stop: CancellationToken,
    /// The last run ended for idleness.
    pub rested: bool,
}

impl Supervisor {
    pub async fn run(mut self) {
        let (mut machine, stop) = (Machine::default(), self.stop.clone());
        loop {
            self.tell(&machine);
            tokio::select! {
                () = stop.cancelled() => return,
                asked = self.needed.changed() => if asked.is_err() { return },
            }
            if !machine.needed(Instant::now()) {
                continue;
            }
            self.uses.reset();
            self.tell(&machine);
            match self.find().await {
                Found::Ready => self.watch_adopted(&mut machine).await,
                Found::Stranger(why) => self.fail(&mut machine, why),
                Found::Loading => self.await_strangers_start(&mut machine).await,
                Found::Nothing => self.run_own(&mut machine).await,
            }
            if stop.is_cancelled() {
                return;
            }
            if std::mem::take(&mut self.rested) {
                // Who needs it again has said so since it was told to be cold.
                continue;
            }
            // Needs of the time when it ran are met. Marked before the new state is told: who asks upon it is heard.
            self.needed.borrow_and_update();
        }
    }

    /// Is there a server already?
    async fn find(&self) -> Found {
        match self.health().await {
            Health::Ready => Found::Ready,
            Health::Loading => Found::Loading,
            Health::Absent { .. } => Found::Nothing,
            Health::Stranger { status } => Found::Stranger(format!(
                "something else answers at {} (status {status})",
                self.spec.health_url
            )),
        }
    }

    /// Somebody else's server is loading: it is waited for, not started again.
    async fn await_strangers_start(&mut self, machine: &mut Machine) {
        let deadline = Instant::now() + self.spec.start.ready;
        loop {
            if !self.pause(LOOK).await {
                return;
            }
            match self.find().await {
                Found::Ready => return self.watch_adopted(machine).await,
                Found::Loading if Instant::now() < deadline => {}
                Found::Loading => return self.fail(machine, self.too_slow()),
                Found::Stranger(why) => return self.fail(machine, why),
                Found::Nothing => return self.fail(machine, "the server that was loading is gone".to_owned()),
            }
        }
    }

    async fn watch_adopted(&mut self, machine: &mut Machine) {
        tracing::info!(provider = %self.spec.provider, url = %self.spec.health_url, "uses the local server that already runs");
        machine.answered(true, Instant::now());
        self.tell(machine);
        while self.pause(LOOK_ADOPTED).await {
            // A busy server may miss a look, so only one that is not there counts as gone.
            if let Found::Nothing = self.find().await {
                tracing::warn!(provider = %self.spec.provider, "the local server that was in use is gone");
                return machine.left();
            }
        }
    }

    /// Starts the server and stays with it until it is gone.
    async fn run_own(&mut self, machine: &mut Machine) {
        let spec = &self.spec;
        let spawned = Process::spawn(&spec.provider, &spec.start, &self.state_directory, &self.withheld).await;
        let mut process = match spawned {
            Ok(process) => process,
            Err(error) => {
                let program = spec.start.command.first().map_or("", String::as_str);
                return self.fail(machine, format!("{program} cannot be started: {error}"));
            }
        };
        tracing::info!(provider = %spec.provider, log = %process.log.path().display(), "starts the local server");
        let ended = self.await_ready(machine, &mut process).await;
        let ended = match ended {
            Ended::NotYet => self.await_exit(&mut process).await,
            ended => ended,
        };
        match ended {
            Ended::ByItself(how) => {
                let last = process
                    .log
                    .last_new_line()
                    .ok()
                    .flatten()
                    .unwrap_or_else(|| machine.state().line());
                let why = if last.is_empty() {
                    how
                } else {
                    format!("{how}; its last line: {last}")
                };
                self.fail(machine, why);
            }
            Ended::TooSlow => {
                stop_process(&mut process).await;
                self.fail(machine, self.too_slow());
            }
            Ended::Rested => {
                // Cold before it stops: whoever comes from here on starts it again.
                self.needed.borrow_and_update();
                self.rested = true;
                machine.left();
                self.tell(machine);
                self.uses.reset();
                stop_process(&mut process).await;
                tracing::info!(provider = %self.spec.provider, "stopped the idle local server");
            }
            Ended::Stopped | Ended::NotYet => {
                stop_process(&mut process).await;
                tracing::info!(provider = %self.spec.provider, "stopped the local server");
            }
        }
    }

    async fn await_ready(&mut self, machine: &mut Machine, process: &mut Process) -> Ended {
        let begun = Instant::now();
        loop {
            if let Health::Ready = self.health().await {
                // Somebody else's server may have taken the port in the meantime; then ours is about to end.
                if let Ok(how) = process.exit.try_recv() {
                    return Ended::ByItself(how);
                }
                self.uses.reset();
                machine.answered(false, Instant::now());
                tracing::info!(provider = %self.spec.provider, "the local server is ready after {:.1?}", begun.elapsed());
                self.tell(machine);
                return Ended::NotYet;
            }
            if begun.elapsed() >= self.spec.start.ready {
                return Ended::TooSlow;
            }
            if let Ok(Some(line)) = process.log.last_new_line() {
                tracing::info!(provider = %self.spec.provider, "{line}");
                machine.printed(line);
                self.tell(machine);
            }
            tokio::select! {
                () = self.stop.cancelled() => return Ended::Stopped,
                how = &mut process.exit => return Ended::ByItself(how.unwrap_or_default()),
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn await_exit(&self, process: &mut Process) -> Ended {
        tokio::select! {
            () = self.stop.cancelled() => Ended::Stopped,
            how = &mut process.exit => Ended::ByItself(how.unwrap_or_default()),
            () = self.rest.notified() => Ended::Rested,
        }
    }

    fn fail(&self, machine: &mut Machine, why: String) {
        tracing::warn!(provider = %self.spec.provider, why, "the local server is not running");
        machine.failed(why, Instant::now());
    }

    fn too_slow(&self) -> String {
        format!(
            "{} did not answer within {:?}",
            self.spec.health_url, self.spec.start.ready
        )
    }

    /// False when the server is to stop.
    async fn pause(&self, long: Duration) -> bool {
        tokio::select! {
            () = self.stop.cancelled() => false,
            () = tokio::time::sleep(long) => true,
        }
    }

    async fn health(&self) -> Health {
        probe_health(self.connections.web(self.spec.allow_private), &self.spec.health_url).await
    }

    fn tell(&self, machine: &Machine) {
        self.publish.send_replace(machine.state().clone());
        self.changes.send_modify(|count| *count += 1);
    }
}

enum Found {
    Ready,
    Loading,
    Nothing,
    Stranger(String),
}

enum Ended {
    NotYet,
    ByItself(String),
    TooSlow,
    /// Idle long enough.
    Rested,
    Stopped,
}

/// Asks the group to end, then ends it; returns when the leader is gone.
async fn stop_process(process: &mut Process) {
    process.signal(libc::SIGTERM);
    if tokio::time::timeout(GRACE, &mut process.exit).await.is_err() {
        process.signal(libc::SIGKILL);
        let _gone = (&mut process.exit).await;
    }
}
