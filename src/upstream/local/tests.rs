//! Real processes: a small Python HTTP server stands for the local model's server.

use super::*;
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// Writes its process id into `pids`, serves `/health`, and misbehaves as its second argument says.
const SERVER: &str = r#"
import http.server, os, signal, subprocess, sys, time
port, mode = int(sys.argv[1]), sys.argv[2]
def note(pid):
    with open("pids", "a") as pids:
        pids.write(f"{pid}\n")
note(os.getpid())
print("loading weights", flush=True)
if mode == "broken":
    print("no such model", file=sys.stderr, flush=True)
    sys.exit(7)
if mode == "mute":
    time.sleep(1000)
if mode == "family":
    note(subprocess.Popen(["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]).pid)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/crash":
            os._exit(9)
        body = "\n".join(f"{k}={v}" for k, v in os.environ.items()).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"#;

/// Set for the process that plays a planb which is killed.
const VICTIM: &str = "PLANB_TEST_VICTIM";

struct Bench {
    folder: tempfile::TempDir,
    port: u16,
    servers: LocalServers,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("server.py"), SERVER).unwrap();
        let servers = LocalServers::new(folder.path().join("state"), Arc::new(Connections::new().unwrap()));
        let port = free_port();
        Self { folder, port, servers }
    }

    fn spec(&self, mode: &str) -> LocalSpec {
        spec(self.folder.path(), self.port, mode, Duration::from_secs(60))
    }

    async fn wait(&self) -> Result<(), NotReady> {
        self.servers
            .wait_ready("home", Instant::now() + Duration::from_secs(60))
            .await
    }

    fn pids(&self) -> Vec<u32> {
        read_pids(self.folder.path())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("state/local/home.log")).unwrap()
    }

    async fn get(&self, path: &str) -> Option<String> {
        let url = format!("http://127.0.0.1:{}{path}", self.port).parse().unwrap();
        let request = self
            .servers
            .connections
            .web(false)
            .request(reqwest::Method::GET, url)
            .unwrap();
        request.send().await.ok()?.text().await.ok()
    }
}

fn spec(folder: &std::path::Path, port: u16, mode: &str, ready: Duration) -> LocalSpec {
    let command = ["python3", "server.py", &port.to_string(), mode]
        .map(str::to_owned)
        .to_vec();
    LocalSpec {
        provider: "home".into(),
        start: Start {
            command,
            directory: folder.to_owned(),
            env: vec![("PLANB_TEST_GIVEN".into(), "by the policy".into())],
            ready,
        },
        health_url: format!("http://127.0.0.1:{port}/health"),
        allow_private: false,
    }
}

fn read_pids(folder: &std::path::Path) -> Vec<u32> {
    let text = std::fs::read_to_string(folder.join("pids")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

/// Nobody listens there, and the system hands it to none of the other tests' sockets.
fn free_port() -> u16 {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(193);
    loop {
        let at = start.wrapping_add(NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let port = u16::try_from(12_000 + at % 20_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A process that nobody has reaped yet is gone all the same.
fn gone(pid: u32) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat
            .rsplit(')')
            .next()
            .is_some_and(|rest| rest.trim_start().starts_with('Z')),
        Err(_) => true,
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < patience, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_needed_server_is_started_once_and_stopped_with_us() {
    let bench = Bench::new();
    bench
        .servers
        .sync(vec![bench.spec("plain")], &["PATH_TO_NOWHERE".into(), "HOME".into()]);
    assert_eq!(bench.servers.state("home"), Some(LocalState::Cold));
    let (one, two) = tokio::join!(bench.wait(), bench.wait());
    assert_eq!((one, two), (Ok(()), Ok(())));
    assert!(matches!(
        bench.servers.state("home"),
        Some(LocalState::Ready { adopted: false, .. })
    ));
    assert_eq!(bench.pids().len(), 1);
    assert!(bench.log().contains("loading weights"));

    let environment = bench.get("/environment").await.unwrap();
    let state = format!("PLANB_STATE={}", bench.folder.path().join("state").display());
    assert!(environment.lines().any(|line| line == state), "{environment}");
    assert!(
        !environment.lines().any(|line| line.starts_with("HOME=")),
        "withheld variables stay here"
    );

    bench.servers.shutdown().await;
    assert!(gone(bench.pids()[0]));
    assert_eq!(bench.servers.state("home"), None);
    assert_eq!(bench.wait().await, Err(NotReady::NotOurs));
}

#[tokio::test]
async fn a_crashed_server_is_cold_and_started_again_at_the_next_need() {
    let bench = Bench::new();
    bench.servers.sync(vec![bench.spec("plain")], &[]);
    bench.wait().await.unwrap();
    bench.get("/crash").await;
    until("the crash is seen", || {
        bench.servers.state("home") == Some(LocalState::Cold)
    })
    .await;
    bench.wait().await.unwrap();
    assert_eq!(bench.pids().len(), 2);
    bench.servers.shutdown().await;
}

#[tokio::test]
async fn a_server_that_cannot_start_says_why() {
    let bench = Bench::new();
    let began = Instant::now();
    bench.servers.sync(vec![bench.spec("broken")], &[]);
    let Err(NotReady::Failed { why, retry_at }) = bench.wait().await else {
        panic!("it must fail")
    };
    assert_eq!(why.as_ref(), "it ended with exit code 7; its last line: no such model");
    assert!(retry_at > began, "it waits before the next try");
    bench.servers.ensure("home");
    let state = bench.servers.state("home");
    assert!(matches!(state, Some(LocalState::Failed { .. })) || Instant::now() >= retry_at);

    let mut absent = bench.spec("plain");
    absent.start.command = vec!["./no-such-server".into()];
    bench.servers.sync(vec![absent], &[]);
    let Err(NotReady::Failed { why, .. }) = bench.wait().await else {
        panic!("it must fail")
    };
    assert!(why.starts_with("./no-such-server cannot be started: "), "{why}");
    bench.servers.shutdown().await;
}

#[tokio::test]
async fn a_server_that_is_too_slow_is_stopped() {
    let bench = Bench::new();
    let slow = spec(bench.folder.path(), bench.port, "mute", Duration::from_secs(2));
    bench.servers.sync(vec![slow], &[]);
    let Err(NotReady::Failed { why, .. }) = bench.wait().await else {
        panic!("it must fail")
    };
    assert!(why.ends_with("did not answer within 2s"), "{why}");
    // Before it came to write its id, perhaps.
    assert!(bench.pids().into_iter().all(gone));
    bench.servers.shutdown().await;
}

#[tokio::test]
async fn who_waits_too_short_hears_the_last_line() {
    let bench = Bench::new();
    bench.servers.sync(vec![bench.spec("mute")], &[]);
    bench.servers.ensure("home");
    let printed = || {
        bench
            .servers
            .state("home")
            .is_some_and(|state| state.line().as_ref() == "loading weights")
    };
    until("the line is seen", printed).await;
    let waited = bench.servers.wait_ready("home", Instant::now()).await;
    assert_eq!(
        waited,
        Err(NotReady::Deadline {
            line: "loading weights".into()
        })
    );
    bench.servers.shutdown().await;
    assert!(gone(bench.pids()[0]));
}

#[tokio::test]
async fn a_healthy_server_on_the_port_is_adopted_and_left_alone() {
    let bench = Bench::new();
    let mut theirs = start_by_hand(&bench).await;
    bench.servers.sync(vec![bench.spec("plain")], &[]);
    bench.wait().await.unwrap();
    assert!(matches!(
        bench.servers.state("home"),
        Some(LocalState::Ready { adopted: true, .. })
    ));
    assert_eq!(bench.pids(), theirs.id().into_iter().collect::<Vec<_>>());
    theirs.kill().await.unwrap();
    until("its end is seen", || {
        bench.servers.state("home") == Some(LocalState::Cold)
    })
    .await;

    let mut theirs = start_by_hand(&bench).await;
    bench.wait().await.unwrap();
    bench.servers.shutdown().await;
    assert!(!gone(theirs.id().unwrap()));
    theirs.kill().await.unwrap();
}

async fn start_by_hand(bench: &Bench) -> Child {
    let mut command = Command::new("python3");
    command
        .args(["server.py", &bench.port.to_string(), "plain"])
        .current_dir(bench.folder.path());
    let child = command.kill_on_drop(true).spawn().unwrap();
    until("their server listens", || {
        TcpStream::connect(("127.0.0.1", bench.port)).is_ok()
    })
    .await;
    child
}

#[tokio::test]
async fn a_reload_keeps_the_same_restarts_the_changed_and_stops_the_vanished() {
    let bench = Bench::new();
    bench.servers.sync(vec![bench.spec("plain")], &[]);
    bench.wait().await.unwrap();
    bench.servers.sync(vec![bench.spec("plain")], &[]);
    bench.wait().await.unwrap();
    assert_eq!(bench.pids().len(), 1);

    bench.servers.sync(vec![bench.spec("other")], &[]);
    bench.wait().await.unwrap();
    assert_eq!(bench.pids().len(), 2);
    assert!(gone(bench.pids()[0]));

    bench.servers.sync(vec![], &[]);
    until("the server is stopped", || gone(bench.pids()[1])).await;
    bench.servers.shutdown().await;
}

#[tokio::test]
async fn the_whole_group_ends_even_where_it_ignores_the_request() {
    let bench = Bench::new();
    bench.servers.sync(vec![bench.spec("family")], &[]);
    bench.wait().await.unwrap();
    assert_eq!(bench.pids().len(), 2);
    bench.servers.shutdown().await;
    until("all of them are gone", || bench.pids().into_iter().all(gone)).await;
}

#[tokio::test]
async fn a_killed_planb_takes_its_server_along() {
    let bench = Bench::new();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "upstream::local::tests::plays_a_planb_that_is_killed"])
        .env(VICTIM, format!("{}:{}", bench.port, bench.folder.path().display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    until("the server runs", || {
        TcpStream::connect(("127.0.0.1", bench.port)).is_ok()
    })
    .await;
    victim.kill().await.unwrap();
    until("the server is gone", || gone(bench.pids()[0])).await;
}

/// Does its part only in the process that the test above starts.
#[tokio::test]
async fn plays_a_planb_that_is_killed() {
    let Ok(orders) = std::env::var(VICTIM) else { return };
    let (port, folder) = orders.split_once(':').unwrap();
    let servers = LocalServers::new(format!("{folder}/state").into(), Arc::new(Connections::new().unwrap()));
    let spec = spec(folder.as_ref(), port.parse().unwrap(), "plain", Duration::from_secs(60));
    servers.sync(vec![spec], &[]);
    servers.ensure("home");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn an_idle_server_rests_unless_it_is_used_or_kept_and_starts_again_when_it_is_needed() {
    let bench = Bench::new();
    bench.servers.sync(vec![bench.spec("good")], &[]);
    bench.wait().await.unwrap();
    let used = bench.servers.occupy("home").unwrap();
    bench.servers.rest_after("home", Duration::ZERO);
    assert!(
        matches!(bench.servers.state("home"), Some(LocalState::Ready { .. })),
        "in use"
    );
    drop(used);
    bench.servers.keep("home");
    bench.servers.rest_after("home", Duration::from_secs(600));
    assert!(
        matches!(bench.servers.state("home"), Some(LocalState::Ready { .. })),
        "used lately"
    );
    bench.servers.rest_after("home", Duration::ZERO);
    let first = bench.pids()[0];
    until("it has stopped", || gone(first)).await;
    bench.wait().await.unwrap();
    assert_eq!(bench.pids().len(), 2);
    assert!(bench.servers.occupy("home").unwrap().is_some());
    bench.servers.shutdown().await;
}

#[tokio::test]
async fn a_server_that_is_kept_is_started_without_being_asked_for() {
    let bench = Bench::new();
    bench.servers.sync(vec![bench.spec("good")], &[]);
    bench.servers.keep("home");
    until("it is ready", || {
        matches!(bench.servers.state("home"), Some(LocalState::Ready { .. }))
    })
    .await;
    assert!(bench.get("/").await.unwrap().contains("PLANB_TEST_GIVEN=by the policy"));
    bench.servers.shutdown().await;
}
