//! The parts of chat completion bodies that are read, as they stand on the wire. Everything else is skipped unparsed.

use crate::dialect::estimate;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A whole answer or one chunk of a stream: the same outline, `message` in the one and `delta` in the other.
#[derive(Debug, Deserialize)]
pub(super) struct Outline<'a> {
    #[serde(borrow, default)]
    pub choices: Option<Vec<Choice<'a>>>,
    #[serde(borrow, default)]
    pub usage: Option<&'a RawValue>,
    /// The tier that is billed.
    #[serde(borrow, default)]
    pub service_tier: Option<Cow<'a, str>>,
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

impl Part<'_> {
    /// Tokens of each field that holds something.
    pub(super) fn counted(&self) -> impl Iterator<Item = u64> {
        let texts = [
            self.content,
            self.reasoning_content,
            self.reasoning,
            self.refusal,
            self.audio,
        ];
        let calls = [self.tool_calls, self.function_call];
        let filled = |json: &&RawValue| !is_empty(json.get());
        let texts = texts.into_iter().flatten().filter(filled);
        let calls = calls.into_iter().flatten().filter(filled);
        let of_texts = texts.map(|json| estimate::of_piece(json.get().as_bytes()));
        of_texts.chain(calls.map(|json| estimate::of_calls(json.get().as_bytes())))
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
