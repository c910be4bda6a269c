//! The real binary as a process, with its policy and state in a folder of its own. Killed when dropped; what it wrote
//! to standard error is shown when the test fails.

use super::{Answer, Call, Home, Policy, nanos, until};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, Once};
use tokio::sync::oneshot;

const READY: &str = "planb: listening on http://";

/// The user whom a machine's files do not belong to.
const NOBODY: u32 = 65_534;

struct Process {
    child: Child,
    address: SocketAddr,
}

pub struct Daemon {
    pub home: Home,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    /// The binary, and as whom it runs, where that is somebody else.
    other: Option<(PathBuf, u32)>,
    process: Option<Process>,
    stderr: Arc<Mutex<String>>,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop_hard();
        if std::thread::panicking() {
            let said = self.said();
            let from = said.char_indices().rev().nth(6_000).map_or(0, |(at, _)| at);
            eprintln!("--- the daemon said ---\n{}\n---", &said[from..]);
        }
    }
}

impl Daemon {
    /// Serves this policy; returns once it listens.
    pub async fn start(policy: &Policy) -> Self {
        Self::start_in(Home::new(policy), &[]).await
    }

    /// Serves the policy file of `home`, with more arguments.
    pub async fn start_in(home: Home, more: &[&str]) -> Self {
        let policy = home.policy();
        Self::start_on(home, &policy, more).await
    }

    /// Serves the policy file of `home`, with more environment variables.
    pub async fn start_with(home: Home, variables: &[(&str, &str)]) -> Self {
        let policy = home.policy();
        Self::start_in_world(home, &policy, &[], variables).await
    }

    /// As a user who may not read everything: the tests' own, or nobody where that is root.
    pub async fn start_unprivileged(home: Home) -> Self {
        let policy = home.policy();
        // SAFETY: it asks for a number and fails never.
        let root = unsafe { libc::geteuid() } == 0;
        let other = root.then(|| home.belongs_to(NOBODY));
        let mut daemon = Self::in_world(home, &policy, &[], &[]);
        daemon.other = other;
        daemon.launch().await;
        daemon
    }

    pub async fn start_on(home: Home, policy: &Path, more: &[&str]) -> Self {
        Self::start_in_world(home, policy, more, &[]).await
    }

    /// As [`Daemon::start_with`] where it may be that nothing starts: then the folder, and what was said.
    pub async fn try_start_with(home: Home, variables: &[(&str, &str)]) -> Result<Self, (Home, String)> {
        let policy = home.policy();
        let mut daemon = Self::in_world(home, &policy, &[], variables);
        match daemon.try_launch().await {
            Ok(()) => Ok(daemon),
            Err(said) => {
                let nowhere = Home::nowhere();
                Err((std::mem::replace(&mut daemon.home, nowhere), said))
            }
        }
    }

    async fn start_in_world(home: Home, policy: &Path, more: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut daemon = Self::in_world(home, policy, more, variables);
        daemon.launch().await;
        daemon
    }

    fn in_world(home: Home, policy: &Path, more: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut arguments = vec!["--policy".to_owned(), policy.display().to_string()];
        arguments.extend(["--state".to_owned(), home.state().display().to_string()]);
        if !more.contains(&"--listen") {
            arguments.extend(["--listen".to_owned(), "127.0.0.1:0".to_owned()]);
        }
        arguments.extend(more.iter().map(|&word| word.to_owned()));
        Self {
            home,
            arguments,
            variables: variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            other: None,
            process: None,
            stderr: Arc::default(),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.process.as_ref().expect("the daemon runs").address
    }

    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("the daemon runs").child.id()
    }

    /// Everything on standard error so far, over all restarts.
    pub fn said(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    pub fn kill9(&mut self) {
        self.stop_hard();
    }

    pub fn sighup(&self) {
        self.signal(libc::SIGHUP);
    }

    /// Asks it to stop.
    pub fn ask_to_stop(&self) {
        self.signal(libc::SIGTERM);
    }

    /// Asks it to stop and waits until it has, in order.
    pub async fn sigterm(&mut self) {
        self.ask_to_stop();
        let mut process = self.process.take().expect("the daemon runs");
        let status = until("the daemon stopped", || {
            let state = process.child.try_wait().unwrap();
            async move { state.ok_or("still running".to_owned()) }
        })
        .await;
        assert!(status.success(), "{status}: {}", self.said());
    }

    /// Starts again on the same state and policy; on another port unless one was given.
    pub async fn restart(&mut self) {
        self.stop_hard();
        self.launch().await;
    }

    pub async fn chat(&self, body: &Value) -> Answer {
        Call::chat(body).send(self.address()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        Call::get(path).send(self.address()).await
    }

    pub async fn json(&self, path: &str) -> Value {
        self.get(path).await.expect(200).json()
    }

    /// Waits until what `path` answers satisfies `holds`.
    pub async fn when(&self, path: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let holds = &holds;
        until(what, || async move {
            let value = self.json(path).await;
            if holds(&value) {
                Ok(value)
            } else {
                Err(value.to_string())
            }
        })
        .await
    }

    /// Waits until so many requests are under way.
    pub async fn in_flight(&self, count: usize) {
        self.gauge("planb_in_flight", count).await;
    }

    /// Waits until a metric, written with its labels, has this value.
    pub async fn gauge(&self, name: &str, value: impl std::fmt::Display) {
        let line = format!("{name} {value}");
        until(&line, || async {
            let text = self.get("/metrics").await.text();
            if text.lines().any(|known| known == line) {
                Ok(())
            } else {
                Err(text.lines().filter(|known| known.contains(name)).collect())
            }
        })
        .await;
    }

    /// Waits until nothing is under way.
    pub async fn settled_streams(&self) {
        self.in_flight(0).await;
    }

    pub async fn status(&self) -> Value {
        self.json("/planb/status").await
    }

    /// The decision that made this answer.
    pub async fn decision(&self, answer: &Answer) -> Value {
        let id = answer
            .header("x-planb-decision")
            .expect("the answer names its decision");
        let path = format!("/planb/decisions/{id}");
        until("the decision is recorded", || {
            let path = path.clone();
            async move {
                let found = self.get(&path).await;
                if found.status == 200 {
                    Ok(found.json())
                } else {
                    Err(found.text())
                }
            }
        })
        .await
    }

    /// The books of a budget, all of its keys added up.
    pub async fn budget(&self, name: &str) -> Books {
        Books::read(&self.json("/planb/budgets").await, name)
    }

    /// The books of a budget once nothing is reserved any more.
    pub async fn settled(&self, name: &str) -> Books {
        let path = "/planb/budgets";
        let idle = self
            .when(path, "every reservation has ended", |value| {
                Books::read(value, name).reserved == 0
            })
            .await;
        Books::read(&idle, name)
    }

    /// The books of a budget once so much is posted: a new one is first rebuilt from the ledger.
    pub async fn posted(&self, name: &str, nanos: i64) -> Books {
        let what = format!("{nanos} nano-units are posted to {name}");
        let found = self
            .when("/planb/budgets", &what, |value| {
                let books = Books::read(value, name);
                books.posted == nanos && books.reserved == 0
            })
            .await;
        Books::read(&found, name)
    }

    /// Whether a plan is active, from `/planb/plans`.
    pub async fn plan(&self, name: &str) -> Value {
        named(&self.json("/planb/plans").await["plans"], name)
    }

    pub async fn when_plan(&self, name: &str, active: bool) -> Value {
        let holds = |value: &Value| named(&value["plans"], name)["active"] == active;
        let what = format!("plan {name} is {}", if active { "active" } else { "released" });
        named(&self.when("/planb/plans", &what, holds).await["plans"], name)
    }

    pub async fn policy_hash(&self) -> String {
        self.status().await["policy"]["hash"].as_str().unwrap().to_owned()
    }

    /// Replaces the policy and waits until it is in force. Nobody can see a half of it.
    pub async fn edit(&self, policy: &Policy) {
        let before = self.policy_hash().await;
        self.home.replace(policy);
        self.when("/planb/status", "the edit is in force", |status| {
            status["policy"]["hash"] != before.as_str()
        })
        .await;
    }

    pub fn admin_token(&self) -> String {
        std::fs::read_to_string(self.home.state().join("admin.token"))
            .unwrap()
            .trim()
            .to_owned()
    }

    /// Runs `planb ARGUMENTS --state STATE`.
    pub fn cli(&self, arguments: &[&str]) -> Output {
        let state = self.home.state().display().to_string();
        run(&[arguments, &["--state", &state]].concat())
    }

    /// The SQLite file in the state directory, opened for reading.
    pub fn ledger(&self) -> rusqlite::Connection {
        let files = std::fs::read_dir(self.home.state())
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let is_sqlite = |path: &PathBuf| {
            path.is_file() && std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3\0"))
        };
        let path = files
            .into_iter()
            .find(is_sqlite)
            .expect("a SQLite file in the state directory");
        rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
    }

    /// What a budget's leases have left by the ledger's file, in nano-units: all that a crash may over-count.
    pub fn outstanding(&self, budget: &str) -> i64 {
        let sql = "SELECT coalesce(sum(max(l.granted - l.used, 0)), 0) FROM leases l JOIN pools p ON p.id = l.pool
                   WHERE p.budget = ?1 AND l.ended_at IS NULL";
        self.ledger().query_row(sql, [budget], |row| row.get(0)).unwrap()
    }

    fn signal(&self, signal: i32) {
        // SAFETY: signals a child that this value owns and has not reaped.
        assert_eq!(unsafe { libc::kill(self.pid() as i32, signal) }, 0);
    }

    fn stop_hard(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.child.kill();
            let _ = process.child.wait();
        }
    }

    async fn launch(&mut self) {
        if let Err(said) = self.try_launch().await {
            panic!("the daemon did not start: {said}");
        }
    }

    async fn try_launch(&mut self) -> Result<(), String> {
        let mut serve = match &self.other {
            None => command(&["serve"]),
            Some((program, user)) => {
                let mut serve = prepared(Command::new(program), &["serve"]);
                serve.uid(*user).gid(*user);
                serve
            }
        };
        let mut child = serve
            .args(&self.arguments)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (ready, listens) = oneshot::channel();
        let (stderr, said) = (child.stderr.take().unwrap(), self.stderr.clone());
        std::thread::spawn(move || keep_lines(BufReader::new(stderr), &said, ready));
        let heard = tokio::time::timeout(super::PATIENCE, listens).await;
        let Ok(Ok(address)) = heard else {
            let _ = child.kill();
            return Err(format!("{:?}\n{}", child.wait(), self.said()));
        };
        self.process = Some(Process { child, address });
        Ok(())
    }
}

/// One budget's books in nano-units, its keys added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Books {
    pub limit: i64,
    pub posted: i64,
    pub reserved: i64,
    pub held: i64,
}

impl Books {
    pub fn spent(&self) -> i64 {
        self.posted + self.held
    }

    fn read(answer: &Value, name: &str) -> Self {
        let rows = answer["budgets"].as_array().expect("budgets");
        let amount = |row: &Value, field: &str| nanos(row[field].as_str().expect("money is a decimal string"));
        let mine = rows.iter().filter(|row| row["name"] == name);
        mine.fold(Self::default(), |sum, row| Self {
            limit: amount(row, "limit"),
            posted: sum.posted + amount(row, "posted"),
            reserved: sum.reserved + amount(row, "reserved"),
            held: sum.held + amount(row, "held"),
        })
    }
}

/// The element of a list whose `name` it is.
pub fn named(list: &Value, name: &str) -> Value {
    let found = list
        .as_array()
        .and_then(|list| list.iter().find(|one| one["name"] == name));
    found.unwrap_or_else(|| panic!("no {name} in {list}")).clone()
}

/// Runs the binary to its end.
pub fn run(arguments: &[&str]) -> Output {
    command(arguments).stdin(Stdio::null()).output().unwrap()
}

fn command(arguments: &[&str]) -> Command {
    static FILES: Once = Once::new();
    FILES.call_once(allow_many_files);
    prepared(Command::new(env!("CARGO_BIN_EXE_planb")), arguments)
}

/// In no surroundings of the tests' own.
fn prepared(mut command: Command, arguments: &[&str]) -> Command {
    let proxies = [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ];
    for name in proxies.into_iter().chain([
        "PLANB_POLICY",
        "PLANB_LISTEN",
        "PLANB_STATE",
        "PLANB_LEDGER",
        "PLANB_FLEET",
        "PLANB_KEEP",
        "PGPASSWORD",
    ]) {
        command.env_remove(name);
    }
    command.args(arguments);
    command
}

/// Five hundred clients and as many upstream connections live in this one process.
fn allow_many_files() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls get a valid pointer to a local value.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max.min(65_536);
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}

fn keep_lines(stderr: impl BufRead, said: &Mutex<String>, ready: oneshot::Sender<SocketAddr>) {
    let mut ready = Some(ready);
    for line in stderr.lines().map_while(Result::ok) {
        if let Some((_, url)) = line.split_once(READY) {
            let address = url.trim().trim_end_matches('/').parse();
            if let (Ok(address), Some(ready)) = (address, ready.take()) {
                let _ = ready.send(address);
            }
        }
        let mut said = said.lock().unwrap();
        said.push_str(&line);
        said.push('\n');
    }
}
