//! Writes a conversation as a Messages request.
//!
//! [`fit`] says beforehand what would not survive; [`encode`] then writes what does. Thoughts that another model sealed are
//! left out, and blank texts, which the dialect refuses; all else that a conversation holds is in the request.

use super::body::{Body, Empty, Format, Metadata, Number, OutputConfig, Schema, Tool as WireTool, ToolChoice};
use super::turns::messages;
use super::{Bounds, Target, thinking};
use crate::catalog::Wire;
use crate::dialect::neutral::{Choice, Conversation, Role, Tool, Untranslatable, Wish};
use serde_json::value::RawValue;
use std::borrow::Cow;

const VERTEX_VERSION: &str = "vertex-2023-10-16";

/// What the model would not take: an error where nobody may leave it out, else the fields that the operator may.
pub fn fit(conversation: &Conversation<'_>, target: &Target<'_>) -> Result<Vec<&'static str>, Untranslatable> {
    let turns = &conversation.turns;
    let spoken = |turn: &&crate::dialect::neutral::Turn<'_>| turn.role != Role::System;
    let fails = |what: &str| Err(Untranslatable::new(what));
    if turns.iter().find(spoken).is_none_or(|first| first.role != Role::User) {
        return fails("messages that do not begin with the user's");
    }
    if turns
        .iter()
        .rfind(spoken)
        .is_some_and(|last| last.role == Role::Assistant)
    {
        return fails("messages that end with the assistant's");
    }
    if conversation.stop.iter().any(|stop| stop.trim().is_empty()) {
        return fails("a `stop` of white space");
    }
    if thinking::is_refused(conversation, target) {
        return fails("a request not to think");
    }
    let thinks = thinking::is_on(conversation, target);
    if thinks && matches!(conversation.choice, Some(Choice::Any | Choice::Tool(_))) {
        return fails("a `tool_choice` that forces a call while it thinks");
    }
    let mut lost = conversation.lost.clone();
    lost.extend(refused_sampling(conversation, target, thinks));
    let wishes = conversation
        .wish
        .as_ref()
        .is_some_and(|wish| !matches!(wish, Wish::Off));
    if wishes && !target.thinks {
        lost.push("reasoning_effort");
    }
    Ok(lost)
}

/// A model that thinks draws its answer in its own way, and newer ones take one word about it at most.
fn refused_sampling(conversation: &Conversation<'_>, target: &Target<'_>, thinks: bool) -> Vec<&'static str> {
    let sampling = &conversation.sampling;
    let mut refused = Vec::new();
    let neutral = sampling.temperature.is_none_or(|raw| as_float(raw) == Some(1.0));
    if thinks && !neutral {
        refused.push("temperature");
    }
    let both = sampling.temperature.is_some() && target.takes_one_of_sampling();
    if sampling.top_p.is_some() && (thinks || both) {
        refused.push("top_p");
    }
    if sampling.top_k.is_some() && thinks {
        refused.push("top_k");
    }
    refused
}

fn as_float(raw: &RawValue) -> Option<f64> {
    serde_json::from_str(raw.get()).ok()
}

/// The request's bytes. What [`fit`] would have named is left out.
pub fn encode(conversation: &Conversation<'_>, target: &Target<'_>, bounds: Bounds) -> Result<Vec<u8>, Untranslatable> {
    let thinks = !bounds.thinking_off && thinking::is_on(conversation, target);
    let refused = refused_sampling(conversation, target, thinks);
    let sampling = &conversation.sampling;
    let kept = |name: &str, raw: Option<_>| raw.filter(|_| !refused.contains(&name));
    let said = thinking::said(conversation, target, bounds);
    let (system, messages) = messages(conversation, target)?;
    let raw_predict = target.wire == Wire::RawPredict;
    let shared = |name: &str| {
        let found = conversation.shared.iter().find(|(known, _)| *known == name);
        found.map(|(_, raw)| *raw)
    };
    let body = Body {
        anthropic_version: raw_predict.then_some(VERTEX_VERSION),
        model: (!raw_predict).then_some(target.upstream),
        max_tokens: bounds.max_tokens,
        stream: bounds.stream,
        system,
        messages,
        tools: conversation.tools.iter().map(tool).collect(),
        tool_choice: tool_choice(conversation),
        stop_sequences: conversation.stop.iter().map(Cow::as_ref).collect(),
        temperature: sampling.temperature.filter(|_| !thinks).map(temperature),
        top_p: kept("top_p", sampling.top_p),
        top_k: kept("top_k", sampling.top_k),
        thinking: said.field,
        output_config: OutputConfig {
            effort: said.effort,
            format: conversation.schema.as_deref().map(format).transpose()?,
        },
        metadata: conversation.user.as_deref().map(|user_id| Metadata { user_id }),
        cache_control: shared("cache_control"),
        inference_geo: shared("inference_geo"),
        speed: shared("speed"),
    };
    serde_json::to_vec(&body).map_err(|error| Untranslatable::new(error.to_string()))
}

/// The dialect ends at 1 where others go to 2.
fn temperature(raw: &RawValue) -> Number<'_> {
    match as_float(raw) {
        Some(value) if value > 1.0 => Number::Whole(1),
        _ => Number::Written(raw),
    }
}

fn format(schema: &str) -> Result<Format<'_>, Untranslatable> {
    let schema = serde_json::from_str(schema).map_err(|_| Untranslatable::new("a schema that cannot be read"))?;
    Ok(Format {
        kind: "json_schema",
        schema,
    })
}

fn tool<'a>(tool: &'a Tool<'_>) -> WireTool<'a> {
    let nothing = Schema::Nothing {
        kind: "object",
        properties: Empty {},
    };
    WireTool {
        name: &tool.name,
        description: tool.description.as_deref(),
        input_schema: tool.parameters.map_or(nothing, Schema::Given),
        strict: tool.strict,
        cache_control: tool.cache,
    }
}

fn tool_choice<'a>(conversation: &'a Conversation<'_>) -> Option<ToolChoice<'a>> {
    let (kind, name) = match &conversation.choice {
        None if conversation.one_at_a_time => ("auto", None),
        None => return None,
        Some(Choice::Auto) => ("auto", None),
        Some(Choice::None) => ("none", None),
        Some(Choice::Any) => ("any", None),
        Some(Choice::Tool(name)) => ("tool", Some(name.as_ref())),
    };
    Some(ToolChoice {
        kind,
        name,
        // Where nothing may be called there is nothing to put in a row.
        disable_parallel_tool_use: conversation.one_at_a_time && kind != "none",
    })
}
