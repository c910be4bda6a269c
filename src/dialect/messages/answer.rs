//! Reads a whole Messages answer as the steps that a stream of it would have brought.

use super::stream::{Block, said, stop_of, word};
use super::usage::WireUsage;
use super::{Target, seal};
use crate::dialect::neutral::Event;
use crate::dialect::object::Text;
use crate::usage::Usage;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Whole<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    model: Option<Text<'a>>,
    #[serde(borrow)]
    content: Vec<Block<'a>>,
    #[serde(borrow, default)]
    stop_reason: Option<Text<'a>>,
    #[serde(default)]
    usage: Option<WireUsage>,
}

/// `None` where it is none.
pub fn read<'a>(body: &'a [u8], target: &Target<'_>) -> Option<(Vec<Event<'a>>, Option<Usage>)> {
    let whole: Whole<'a> = serde_json::from_slice(body.trim_ascii()).ok()?;
    if whole.kind.0 != "message" {
        return None;
    }
    let mut events = vec![Event::Began {
        id: said(whole.id),
        model: said(whole.model),
    }];
    let (mut calls, tag) = (0, seal::tag(target));
    for block in whole.content {
        push(block, &tag, &mut calls, &mut events);
    }
    if let Some(Text(reason)) = whole.stop_reason {
        events.push(Event::Ended(stop_of(&reason, calls > 0)));
    }
    Some((events, whole.usage.and_then(|usage| usage.usage())))
}

fn push<'a>(block: Block<'a>, tag: &str, calls: &mut usize, events: &mut Vec<Event<'a>>) {
    match word(block.kind.as_ref()) {
        "text" => events.push(Event::Text(said(block.text))),
        "thinking" => {
            let (text, signature) = (said(block.thinking), said(block.signature));
            events.push(Event::Thought(text.clone()));
            if !signature.is_empty() {
                events.push(Event::Sealed {
                    text,
                    seal: seal::signed(tag, &signature).into(),
                });
            }
        }
        "redacted_thinking" => events.push(Event::Sealed {
            text: Cow::Borrowed(""),
            seal: seal::hidden(tag, &said(block.data)).into(),
        }),
        "tool_use" => {
            let number = *calls;
            *calls += 1;
            events.push(Event::CallBegan {
                number,
                id: said(block.id),
                name: said(block.name),
            });
            events.push(Event::CallWent {
                number,
                json: block.input.map_or("{}", RawValue::get).into(),
            });
        }
        _ => {}
    }
}
