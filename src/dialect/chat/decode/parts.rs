//! The turns of a chat conversation: their texts, pictures, documents, calls and results.

use super::short;
use crate::dialect::neutral::{Part, Piece, Source, Untranslatable};
use crate::dialect::object::{Object, items, text};
use serde_json::value::RawValue;
use std::borrow::Cow;

type Pieces<'a> = Result<Vec<Piece<'a>>, Untranslatable>;

/// Who of several speaks: no other dialect has a place for it.
const NAME: &str = "messages[].name";
/// What both sides' turns may hold besides their content.
const OF_ALL: [&str; 4] = ["role", "content", "name", "cache_control"];

pub(super) fn unreadable(what: &str) -> Untranslatable {
    Untranslatable::new(format!("`{what}` that cannot be read"))
}

fn known(message: &Object<'_>, more: &[&str]) -> Result<(), Untranslatable> {
    let all: Vec<&str> = OF_ALL.iter().chain(more).copied().collect();
    match message.other_than(&all) {
        None => Ok(()),
        Some(name) => Err(Untranslatable::new(format!("`messages[].{}`", short(name)))),
    }
}

fn note_name(message: &Object<'_>, lost: &mut Vec<&'static str>) {
    if message.get("name").is_some() && !lost.contains(&NAME) {
        lost.push(NAME);
    }
}

pub(super) fn of_system<'a>(message: &Object<'a>, lost: &mut Vec<&'static str>) -> Pieces<'a> {
    known(message, &[])?;
    note_name(message, lost);
    let pieces = content(message, "system")?;
    if pieces.iter().any(|piece| !matches!(piece.part, Part::Text(_))) {
        return Err(Untranslatable::new("a system message that is not text"));
    }
    Ok(pieces)
}

pub(super) fn of_user<'a>(message: &Object<'a>, lost: &mut Vec<&'static str>) -> Pieces<'a> {
    known(message, &[])?;
    note_name(message, lost);
    content(message, "user")
}

pub(super) fn of_assistant<'a>(message: &Object<'a>, lost: &mut Vec<&'static str>) -> Pieces<'a> {
    let own = [
        &super::DROPPED_OF_TURNS[..],
        &["tool_calls", "refusal", "thinking_blocks"],
    ]
    .concat();
    known(message, &own)?;
    note_name(message, lost);
    let mut pieces = thoughts(message)?;
    pieces.extend(content(message, "assistant")?);
    if let Some(refusal) = message.text("refusal").filter(|text| !text.is_empty()) {
        pieces.push(plain(Part::Text(refusal)));
    }
    let calls = message
        .get("tool_calls")
        .map(|raw| items(raw).ok_or_else(|| unreadable("tool_calls")));
    for call in calls.transpose()?.unwrap_or_default() {
        pieces.push(self::call(call)?);
    }
    Ok(pieces)
}

/// What was thought and sealed before, as planb handed it out.
fn thoughts<'a>(message: &Object<'a>) -> Pieces<'a> {
    let Some(blocks) = message.get("thinking_blocks") else {
        return Ok(Vec::new());
    };
    let blocks = items(blocks).ok_or_else(|| unreadable("thinking_blocks"))?;
    let read = |raw: &'a RawValue| {
        let block = Object::read(raw.get()).ok_or_else(|| unreadable("thinking_blocks"))?;
        Ok(plain(Part::Thought {
            text: block.text("thinking").unwrap_or_default(),
            seal: block.text("signature").unwrap_or_default(),
        }))
    };
    blocks.into_iter().map(read).collect()
}

fn call(raw: &RawValue) -> Result<Piece<'_>, Untranslatable> {
    let call = Object::read(raw.get()).ok_or_else(|| unreadable("tool_calls"))?;
    let kind = call.text("type");
    if kind.as_deref().is_some_and(|kind| kind != "function") {
        let kind = kind.unwrap_or_default();
        return Err(Untranslatable::new(format!(
            "`tool_calls` of the type `{}`",
            short(&kind)
        )));
    }
    let function = call.get("function").and_then(|raw| Object::read(raw.get()));
    let function = function.ok_or_else(|| unreadable("tool_calls[].function"))?;
    let (Some(id), Some(name)) = (call.text("id"), function.text("name")) else {
        return Err(unreadable("tool_calls[]"));
    };
    let arguments = function.text("arguments").unwrap_or_default();
    let arguments = match arguments.trim() {
        // A call without arguments; anything else is the model's word and is not mended.
        "" => Cow::Borrowed("{}"),
        json if json.starts_with('{') && serde_json::from_str::<&RawValue>(json).is_ok() => arguments,
        _ => {
            let what = "`tool_calls[].function.arguments` that are no JSON object";
            return Err(Untranslatable::new(what));
        }
    };
    let part = Part::Call { id, name, arguments };
    Ok(Piece {
        part,
        cache: call.get("cache_control"),
    })
}

pub(super) fn of_result<'a>(message: &Object<'a>) -> Result<Piece<'a>, Untranslatable> {
    known(message, &["tool_call_id"])?;
    let id = message.text("tool_call_id").ok_or_else(|| unreadable("tool_call_id"))?;
    let pieces = content(message, "tool")?;
    Ok(Piece {
        part: Part::Result { id, pieces },
        cache: message.get("cache_control"),
    })
}

/// A text or a list of parts; blank texts say nothing.
fn content<'a>(message: &Object<'a>, role: &str) -> Pieces<'a> {
    let Some(raw) = message.get("content") else {
        return Ok(Vec::new());
    };
    if let Some(text) = text(raw) {
        let piece = Piece {
            part: Part::Text(text),
            cache: message.get("cache_control").filter(|_| role != "tool"),
        };
        return Ok(Some(piece).into_iter().filter(says_something).collect());
    }
    let parts = items(raw).ok_or_else(|| unreadable("messages[].content"))?;
    let read = parts.into_iter().map(part).collect::<Result<Vec<_>, _>>()?;
    Ok(read.into_iter().filter(says_something).collect())
}

fn says_something(piece: &Piece<'_>) -> bool {
    !matches!(&piece.part, Part::Text(text) if text.trim().is_empty())
}

fn plain(part: Part<'_>) -> Piece<'_> {
    Piece { part, cache: None }
}

fn part(raw: &RawValue) -> Result<Piece<'_>, Untranslatable> {
    let object = Object::read(raw.get()).ok_or_else(|| unreadable("messages[].content[]"))?;
    let kind = object
        .text("type")
        .ok_or_else(|| unreadable("messages[].content[].type"))?;
    let inner = |name: &str| object.get(name).and_then(|raw| Object::read(raw.get()));
    let (part, own) = match kind.as_ref() {
        "text" => (object.text("text").map(Part::Text), "text"),
        "refusal" => (object.text("refusal").map(Part::Text), "refusal"),
        "image_url" => (
            Some(image(inner("image_url").ok_or_else(|| unreadable("image_url"))?)?),
            "image_url",
        ),
        "file" => (
            Some(document(&inner("file").ok_or_else(|| unreadable("file"))?)?),
            "file",
        ),
        other => {
            let what = format!("`messages[].content[]` of the type `{}`", short(other));
            return Err(Untranslatable::new(what));
        }
    };
    if let Some(name) = object.other_than(&["type", "cache_control", own]) {
        return Err(Untranslatable::new(format!("`messages[].content[].{}`", short(name))));
    }
    let part = part.ok_or_else(|| unreadable(&format!("messages[].content[].{own}")))?;
    Ok(Piece {
        part,
        cache: object.get("cache_control"),
    })
}

/// `detail` says how finely it is looked at, which no other dialect asks.
fn image(object: Object<'_>) -> Result<Part<'_>, Untranslatable> {
    if let Some(name) = object.other_than(&["url", "detail"]) {
        return Err(Untranslatable::new(format!("`image_url.{}`", short(name))));
    }
    let url = object.text("url").ok_or_else(|| unreadable("image_url.url"))?;
    let source = source(url).ok_or_else(|| unreadable("image_url.url"))?;
    match &source {
        Source::Data { kind, .. } if !PICTURES.contains(&kind.as_ref()) => {
            Err(Untranslatable::new(format!("a picture of the type `{}`", short(kind))))
        }
        _ => Ok(Part::Image(source)),
    }
}

const PICTURES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/// A file that is in the request itself; one that lies at a vendor is known there alone.
fn document<'a>(file: &Object<'a>) -> Result<Part<'a>, Untranslatable> {
    if let Some(name) = file.other_than(&["file_data", "filename"]) {
        return Err(Untranslatable::new(format!("`file.{}`", short(name))));
    }
    let data = file.text("file_data").ok_or_else(|| unreadable("file.file_data"))?;
    match source(data) {
        Some(source @ Source::Data { .. }) if is_pdf(&source) => Ok(Part::Document {
            source,
            title: file.text("filename"),
        }),
        _ => Err(Untranslatable::new("a `file` that is no PDF in base64")),
    }
}

fn is_pdf(source: &Source<'_>) -> bool {
    matches!(source, Source::Data { kind, .. } if kind == "application/pdf")
}

/// An address, or the data that a `data:` one holds in base64.
fn source(url: Cow<'_, str>) -> Option<Source<'_>> {
    let lower = url.get(..8).unwrap_or(&url).to_ascii_lowercase();
    if lower.starts_with("https://") || lower.starts_with("http://") {
        return Some(Source::Address(url));
    }
    if !lower.starts_with("data:") {
        return None;
    }
    let comma = memchr::memchr(b',', url.as_bytes())?;
    let kind = url.get(5..comma)?.strip_suffix(";base64")?.to_ascii_lowercase();
    // Parameters of the type (`;charset=…`) say nothing of a picture.
    let kind = kind.split(';').next().unwrap_or_default().to_owned();
    let base64 = match url {
        Cow::Borrowed(url) => Cow::Borrowed(url.get(comma + 1..)?),
        Cow::Owned(url) => Cow::Owned(url.get(comma + 1..)?.to_owned()),
    };
    Some(Source::Data {
        kind: Cow::Owned(kind),
        base64,
    })
}
