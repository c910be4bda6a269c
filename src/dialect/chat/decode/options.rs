//! What a chat request says besides its turns and tools: sampling, the answer's form, thinking, whose it is.

use super::parts::unreadable;
use super::{DROPPABLE, DROPPED, short};
use crate::dialect::members::STRIPPED;
use crate::dialect::neutral::{Conversation, Effort, Untranslatable, Wish};
use crate::dialect::object::{Object, items, text};
use crate::usage::ServiceTier;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Words that a chat request may borrow from the Messages dialect; they go as they are.
const SHARED: [&str; 3] = ["cache_control", "inference_geo", "speed"];
/// Read elsewhere.
const ELSEWHERE: [&str; 3] = ["messages", "tools", "tool_choice"];

pub(super) fn read<'a>(body: &Object<'a>, conversation: &mut Conversation<'a>) -> Result<(), Untranslatable> {
    for (name, raw) in body.members() {
        if DROPPED.contains(&name) || STRIPPED.contains(&name) || ELSEWHERE.contains(&name) {
            continue;
        }
        if let Some(shared) = SHARED.into_iter().find(|shared| *shared == name) {
            conversation.shared.push((shared, raw));
            continue;
        }
        if let Some(lost) = DROPPABLE.into_iter().find(|lost| *lost == name) {
            if says_something(lost, raw.get()) {
                conversation.lost.push(lost);
            }
            continue;
        }
        member(name, raw, conversation)?;
    }
    Ok(())
}

/// A penalty of nothing is none, and probabilities that nobody wants neither.
fn says_something(name: &str, json: &str) -> bool {
    let neutral: &[&str] = match name {
        "frequency_penalty" | "presence_penalty" => &["0", "0.0"],
        "repetition_penalty" => &["1", "1.0"],
        "logit_bias" => &["{}"],
        "logprobs" => &["false"],
        "top_logprobs" => &["0"],
        _ => &[],
    };
    !neutral.contains(&json)
}

fn member<'a>(name: &str, raw: &'a RawValue, conversation: &mut Conversation<'a>) -> Result<(), Untranslatable> {
    let sampling = &mut conversation.sampling;
    match name {
        "n" if raw.get() == "1" => {}
        "modalities" if text_alone(raw) => {}
        "service_tier" if text(raw).and_then(|word| ServiceTier::of(&word)) == Some(ServiceTier::Standard) => {}
        "temperature" => sampling.temperature = Some(number(name, raw)?),
        "top_p" => sampling.top_p = Some(number(name, raw)?),
        "top_k" => sampling.top_k = Some(number(name, raw)?),
        "stop" => conversation.stop = stop(raw)?,
        "response_format" => conversation.schema = schema(raw)?,
        "user" | "safety_identifier" => {
            let user = text(raw).ok_or_else(|| unreadable(name))?;
            // The newer word is the one that counts.
            if name == "safety_identifier" || conversation.user.is_none() {
                conversation.user = Some(user);
            }
        }
        "enable_thinking" | "thinking_budget" | "reasoning_effort" | "reasoning" | "thinking" => {
            let wish = wish(name, raw)?;
            conversation.wish = narrower(conversation.wish.take(), wish);
        }
        other => return Err(Untranslatable::new(format!("`{}`", short(other)))),
    }
    Ok(())
}

fn text_alone(raw: &RawValue) -> bool {
    let kinds = items(raw).unwrap_or_default();
    kinds.iter().all(|kind| text(kind).as_deref() == Some("text"))
}

fn number<'a>(name: &str, raw: &'a RawValue) -> Result<&'a RawValue, Untranslatable> {
    let is_number = serde_json::from_str::<f64>(raw.get()).is_ok();
    is_number.then_some(raw).ok_or_else(|| unreadable(name))
}

fn stop(raw: &RawValue) -> Result<Vec<Cow<'_, str>>, Untranslatable> {
    let all = match text(raw) {
        Some(one) => vec![one],
        None => items(raw)
            .and_then(|items| items.into_iter().map(text).collect())
            .ok_or_else(|| unreadable("stop"))?,
    };
    Ok(all)
}

/// `None` for plain text. JSON without a schema is any object.
fn schema(raw: &RawValue) -> Result<Option<Cow<'_, str>>, Untranslatable> {
    let format = Object::read(raw.get()).ok_or_else(|| unreadable("response_format"))?;
    let kind = format.text("type").unwrap_or_default();
    match kind.as_ref() {
        "text" => Ok(None),
        "json_object" => Ok(Some(Cow::Borrowed(r#"{"type":"object"}"#))),
        "json_schema" => {
            let named = format.get("json_schema").and_then(|raw| Object::read(raw.get()));
            let schema = named.and_then(|named| named.get("schema"));
            let schema = schema.ok_or_else(|| unreadable("response_format.json_schema.schema"))?;
            Ok(Some(Cow::Borrowed(schema.get())))
        }
        other => Err(Untranslatable::new(format!(
            "`response_format` of the type `{}`",
            short(other)
        ))),
    }
}

fn wish<'a>(name: &str, raw: &'a RawValue) -> Result<Wish<'a>, Untranslatable> {
    let tokens = |raw: &RawValue| serde_json::from_str::<u64>(raw.get()).ok().map(Wish::Tokens);
    let read = match name {
        "enable_thinking" => match raw.get() {
            "true" => Some(Wish::On),
            "false" => Some(Wish::Off),
            _ => None,
        },
        "thinking_budget" => tokens(raw),
        "reasoning_effort" => text(raw).and_then(|word| effort(&word)),
        "thinking" => Object::read(raw.get()).map(|_| Wish::AsWritten(raw)),
        _ => reasoning(raw)?,
    };
    read.ok_or_else(|| unreadable(name))
}

fn effort<'a>(word: &str) -> Option<Wish<'a>> {
    match word {
        "none" => Some(Wish::Off),
        other => Effort::of(other).map(Wish::Effort),
    }
}

/// OpenRouter's object.
fn reasoning(raw: &RawValue) -> Result<Option<Wish<'_>>, Untranslatable> {
    let Some(object) = Object::read(raw.get()) else {
        return Ok(None);
    };
    if let Some(name) = object.other_than(&["effort", "max_tokens", "enabled"]) {
        return Err(Untranslatable::new(format!("`reasoning.{}`", short(name))));
    }
    let tokens = object
        .get("max_tokens")
        .and_then(|raw| serde_json::from_str(raw.get()).ok());
    let asked = object.text("effort").and_then(|word| effort(&word));
    let enabled = object.get("enabled").map(|raw| match raw.get() {
        "false" => Wish::Off,
        _ => Wish::On,
    });
    Ok(tokens.map(Wish::Tokens).or(asked).or(enabled))
}

/// Of two words the one that says more: not to think, then how much, then that it should.
fn narrower<'a>(one: Option<Wish<'a>>, other: Wish<'a>) -> Option<Wish<'a>> {
    let rank = |wish: &Wish<'_>| match wish {
        Wish::Off => 0,
        Wish::AsWritten(_) => 1,
        Wish::Tokens(_) => 2,
        Wish::Effort(_) => 3,
        Wish::On => 4,
    };
    match one {
        Some(one) if rank(&one) <= rank(&other) => Some(one),
        _ => Some(other),
    }
}
