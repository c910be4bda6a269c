//! Server-sent events as tests see them: made by a provider, read by a client.

use super::Usage;
use serde_json::{Value, json};

/// The events of a streamed answer, word by word, with the usage chunk where it was asked for and `[DONE]`.
pub fn completion_events(model: &str, text: &str, usage: Option<Usage>) -> Vec<String> {
    let mut events = vec![content_event(model, "")];
    events.extend(text.split_inclusive(' ').map(|word| content_event(model, word)));
    events.push(finish_event(model));
    events.extend(usage.map(|usage| usage_event(model, usage)));
    events.push("data: [DONE]\n\n".to_owned());
    events
}

pub fn content_event(model: &str, text: &str) -> String {
    chunk(
        model,
        json!([{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": null}]),
        None,
    )
}

pub fn finish_event(model: &str) -> String {
    chunk(model, json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]), None)
}

pub fn usage_event(model: &str, usage: Usage) -> String {
    chunk(model, json!([]), Some(usage))
}

fn chunk(model: &str, choices: Value, usage: Option<Usage>) -> String {
    let mut chunk = json!({"id": "chatcmpl-test", "object": "chat.completion.chunk", "created": 1_790_000_000,
        "model": model, "choices": choices});
    if let Some(usage) = usage {
        chunk["usage"] = usage.json();
    }
    format!("data: {chunk}\n\n")
}

/// What a client makes of a stream.
#[derive(Debug, Default, PartialEq)]
pub struct Heard {
    /// The data of every event, in order, `[DONE]` left out.
    pub data: Vec<String>,
    pub done: bool,
    pub comments: Vec<String>,
}

/// Reads a stream as a client does: an event counts once its blank line has come.
pub fn hear(bytes: &[u8]) -> Heard {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n");
    let mut heard = Heard::default();
    let mut data: Vec<&str> = Vec::new();
    for line in text.split('\n') {
        if let Some(comment) = line.strip_prefix(':') {
            heard.comments.push(comment.trim().to_owned());
        } else if let Some(value) = line.strip_prefix("data:") {
            data.push(value.strip_prefix(' ').unwrap_or(value));
        } else if line.is_empty() && !data.is_empty() {
            match data.join("\n") {
                done if done == "[DONE]" => heard.done = true,
                event => heard.data.push(event),
            }
            data.clear();
        }
    }
    heard
}

impl Heard {
    pub fn events(&self) -> Vec<Value> {
        let read = |data: &String| serde_json::from_str(data).unwrap_or_else(|_| panic!("not JSON: {data}"));
        self.data.iter().map(read).collect()
    }

    /// The text of the first choice, put together.
    pub fn text(&self) -> String {
        let word = |event: &Value| {
            event["choices"][0]["delta"]["content"]
                .as_str()
                .unwrap_or("")
                .to_owned()
        };
        self.events().iter().map(word).collect()
    }

    pub fn has_error(&self) -> bool {
        self.events().iter().any(|event| event["error"].is_object())
    }

    pub fn has_usage(&self) -> bool {
        self.events().iter().any(|event| event["usage"].is_object())
    }

    pub fn has_finish(&self) -> bool {
        self.events()
            .iter()
            .any(|event| event["choices"][0]["finish_reason"].is_string())
    }
}

mod tests {
    use super::*;

    #[test]
    fn a_client_hears_what_a_provider_says() {
        let heard = hear(
            completion_events("m", "Hello you there", Some(Usage::new(1, 2)))
                .concat()
                .as_bytes(),
        );
        assert_eq!(heard.text(), "Hello you there");
        assert!(heard.done && heard.has_usage() && heard.has_finish() && !heard.has_error());
    }

    #[test]
    fn an_event_without_its_blank_line_is_not_heard() {
        let heard = hear(b": note\r\n\r\ndata: {\"a\":1}\r\n\r\ndata: [DONE]");
        assert_eq!((heard.data.len(), heard.done, heard.comments.len()), (1, false, 1));
    }
}
