//! Local servers on demand: started when needed, one at a time, and never left behind.

use crate::support::{Call, Daemon, LICENSED, Policy, Price, Upstream, fault, free_port, until};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A small server with a health path, a listing and one answer. It writes its process id beside itself, one a line.
const SERVER: &str = r#"#!/usr/bin/env python3
import http.server, json, os, sys, time
port = int(sys.argv[sys.argv.index("--port") + 1])
with open("started", "a") as started:
    started.write(f"{os.getpid()}\n")
print("the stub speaks on standard output", flush=True)
print("the stub speaks on standard error", file=sys.stderr, flush=True)
time.sleep(float(os.environ.get("STUB_DELAY", "0.5")))
while os.environ.get("STUB_GATE") and not os.path.exists("go"):
    time.sleep(0.02)

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.answer({"status": "ok", "object": "list", "data": [{"id": "stub", "object": "model"}]})
    def stream(self):
        chunk = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "stub"}
        pieces = [({"content": "warm"}, None), ({}, "stop")]
        events = [{**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": end}]} for delta, end in pieces]
        body = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))))
        if asked.get("stream"):
            return self.stream()
        self.answer({"id": "x", "object": "chat.completion", "created": 1, "model": "stub",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": f"pid {os.getpid()}"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}})
    def log_message(self, *args):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"#;

fn hello() -> Value {
    json!({"model": "chat", "max_tokens": 50, "messages": [{"role": "user", "content": "Say hello."}]})
}

/// Only the local model, or a hosted one before it.
fn policy(port: u16, hosted: Option<&Upstream>) -> Policy {
    let start = format!("start: {{command: [./serve-stub, --port, \"{port}\"], ready: 60s}}");
    let local = Policy::new()
        .provider_line(
            "home",
            &format!("vendor: llama.cpp, base_url: \"http://127.0.0.1:{port}\", {start}"),
        )
        .model_line(
            "tiny",
            "provider: home, name: stub, supply: local, quality: 20, context: 8k",
        );
    match hosted {
        None => local.route("name: chat, try: [tiny]"),
        Some(upstream) => {
            let hosted = local
                .provider(upstream, "breaker: none, cooldown: none")
                .model("first", upstream, LICENSED);
            hosted
                .route("name: chat, try: [first, tiny]")
                .route("name: home, try: [tiny]")
        }
    }
}

async fn start(policy: &Policy) -> Daemon {
    let home = crate::support::Home::new(policy);
    put_server(&home.folder());
    Daemon::start_in(home, &[]).await
}

fn put_server(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join("serve-stub");
    std::fs::write(&path, SERVER).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn started(daemon: &Daemon) -> Vec<i32> {
    let text = std::fs::read_to_string(daemon.home.folder().join("started")).unwrap_or_default();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

/// Runs, that is: is there and no zombie.
fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ")
        .next()
        .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

async fn is_gone(pid: i32) {
    until("the local server is gone", || async move {
        if is_alive(pid) {
            Err(format!("{pid} lives"))
        } else {
            Ok(())
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_has_nothing_else_waits_for_the_cold_server() {
    let mut daemon = start(&policy(free_port(), None)).await;
    let answer = daemon.chat(&hello()).await.expect(200);
    let pids = started(&daemon);
    assert_eq!(pids.len(), 1, "{pids:?}");
    assert_eq!(answer.content(), format!("pid {}", pids[0]));
    assert_eq!(answer.header("x-planb-model"), Some("tiny"));
    let logs = text_below(&daemon.home.state());
    for line in [
        "the stub speaks on standard output",
        "the stub speaks on standard error",
    ] {
        assert!(logs.contains(line), "no {line:?} in the state directory");
    }
    daemon.sigterm().await;
    is_gone(pids[0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_waits_for_a_cold_server_hears_heartbeats() {
    let port = free_port();
    let start_words =
        format!("start: {{command: [./serve-stub, --port, \"{port}\"], ready: 60s, env: {{STUB_GATE: \"1\"}}}}");
    let policy = Policy::new()
        .provider_line(
            "home",
            &format!("vendor: llama.cpp, base_url: \"http://127.0.0.1:{port}\", {start_words}"),
        )
        .model_line("tiny", "provider: home, name: stub, supply: local, context: 8k")
        .route("name: chat, try: [tiny], heartbeat: 1s");
    let daemon = start(&policy).await;
    let mut asked = hello();
    asked["stream"] = true.into();
    let mut open = Call::chat(&asked).open(daemon.address()).await.unwrap();
    open.until_heard(": heartbeat").await;
    std::fs::write(daemon.home.folder().join("go"), "").unwrap();
    let heard = open.rest().await.heard();
    assert!(heard.done && heard.text() == "warm", "{heard:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_first_requests_start_one_server() {
    let daemon = start(&policy(free_port(), None)).await;
    let to = daemon.address();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..20 {
        calls.spawn(async move { crate::support::Call::chat(&hello()).send(to).await.status });
    }
    assert!(calls.join_all().await.iter().all(|&status| status == 200));
    assert_eq!(started(&daemon).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_needed_is_not_started() {
    let hosted = Upstream::start("alpha", Price::LIST).await;
    let daemon = start(&policy(free_port(), Some(&hosted))).await;
    for _ in 0..5 {
        assert_eq!(
            daemon.chat(&hello()).await.expect(200).header("x-planb-model"),
            Some("first")
        );
    }
    assert_eq!(started(&daemon), [0_i32; 0]);
    let cold = crate::support::daemon::named(&daemon.status().await["providers"], "home");
    assert_eq!(cold["state"], "cold");
    hosted.always(fault::error(500, "server_error", &[]));
    assert_eq!(
        daemon.chat(&hello()).await.expect(200).header("x-planb-model"),
        Some("tiny")
    );
    assert_eq!(started(&daemon).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_server_on_the_port_is_adopted_and_left_running() {
    let port = free_port();
    let folder = tempfile::tempdir().unwrap();
    put_server(folder.path());
    let mut own = Stub::start(folder.path(), port);
    until("the test's own server is healthy", || async move {
        let to = ([127, 0, 0, 1], port).into();
        crate::support::Call::get("/health").try_send(to).await.map(|_| ())
    })
    .await;
    let mut daemon = start(&policy(port, None)).await;
    let answer = daemon.chat(&hello()).await.expect(200);
    assert_eq!(answer.content(), format!("pid {}", own.0.id()));
    assert_eq!(started(&daemon), [0_i32; 0]);
    daemon.sigterm().await;
    assert!(own.0.try_wait().unwrap().is_none(), "the adopted server goes on");
}

struct Stub(Child);

impl Stub {
    fn start(folder: &Path, port: u16) -> Self {
        let mut command = Command::new(folder.join("serve-stub"));
        command
            .current_dir(folder)
            .args(["--port", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_does_not_outlive_a_killed_daemon() {
    let mut daemon = start(&policy(free_port(), None)).await;
    daemon.chat(&hello()).await.expect(200);
    let pids = started(&daemon);
    assert!(is_alive(pids[0]));
    daemon.kill9();
    is_gone(pids[0]).await;
    daemon.restart().await;
    daemon.chat(&hello()).await.expect(200);
    assert_eq!(started(&daemon).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_is_started_again() {
    let daemon = start(&policy(free_port(), None)).await;
    daemon.chat(&hello()).await.expect(200);
    let first = started(&daemon)[0];
    // SAFETY: signals the stub that this test had started.
    assert_eq!(unsafe { libc::kill(first, libc::SIGKILL) }, 0);
    is_gone(first).await;
    let second = until("a new server answers", || async {
        let answer = daemon.chat(&hello()).await;
        if answer.status == 200 {
            Ok(answer.content())
        } else {
            Err(answer.text())
        }
    })
    .await;
    assert_ne!(second, format!("pid {first}"));
    assert_eq!(started(&daemon).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_cannot_run_is_said_and_does_not_stop_the_daemon() {
    let hosted = Upstream::start("alpha", Price::LIST).await;
    let daemon = Daemon::start(&policy(free_port(), Some(&hosted))).await;
    let mut request = hello();
    request["model"] = "home".into();
    let answer = daemon.chat(&request).await;
    assert!(answer.status >= 500, "{}", answer.text());
    until("the log names the command", || async {
        daemon
            .said()
            .contains("serve-stub")
            .then_some(())
            .ok_or_else(|| daemon.said())
    })
    .await;
    assert_eq!(
        daemon.chat(&hello()).await.expect(200).header("x-planb-model"),
        Some("first")
    );
}

/// All text files below a folder, one after another.
fn text_below(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text.push_str(&text_below(&path));
        } else if let Ok(more) = std::fs::read_to_string(&path) {
            text.push_str(&more);
        }
    }
    text
}

/// A local server with more words in its `start`, behind a hosted model.
fn started_with(port: u16, hosted: &Upstream, words: &str) -> Policy {
    let start = format!("start: {{command: [./serve-stub, --port, \"{port}\"], ready: 60s, {words}}}");
    Policy::new()
        .provider_line(
            "home",
            &format!("vendor: llama.cpp, base_url: \"http://127.0.0.1:{port}\", {start}"),
        )
        .model_line(
            "tiny",
            "provider: home, name: stub, supply: local, quality: 20, context: 8k",
        )
        .provider(hosted, "")
        .model("first", hosted, LICENSED)
        .route("name: chat, try: [first]")
        .route("name: home, try: [tiny]")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_server_is_stopped_and_started_again_at_the_next_need() {
    let hosted = Upstream::start("alpha", Price::LIST).await;
    let daemon = start(&started_with(free_port(), &hosted, "idle: 5s")).await;
    let mut request = hello();
    request["model"] = json!("home");
    daemon.chat(&request).await.expect(200);
    let first = started(&daemon)[0];
    is_gone(first).await;
    let answer = daemon.chat(&request).await.expect(200);
    let pids = started(&daemon);
    assert_eq!((pids.len(), answer.content()), (2, format!("pid {}", pids[1])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_warms_a_server_and_keeps_it_as_long_as_it_is_active() {
    let hosted = Upstream::start("alpha", Price::LIST).await;
    let plan = "name: ready, when: 'budget(\"month\").used > 5.0', warm: [home]";
    let policy = started_with(free_port(), &hosted, "idle: 1s")
        .budget("month", "limit: 10 USD, per: month")
        .plan(plan);
    let daemon = start(&policy).await;
    assert!(started(&daemon).is_empty());
    assert!(daemon.cli(&["plan", "activate", "ready"]).status.success());
    let up = |status: &Value| {
        status["providers"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["name"] == "home" && one["state"] == "up")
    };
    daemon.when("/planb/status", "the server runs", up).await;
    let pid = started(&daemon)[0];
    let since = daemon.plan("ready").await["since"]
        .as_str()
        .unwrap()
        .parse::<jiff::Timestamp>()
        .unwrap();
    until("more than its idle time has passed", || async move {
        let long = jiff::Timestamp::now().duration_since(since);
        if long > jiff::SignedDuration::from_secs(4) {
            Ok(())
        } else {
            Err(format!("{long}"))
        }
    })
    .await;
    assert!(is_alive(pid));
    assert!(daemon.cli(&["plan", "release", "ready"]).status.success());
    is_gone(pid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn warm_when_starts_a_server_before_it_is_needed() {
    let hosted = Upstream::start("alpha", Price::LIST).await;
    let words = "warm_when: 'budget(\"month\").used >= 0.0', env: {STUB_DELAY: \"0.1\"}";
    let policy = started_with(free_port(), &hosted, words).budget("month", "limit: 10 USD, per: month");
    let daemon = start(&policy).await;
    let up = |status: &Value| {
        status["providers"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["name"] == "home" && one["state"] == "up")
    };
    daemon.when("/planb/status", "the server runs", up).await;
    assert_eq!(started(&daemon).len(), 1);
}
