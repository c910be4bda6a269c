//! Local servers on demand: started at first need, watched, stopped with planb.
//!
//! One supervisor a provider (`supervise`) drives a small machine (`machine`) and owns at most one process
//! (`process`). A healthy server that is already there is adopted: used, never started twice, never stopped.

mod logfile;
mod machine;
mod occupied;
mod process;
mod supervise;
#[cfg(test)]
mod tests;

pub use machine::LocalState;
pub use occupied::Occupied;

use super::connect::Connections;
use super::probe::health_url;
use crate::policy::snapshot::{Provider, Start};
use occupied::Uses;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use supervise::Supervisor;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// One local server of the policy. Equal specs are the same server over a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalSpec {
    pub provider: Arc<str>,
    pub start: Start,
    pub health_url: String,
    pub allow_private: bool,
}

impl LocalSpec {
    /// `None` for a provider that planb does not start.
    pub fn of(provider: &Provider) -> Option<Self> {
        let start = provider.start.clone()?;
        // Every server that speaks this dialect lists its models, also those without a health path of their own.
        let health_url = match provider.vendor.facts().health_path {
            Some(path) => health_url(&provider.base_url, path),
            None => format!("{}/models", provider.base_url),
        };
        Some(Self {
            provider: provider.name.clone(),
            start,
            health_url,
            allow_private: provider.allow_private,
        })
    }
}

/// Why a server is not ready for a request that waited for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    #[error("planb does not start this provider's server")]
    NotOurs,
    #[error("the local server failed: {why}")]
    Failed { why: Arc<str>, retry_at: Instant },
    #[error("the local server is still starting: {line}")]
    Deadline { line: Arc<str> },
    #[error("the local server is being stopped")]
    Stopped,
}

/// All local servers of the policy in force.
pub struct LocalServers {
    state_directory: PathBuf,
    connections: Arc<Connections>,
    servers: Mutex<Servers>,
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct Servers {
    running: HashMap<Arc<str>, Running>,
    /// Of providers that the policy no longer has: told to stop and perhaps not yet gone.
    leaving: HashMap<Arc<str>, JoinHandle<()>>,
}

/// A supervisor's ends: what it is told, what it tells.
struct Running {
    spec: LocalSpec,
    need: watch::Sender<u64>,
    rest: Arc<Notify>,
    uses: Arc<Uses>,
    state: watch::Receiver<LocalState>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl LocalServers {
    /// Logs go to `local/` below `state_directory`, which servers are told as `PLANB_STATE`.
    pub fn new(state_directory: PathBuf, connections: Arc<Connections>) -> Self {
        let state_directory = std::path::absolute(&state_directory).unwrap_or(state_directory);
        let changes = watch::Sender::new(0);
        Self {
            state_directory,
            connections,
            servers: Mutex::default(),
            changes,
        }
    }

    /// Takes over a policy: stops what vanished or changed, keeps what is the same, starts nothing. Servers do not
    /// inherit the `withheld` environment variables. Must be called within a runtime.
    pub fn sync(&self, specs: Vec<LocalSpec>, withheld: &[Arc<str>]) {
        let mut servers = self.lock();
        let Servers { running, leaving } = &mut *servers;
        leaving.retain(|_, task| !task.is_finished());
        for (name, one) in
            running.extract_if(|name, one| !specs.iter().any(|spec| spec.provider == *name && *spec == one.spec))
        {
            one.stop.cancel();
            leaving.insert(name, one.task);
        }
        for spec in specs {
            if let Entry::Vacant(place) = running.entry(spec.provider.clone()) {
                let predecessor = leaving.remove(&spec.provider);
                place.insert(self.supervise(spec, withheld.to_vec(), predecessor));
            }
        }
        self.changes.send_modify(|count| *count += 1);
    }

    /// Says that the server is needed now. Starts it unless it is there, on its way or in its wait after a failure.
    pub fn ensure(&self, provider: &str) {
        if let Some(one) = self.lock().running.get(provider) {
            one.need.send_modify(|count| *count += 1);
        }
    }

    /// Says that the server is to run: starts it, and puts off its rest.
    pub fn keep(&self, provider: &str) {
        let servers = self.lock();
        let Some(one) = servers.running.get(provider) else {
            return;
        };
        one.uses.touch();
        let starts = match &*one.state.borrow() {
            LocalState::Cold => true,
            LocalState::Failed { retry_at, .. } => *retry_at <= Instant::now(),
            LocalState::Starting { .. } | LocalState::Ready { .. } => false,
        };
        if starts {
            one.need.send_modify(|count| *count += 1);
        }
    }

    /// Stops a ready server of planb's own that nothing has asked for so long.
    pub fn rest_after(&self, provider: &str, idle: Duration) {
        let servers = self.lock();
        let Some(one) = servers.running.get(provider) else {
            return;
        };
        let own = matches!(&*one.state.borrow(), LocalState::Ready { adopted: false, .. });
        if own && one.uses.rest_after(idle) {
            one.rest.notify_one();
        }
    }

    /// The right to send to a local server, which is not stopped for idleness meanwhile. `None` for a provider whose
    /// server planb does not run; an error where it is just being stopped.
    pub fn occupy(&self, provider: &str) -> Result<Option<Occupied>, NotReady> {
        match self.lock().running.get(provider) {
            None => Ok(None),
            Some(one) => one.uses.begin().map(Some).ok_or(NotReady::Stopped),
        }
    }

    /// Starts the server if need be and waits for it.
    pub async fn wait_ready(&self, provider: &str, deadline: Instant) -> Result<(), NotReady> {
        let Some(mut state) = self.lock().running.get(provider).map(|one| one.state.clone()) else {
            return Err(NotReady::NotOurs);
        };
        loop {
            let seen = state.borrow_and_update().clone();
            match seen {
                LocalState::Ready { .. } => return Ok(()),
                LocalState::Failed { why, retry_at } if retry_at > Instant::now() => {
                    return Err(NotReady::Failed { why, retry_at });
                }
                LocalState::Failed { .. } | LocalState::Cold => self.ensure(provider),
                LocalState::Starting { .. } => {}
            }
            match tokio::time::timeout_at(deadline.into(), state.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(NotReady::Stopped),
                Err(_) => {
                    return Err(NotReady::Deadline {
                        line: state.borrow().line(),
                    });
                }
            }
        }
    }

    /// `None` when planb does not start this provider's server.
    pub fn state(&self, provider: &str) -> Option<LocalState> {
        self.lock().running.get(provider).map(|one| one.state.borrow().clone())
    }

    /// Ticks when any server's state may have changed.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Stops every server that planb started and waits until they are gone.
    pub async fn shutdown(&self) {
        let Servers { running, mut leaving } = std::mem::take(&mut *self.lock());
        for (name, one) in running {
            one.stop.cancel();
            leaving.insert(name, one.task);
        }
        for (provider, task) in leaving {
            if let Err(error) = task.await {
                tracing::error!(%provider, %error, "the local server's supervisor ended badly");
            }
        }
    }

    fn supervise(&self, spec: LocalSpec, withheld: Vec<Arc<str>>, predecessor: Option<JoinHandle<()>>) -> Running {
        let (need, needed) = watch::channel(0);
        let (publish, state) = watch::channel(LocalState::Cold);
        let stop = CancellationToken::new();
        let (rest, uses) = (Arc::new(Notify::new()), Arc::new(Uses::new()));
        let supervisor = Supervisor {
            spec: spec.clone(),
            state_directory: self.state_directory.clone(),
            withheld,
            connections: self.connections.clone(),
            needed,
            rest: rest.clone(),
            uses: uses.clone(),
            publish,
            changes: self.changes.clone(),
            stop: stop.clone(),
            rested: false,
        };
        let task = tokio::spawn(async move {
            // Two servers of one provider at once would fight for its port.
            if let Some(predecessor) = predecessor {
                let _ended = predecessor.await;
            }
            supervisor.run().await;
        });
        Running {
            spec,
            need,
            rest,
            uses,
            state,
            stop,
            task,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Servers> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
