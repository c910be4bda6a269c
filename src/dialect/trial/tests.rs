//! A bounded run of the fuzz targets on a stable compiler: bodies and streams, cut, joined and sprinkled by a seed that a
//! failure names; and what fuzzing has found.

use super::*;

const BODIES: [&str; 6] = [
    r#"{"model":"a","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/i.png"}}]}],"max_tokens":5,"x_own":{"a":[1,2.5]}}"#,
    r#"{ "messages" : [] , "model" : "a" , "stream":true,"stream_options":{"include_usage":false},"stop":["a"],"seed":7 }"#,
    r#"{"model":"a","messages":[{"role":"tool","content":"7"}],"tools":[{"type":"web_search","max_uses":2}],"models":["b"],"metadata":{"session_id":"s"}}"#,
    r#"{"model":"a","messages":[],"chat_template_kwargs":{"enable_thinking":true},"thinking_budget":8,"max_completion_tokens":null,"extra":{"secret":1}}"#,
    r#"{"model":"a","input":["x",[1,2]],"x_y":"\u005f\ud83d\ude00"}"#,
    r#"{"id":"x","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#,
];
const STREAMS: [&str; 3] = [
    "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n",
    ": keep-alive\r\n\r\nevent: message\r\nid: 7\r\ndata: {}\r\ndata: more\r\n\r\n",
    "\u{feff}data:a\rdata\r\rdata: b",
];
const CONVERSATIONS: [&str; 4] = [
    r#"{"model":"a","messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"t"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]}],"temperature":1.5,"stop":"x","reasoning_effort":"low"}"#,
    r#"{"messages":[{"role":"user","content":"u"},{"role":"assistant","content":null,"tool_calls":[{"id":"c:1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"system","content":"s"},{"role":"tool","tool_call_id":"c:1","content":"r"}],"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"auto","parallel_tool_calls":false}"#,
    r#"{"id":"m","type":"message","model":"c","content":[{"type":"thinking","thinking":"h","signature":"s"},{"type":"tool_use","id":"t","name":"f","input":{}},{"type":"text","text":"x"}],"stop_reason":"tool_use","usage":{"input_tokens":3,"output_tokens":2}}"#,
    "data: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}}\n\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\"}}\n\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":5}}\n\ndata: {\"type\":\"message_stop\"}\n\n",
];
const SPRINKLES: [&str; 24] = [
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\\",
    "\\u005f",
    "\\ud83d",
    "null",
    "1e999",
    "-1",
    "\"model\":\"b\",",
    "\"messages\":[],",
    "\"x_a\":1,",
    "\u{0}",
    "é",
    "\n",
    "\r",
    "\n\n",
    "data: ",
    "data",
    "\u{feff}",
];

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides.max(1) as u64) as usize
    }
}

fn mutated(texts: &[&str], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = texts[dice.roll(texts.len())].as_bytes().to_vec();
    for _ in 0..dice.roll(4) {
        let at = dice.roll(bytes.len() + 1);
        let end = (at + dice.roll(12)).min(bytes.len());
        match dice.roll(4) {
            0 => drop(bytes.drain(at..end)),
            1 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            _ => drop(bytes.splice(at..at, SPRINKLES[dice.roll(SPRINKLES.len())].bytes())),
        }
    }
    bytes
}

fn run(texts: &[&str], promise: fn(&[u8]) -> Result<(), String>) {
    for seed in 1..=20_000_u64 {
        let bytes = mutated(texts, &mut Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1));
        if let Err(why) = promise(&bytes) {
            panic!("seed {seed}: {why}\nof {:?}", String::from_utf8_lossy(&bytes));
        }
    }
}

#[test]
fn any_body_is_refused_or_sent_on_as_the_client_wrote_it() {
    run(&BODIES, body);
}

#[test]
fn any_answer_is_of_some_kind_and_stays_json_when_its_model_is_hidden() {
    run(&BODIES, answers);
}

#[test]
fn any_stream_gives_the_same_events_however_it_is_cut() {
    run(&STREAMS, stream);
}

#[test]
fn any_conversation_is_refused_or_said_in_the_other_dialect_and_any_answer_comes_back_as_one() {
    run(&CONVERSATIONS, translated);
}

/// What fuzzing found, by the way in.
#[test]
fn what_was_found_once_holds() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/regressions");
    for (way, promise) in [
        ("body", body as fn(&[u8]) -> Result<(), String>),
        ("answer", answers),
        ("stream", stream),
        ("messages", translated),
    ] {
        let Ok(found) = std::fs::read_dir(root.join(way)) else {
            continue;
        };
        for entry in found {
            let path = entry.unwrap().path();
            promise(&std::fs::read(&path).unwrap()).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        }
    }
}
