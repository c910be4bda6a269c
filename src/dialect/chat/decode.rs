//! A chat completion request as a [`Conversation`], for models that are called in another dialect.
//!
//! Promises that nothing of the request is lost in silence: every member is read, is on [`DROPPED`], is named in
//! [`Conversation::lost`], or makes the request untranslatable. It judges no model.

mod options;
mod parts;
mod tools;

use crate::dialect::neutral::{Conversation, Part, Piece, Role, Turn, Untranslatable};
use crate::dialect::object::{Object, items};
use parts::{of_assistant, of_result, of_system, of_user, unreadable};
use serde_json::value::RawValue;

/// Left out without a word: book-keeping at the vendor that they were written for, hints at its caches, and what planb
/// has read already. None of them is a promise about the answer.
pub const DROPPED: [&str; 14] = [
    "store",
    "metadata",
    "prompt_cache_key",
    "prompt_cache_retention",
    "prompt_cache_options",
    "session_id",
    "stream_options",
    "stream",
    "model",
    "max_tokens",
    "max_completion_tokens",
    "include_reasoning",
    "parallel_tool_calls",
    "chat_template_kwargs",
];

/// Said by a request, left out only where the policy says `on_unsupported: drop`: they steer how an answer is drawn, not
/// what it is.
pub const DROPPABLE: [&str; 11] = [
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "repetition_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "min_p",
    "top_a",
    "verbosity",
    "prediction",
];

/// Of a turn, as they stand in the history: what only the vendor of that turn could make use of.
pub const DROPPED_OF_TURNS: [&str; 5] = [
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "annotations",
    "audio",
];

pub fn decode(body: &[u8]) -> Result<Conversation<'_>, Untranslatable> {
    let body = std::str::from_utf8(body).ok().and_then(Object::read);
    let body = body.ok_or_else(|| Untranslatable::new("a body that cannot be read"))?;
    let mut conversation = Conversation::default();
    options::read(&body, &mut conversation)?;
    tools::read(&body, &mut conversation)?;
    let messages = body
        .get("messages")
        .and_then(items)
        .ok_or_else(|| unreadable("messages"))?;
    for message in messages {
        read_message(message, &mut conversation)?;
    }
    Ok(conversation)
}

fn read_message<'a>(raw: &'a RawValue, conversation: &mut Conversation<'a>) -> Result<(), Untranslatable> {
    let message = Object::read(raw.get()).ok_or_else(|| unreadable("messages"))?;
    let role = message.text("role").ok_or_else(|| unreadable("messages[].role"))?;
    let (role, pieces) = match role.as_ref() {
        "system" | "developer" => (Role::System, of_system(&message, &mut conversation.lost)?),
        "user" => (Role::User, of_user(&message, &mut conversation.lost)?),
        "assistant" => (Role::Assistant, of_assistant(&message, &mut conversation.lost)?),
        "tool" => (Role::User, vec![of_result(&message)?]),
        other => return Err(Untranslatable::new(format!("messages of the role `{}`", short(other)))),
    };
    join(&mut conversation.turns, role, pieces);
    Ok(())
}

/// Turns of one side after each other are one turn; what was found for it comes first, and after that what is said.
fn join<'a>(turns: &mut Vec<Turn<'a>>, role: Role, pieces: Vec<Piece<'a>>) {
    if pieces.is_empty() {
        return;
    }
    let same = turns
        .last_mut()
        .filter(|last| last.role == role && role != Role::System);
    let Some(last) = same else {
        turns.push(Turn { role, pieces });
        return;
    };
    for piece in pieces {
        let at = match piece.part {
            Part::Result { .. } => last.pieces.iter().take_while(|known| is_result(known)).count(),
            _ => last.pieces.len(),
        };
        last.pieces.insert(at, piece);
    }
}

fn is_result(piece: &Piece<'_>) -> bool {
    matches!(piece.part, Part::Result { .. })
}

/// A client's word, of bounded length.
pub(super) fn short(word: &str) -> String {
    word.chars().take(40).collect()
}
