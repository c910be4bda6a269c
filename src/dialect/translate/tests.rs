//! The transcripts under `tests/data/messages`, and what holds of any request and any stream.
//!
//! `PLANB_ACCEPT=1` writes what is found into the transcripts; the difference is to be read.

use super::*;
use crate::catalog::{Vendor, Wire};
use crate::dialect::chat::decode::{DROPPABLE, DROPPED};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

const CREATED: i64 = 1_790_000_000;

fn transcripts(kind: &str) -> Vec<(PathBuf, Map<String, Value>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/messages")
        .join(kind);
    let mut all: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let read = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            (path, read)
        })
        .collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    assert!(!all.is_empty());
    all
}

fn holds(path: &Path, mut transcript: Map<String, Value>, name: &str, found: Value) {
    if transcript.get(name) == Some(&found) {
        return;
    }
    assert!(
        std::env::var_os("PLANB_ACCEPT").is_some(),
        "{}: `{name}` is now\n{found:#}",
        path.display()
    );
    transcript.insert(name.to_owned(), found);
    let text = serde_json::to_string_pretty(&transcript).unwrap();
    std::fs::write(path, text + "\n").unwrap();
}

fn target(transcript: &Map<String, Value>) -> Target<'_> {
    let text = |name: &str| transcript.get(name).and_then(Value::as_str);
    let vendor = match text("vendor") {
        Some("vertex") => Vendor::Vertex,
        _ => Vendor::Anthropic,
    };
    let upstream = text("model").unwrap_or("claude-sonnet-5");
    Target {
        vendor,
        upstream,
        wire: Wire::of(vendor, upstream),
        thinks: true,
        always_thinks: transcript.contains_key("always"),
    }
}

fn plain() -> Target<'static> {
    Target {
        vendor: Vendor::Anthropic,
        upstream: "claude-sonnet-5",
        wire: Wire::Messages,
        thinks: true,
        always_thinks: false,
    }
}

const BOUNDS: Bounds = Bounds {
    max_tokens: 4_000,
    stream: false,
    thinking_off: false,
};

#[test]
fn every_request_becomes_what_its_transcript_says() {
    for (path, transcript) in transcripts("requests") {
        let (target, body) = (target(&transcript), transcript["chat"].to_string());
        assert_eq!(fit(body.as_bytes(), &target), Ok(Vec::new()), "{}", path.display());
        let bounds = Bounds {
            max_tokens: transcript.get("max_tokens").and_then(Value::as_u64).unwrap_or(4_000),
            stream: transcript["chat"]["stream"] == true,
            thinking_off: false,
        };
        let sent = request(body.as_bytes(), &target, bounds).unwrap();
        let sent: Value = serde_json::from_slice(&sent).unwrap();
        holds(&path, transcript.clone(), "messages", sent);
    }
}

#[test]
fn every_answer_becomes_what_its_transcript_says() {
    for (path, transcript) in transcripts("answers") {
        let body = transcript["answer"].to_string();
        let found = answer(body.as_bytes(), &target(&transcript), CREATED);
        let found = found.map(|(chat, _)| serde_json::from_slice(&chat).unwrap());
        holds(&path, transcript, "chat", found.unwrap_or(Value::Null));
    }
}

#[test]
fn every_stream_becomes_what_its_transcript_says() {
    for (path, transcript) in transcripts("streams") {
        let mut translation = Translation::new(&target(&transcript), CREATED);
        let mut told = Vec::new();
        for event in transcript["events"].as_array().unwrap() {
            let mut frames = VecDeque::new();
            let heard = translation.feed(event.to_string().as_bytes(), &mut frames);
            for frame in frames {
                let data = frame.data.unwrap();
                assert_eq!(frame.raw, [b"data: ", &data[..], b"\n\n"].concat());
                told.push(serde_json::from_slice(&data).unwrap_or_else(|_| json!("[DONE]")));
            }
            match heard {
                Heard::Going | Heard::Over => {}
                other => told.push(json!(format!("{other:?}"))),
            }
        }
        holds(&path, transcript, "chat", told.into());
    }
}

fn asked(fields: &Value) -> Vec<u8> {
    let mut body = json!({"model": "chat", "messages": [{"role": "user", "content": "Hi"}]});
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    body.to_string().into_bytes()
}

#[test]
fn what_cannot_be_said_is_named() {
    let user = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
    for (fields, named) in [
        (json!({"n": 2}), "`n`"),
        (json!({"web_search_options": {}}), "`web_search_options`"),
        (json!({"x_new": 1}), "`x_new`"),
        (json!({"functions": []}), "`functions`"),
        (json!({"service_tier": "flex"}), "`service_tier`"),
        (json!({"modalities": ["text", "audio"]}), "`modalities`"),
        (
            json!({"tools": [{"type": "web_search"}]}),
            "`tools` of the type `web_search`",
        ),
        (
            json!({"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": {"type": "allowed_tools"}}),
            "`tool_choice` of the type `allowed_tools`",
        ),
        (
            user(json!([{"type": "input_audio", "input_audio": {}}])),
            "`messages[].content[]` of the type `input_audio`",
        ),
        (
            user(json!([{"type": "file", "file": {"file_id": "f-1"}}])),
            "`file.file_id`",
        ),
        (
            user(json!([{"type": "image_url", "image_url": {"url": "data:image/bmp;base64,Qk0="}}])),
            "a picture of the type `image/bmp`",
        ),
        (
            json!({"messages": [{"role": "assistant", "content": "I"}]}),
            "messages that do not begin with the user's",
        ),
        (
            json!({"messages": [{"role": "system", "content": "S"}]}),
            "messages that do not begin with the user's",
        ),
        (
            json!({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "He"}]}),
            "messages that end with the assistant's",
        ),
        (
            json!({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"a\":"}}]}]}),
            "`tool_calls[].function.arguments` that are no JSON object",
        ),
        (json!({"stop": [" "]}), "a `stop` of white space"),
        (
            json!({"reasoning_effort": "high", "tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "required"}),
            "a `tool_choice` that forces a call while it thinks",
        ),
    ] {
        let found = fit(&asked(&fields), &plain()).unwrap_err();
        assert_eq!(&*found.0, named);
    }
    let always = Target {
        always_thinks: true,
        ..plain()
    };
    let found = fit(&asked(&json!({"reasoning_effort": "none"})), &always).unwrap_err();
    assert_eq!(&*found.0, "a request not to think");
}

#[test]
fn what_only_steers_the_draw_may_be_left_out_by_the_operator() {
    let fields = json!({"seed": 7, "logprobs": false, "logit_bias": {"1": 2}, "presence_penalty": 0, "top_p": 0.9,
        "temperature": 0.2, "messages": [{"role": "user", "name": "ann", "content": "Hi"}]});
    let lost = fit(&asked(&fields), &plain()).unwrap();
    assert_eq!(lost.len(), 4, "{lost:?}");
    for name in ["seed", "logit_bias", "messages[].name", "top_p"] {
        assert!(lost.contains(&name), "{name}");
    }
    let sent = request(&asked(&fields), &plain(), BOUNDS).unwrap();
    let sent: Value = serde_json::from_slice(&sent).unwrap();
    assert_eq!((&sent["temperature"], &sent["top_p"]), (&json!(0.2), &Value::Null));
    let thinking = json!({"temperature": 0.2, "top_k": 4, "reasoning_effort": "low"});
    assert_eq!(fit(&asked(&thinking), &plain()), Ok(vec!["temperature", "top_k"]));
}

#[test]
fn a_sealed_thought_goes_back_to_its_maker() {
    let body = json!({"id": "m", "type": "message", "model": "claude-sonnet-5", "stop_reason": "tool_use", "content": [
        {"type": "thinking", "thinking": "Hm.", "signature": "EqQB"}, {"type": "redacted_thinking", "data": "xyz"},
        {"type": "tool_use", "id": "t", "name": "now", "input": {}}]});
    let (chat, _) = answer(body.to_string().as_bytes(), &plain(), CREATED).unwrap();
    let chat: Value = serde_json::from_slice(&chat).unwrap();
    let result = json!({"role": "tool", "tool_call_id": "t", "content": "12:00"});
    let history = json!([{"role": "user", "content": "Time?"}, chat["choices"][0]["message"], result]);
    let sent = request(&asked(&json!({"messages": history})), &plain(), BOUNDS).unwrap();
    let sent: Value = serde_json::from_slice(&sent).unwrap();
    assert_eq!(sent["messages"][1]["content"], body["content"]);
    let other = Target {
        upstream: "claude-opus-5",
        ..plain()
    };
    let sent = request(&asked(&json!({"messages": history})), &other, BOUNDS).unwrap();
    assert!(!String::from_utf8_lossy(&sent).contains("EqQB"));
}

/// Each text of a request, so that it can be found again.
fn texts(value: &Value, all: &mut Vec<String>) {
    match value {
        Value::String(text) => all.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, all)),
        Value::Object(members) => members.values().for_each(|member| texts(member, all)),
        _ => {}
    }
}

fn word() -> impl Strategy<Value = String> {
    "w[a-z]{3}[0-9]{6}"
}

fn message() -> impl Strategy<Value = Vec<Value>> {
    let text = word().prop_map(|text| json!(text)).boxed();
    let parts = proptest::collection::vec(word(), 1..3)
        .prop_map(|words| {
            words
                .into_iter()
                .map(|text| json!({"type": "text", "text": text}))
                .collect::<Vec<_>>()
        })
        .prop_map(Value::from)
        .boxed();
    let picture = word()
        .prop_map(|name| json!([{"type": "image_url", "image_url": {"url": format!("https://example.org/{name}")}}]));
    let user = prop_oneof![text.clone(), parts.clone(), picture]
        .prop_map(|content| vec![json!({"role": "user", "content": content})]);
    let assistant =
        prop_oneof![text.clone(), parts].prop_map(|content| vec![json!({"role": "assistant", "content": content})]);
    let system = text.prop_map(|content| vec![json!({"role": "system", "content": content})]);
    let calls = proptest::collection::vec((word(), word(), word(), word()), 1..3).prop_map(|calls| {
        let of = |(id, name, argument, _): &(String, String, String, String)| {
            let arguments = json!({"a": argument}).to_string();
            json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
        };
        let made: Vec<Value> = calls.iter().map(of).collect();
        let mut all = vec![json!({"role": "assistant", "content": null, "tool_calls": made})];
        all.extend(
            calls
                .iter()
                .map(|(id, _, _, result)| json!({"role": "tool", "tool_call_id": id, "content": result})),
        );
        all
    });
    prop_oneof![user, assistant, system, calls]
}

fn option() -> impl Strategy<Value = (String, Value)> {
    let names: Vec<String> = DROPPED
        .iter()
        .chain(&DROPPABLE)
        .map(|name| (*name).to_owned())
        .collect();
    prop_oneof![
        (proptest::sample::select(names), word().prop_map(Value::from)),
        word().prop_map(|name| ("stop".to_owned(), json!([name]))),
        word().prop_map(|name| ("user".to_owned(), json!(name))),
        word().prop_map(|name| (format!("x_{name}"), json!(1))),
        word().prop_map(|name| (
            "tools".to_owned(),
            json!([{"type": "function", "function": {"name": name}}])
        )),
    ]
}

proptest! {
    #[test]
    fn nothing_of_a_conversation_is_lost_that_no_table_names(
        messages in proptest::collection::vec(message(), 0..6), options in proptest::collection::vec(option(), 0..4),
        upstream in prop_oneof![Just("claude-opus-4-8"), Just("claude-sonnet-4-5"), Just("qwen3.8-max")],
    ) {
        let mut all = vec![json!({"role": "user", "content": "wbeg000000"})];
        all.extend(messages.into_iter().flatten());
        all.push(json!({"role": "user", "content": "wend000000"}));
        let mut body = json!({"model": "chat", "messages": all});
        for (name, value) in &options {
            if name != "stream" && name != "model" {
                body[name] = value.clone();
            }
        }
        let target = Target { upstream, ..plain() };
        let bytes = body.to_string().into_bytes();
        let unknown = body.as_object().unwrap().keys().any(|name| name.starts_with("x_"));
        let fitted = fit(&bytes, &target);
        prop_assert_eq!(fitted.is_err(), unknown, "{:?}", fitted);
        let Ok(lost) = fitted else { return Ok(()) };
        let sent = String::from_utf8(request(&bytes, &target, BOUNDS).unwrap().to_vec()).unwrap();
        for (name, value) in body.as_object().unwrap() {
            if DROPPABLE.contains(&name.as_str()) {
                prop_assert!(lost.contains(&name.as_str()), "{} is dropped in silence", name);
                continue;
            }
            if DROPPED.contains(&name.as_str()) {
                continue;
            }
            let mut said = Vec::new();
            texts(value, &mut said);
            for text in said.iter().filter(|text| text.contains(|c: char| c.is_ascii_digit())) {
                let escaped = text.trim_start_matches("{\"a\":\"").trim_end_matches("\"}");
                prop_assert!(sent.contains(escaped), "{} is gone from {}", text, sent);
            }
        }
        let sent: Value = serde_json::from_str(&sent).unwrap();
        well_ordered(&sent)?;
    }
}

/// The first turn is the user's, turns alternate, and each call is answered at the head of the next turn.
fn well_ordered(sent: &Value) -> Result<(), TestCaseError> {
    let turns = sent["messages"].as_array().unwrap();
    let role = |turn: &Value| turn["role"].as_str().unwrap().to_owned();
    prop_assert_eq!(role(&turns[0]), "user");
    for pair in turns.windows(2) {
        prop_assert_ne!(role(&pair[0]), role(&pair[1]));
        let ids = |turn: &Value, kind: &str, name: &str| -> Vec<Value> {
            let blocks = turn["content"].as_array().unwrap().iter();
            blocks
                .filter(|block| block["type"] == kind)
                .map(|block| block[name].clone())
                .collect()
        };
        let mut called = ids(&pair[0], "tool_use", "id");
        let mut answered = ids(&pair[1], "tool_result", "tool_use_id");
        if !called.is_empty() || !answered.is_empty() {
            called.sort_by_key(ToString::to_string);
            answered.sort_by_key(ToString::to_string);
            prop_assert_eq!(called, answered);
        }
        let blocks = pair[1]["content"].as_array().unwrap();
        let first_said = blocks.iter().position(|block| block["type"] != "tool_result");
        let last_result = blocks.iter().rposition(|block| block["type"] == "tool_result");
        prop_assert!(last_result < first_said || first_said.is_none() || last_result.is_none());
    }
    Ok(())
}

#[test]
fn the_documentation_names_all_that_is_left_out() {
    let page = include_str!("../../../docs/dialects.md");
    let of_turns = crate::dialect::chat::decode::DROPPED_OF_TURNS;
    for name in DROPPED.iter().chain(&DROPPABLE).chain(&of_turns) {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
}
