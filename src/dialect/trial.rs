//! What holds of any bytes whatever that a client or a provider sends: the promises that fuzzing tries to break.
//!
//! One function a way in; each says which promise was broken. The targets under `fuzz/` and a bounded, seeded run in the
//! tests call the same ones.

#[cfg(test)]
mod tests;

use super::chat::request::Shape;
use super::chat::{answer, mask};
use super::messages::stream::Heard;
use super::messages::{Bounds, Target};
use super::plain::plain;
use super::sse::{Frame, Parser};
use super::translate::{self, Translation};
use super::{Inbound, embeddings, refused, shape};
use crate::catalog::{ThinkingSwitch, Vendor, Wire};
use crate::policy::snapshot::{Clamp, Path, Shaping};
use bytes::Bytes;
use serde_json::{Map, Value};
use std::collections::VecDeque;

const UPSTREAM: &str = "upstream-model";

/// Any body: refused, or sent on as an object that has the provider's model and all that the client wrote but what must
/// change.
pub fn body(bytes: &[u8]) -> Result<(), String> {
    let body = Bytes::copy_from_slice(bytes);
    for read in [Inbound::chat, Inbound::embeddings] {
        let Ok(inbound) = read(body.clone()) else { continue };
        // Halves of characters and numbers beyond all bounds, deep inside, are between the client and its provider.
        let Ok(own) = serde_json::from_slice::<Map<String, Value>>(&body) else {
            continue;
        };
        let needs = inbound.needs(&[]);
        let thriftier = plain(&body).and_then(|plain| read(plain).ok());
        if thriftier.is_some_and(|plain| plain.needs(&[]).input > needs.input) {
            return Err("escapes make it cheaper".to_owned());
        }
        if let Some(chat) = inbound.as_chat() {
            let _ = (chat.conversation(), chat.tools_json(), chat.session_name());
        }
        for vendor in [Vendor::Openai, Vendor::Dashscope, Vendor::LlamaCpp] {
            let _ = refused::named(&body, vendor);
            for shape in shapes() {
                let sent = inbound.for_upstream(UPSTREAM, vendor.facts(), shape);
                passes_on(&own, &sent)?;
            }
        }
        reshaped(&inbound, &body)?;
    }
    Ok(())
}

fn shapes() -> [Shape; 3] {
    let full = Shape {
        cap: Some(7),
        thinking_budget: None,
        thinking_off: Some(ThinkingSwitch::Template),
    };
    let budget = Shape {
        thinking_budget: Some(9),
        ..Shape::default()
    };
    [Shape::default(), full, budget]
}

/// Whatever planb has no word about stays as it was.
fn passes_on(own: &Map<String, Value>, sent: &Bytes) -> Result<(), String> {
    let Ok(Value::Object(sent)) = serde_json::from_slice::<Value>(sent) else {
        return Err(format!(
            "what is sent is no object: {:?}",
            String::from_utf8_lossy(sent)
        ));
    };
    if sent.get("model").and_then(Value::as_str) != Some(UPSTREAM) {
        return Err("another model is asked for".to_owned());
    }
    let kept = |name: &&String| {
        name.starts_with("x_") || ["messages", "input", "tools", "seed", "stop"].contains(&name.as_str())
    };
    for name in own.keys().filter(kept) {
        if own.get(name) != sent.get(name) {
            return Err(format!("`{name}` has changed"));
        }
    }
    Ok(())
}

/// A policy's shaping makes JSON of JSON, and what it makes can be read as before or is refused.
fn reshaped(inbound: &Inbound, body: &Bytes) -> Result<(), String> {
    let path = |text: &str| Path(text.split('.').map(Into::into).collect());
    let shaping = Shaping {
        strip: vec![path("seed"), path("extra.secret")],
        rename: vec![(path("stop"), "stop_sequences".into())],
        set: vec![(path("x.deep.flag"), "true".into())],
        default: vec![(path("top_p"), "0.9".into())],
        clamp: Clamp::new(Some("0"), Some("1"))
            .map(|clamp| (path("temperature"), clamp))
            .into_iter()
            .collect(),
        ..Shaping::default()
    };
    let Ok(Some(shaped)) = shape::shaped(body, &[&shaping]) else {
        return Ok(());
    };
    if serde_json::from_slice::<Map<String, Value>>(&shaped).is_err() {
        return Err(format!("shaping breaks it: {:?}", String::from_utf8_lossy(&shaped)));
    }
    inbound
        .with_body(shaped)
        .map(drop)
        .map_err(|error| format!("shaping makes it unreadable: {error}"))
}

/// Any answer is one of the kinds that there are; hiding its model leaves JSON.
pub fn answers(bytes: &[u8]) -> Result<(), String> {
    let body = Bytes::copy_from_slice(bytes);
    let _ = (
        answer::read(&body, false),
        answer::read(&body, true),
        answer::usage_within(&body),
    );
    let _ = embeddings::answer::read(&body);
    let masked = mask::masked(&body, "shown");
    let is_json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).is_ok();
    if is_json(&body) && !is_json(&masked) {
        return Err("hiding the model breaks the answer".to_owned());
    }
    Ok(())
}

/// Any stream gives the same events in one piece, byte by byte and in pieces of its own; their bytes are the stream's.
pub fn stream(bytes: &[u8]) -> Result<(), String> {
    let whole = frames(bytes.chunks(bytes.len().max(1)));
    let length = usize::from(*bytes.first().unwrap_or(&1)).max(1);
    for other in [frames(bytes.chunks(1)), frames(bytes.chunks(length))] {
        if other != whole {
            return Err(format!("{other:?}\nis not\n{whole:?}"));
        }
    }
    let raw: Vec<u8> = whole.iter().flat_map(|frame| frame.raw.iter().copied()).collect();
    let after_mark = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    if !after_mark.starts_with(&raw) {
        return Err("bytes that nobody sent".to_owned());
    }
    for frame in whole {
        if let Some(data) = frame.data {
            let _ = mask::masked_event(&frame.raw, &data, "shown");
        }
    }
    Ok(())
}

/// Any chat request is refused for Claude or becomes a request of its dialect, and any bytes in place of its answer become
/// chat completions or nothing: never an end that nobody sent.
pub fn translated(bytes: &[u8]) -> Result<(), String> {
    let is_json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).is_ok();
    for (upstream, wire) in [
        ("claude-opus-5", Wire::Messages),
        ("claude-sonnet-4-5", Wire::RawPredict),
    ] {
        let target = Target {
            vendor: Vendor::Anthropic,
            upstream,
            wire,
            thinks: true,
            always_thinks: false,
        };
        asked(bytes, &target)?;
        let whole = translate::answer(bytes, &target, 0);
        if whole.is_some_and(|(chat, _)| !is_json(&chat)) {
            return Err("an answer becomes no JSON".to_owned());
        }
        let mut translation = Translation::new(&target, 0);
        let mut ahead = VecDeque::new();
        for frame in frames(bytes.chunks(bytes.len().max(1))) {
            let heard = frame.data.map(|data| translation.feed(&data, &mut ahead));
            let done = |frame: &Frame| frame.data.as_deref() == Some(b"[DONE]");
            if ahead.iter().any(done) != (heard == Some(Heard::Over)) {
                return Err("an end that nobody sent".to_owned());
            }
            let broken = ahead.iter().filter(|frame| !done(frame)).find(|frame| {
                let data = frame.data.as_deref().unwrap_or_default();
                !is_json(data)
            });
            if let Some(frame) = broken {
                return Err(format!("{:?} is no chunk", frame.raw));
            }
            ahead.clear();
        }
    }
    Ok(())
}

/// What fits is written, with the bound that was reserved.
fn asked(bytes: &[u8], target: &Target<'_>) -> Result<(), String> {
    if translate::fit(bytes, target).is_err() {
        return Ok(());
    }
    let bounds = Bounds {
        max_tokens: 9,
        stream: true,
        thinking_off: false,
    };
    let sent = translate::request(bytes, target, bounds).map_err(|what| format!("fits and cannot be said: {what}"))?;
    // Numbers beyond all bounds, deep inside, are between the client and its provider.
    let own = serde_json::from_slice::<Value>(bytes).is_ok();
    match serde_json::from_slice::<Value>(&sent) {
        Ok(sent) if sent["max_tokens"] == 9 && sent["messages"][0]["role"] == "user" => Ok(()),
        Err(_) if !own => Ok(()),
        _ => Err(format!(
            "what is sent is no request: {:?}",
            String::from_utf8_lossy(&sent)
        )),
    }
}

fn frames<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Frame> {
    let (mut parser, mut frames) = (Parser::default(), Vec::new());
    for piece in pieces {
        parser.push(piece);
        while let Ok(Some(frame)) = parser.next_frame() {
            frames.push(frame);
        }
    }
    parser.close();
    while let Ok(Some(frame)) = parser.next_frame() {
        frames.push(frame);
    }
    frames
}
