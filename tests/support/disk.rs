//! A disk of the test's own between the daemon and its state directory (`disk.c`, loaded by `LD_PRELOAD`): it writes down
//! each write, sync, cut and rename, and fails or hangs when the test says so.

use super::Home;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use tempfile::TempDir;

/// Until the test heals it.
pub const FOR_EVER: i64 = i64::MAX;

/// Calls that can fail, as bits.
pub const EVERY_CALL: i64 = 63;

/// `struct plan` of `disk.c`.
#[repr(C)]
struct Plan {
    kinds: AtomicI64,
    counted: AtomicI64,
    from: AtomicI64,
    until: AtomicI64,
    number: AtomicI64,
    failed: AtomicI64,
    stall: AtomicI64,
    stalled: AtomicI64,
    inside: AtomicI64,
}

/// What was done to one file, in the order in which it was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    Create,
    Write {
        at: usize,
        data: Vec<u8>,
    },
    Sync,
    Truncate {
        length: usize,
    },
    Rename {
        to: String,
    },
    Unlink,
    /// Of the folder: names that were made before are there for good.
    SyncFolder,
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub path: String,
    pub done: Done,
    /// By the ledger's own thread.
    pub by_ledger: bool,
    /// Of the machine's monotonic clock.
    pub nanos: u64,
}

pub struct Disk {
    folder: TempDir,
    root: PathBuf,
    plan: &'static Plan,
}

impl Disk {
    /// Below the state directory of `home`.
    pub fn under(home: &Home) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(home.state()).unwrap();
        Self {
            root: home.state().canonicalize().unwrap(),
            plan: map(&folder.path().join("plan")),
            folder,
        }
    }

    /// For the daemon's environment.
    pub fn variables(&self) -> [(&'static str, String); 4] {
        let shown = |path: &Path| path.display().to_string();
        [
            ("LD_PRELOAD", shown(library())),
            ("PLANB_DISK_ROOT", shown(&self.root)),
            ("PLANB_DISK_TRACE", shown(&self.folder.path().join("trace"))),
            ("PLANB_DISK_PLAN", shown(&self.folder.path().join("plan"))),
        ]
    }

    /// The `n`-th call of these kinds on the ledger's files from now on, and those after it before the `until`-th.
    pub fn fail(&self, kinds: i64, n: i64, until: i64, errno: i32) {
        let plan = self.plan;
        plan.from.store(0, SeqCst);
        plan.counted.store(0, SeqCst);
        plan.failed.store(0, SeqCst);
        plan.kinds.store(kinds, SeqCst);
        plan.number.store(i64::from(errno), SeqCst);
        plan.until.store(until, SeqCst);
        plan.from.store(n, SeqCst);
    }

    pub fn heal(&self) {
        self.plan.from.store(0, SeqCst);
    }

    pub fn is_failing(&self) -> bool {
        self.plan.from.load(SeqCst) != 0
    }

    /// How many calls have failed.
    pub fn failed(&self) -> i64 {
        self.plan.failed.load(SeqCst)
    }

    /// From now on whoever syncs waits, until [`Disk::go_on`].
    pub fn hang_syncs(&self) {
        self.plan.stalled.store(0, SeqCst);
        self.plan.stall.store(1, SeqCst);
    }

    /// Nothing is under way any more, and nothing begins.
    pub async fn stand_still(&self) {
        self.plan.stall.store(2, SeqCst);
        super::until("the disk stands still", || async {
            match self.plan.inside.load(SeqCst) {
                0 => Ok(()),
                inside => Err(format!("{inside} calls under way")),
            }
        })
        .await;
    }

    pub fn go_on(&self) {
        self.plan.stall.store(0, SeqCst);
    }

    /// How many have come to hang.
    pub fn hanging(&self) -> i64 {
        self.plan.stalled.load(SeqCst)
    }

    pub fn trace(&self) -> Vec<Entry> {
        let bytes = std::fs::read(self.folder.path().join("trace")).unwrap();
        let (mut rest, mut entries) = (bytes.as_slice(), Vec::new());
        while !rest.is_empty() {
            entries.push(entry(&mut rest));
        }
        entries
    }
}

/// `struct entry`, then the path, then the data.
fn entry(rest: &mut &[u8]) -> Entry {
    let mut take = |length: usize| {
        let (taken, left) = rest.split_at(length);
        *rest = left;
        taken
    };
    let word = |bytes: &[u8]| u32::from_ne_bytes(bytes.try_into().unwrap()) as usize;
    let long = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().unwrap());
    let (op, path, data, by_ledger) = (word(take(4)), word(take(4)), word(take(4)), word(take(4)));
    let (offset, nanos) = (long(take(8)), long(take(8)));
    let path = String::from_utf8(take(path).to_vec()).unwrap();
    let data = take(data).to_vec();
    let at = usize::try_from(offset).unwrap();
    let done = match op {
        1 => Done::Create,
        2 => Done::Write { at, data },
        3 => Done::Sync,
        4 => Done::Truncate { length: at },
        5 => Done::Rename {
            to: String::from_utf8(data).unwrap(),
        },
        6 => Done::Unlink,
        7 => Done::SyncFolder,
        other => panic!("{other} is no operation"),
    };
    Entry {
        path,
        done,
        by_ledger: by_ledger == 1,
        nanos,
    }
}

/// This instant of the clock that the trace has.
pub fn nanos_now() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid pointer to a local value.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) }, 0);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Built once a test process.
fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let name = format!("disk-{}.so", std::process::id());
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/disk.c");
        let built = Command::new("cc")
            .args(["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"])
            .args([&target, &source])
            .args(["-ldl", "-lpthread"])
            .output()
            .expect("a C compiler");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        target
    })
}

/// Shared with the daemon; stays for the test process's life.
fn map(path: &Path) -> &'static Plan {
    use std::os::fd::AsRawFd;
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)
        .unwrap();
    let length = size_of::<Plan>();
    file.set_len(length as u64).unwrap();
    let (access, shared) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
    // SAFETY: a fresh mapping of a file that is as long as it; atomics, for which every pattern of bits is a value; it
    // is never unmapped.
    unsafe {
        let mapped = libc::mmap(std::ptr::null_mut(), length, access, shared, file.as_raw_fd(), 0);
        assert_ne!(mapped, libc::MAP_FAILED);
        &*mapped.cast::<Plan>()
    }
}
