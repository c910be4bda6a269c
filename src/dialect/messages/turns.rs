//! A conversation's turns as the Messages dialect orders them: what stands before the first turn of its own is `system`,
//! turns alternate, and results come first in the turn that answers their calls.

use super::Target;
use super::body::{Block, Message, Source as WireSource};
use super::seal::{Opened, open, tag};
use crate::dialect::neutral::{Conversation, Part, Piece, Role, Source, Turn, Untranslatable};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt::Write;

type Written<'a> = (Vec<Block<'a>>, Vec<Message<'a>>);

pub(super) fn messages<'a>(
    conversation: &'a Conversation<'_>,
    target: &Target<'_>,
) -> Result<Written<'a>, Untranslatable> {
    let tag = tag(target);
    let turns = &conversation.turns;
    let leading = turns.iter().take_while(|turn| turn.role == Role::System).count();
    let (before, rest) = turns.split_at_checked(leading).unwrap_or_default();
    let mut messages: Vec<Message<'a>> = Vec::with_capacity(rest.len());
    for (at, turn) in rest.iter().enumerate() {
        let written = blocks(&turn.pieces, &tag)?;
        match turn.role {
            Role::Assistant => push(&mut messages, "assistant", written),
            Role::User => push(&mut messages, "user", written),
            Role::System if target.hears_system_midway() && may_speak_up(rest, at) => {
                push(&mut messages, "system", written);
            }
            // The next best place: what the model reads next, marked as what it is.
            Role::System => push(&mut messages, "user", written.into_iter().map(marked).collect()),
        }
    }
    Ok((system(before, &tag)?, messages))
}

/// A system message stands between two turns, and not where calls wait for their results.
fn may_speak_up(rest: &[Turn<'_>], at: usize) -> bool {
    let mut later = rest.iter().skip(at).filter(|turn| turn.role != Role::System).peekable();
    let goes_on = later.peek().is_some();
    let has_result = |turn: &Turn<'_>| {
        turn.pieces
            .iter()
            .any(|piece| matches!(piece.part, Part::Result { .. }))
    };
    goes_on && !later.take_while(|turn| turn.role == Role::User).any(has_result)
}

fn marked(block: Block<'_>) -> Block<'_> {
    match block {
        Block::Text { text, cache_control } => Block::Text {
            text: Cow::Owned(format!("<system>\n{text}\n</system>")),
            cache_control,
        },
        other => other,
    }
}

/// Several system messages are told apart by a blank line.
fn system<'a>(turns: &'a [Turn<'_>], tag: &str) -> Result<Vec<Block<'a>>, Untranslatable> {
    let mut all: Vec<Block<'a>> = Vec::new();
    for turn in turns {
        let mut written = blocks(&turn.pieces, tag)?;
        if let (false, Some(Block::Text { text, .. })) = (all.is_empty(), written.first_mut()) {
            *text = Cow::Owned(format!("\n\n{text}"));
        }
        all.append(&mut written);
    }
    Ok(all)
}

fn push<'a>(messages: &mut Vec<Message<'a>>, role: &'static str, blocks: Vec<Block<'a>>) {
    if blocks.is_empty() {
        return;
    }
    let Some(last) = messages.last_mut().filter(|last| last.role == role) else {
        messages.push(Message { role, content: blocks });
        return;
    };
    let is_result = |block: &Block<'_>| matches!(block, Block::ToolResult { .. });
    for block in blocks {
        let at = match is_result(&block) {
            true => last.content.iter().take_while(|known| is_result(known)).count(),
            false => last.content.len(),
        };
        last.content.insert(at, block);
    }
}

fn blocks<'a>(pieces: &'a [Piece<'_>], tag: &str) -> Result<Vec<Block<'a>>, Untranslatable> {
    let written = pieces.iter().map(|piece| block(piece, tag));
    let kept = written.filter_map(Result::transpose);
    kept.collect()
}

/// `None` for what has no place in the request.
fn block<'a>(piece: &'a Piece<'_>, tag: &str) -> Result<Option<Block<'a>>, Untranslatable> {
    let cache_control = piece.cache;
    Ok(Some(match &piece.part {
        Part::Text(text) if text.trim().is_empty() => return Ok(None),
        Part::Text(text) => Block::Text {
            text: Cow::Borrowed(text),
            cache_control,
        },
        Part::Image(source) => Block::Image {
            source: self::source(source),
            cache_control,
        },
        Part::Document { source, title } => Block::Document {
            source: self::source(source),
            title: title.as_deref(),
            cache_control,
        },
        Part::Thought { text, seal } => match open(tag, seal) {
            Some(Opened::Signature(signature)) => Block::Thinking {
                thinking: text,
                signature,
            },
            Some(Opened::Hidden(data)) => Block::RedactedThinking { data },
            None => return Ok(None),
        },
        Part::Call { id, name, arguments } => Block::ToolUse {
            id: known_id(id),
            name,
            input: object(arguments)?,
            cache_control,
        },
        Part::Result { id, pieces } => Block::ToolResult {
            tool_use_id: known_id(id),
            content: blocks(pieces, tag)?,
            cache_control,
        },
    }))
}

fn object(json: &str) -> Result<&RawValue, Untranslatable> {
    serde_json::from_str(json).map_err(|_| Untranslatable::new("a call whose arguments cannot be read"))
}

fn source<'a>(source: &'a Source<'_>) -> WireSource<'a> {
    match source {
        Source::Address(url) => WireSource::Url { url },
        Source::Data { kind, base64 } => WireSource::Base64 {
            media_type: kind,
            data: base64,
        },
    }
}

/// The dialect knows letters, digits, `_` and `-` in an id. Any other id becomes one of these, the same for a call and for
/// its result.
fn known_id<'a>(id: &'a str) -> Cow<'a, str> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !id.is_empty() && id.bytes().all(known) {
        return Cow::Borrowed(id);
    }
    let mut other = "id_".to_owned();
    for byte in id.bytes() {
        let _ = write!(other, "{byte:02x}");
    }
    Cow::Owned(other)
}
