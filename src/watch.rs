//! Files of the policy: read them, and tell when they may have changed.
//!
//! File events make it quick (rename-replace, writes in place, a ConfigMap's `..data` swap), a slow look at the content
//! makes it sure where a file system gives no events. An event without another content is no change. Nothing is
//! compiled here, and no secret is kept: of credentials only a hash is remembered.

mod files;
#[cfg(test)]
mod tests;

pub use files::{ReadError, policy_files, read_sources, read_text};

use notify_debouncer_full::notify::{EventKind, RecommendedWatcher, RecursiveMode, event::AccessKind};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;

/// Editors write in several steps; this is longer than any of them and shorter than anybody's patience.
const DEBOUNCE: Duration = Duration::from_millis(150);
/// For file systems without events: an edit is in force within 5 s.
const POLL: Duration = Duration::from_secs(2);

/// What may have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The policy's text, or whether it can be read at all.
    Policy,
    /// A file that a credential refers to.
    Credentials,
}

/// A running watcher. Stops when dropped.
#[derive(Debug)]
pub struct Watch {
    orders: mpsc::Sender<Order>,
    thread: Option<JoinHandle<()>>,
}

/// Where changes arrive; several of a kind that nobody took yet are one.
#[derive(Debug)]
pub struct Changes {
    receiver: watch::Receiver<Counts>,
    taken: Counts,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    policy: u64,
    credentials: u64,
}

enum Order {
    Look,
    /// With what each held when it was given.
    Credentials(Vec<(String, PathBuf)>),
    Stop,
}

impl Watch {
    /// Watches a policy file or folder (`None`: only credentials). Begin before the first read, so that no edit falls
    /// between the two.
    pub fn start(policy: Option<PathBuf>) -> std::io::Result<(Self, Changes)> {
        Self::begin(policy, POLL, true)
    }

    /// The files that credentials refer to, in place of those given before. A change counts from this call on.
    pub fn set_credentials(&self, files: Vec<PathBuf>) {
        let files = files
            .into_iter()
            .map(|file| (files::secret_fingerprint(&file), file))
            .collect();
        // It only fails when the thread is gone, and then nothing is watched anyway.
        let _ = self.orders.send(Order::Credentials(files));
    }

    fn begin(policy: Option<PathBuf>, poll: Duration, events: bool) -> std::io::Result<(Self, Changes)> {
        let (orders, inbox) = mpsc::channel();
        let (counts, receiver) = watch::channel(Counts::default());
        let policy = policy.map(|path| std::path::absolute(&path).unwrap_or(path));
        let debouncer = if events { debouncer(orders.clone()) } else { None };
        let mut watched = Watched {
            fingerprint: policy.as_deref().map(files::fingerprint),
            policy,
            credentials: Vec::new(),
            secrets: Vec::new(),
            folders: BTreeSet::new(),
            debouncer,
            counts,
        };
        // Before this returns, so that the caller's next write is seen.
        watched.follow();
        let thread = std::thread::Builder::new()
            .name("planb-watch".to_owned())
            .spawn(move || watched.run(&inbox, poll))?;
        let watch = Self {
            orders,
            thread: Some(thread),
        };
        let taken = Counts::default();
        Ok((watch, Changes { receiver, taken }))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Changes {
    /// The next change; `None` once the watcher has stopped. Nothing is lost when the wait is abandoned.
    pub async fn next(&mut self) -> Option<Change> {
        loop {
            let now = *self.receiver.borrow_and_update();
            if now.policy != self.taken.policy {
                self.taken.policy = now.policy;
                return Some(Change::Policy);
            }
            if now.credentials != self.taken.credentials {
                self.taken.credentials = now.credentials;
                return Some(Change::Credentials);
            }
            self.receiver.changed().await.ok()?;
        }
    }
}

struct Watched {
    policy: Option<PathBuf>,
    fingerprint: Option<String>,
    credentials: Vec<PathBuf>,
    secrets: Vec<String>,
    /// What the debouncer watches now.
    folders: BTreeSet<PathBuf>,
    /// `None` where the system has no file events: the slow look does it alone.
    debouncer: Option<Debouncer<RecommendedWatcher, RecommendedCache>>,
    counts: watch::Sender<Counts>,
}

impl Watched {
    fn run(mut self, inbox: &mpsc::Receiver<Order>, poll: Duration) {
        loop {
            match inbox.recv_timeout(poll) {
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Order::Credentials(files)) => (self.secrets, self.credentials) = files.into_iter().unzip(),
                Ok(Order::Look) | Err(RecvTimeoutError::Timeout) => self.look(),
            }
            self.follow();
        }
    }

    fn look(&mut self) {
        let policy = self.policy.as_deref().map(files::fingerprint);
        if policy != self.fingerprint {
            self.fingerprint = policy;
            self.counts.send_modify(|counts| counts.policy += 1);
        }
        let secrets: Vec<_> = self
            .credentials
            .iter()
            .map(|file| files::secret_fingerprint(file))
            .collect();
        if secrets != self.secrets {
            self.secrets = secrets;
            self.counts.send_modify(|counts| counts.credentials += 1);
        }
    }

    /// Watches the folders that matter now: a link may have got another target since.
    fn follow(&mut self) {
        let Some(debouncer) = &mut self.debouncer else {
            return;
        };
        let mut wanted = BTreeSet::new();
        if let Some(policy) = &self.policy {
            folders_of(policy, &mut wanted);
            for file in files::policy_files(policy).unwrap_or_default() {
                folders_of(&file, &mut wanted);
            }
            if policy.is_dir() {
                wanted.insert(real(policy));
            }
        }
        for file in &self.credentials {
            folders_of(file, &mut wanted);
        }
        for folder in self.folders.difference(&wanted) {
            let _ = debouncer.unwatch(folder);
        }
        // One that cannot be watched (not there yet, no events) is tried again at the next look.
        wanted.retain(|folder| self.folders.contains(folder) || watch_folder(debouncer, folder));
        self.folders = wanted;
    }
}

/// Links that lead to links; nobody needs more, and a circle ends.
const LINKS: usize = 16;

/// The folder of a path, and of everything that it leads to, link by link: each of them may be the one that moves.
/// Folders by their real names alone, since the system tells them apart by nothing else.
fn folders_of(path: &Path, folders: &mut BTreeSet<PathBuf>) {
    let mut path = path.to_path_buf();
    for _ in 0..LINKS {
        let Some(folder) = path.parent() else { return };
        folders.insert(real(folder));
        // A folder on the way may itself be a link, as `..data` is.
        let links = folder.ancestors().filter(|folder| folder.is_symlink());
        folders.extend(links.filter_map(Path::parent).map(real));
        match path.read_link() {
            Ok(target) => path = folder.join(target),
            Err(_) => return,
        }
    }
}

fn real(folder: &Path) -> PathBuf {
    folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf())
}

fn watch_folder(debouncer: &mut Debouncer<RecommendedWatcher, RecommendedCache>, folder: &Path) -> bool {
    folder.is_dir() && debouncer.watch(folder, RecursiveMode::NonRecursive).is_ok()
}

fn debouncer(orders: mpsc::Sender<Order>) -> Option<Debouncer<RecommendedWatcher, RecommendedCache>> {
    let told = move |result: DebounceEventResult| {
        // Our own reading is an event, too; only what may have written counts.
        let read_only = |kind: &EventKind| match kind {
            EventKind::Access(AccessKind::Close(mode)) => {
                !matches!(mode, notify_debouncer_full::notify::event::AccessMode::Write)
            }
            EventKind::Access(_) => true,
            _ => false,
        };
        if result.map_or(true, |events| events.iter().any(|event| !read_only(&event.event.kind))) {
            let _ = orders.send(Order::Look);
        }
    };
    new_debouncer(DEBOUNCE, None, told).ok()
}
