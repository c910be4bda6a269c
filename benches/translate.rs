//! One event of a Messages stream on its way to a client that speaks chat completions: read, translated, written, and read
//! again as the gateway does. `cargo bench --bench translate`; `--smoke` runs a few turns.

use planb::catalog::{Vendor, Wire};
use planb::dialect::chat::stream::Progress;
use planb::dialect::messages::Target;
use planb::dialect::translate::Translation;
use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Instant;

const ROUNDS: usize = 31;
const BEGIN: &str = r#"{"type":"message_start","message":{"id":"msg_01","model":"claude-opus-5-5","usage":{"input_tokens":12,"output_tokens":1}}}"#;
const BLOCK: &str = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
const CALL: &str =
    r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#;
const EVENTS: [(&str, &str); 3] = [
    (
        "text",
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" a few words of it"}}"#,
    ),
    (
        "thinking",
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":" a \"quoted\"\nword"}}"#,
    ),
    (
        "arguments",
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"city\": \"Os"}}"#,
    ),
];

fn main() {
    let smoke =
        std::env::var_os("PLANB_BENCH_SMOKE").is_some() || std::env::args().any(|argument| argument == "--smoke");
    let (rounds, turns) = if smoke { (3, 100_u32) } else { (ROUNDS, 20_000) };
    let target = Target {
        vendor: Vendor::Anthropic,
        upstream: "claude-opus-5-5",
        wire: Wire::Messages,
        thinks: true,
        always_thinks: true,
    };
    for (name, event) in EVENTS {
        let mut times: Vec<f64> = (0..rounds)
            .map(|_| {
                let (mut translation, mut frames) = (Translation::new(&target, 0), VecDeque::new());
                let mut progress = Progress::default();
                for begin in [BEGIN, BLOCK, CALL] {
                    translation.feed(begin.as_bytes(), &mut frames);
                }
                let start = Instant::now();
                for _ in 0..turns {
                    frames.clear();
                    translation.feed(black_box(event.as_bytes()), &mut frames);
                    for frame in &frames {
                        let data = frame.data.as_deref().unwrap_or_default();
                        black_box(progress.see(data, |_| false));
                    }
                }
                start.elapsed().as_nanos() as f64 / f64::from(turns)
            })
            .collect();
        times.sort_by(f64::total_cmp);
        println!(
            "{name:<10} {:>6.0} ns an event (median of {rounds} rounds)",
            times[times.len() / 2]
        );
    }
}
