//! Reads a chat completion request once and rewrites it for the model that serves it.
//!
//! Promises that the bytes stay the client's but for `model`, an output bound, `stream_options.include_usage`, and the
//! fields with which a client would choose models behind the policy's back. It decides nothing.

use super::extras::extras;
use crate::catalog::{ThinkingSwitch, VendorFacts};
use crate::dialect::estimate;
use crate::dialect::members::{Member, STRIPPED, Unreadable, cut, json_string, key_range, members, parse, splice};
use crate::dialect::plain::plain;
use crate::request::{Extras, Requirements, Thinking};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::ops::Range;

/// Every field with which a client speaks of thinking, whichever vendor's it is.
const THINKING: [&str; 6] = [
    "enable_thinking",
    "thinking_budget",
    "thinking",
    "reasoning_effort",
    "reasoning",
    "chat_template_kwargs",
];
/// More choices than this multiply the worst case beyond use; OpenAI's own ceiling.
const MAX_CHOICES: u64 = 128;

/// A request as far as routing reads it, with the places of what may have to change.
#[derive(Clone, Debug)]
pub struct ChatRequest {
    body: Bytes,
    /// What the client calls the model: a route, or `planb/NAME`.
    pub model: String,
    pub stream: bool,
    /// The client asked for usage in the stream and gets to see it.
    pub wants_usage: bool,
    pub output_bound: Option<u64>,
    pub choices: u64,
    pub thinking: Thinking,
    pub tools: bool,
    pub images: bool,
    pub audio: bool,
    pub json_schema: bool,
    /// With stop sequences an empty answer is a legitimate one.
    pub stop: bool,
    /// What may be billed besides plain tokens.
    pub extras: Extras,
    /// Safe estimate of input tokens.
    pub input: u64,
    model_at: Range<usize>,
    messages_at: Range<usize>,
    tools_at: Option<Range<usize>>,
    /// The JSON of what names the conversation, where something does.
    session_at: Option<Range<usize>>,
    stream_options_at: Option<Range<usize>>,
    bound_at: Option<Bound>,
    /// Whole members (`"key": value`) to be cut out.
    cut: Vec<Range<usize>>,
    /// The same, and whatever is about thinking.
    cut_thinking: Vec<Range<usize>>,
    /// The client's arguments to a local model's template.
    template: Option<Bytes>,
    /// Just behind the opening brace.
    inside: usize,
}

#[derive(Clone, Debug)]
struct Bound {
    /// The key's range, quotes included.
    key: Range<usize>,
    value: Range<usize>,
    field: &'static str,
}

/// What planb sends of its own accord.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// An output bound where the client gave none, or in place of a larger one.
    pub cap: Option<u64>,
    /// A thinking budget where the client switched thinking on without one.
    pub thinking_budget: Option<u64>,
    /// Thinking is switched off so, whatever the client says of it.
    pub thinking_off: Option<ThinkingSwitch>,
}

impl ChatRequest {
    /// Words that only their escapes hide are found all the same.
    pub fn read(body: Bytes) -> Result<Self, Unreadable> {
        let Some(plain) = plain(&body) else {
            return Self::read_as_written(body);
        };
        let (own, seen) = (Self::read_as_written(body)?, Self::read_as_written(plain)?);
        Ok(Self {
            images: seen.images,
            audio: seen.audio,
            extras: seen.extras,
            input: own.input.max(seen.input),
            ..own
        })
    }

    fn read_as_written(body: Bytes) -> Result<Self, Unreadable> {
        let members = members(&body)?;
        let field = |name: &str| members.iter().find(|member| member.name == name);
        let raw = |name: &str| {
            field(name)
                .map(|member| member.json(&body))
                .filter(|json| *json != "null")
        };
        let model_member = field("model").ok_or(Unreadable::Missing("model"))?;
        let model: String = parse(model_member.json(&body), "model", "a string")?;
        let messages = raw("messages").ok_or(Unreadable::Missing("messages"))?;
        if !messages.starts_with('[') {
            return Err(Unreadable::Wrong {
                field: "messages",
                expected: "an array",
            });
        }
        let stream = raw("stream").map_or(Ok(false), |json| parse(json, "stream", "true or false"))?;
        let (output_bound, bound_at) = bound(&members, &body)?;
        let options: Option<StreamOptions> = raw("stream_options")
            .map(|json| parse(json, "stream_options", "an object"))
            .transpose()?;
        let tools = ["tools", "functions"]
            .iter()
            .any(|name| raw(name).is_some_and(|json| json != "[]"));
        let listed = |names: &[&str]| {
            names
                .iter()
                .filter_map(|name| raw(name))
                .map(|json| estimate::of_json(json.as_bytes()))
                .sum::<u64>()
        };
        Ok(Self {
            model,
            stream,
            wants_usage: options.is_some_and(|options| options.include_usage == Some(true)),
            output_bound,
            choices: choices(raw("n"))?,
            thinking: thinking(raw("enable_thinking"), raw("thinking_budget"))?,
            tools,
            images: has_parts(messages, "image"),
            audio: has_parts(messages, "audio"),
            json_schema: raw("response_format").is_some_and(wants_schema),
            stop: raw("stop").is_some(),
            extras: extras(&body, raw)?,
            input: estimate::of_messages(messages.as_bytes())
                + listed(&["tools", "functions", "response_format"])
                + REPLY_PRIMER
                + if tools { TOOLS_PRIMER } else { 0 },
            model_at: model_member.value.clone(),
            messages_at: field("messages").map_or(0..0, |member| member.value.clone()),
            tools_at: field("tools").map(|member| member.value.clone()),
            session_at: session::named(&members, &body),
            stream_options_at: field("stream_options").map(|member| member.value.clone()),
            bound_at,
            cut: cut(&members, &body, |member| is_out(member, &body, &STRIPPED)),
            cut_thinking: cut(&members, &body, |member| {
                is_out(member, &body, &STRIPPED) || is_out(member, &body, &THINKING)
            }),
            template: raw("chat_template_kwargs").map(|json| Bytes::copy_from_slice(json.as_bytes())),
            inside: body.iter().position(|byte| *byte == b'{').map_or(0, |at| at + 1),
            body,
        })
    }

    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// What it needs of a model by its own words.
    pub fn needs(&self) -> Requirements {
        Requirements {
            input: self.input,
            output_bound: self.output_bound,
            thinking: self.thinking,
            choices: self.choices,
            tools: self.tools,
            images: self.images,
            json_schema: self.json_schema,
            audio: self.audio,
            stream: self.stream,
            extras: self.extras.clone(),
            ..Requirements::default()
        }
    }

    /// The bytes for one provider: the client's, with the upstream's model name and what `shape` adds.
    pub fn for_upstream(&self, upstream: &str, vendor: &VendorFacts, shape: Shape) -> Bytes {
        let mut edits: Vec<(Range<usize>, String)> = vec![(self.model_at.clone(), json_string(upstream))];
        let mut added = String::new();
        if self.stream && vendor.stream_usage && !self.wants_usage {
            match &self.stream_options_at {
                None => added.push_str("\"stream_options\":{\"include_usage\":true},"),
                Some(at) => edits.push((at.clone(), with_usage(self.body.get(at.clone()).unwrap_or_default()))),
            }
        }
        if let (Some(cap), Some(bound)) = (shape.cap, &self.bound_at) {
            edits.push((bound.value.clone(), cap.to_string()));
        } else if let Some(cap) = shape.cap {
            added.push_str(&format!("\"{}\":{cap},", vendor.output_bound_field));
        }
        if let Some(budget) = shape.thinking_budget {
            added.push_str(&format!("\"thinking_budget\":{budget},"));
        }
        if let Some(bound) = self.bound_at.as_ref().filter(|bound| is_foreign(bound.field, vendor)) {
            edits.push((bound.key.clone(), json_string(vendor.output_bound_field)));
        }
        let cut = match shape.thinking_off {
            Some(switch) => {
                added.push_str(&format!("\"{}\":{},", switch.field(), self.switched_off(switch)));
                &self.cut_thinking
            }
            None => &self.cut,
        };
        edits.extend(cut.iter().map(|range| (range.clone(), String::new())));
        edits.push((self.inside..self.inside, added));
        splice(&self.body, edits)
    }
}

impl ChatRequest {
    /// The switch's value. A template's other arguments stay the client's.
    fn switched_off(&self, switch: ThinkingSwitch) -> String {
        let mut arguments: serde_json::Map<String, serde_json::Value> = match (&self.template, switch) {
            (Some(template), ThinkingSwitch::Template) => serde_json::from_slice(template).unwrap_or_default(),
            _ => return switch.value().to_owned(),
        };
        arguments.insert("enable_thinking".to_owned(), false.into());
        serde_json::Value::Object(arguments).to_string()
    }
}

/// A hosted vendor that ignores an unknown bound would answer without one. Local servers know both spellings, and what an
/// `openai-compatible` one knows is its operator's business.
fn is_foreign(field: &str, vendor: &VendorFacts) -> bool {
    vendor.needs_key && field != vendor.output_bound_field
}

/// What templates add once: the opening of the answer, and the system prompt that some put in where the client gave none.
const REPLY_PRIMER: u64 = 40;
/// How to call tools, as some templates explain it at length.
const TOOLS_PRIMER: u64 = 256;

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

fn choices(json: Option<&str>) -> Result<u64, Unreadable> {
    const EXPECTED: &str = "a whole number from 1 to 128";
    let n: u64 = json.map_or(Ok(1), |json| parse(json, "n", EXPECTED))?;
    if (1..=MAX_CHOICES).contains(&n) {
        Ok(n)
    } else {
        Err(Unreadable::Wrong {
            field: "n",
            expected: EXPECTED,
        })
    }
}

/// The client's bound. `null` and -1 (some local servers' "no bound") are none, and are cut out of the body so that
/// planb's own bound is the only one.
fn bound(members: &[Member<'_>], body: &Bytes) -> Result<(Option<u64>, Option<Bound>), Unreadable> {
    let mut found = None;
    for field in BOUND_FIELDS {
        let Some(member) = members.iter().find(|member| member.name == field) else {
            continue;
        };
        if is_no_bound(member.json(body)) {
            continue;
        }
        let tokens: u64 = parse(member.json(body), field, "a whole number above 0")?;
        if tokens == 0 {
            return Err(Unreadable::Wrong {
                field,
                expected: "a whole number above 0",
            });
        }
        if found.is_some() {
            return Err(Unreadable::TwoBounds);
        }
        found = Some((
            tokens,
            Bound {
                key: key_range(member, body),
                value: member.value.clone(),
                field,
            },
        ));
    }
    Ok(found.map_or((None, None), |(tokens, at)| (Some(tokens), Some(at))))
}

const BOUND_FIELDS: [&str; 2] = ["max_tokens", "max_completion_tokens"];

fn is_no_bound(json: &str) -> bool {
    matches!(json, "null" | "-1")
}

fn thinking(enabled: Option<&str>, budget: Option<&str>) -> Result<Thinking, Unreadable> {
    let enabled: Option<bool> = enabled
        .map(|json| parse(json, "enable_thinking", "true or false"))
        .transpose()?;
    let budget: Option<u64> = budget
        .map(|json| parse(json, "thinking_budget", "a whole number"))
        .transpose()?;
    Ok(match (enabled, budget) {
        (Some(false), _) => Thinking::Off,
        (_, Some(tokens)) => Thinking::Budget(tokens),
        (Some(true), None) => Thinking::On,
        (None, None) => Thinking::Unstated,
    })
}

fn wants_schema(json: &str) -> bool {
    #[derive(Deserialize)]
    struct Format<'a> {
        #[serde(borrow, rename = "type")]
        kind: Option<Cow<'a, str>>,
    }
    serde_json::from_str::<Format<'_>>(json)
        .ok()
        .and_then(|format| format.kind)
        .is_some_and(|kind| kind == "json_schema")
}

/// Parsed only where the word occurs at all, which most requests are spared.
fn has_parts(messages: &str, word: &str) -> bool {
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(borrow, default)]
        content: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct ContentPart<'a> {
        #[serde(borrow, rename = "type")]
        kind: Option<Cow<'a, str>>,
    }
    if memchr::memmem::find(messages.as_bytes(), word.as_bytes()).is_none() {
        return false;
    }
    let Ok(messages) = serde_json::from_str::<Vec<Message<'_>>>(messages) else {
        return true;
    };
    let contents = messages.iter().filter_map(|message| message.content);
    contents
        .filter(|content| content.get().starts_with('['))
        .any(|content| {
            // What a lenient provider makes of a part that cannot be read nobody knows.
            let Ok(parts) = serde_json::from_str::<Vec<&RawValue>>(content.get()) else {
                return true;
            };
            parts
                .iter()
                .any(|part| match serde_json::from_str::<ContentPart<'_>>(part.get()) {
                    Ok(part) => part.kind.is_some_and(|kind| kind.contains(word)),
                    Err(_) => {
                        !part.get().starts_with('"')
                            && memchr::memmem::find(part.get().as_bytes(), word.as_bytes()).is_some()
                    }
                })
        })
}

fn is_out(member: &Member<'_>, body: &Bytes, unwanted: &[&str]) -> bool {
    let name = member.name.as_ref();
    unwanted.contains(&name) || BOUND_FIELDS.contains(&name) && is_no_bound(member.json(body))
}

fn with_usage(options: &[u8]) -> String {
    let mut object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(options).unwrap_or_default();
    object.insert("include_usage".to_owned(), true.into());
    serde_json::Value::Object(object).to_string()
}

mod session;
#[cfg(test)]
mod tests;
