//! What a request says of thinking, in the words that the model knows: effort where it has that, else tokens.

use super::body::Thinking;
use super::seal::{open, tag};
use super::{Bounds, Target};
use crate::dialect::neutral::{Conversation, Effort, Part, Role, Turn, Wish};
use crate::dialect::object::Object;

/// The least budget that the dialect takes.
const LEAST: u64 = 1_024;

#[derive(Debug, Default)]
pub(super) struct Said<'a> {
    pub field: Option<Thinking<'a>>,
    pub effort: Option<&'static str>,
}

/// Its answer to this will be thought about, as far as the request has a say.
pub(super) fn is_on(conversation: &Conversation<'_>, target: &Target<'_>) -> bool {
    target.always_thinks
        || target.thinks
            && match &conversation.wish {
                None | Some(Wish::Off) => false,
                Some(Wish::AsWritten(raw)) => {
                    let kind =
                        Object::read(raw.get()).and_then(|object| object.text("type").map(|kind| kind == "disabled"));
                    kind != Some(true)
                }
                Some(Wish::On | Wish::Tokens(_) | Wish::Effort(_)) => true,
            }
}

/// It is told not to think and cannot help it.
pub(super) fn is_refused(conversation: &Conversation<'_>, target: &Target<'_>) -> bool {
    target.always_thinks && matches!(conversation.wish, Some(Wish::Off))
}

pub(super) fn said<'a>(conversation: &'a Conversation<'_>, target: &Target<'_>, bounds: Bounds) -> Said<'a> {
    let field = |kind| Said {
        field: Some(Thinking::Kind {
            kind,
            budget_tokens: None,
        }),
        effort: None,
    };
    if !target.thinks {
        return Said::default();
    }
    let wish = match &conversation.wish {
        _ if bounds.thinking_off => return field("disabled"),
        None => return Said::default(),
        Some(wish) => wish,
    };
    match wish {
        Wish::Off => field("disabled"),
        Wish::AsWritten(raw) => Said {
            field: Some(Thinking::Written(raw)),
            effort: None,
        },
        Wish::On | Wish::Tokens(_) | Wish::Effort(_) if target.thinks_by_effort() => Said {
            effort: match wish {
                Wish::Effort(effort) => Some(word(*effort)),
                Wish::Tokens(tokens) => Some(word(Effort::within(*tokens))),
                _ => None,
            },
            ..field("adaptive")
        },
        Wish::On => by_tokens(conversation, target, bounds, Effort::Medium.tokens()),
        Wish::Effort(effort) => by_tokens(conversation, target, bounds, effort.tokens()),
        Wish::Tokens(tokens) => by_tokens(conversation, target, bounds, *tokens),
    }
}

const fn word(effort: Effort) -> &'static str {
    match effort {
        Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::Highest => "xhigh",
        Effort::Max => "max",
    }
}

/// A quarter of the bound is left for the answer. Too little is none, and so it is where the model would want back the
/// thoughts of an open tool call that are not there.
fn by_tokens<'a>(conversation: &Conversation<'_>, target: &Target<'_>, bounds: Bounds, tokens: u64) -> Said<'a> {
    let most = bounds.max_tokens.saturating_sub(bounds.max_tokens / 4);
    let budget = tokens.max(LEAST).min(most);
    if budget < LEAST || misses_thoughts(&conversation.turns, target) {
        return Said::default();
    }
    Said {
        field: Some(Thinking::Kind {
            kind: "enabled",
            budget_tokens: Some(budget),
        }),
        effort: None,
    }
}

fn misses_thoughts(turns: &[Turn<'_>], target: &Target<'_>) -> bool {
    let (Some(last), Some(before)) = (turns.last(), turns.iter().rfind(|turn| turn.role == Role::Assistant)) else {
        return false;
    };
    let answers = last
        .pieces
        .iter()
        .any(|piece| matches!(piece.part, Part::Result { .. }));
    let tag = tag(target);
    let own = |part: &Part<'_>| matches!(part, Part::Thought { seal, .. } if open(&tag, seal).is_some());
    answers && !before.pieces.iter().any(|piece| own(&piece.part))
}
