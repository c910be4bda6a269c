//! The two processes that are measured: this bench again as the floor, and the daemon as it is installed. Each runs on
//! one core where there are two, and ends with its guard.

use super::KEY;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub struct Process {
    child: Child,
    pub address: SocketAddr,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    pub fn floor(upstream: SocketAddr) -> Self {
        let own = std::env::current_exe().expect("this program");
        let mut child = Command::new(own)
            .args(["--floor", &format!("http://{upstream}/v1/chat/completions")])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the floor starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut line).expect("its address");
        Self {
            child,
            address: line.trim().parse().expect("an address"),
        }
    }

    /// In a folder of its own. Its log goes to a file, as a service's does.
    pub fn daemon(upstream: SocketAddr, folder: &Path) -> Self {
        let (policy, log) = (folder.join("policy.yaml"), folder.join("log"));
        std::fs::write(&policy, self::policy(upstream)).expect("a policy");
        std::fs::write(folder.join("bench.key"), KEY).expect("a key");
        let mut child = Command::new(env!("CARGO_BIN_EXE_planb"))
            .args(["serve", "--listen", "127.0.0.1:0", "--policy"])
            .arg(&policy)
            .arg("--state")
            .arg(folder.join("state"))
            .stderr(std::fs::File::create(&log).expect("a log"))
            .spawn()
            .expect("the daemon starts");
        let began = Instant::now();
        loop {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let address = said
                .lines()
                .find_map(|line| line.strip_prefix("planb: listening on http://"));
            if let Some(Ok(address)) = address.map(str::parse) {
                return Self { child, address };
            }
            let ended = child.try_wait().expect("a child").is_some();
            assert!(
                !ended && began.elapsed() < Duration::from_secs(60),
                "the daemon does not start: {said}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// User and system time so far, of all its threads.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("it runs");
        // Fields are counted behind the name, which may hold anything.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks: u64 = fields
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<u64>().ok())
            .sum();
        // SAFETY: asks for a constant of the system.
        let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
        Duration::from_secs_f64(ticks as f64 / per_second as f64)
    }
}

/// Everything on: a client's key, two hard budgets, a plan, a decision between three models.
fn policy(upstream: SocketAddr) -> String {
    format!(
        r#"
providers:
  mock: {{vendor: openai-compatible, base_url: "http://{upstream}/v1"}}
models:
  first: {{provider: mock, name: mock, supply: licensed, quality: 88, context: 1M, max_output: 64k, price: {{input: 2 USD/M, output: 6 USD/M}}}}
  second: {{provider: mock, name: other, supply: competitor, quality: 84, context: 1M, max_output: 64k, price: {{input: 1 USD/M, output: 2 USD/M}}}}
  small: {{provider: mock, name: small, supply: local, quality: 20, context: 8k}}
clients:
  bench: {{key: "file:bench.key", tags: {{team: search}}}}
routes:
  - {{name: chat, try: [first, second, small], need: {{quality: 60}}, limits: {{cost: 1 USD, attempts: 3}}}}
budgets:
  month: {{limit: 1000000 USD, per: month}}
  teams: {{limit: 1000000 USD, per: day, each: tag.team}}
plans:
  - {{name: austerity, when: 'budget("month").used > 0.9', change: {{chat: {{pick: cheapest}}}}}}
"#
    )
}

/// Binds this thread, and what it starts from now on, to one core; without effect on a machine with one.
pub fn on_core(core: usize) {
    if std::thread::available_parallelism().is_ok_and(|cores| cores.get() < 2) && core > 0 {
        return;
    }
    // SAFETY: the set is a plain value that lives during the call; 0 is the calling thread.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
    }
}
