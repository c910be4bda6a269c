//! Reads a streamed Messages answer, event by event, as steps that any dialect can tell.
//!
//! An answer has ended only with `message_stop`. What a call's arguments lack is never added. It keeps no more than the
//! thought that is under way, until its seal comes.

use super::seal;
use super::usage::WireUsage;
use crate::dialect::neutral::{Event, Stop};
use crate::dialect::object::Text;
use crate::usage::Usage;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What an event was besides the steps it brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Of the answer, or of a kind that is not known yet.
    Going,
    /// Says that the provider is still there.
    Ping,
    /// The answer is whole.
    Over,
    /// An error in place of the rest; the event's data is the body.
    Error,
    Malformed(&'static str),
}

/// How far the answer has come.
#[derive(Debug)]
pub struct Reading {
    /// Put before the seals of this model.
    tag: String,
    began: bool,
    open: Vec<(u64, Open)>,
    calls: usize,
    usage: WireUsage,
}

/// A block that has begun.
#[derive(Debug)]
enum Open {
    Text,
    Thought { text: String, signature: String },
    Call { number: usize, went: bool, input: String },
    Unknown,
}

#[derive(Deserialize)]
struct Outline<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    message: Option<Message<'a>>,
    #[serde(default)]
    index: u64,
    #[serde(borrow, default)]
    content_block: Option<Block<'a>>,
    #[serde(borrow, default)]
    delta: Option<Delta<'a>>,
    #[serde(default)]
    usage: Option<WireUsage>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    model: Option<Text<'a>>,
    #[serde(default)]
    usage: Option<WireUsage>,
}

/// As it begins in a stream, or whole.
#[derive(Deserialize)]
pub(super) struct Block<'a> {
    #[serde(borrow, default, rename = "type")]
    pub kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub text: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub thinking: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub signature: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub data: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub name: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub input: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(borrow, default)]
    thinking: Option<Text<'a>>,
    #[serde(borrow, default)]
    signature: Option<Text<'a>>,
    #[serde(borrow, default)]
    partial_json: Option<Text<'a>>,
    #[serde(borrow, default)]
    stop_reason: Option<Text<'a>>,
}

pub(super) fn word<'a>(text: Option<&'a Text<'_>>) -> &'a str {
    text.map_or("", |Text(text)| text.as_ref())
}

pub(super) fn said(text: Option<Text<'_>>) -> Cow<'_, str> {
    text.map_or(Cow::Borrowed(""), |Text(text)| text)
}

/// The meaning of a stop reason; one that is not known is an end like any other.
pub(super) fn stop_of(reason: &str, called: bool) -> Stop {
    match reason {
        "max_tokens" | "model_context_window_exceeded" => Stop::Length,
        "tool_use" => Stop::Calls,
        "refusal" => Stop::Filtered,
        "pause_turn" => Stop::Paused,
        // Some clones end a turn in which they called.
        _ if called => Stop::Calls,
        _ => Stop::Done,
    }
}

impl Reading {
    pub fn of(target: &super::Target<'_>) -> Self {
        Self {
            tag: seal::tag(target),
            began: false,
            open: Vec::new(),
            calls: 0,
            usage: WireUsage::default(),
        }
    }

    /// As reported so far; the figures are whole with the answer.
    pub fn usage(&self) -> Option<Usage> {
        self.usage.usage()
    }

    /// Tells the steps that the event's data brings.
    pub fn read<'a>(&mut self, data: &'a [u8], tell: &mut dyn FnMut(Event<'a>)) -> Heard {
        let Ok(outline) = serde_json::from_slice::<Outline<'a>>(data) else {
            return Heard::Malformed("an event is not of the Messages dialect");
        };
        if let Some(usage) = outline.usage {
            self.usage.update(usage);
        }
        match word(outline.kind.as_ref()) {
            "" => return Heard::Malformed("an event has no type"),
            "ping" => return Heard::Ping,
            "error" => return Heard::Error,
            "message_start" => self.begin(outline.message, tell),
            _ if !self.began => return Heard::Malformed("the answer began without its head"),
            "message_stop" => return Heard::Over,
            "content_block_start" => {
                if let Some(block) = outline.content_block {
                    self.open_block(outline.index, block, tell);
                }
            }
            "content_block_delta" => {
                if let Some(delta) = outline.delta {
                    self.go_on(outline.index, delta, tell);
                }
            }
            "content_block_stop" => self.close_block(outline.index, tell),
            "message_delta" => {
                let reason = outline.delta.and_then(|delta| delta.stop_reason);
                if let Some(Text(reason)) = reason {
                    tell(Event::Ended(stop_of(&reason, self.calls > 0)));
                }
            }
            _ => {}
        }
        Heard::Going
    }

    fn begin<'a>(&mut self, message: Option<Message<'a>>, tell: &mut dyn FnMut(Event<'a>)) {
        let Some(message) = message else { return };
        if let Some(usage) = message.usage {
            self.usage.update(usage);
        }
        if !self.began {
            self.began = true;
            tell(Event::Began {
                id: said(message.id),
                model: said(message.model),
            });
        }
    }

    fn open_block<'a>(&mut self, index: u64, block: Block<'a>, tell: &mut dyn FnMut(Event<'a>)) {
        let open = match word(block.kind.as_ref()) {
            "text" => {
                tell_text(said(block.text), tell);
                Open::Text
            }
            "thinking" => {
                let text = said(block.thinking);
                let open = Open::Thought {
                    text: text.to_string(),
                    signature: said(block.signature).into_owned(),
                };
                tell_thought(text, tell);
                open
            }
            "redacted_thinking" => {
                tell(Event::Sealed {
                    text: Cow::Borrowed(""),
                    seal: seal::hidden(&self.tag, &said(block.data)).into(),
                });
                Open::Unknown
            }
            "tool_use" => {
                let number = self.calls;
                self.calls += 1;
                tell(Event::CallBegan {
                    number,
                    id: said(block.id),
                    name: said(block.name),
                });
                Open::Call {
                    number,
                    went: false,
                    input: block.input.map_or("", RawValue::get).to_owned(),
                }
            }
            _ => Open::Unknown,
        };
        self.open.retain(|(known, _)| *known != index);
        self.open.push((index, open));
    }

    fn go_on<'a>(&mut self, index: u64, delta: Delta<'a>, tell: &mut dyn FnMut(Event<'a>)) {
        let open = self.open.iter_mut().find(|(known, _)| *known == index);
        match (word(delta.kind.as_ref()), open.map(|(_, open)| open)) {
            ("text_delta", _) => tell_text(said(delta.text), tell),
            ("thinking_delta", open) => {
                let thought = said(delta.thinking);
                if let Some(Open::Thought { text, .. }) = open {
                    text.push_str(&thought);
                }
                tell_thought(thought, tell);
            }
            ("signature_delta", Some(Open::Thought { signature, .. })) => signature.push_str(&said(delta.signature)),
            ("input_json_delta", Some(Open::Call { number, went, .. })) => {
                let json = said(delta.partial_json);
                if !json.is_empty() {
                    *went = true;
                    tell(Event::CallWent { number: *number, json });
                }
            }
            _ => {}
        }
    }

    fn close_block<'a>(&mut self, index: u64, tell: &mut dyn FnMut(Event<'a>)) {
        let Some(at) = self.open.iter().position(|(known, _)| *known == index) else {
            return;
        };
        match self.open.swap_remove(at).1 {
            // The arguments stood in the block's head.
            Open::Call {
                number,
                went: false,
                input,
            } => {
                let json = if input.is_empty() { "{}".to_owned() } else { input };
                tell(Event::CallWent {
                    number,
                    json: json.into(),
                });
            }
            Open::Thought { text, signature } if !signature.is_empty() => tell(Event::Sealed {
                text: text.into(),
                seal: seal::signed(&self.tag, &signature).into(),
            }),
            _ => {}
        }
    }
}

fn tell_text<'a>(text: Cow<'a, str>, tell: &mut dyn FnMut(Event<'a>)) {
    if !text.is_empty() {
        tell(Event::Text(text));
    }
}

fn tell_thought<'a>(text: Cow<'a, str>, tell: &mut dyn FnMut(Event<'a>)) {
    if !text.is_empty() {
        tell(Event::Thought(text));
    }
}
