//! Writes the steps of an answer as a chat completion: chunk by chunk, or whole.

use crate::dialect::neutral::{Event, Stop};
use crate::usage::{ServiceTier, Usage};
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

/// The reason that says so; what has no word of its own in this dialect keeps the one that it has.
const fn finish_reason(stop: Stop) -> &'static str {
    match stop {
        Stop::Done => "stop",
        Stop::Length => "length",
        Stop::Calls => "tool_calls",
        Stop::Filtered => "content_filter",
        Stop::Paused => "pause_turn",
    }
}

/// An answer's chunks, each with its head.
#[derive(Debug)]
pub struct Chunks {
    created: i64,
    /// Everything before the choices; empty until the answer has begun.
    head: Vec<u8>,
}

#[derive(Serialize)]
struct Thought<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    thinking: &'a str,
    signature: &'a str,
}

impl<'a> Thought<'a> {
    const fn sealed(thinking: &'a str, signature: &'a str) -> Self {
        Self {
            kind: "thinking",
            thinking,
            signature,
        }
    }
}

impl Chunks {
    /// `created`: seconds since 1970.
    pub const fn new(created: i64) -> Self {
        Self {
            created,
            head: Vec::new(),
        }
    }

    /// The JSON of the step's chunk.
    pub fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if let Event::Began { id, model } = event {
            self.head.clear();
            self.head.extend_from_slice(b"{\"id\":");
            push_json(&mut self.head, id);
            let created = format!(
                ",\"object\":\"chat.completion.chunk\",\"created\":{},\"model\":",
                self.created
            );
            self.head.extend_from_slice(created.as_bytes());
            push_json(&mut self.head, model);
        }
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b",\"choices\":[{\"index\":0,\"delta\":{");
        let mut finish = None;
        match event {
            Event::Began { .. } => out.extend_from_slice(b"\"role\":\"assistant\",\"content\":\"\""),
            Event::Text(text) => member(out, "\"content\":", text),
            Event::Thought(text) => member(out, "\"reasoning_content\":", text),
            Event::Sealed { text, seal } => member(out, "\"thinking_blocks\":", &[Thought::sealed(text, seal)]),
            Event::CallBegan { number, id, name } => {
                let function = json!({"name": name, "arguments": ""});
                let call = json!([{"index": number, "id": id, "type": "function", "function": function}]);
                member(out, "\"tool_calls\":", &call);
            }
            Event::CallWent { number, json } => {
                let begin = format!("\"tool_calls\":[{{\"index\":{number},\"function\":{{\"arguments\":");
                member(out, &begin, json);
                out.extend_from_slice(b"}}]");
            }
            Event::Ended(stop) => finish = Some(finish_reason(*stop)),
        }
        out.extend_from_slice(b"},\"finish_reason\":");
        match finish {
            None => out.extend_from_slice(b"null}]}"),
            Some(reason) => {
                push_json(out, reason);
                out.extend_from_slice(b"}]}");
            }
        }
    }

    /// The JSON of the chunk that tells the usage.
    pub fn write_usage(&self, usage: &Usage, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b",\"choices\":[]");
        if let Some(tier) = usage.tier {
            member(out, ",\"service_tier\":", tier_word(tier));
        }
        member(out, ",\"usage\":", &usage_json(usage));
        out.push(b'}');
    }
}

fn member<T: Serialize + ?Sized>(out: &mut Vec<u8>, key: &str, value: &T) {
    out.extend_from_slice(key.as_bytes());
    push_json(out, value);
}

fn push_json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    // Into memory, and nothing of ours has a key that is no text: it cannot fail.
    let _ = serde_json::to_writer(out, value);
}

const fn tier_word(tier: ServiceTier) -> &'static str {
    match tier {
        ServiceTier::Standard => "default",
        other => other.word(),
    }
}

/// With input that contains what was cached, as this dialect counts.
fn usage_json(usage: &Usage) -> Value {
    let mut json = json!({
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.tokens(),
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write.saturating_add(usage.cache_write_1h),
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    });
    if usage.cache_write_1h > 0 {
        json["prompt_tokens_details"]["cache_write_tokens_details"] =
            json!({"ephemeral_1h_input_tokens": usage.cache_write_1h});
    }
    if usage.web_searches.is_some() || usage.web_fetches > 0 {
        json["server_tool_use"] = json!({
            "web_search_requests": usage.web_searches,
            "web_fetch_requests": usage.web_fetches,
        });
    }
    json
}

/// The whole answer. Without its end it has no reason to finish either.
pub fn completion(events: &[Event<'_>], usage: Option<&Usage>, created: i64) -> Bytes {
    let (mut identity, mut finish) = (("", ""), Value::Null);
    let (mut text, mut thought) = (String::new(), String::new());
    let (mut thoughts, mut calls) = (Vec::new(), Vec::<Value>::new());
    for event in events {
        match event {
            Event::Began { id, model } => identity = (id, model),
            Event::Text(more) => text.push_str(more),
            Event::Thought(more) => thought.push_str(more),
            Event::Sealed { text, seal } => thoughts.push(json!(Thought::sealed(text, seal))),
            Event::CallBegan { id, name, .. } => {
                calls.push(json!({"id": id, "type": "function", "function": {"name": name, "arguments": ""}}))
            }
            Event::CallWent { number, json } => {
                if let Some(call) = calls.get_mut(*number) {
                    call["function"]["arguments"] = json.as_ref().into();
                }
            }
            Event::Ended(stop) => finish = finish_reason(*stop).into(),
        }
    }
    let says_nothing = text.is_empty() && !calls.is_empty();
    let content = if says_nothing { Value::Null } else { text.into() };
    let mut message = json!({"role": "assistant", "content": content, "refusal": null});
    if !thought.is_empty() {
        message["reasoning_content"] = thought.into();
    }
    if !thoughts.is_empty() {
        message["thinking_blocks"] = thoughts.into();
    }
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    let (id, model) = identity;
    let choice = json!({"index": 0, "message": message, "logprobs": null, "finish_reason": finish});
    let mut whole =
        json!({"id": id, "object": "chat.completion", "created": created, "model": model, "choices": [choice]});
    if let Some(usage) = usage {
        whole["usage"] = usage_json(usage);
        if let Some(tier) = usage.tier {
            whole["service_tier"] = tier_word(tier).into();
        }
    }
    Bytes::from(whole.to_string())
}
