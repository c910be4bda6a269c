//! The parts of chat completion bodies that are read, as they stand on the wire. Everything else is skipped unparsed.

use crate::usage::Usage;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The `usage` object in the forms of all served vendors (cached tokens have three spellings).
#[derive(Debug, Default, Deserialize)]
pub(super) struct WireUsage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
    prompt_cache_hit_tokens: Option<u64>,
    cached_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
struct PromptDetails {
    cached_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
struct CompletionDetails {
    reasoning_tokens: Option<u64>,
}

impl WireUsage {
    /// `None` unless both sides are there: half a report is no report. An explicit zero is a value.
    pub(super) fn usage(&self) -> Option<Usage> {
        let detail = self
            .prompt_tokens_details
            .as_ref()
            .and_then(|details| details.cached_tokens);
        let cached = detail.or(self.prompt_cache_hit_tokens).or(self.cached_tokens);
        let reasoning = self
            .completion_tokens_details
            .as_ref()
            .and_then(|details| details.reasoning_tokens);
        Some(Usage {
            input: self.prompt_tokens?,
            cache_read: cached.unwrap_or(0),
            output: self.completion_tokens?,
            reasoning: reasoning.unwrap_or(0),
            ..Usage::default()
        })
    }
}

/// A whole answer or one chunk of a stream: the same outline, `message` in the one and `delta` in the other.
#[derive(Debug, Deserialize)]
pub(super) struct Outline<'a> {
    #[serde(borrow, default)]
    pub choices: Option<Vec<Choice<'a>>>,
    #[serde(borrow, default)]
    pub usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub error: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Choice<'a> {
    #[serde(default)]
    pub index: u64,
    #[serde(borrow, default, alias = "message")]
    pub delta: Option<Part<'a>>,
    #[serde(borrow, default)]
    pub finish_reason: Option<Cow<'a, str>>,
    /// Moonshot reports usage here.
    #[serde(borrow, default)]
    pub usage: Option<&'a RawValue>,
}

/// What a choice brings: any of these non-empty is content.
#[derive(Debug, Deserialize)]
pub(super) struct Part<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow, default)]
    refusal: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_calls: Option<&'a RawValue>,
    #[serde(borrow, default)]
    function_call: Option<&'a RawValue>,
    #[serde(borrow, default)]
    audio: Option<&'a RawValue>,
}

impl<'a> Part<'a> {
    /// The raw JSON of each field that holds something.
    pub(super) fn filled(&self) -> impl Iterator<Item = &'a str> {
        let fields = [
            self.content,
            self.reasoning_content,
            self.reasoning,
            self.refusal,
            self.tool_calls,
            self.function_call,
            self.audio,
        ];
        fields
            .into_iter()
            .flatten()
            .map(RawValue::get)
            .filter(|json| !is_empty(json))
    }
}

/// `null`, `""`, `[]`, `{}`, `false` and `0` say nothing.
pub(super) fn is_empty(json: &str) -> bool {
    let mut bytes = json.bytes().filter(|byte| !byte.is_ascii_whitespace());
    match (bytes.next(), bytes.next(), bytes.next()) {
        (None, ..)
        | (Some(b'"'), Some(b'"'), None)
        | (Some(b'['), Some(b']'), None)
        | (Some(b'{'), Some(b'}'), None) => true,
        _ => matches!(json.trim(), "null" | "false" | "0"),
    }
}

pub(super) fn usage_of(raw: Option<&RawValue>) -> Option<Usage> {
    serde_json::from_str::<Option<WireUsage>>(raw?.get()).ok()??.usage()
}
