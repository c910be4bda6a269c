//! The whole way of a request, against a floor, in one run: a mock upstream in this process, the floor as a child of
//! it, and the real daemon with a client, two hard budgets, a plan, its ledger and its metrics. Rounds are interleaved.
//! Printed are CPU per request, the ratio to the floor, and the latency that each adds; nothing is asserted of them.
//! `cargo bench --bench gateway`; `--smoke` only sees that everything works.

mod floor;
mod load;
mod mock;
mod process;

use load::Load;
use process::{Process, on_core};
use std::sync::atomic::Ordering;
use std::time::Duration;

const KEY: &str = "a-key-of-the-bench";
/// The ledger writes behind the request: what is still to be written counts.
const SETTLE: Duration = Duration::from_millis(300);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--floor") {
        let upstream = arguments[at + 1].parse().expect("an address");
        return runtime().block_on(floor::run(upstream));
    }
    let smoke =
        arguments.iter().any(|argument| argument == "--smoke") || std::env::var_os("PLANB_BENCH_SMOKE").is_some();
    if smoke {
        mock::GAP.store(100, Ordering::Relaxed);
    }
    // What is measured has a core of its own; the mock and the load share the other.
    on_core(1);
    let upstream = mock::start();
    let folder = tempfile::tempdir().expect("a folder");
    on_core(0);
    let (floor, daemon) = (Process::floor(upstream), Process::daemon(upstream, folder.path()));
    on_core(1);
    let rounds = if smoke { 1 } else { 7 };
    for test in tests(smoke) {
        let mut seen = Seen::default();
        for round in 0..rounds {
            seen.direct.push(median(&load::run(upstream, &test.load)));
            let mut turns = [(&floor, &mut seen.floor), (&daemon, &mut seen.daemon)];
            if round % 2 == 1 {
                turns.reverse();
            }
            for (process, seen) in turns {
                seen.push(measure(process, &test.load));
            }
        }
        if smoke {
            println!("{:22} answered by the mock, the floor and planb", test.name);
        } else {
            seen.print(&test);
        }
    }
}

struct Test {
    name: &'static str,
    load: Load,
}

fn tests(smoke: bool) -> Vec<Test> {
    let test = |name, size, stream, connections, requests| Test {
        name,
        load: Load {
            body: body(size, stream),
            key: KEY,
            connections,
            requests: if smoke { 3 } else { requests },
        },
    };
    vec![
        test("1 KB", 1_024, false, 32, 600),
        test("1 KB, one connection", 1_024, false, 1, 6_000),
        test("32 KB", 32_768, false, 16, 500),
        test("stream of 100 events", 1_024, true, 64, 4),
    ]
}

/// A chat completion request of about this size; text with the escapes that prompts have.
fn body(size: usize, stream: bool) -> bytes::Bytes {
    const WORDS: &str = r#"The user said: \"please check the file\" and then\nasked again about line 42. "#;
    let text = WORDS.repeat((size.saturating_sub(150) / WORDS.len()).max(1));
    let end = if stream { r#","stream":true}"# } else { "}" };
    format!(
        r#"{{"model":"chat","max_tokens":64,"temperature":0.2,"messages":[{{"role":"system","content":"You are a helpful assistant."}},{{"role":"user","content":"{text}"}}]{end}"#
    )
    .into()
}

/// Medians of one run: CPU and latency of a request.
type Run = (Duration, Duration);

fn measure(process: &Process, load: &Load) -> Run {
    let before = process.cpu();
    let times = load::run(process.address, load);
    std::thread::sleep(SETTLE);
    let used = process.cpu().saturating_sub(before);
    (used / times.len() as u32, median(&times))
}

#[derive(Default)]
struct Seen {
    direct: Vec<Duration>,
    floor: Vec<Run>,
    daemon: Vec<Run>,
}

impl Seen {
    fn print(&self, test: &Test) {
        let micros = |values: Vec<Duration>| {
            let mut values = values;
            values.sort_unstable();
            median(&values).as_secs_f64() * 1e6
        };
        let cpu = |runs: &[Run]| micros(runs.iter().map(|run| run.0).collect());
        let latency = |runs: &[Run]| micros(runs.iter().map(|run| run.1).collect());
        let ratios = self
            .daemon
            .iter()
            .zip(&self.floor)
            .map(|(daemon, floor)| daemon.0.as_secs_f64() / floor.0.as_secs_f64());
        let mut ratios: Vec<f64> = ratios.collect();
        ratios.sort_by(f64::total_cmp);
        let direct = micros(self.direct.clone());
        println!(
            "{:22} CPU a request: floor {:7.1} µs, planb {:7.1} µs, {:5.2} x floor   added p50: floor {:7.1} µs, planb {:7.1} µs",
            test.name,
            cpu(&self.floor),
            cpu(&self.daemon),
            ratios[ratios.len() / 2],
            latency(&self.floor) - direct,
            latency(&self.daemon) - direct,
        );
    }
}

fn median(sorted: &[Duration]) -> Duration {
    sorted[sorted.len() / 2]
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}
