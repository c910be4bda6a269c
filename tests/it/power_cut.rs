//! Power cuts, at any point of what a daemon does to its state directory: what was synced is there, of the rest what chance
//! keeps. Whatever is left, the ledger opens, adds up, has all that was durable, and has what a provider billed.
//!
//! `PLANB_POWER_CUTS=10000` plays as many; a few hundred otherwise. `PLANB_POWER_CUT=SEED` plays that one.

use crate::support::disk::{Entry, nanos_now};
use crate::support::power::{Chance, Folder, Image, Loss};
use crate::support::{CENT, Call, Daemon, Disk, Home, Policy, Reply, Sink, Usage, cents, upstream::answer};
use planb::ledger::verify::verify;
use planb::ledger::{FILE_NAME, Ledger};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::task::JoinSet;

const CUTS: u64 = 240;
/// Of so many images one is given to a daemon.
const SERVED: u64 = 60;
const WORKERS: usize = 6;

/// What a daemon did, and when a provider billed a cent.
struct History {
    entries: Vec<Entry>,
    billed: Vec<u64>,
    policy: Policy,
}

impl History {
    /// By the crash after so many entries.
    fn billed_by(&self, entries: usize) -> i64 {
        let Some(at) = entries.checked_sub(1).map(|last| self.entries[last].nanos) else {
            return 0;
        };
        self.billed.iter().filter(|billed| **billed <= at).count() as i64 * CENT
    }
}

/// What a ledger has that can only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Grown {
    incarnations: i64,
    attempts: i64,
    decisions: i64,
    policies: i64,
    events: i64,
    granted: i64,
    used: i64,
}

impl Grown {
    fn of(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let count = |sql: &str| -> rusqlite::Result<i64> { connection.query_row(sql, [], |row| row.get(0)) };
        if count("SELECT count(*) FROM sqlite_schema WHERE name = 'fleet'")? == 0 {
            return Ok(Self::default());
        }
        Ok(Self {
            incarnations: count("SELECT count(*) FROM incarnations")?,
            attempts: count("SELECT count(*) FROM attempts")?,
            decisions: count("SELECT count(*) FROM decisions")?,
            policies: count("SELECT count(*) FROM policies")?,
            events: count("SELECT count(*) FROM outbox")?,
            granted: count("SELECT coalesce(sum(granted), 0) FROM leases")?,
            used: count("SELECT coalesce(sum(used), 0) FROM leases")?,
        })
    }

    fn has(&self, other: &Self) -> bool {
        let pairs = [
            (self.incarnations, other.incarnations),
            (self.attempts, other.attempts),
            (self.decisions, other.decisions),
            (self.policies, other.policies),
            (self.events, other.events),
            (self.granted, other.granted),
            (self.used, other.used),
        ];
        pairs.iter().all(|(mine, theirs)| mine >= theirs)
    }
}

fn request(worker: usize) -> Value {
    json!({"model": "chat", "max_tokens": 1_000, "stream": worker.is_multiple_of(2),
           "messages": [{"role": "user", "content": "Hello."}]})
}

/// Until so many came in all, or the daemon is gone.
fn load(to: SocketAddr) -> JoinSet<()> {
    let mut load = JoinSet::new();
    for worker in 0..WORKERS {
        load.spawn(async move {
            let team = format!("team=t{worker}");
            let call = || Call::chat(&request(worker)).header("x-planb-tags", &team);
            while let Ok(answer) = call().try_send(to).await {
                if answer.status != 200 {
                    return;
                }
            }
        });
    }
    load
}

/// A first start, load, an edit, a stop without warning, the start after it, a stop in order, and one more of both.
async fn history() -> History {
    let (upstream, sink) = (cents().await, Sink::start().await);
    let billed: Arc<Mutex<Vec<u64>>> = Arc::default();
    let (noted, whole) = (billed.clone(), answer("A whole cent of words", Usage::new(10, 1_000)));
    upstream.script(move |seen| -> Reply {
        noted.lock().unwrap().push(nanos_now());
        whole(seen)
    });
    let policy = |limit: u32| {
        Policy::one(&upstream)
            .budget("month", &format!("limit: {limit} USD, per: month, alert_at: [1%, 2%]"))
            .budget("teams", "limit: 90 USD, per: day, each: tag.team")
            .alert(&sink, "budget")
    };
    let home = Home::new(&policy(100));
    let disk = Disk::under(&home);
    let variables = disk.variables();
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut daemon = Daemon::start_with(home, &variables).await;
    for round in 1..=3 {
        let running = load(daemon.address());
        // The second round is long enough for the log to be brought into the file and begun anew.
        upstream
            .reached(upstream.count() + if round == 2 { 260 } else { 60 })
            .await;
        daemon.edit(&policy(100 + round)).await;
        upstream.reached(upstream.count() + 60).await;
        disk.stand_still().await;
        daemon.kill9();
        disk.go_on();
        running.join_all().await;
        daemon.restart().await;
        if round == 2 {
            daemon.chat(&request(1)).await.expect(200);
            daemon.sigterm().await;
            daemon.restart().await;
        }
    }
    daemon.sigterm().await;
    let billed = billed.lock().unwrap().clone();
    History {
        entries: disk.trace(),
        billed,
        policy: policy(100),
    }
}

fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

fn write(image: &Image, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for (name, bytes) in image {
        std::fs::write(to.join(name), bytes).unwrap();
    }
}

/// One crash, from its seed alone.
struct Cut<'h> {
    history: &'h History,
    seed: u64,
    /// After so many entries.
    at: usize,
    image: Image,
}

impl<'h> Cut<'h> {
    fn new(history: &'h History, seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let all = history.entries.len();
        // The first start makes every file, and is a small part of the whole.
        let at = match chance.below(8) {
            0 => chance.below(all.min(200) + 1),
            _ => chance.below(all + 1),
        };
        let loss = Loss::of(&mut chance);
        let image = Folder::after(&history.entries[..at]).cut(&loss, &mut chance);
        Self {
            history,
            seed,
            at,
            image,
        }
    }

    /// What is there for certain, and what the ledger in it has.
    fn floor(&self, known: &Mutex<HashMap<usize, Arc<(Image, Grown)>>>) -> Arc<(Image, Grown)> {
        let is_sync = |entry: &Entry| {
            use crate::support::disk::Done;
            matches!(entry.done, Done::Sync | Done::SyncFolder)
        };
        let last = self.history.entries[..self.at]
            .iter()
            .rposition(is_sync)
            .map_or(0, |at| at + 1);
        if let Some(found) = known.lock().unwrap().get(&last) {
            return found.clone();
        }
        let image = Folder::after(&self.history.entries[..last]).cut(&Loss::ALL, &mut Chance::new(0));
        let folder = folder();
        write(&image, folder.path());
        let ledger = folder.path().join(FILE_NAME);
        let grown = if ledger.exists() {
            Grown::of(&ledger).unwrap()
        } else {
            Grown::default()
        };
        let floor = Arc::new((image, grown));
        known.lock().unwrap().insert(last, floor.clone());
        floor
    }

    fn check(&self, floor: &(Image, Grown)) -> Result<(), String> {
        let (certain, least) = floor;
        for name in ["admin.token", "users.key"] {
            let found = self.image.get(name);
            if let Some(known) = certain.get(name)
                && found != Some(known)
            {
                return Err(format!("{name} was durable and has {:?} bytes", found.map(Vec::len)));
            }
            if least.attempts > 0 && !certain.contains_key(name) {
                return Err(format!("attempts are durable and {name} is not"));
            }
            let whole = if name == "users.key" { 32 } else { 64 };
            if found.is_some_and(|found| found.len() != whole) {
                return Err(format!("{name} has {:?} bytes", found.map(Vec::len)));
            }
        }
        let folder = folder();
        write(&self.image, folder.path());
        self.open(&folder.path().join(FILE_NAME), least)
    }

    fn open(&self, path: &Path, least: &Grown) -> Result<(), String> {
        let billed = self.history.billed_by(self.at);
        let found = if path.exists() {
            Grown::of(path).map_err(|error| error.to_string())?
        } else {
            Grown::default()
        };
        if !found.has(least) {
            return Err(format!("{least:?} was durable, {found:?} is there"));
        }
        let (ledger, _) = Ledger::open(path, jiff::Timestamp::now()).map_err(|error| error.to_string())?;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(ledger.close()).map_err(|error| error.to_string())?;
        for proof in verify(path).map_err(|error| error.to_string())? {
            if !proof.broken.is_empty() {
                return Err(format!("{proof:?}"));
            }
        }
        self.count(&Connection::open(path).unwrap(), billed)
    }

    /// Nothing billed is missing, and what was counted beyond is what leases had left.
    fn count(&self, connection: &Connection, billed: i64) -> Result<(), String> {
        let ask = |sql: &str| -> i64 { connection.query_row(sql, [], |row| row.get(0)).unwrap() };
        let of_month = "FROM accounts a JOIN pools p ON p.id = a.pool WHERE p.budget = 'month'";
        let posted = ask(&format!("SELECT coalesce(sum(a.posted), 0) {of_month}"));
        let held = ask(&format!("SELECT coalesce(sum(a.held), 0) {of_month}"));
        let leases = ask(
            "SELECT coalesce(sum(l.unaccounted), 0) FROM leases l JOIN pools p ON p.id = l.pool WHERE p.budget = 'month'",
        );
        let open = ask("SELECT coalesce(sum(amount), 0) FROM attempts WHERE ended = 'held'");
        if posted + held < billed {
            return Err(format!("{billed} billed, {posted} posted and {held} held"));
        }
        if posted > billed || held != leases + open {
            return Err(format!(
                "{billed} billed, {posted} posted; {held} held, of leases {leases}, of attempts {open}"
            ));
        }
        Ok(())
    }

    /// A daemon makes the best of it too.
    async fn serve(&self) {
        let home = Home::new(&self.history.policy);
        write(&self.image, &home.state());
        let daemon = Daemon::start_in(home, &[]).await;
        let books = daemon.budget("month").await;
        let billed = self.history.billed_by(self.at);
        assert!(
            books.spent() >= billed,
            "seed {}: {books:?}, {billed} billed",
            self.seed
        );
        assert_eq!(daemon.admin_token().len(), 64, "seed {}", self.seed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_power_cut_leaves_the_ledger_opens_adds_up_and_has_what_was_durable_and_billed() {
    let read = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let history = history().await;
    let seeds = match read("PLANB_POWER_CUT") {
        Some(seed) => seed..seed + 1,
        None => 0..read("PLANB_POWER_CUTS").unwrap_or(CUTS),
    };
    let (next, floors, broken) = (AtomicU64::new(seeds.start), Mutex::default(), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let cut = Cut::new(&history, seed);
                    if let Err(why) = cut.check(&cut.floor(&floors)) {
                        broken
                            .lock()
                            .unwrap()
                            .push(format!("seed {seed}, after {} entries: {why}", cut.at));
                    }
                }
            });
        }
    });
    let broken = broken.into_inner().unwrap();
    let all = history.entries.len();
    assert!(
        broken.is_empty(),
        "{} of {seeds:?} over {all} entries: {broken:#?}",
        broken.len()
    );
    for seed in seeds.clone().step_by(SERVED as usize) {
        Cut::new(&history, seed).serve().await;
    }
    eprintln!(
        "{} power cuts over {all} writes, syncs, cuts and renames",
        seeds.end - seeds.start
    );
}
