//! The tools that a chat request offers, and which of them it wants called.

use super::parts::unreadable;
use super::short;
use crate::dialect::neutral::{Choice, Conversation, Tool, Untranslatable};
use crate::dialect::object::{Object, is_true, items, text};
use serde_json::value::RawValue;

pub(super) fn read<'a>(body: &Object<'a>, conversation: &mut Conversation<'a>) -> Result<(), Untranslatable> {
    let offered = body
        .get("tools")
        .map(|raw| items(raw).ok_or_else(|| unreadable("tools")));
    for raw in offered.transpose()?.unwrap_or_default() {
        conversation.tools.push(tool(raw)?);
    }
    // Without tools there is nothing to choose from.
    if !conversation.tools.is_empty() {
        conversation.choice = body.get("tool_choice").map(choice).transpose()?;
        conversation.one_at_a_time = body.get("parallel_tool_calls").is_some_and(|raw| raw.get() == "false");
    }
    Ok(())
}

fn tool(raw: &RawValue) -> Result<Tool<'_>, Untranslatable> {
    let tool = Object::read(raw.get()).ok_or_else(|| unreadable("tools[]"))?;
    let kind = tool.text("type").unwrap_or_else(|| "function".into());
    if kind != "function" {
        return Err(Untranslatable::new(format!("`tools` of the type `{}`", short(&kind))));
    }
    let function = tool.get("function").and_then(|raw| Object::read(raw.get()));
    let function = function.ok_or_else(|| unreadable("tools[].function"))?;
    let foreign = tool
        .other_than(&["type", "function", "cache_control"])
        .map(str::to_owned);
    let inner = function.other_than(&["name", "description", "parameters", "strict", "cache_control"]);
    if let Some(name) = foreign.or_else(|| inner.map(|name| format!("function.{name}"))) {
        return Err(Untranslatable::new(format!("`tools[].{}`", short(&name))));
    }
    Ok(Tool {
        name: function
            .text("name")
            .ok_or_else(|| unreadable("tools[].function.name"))?,
        description: function.text("description"),
        parameters: function.get("parameters"),
        strict: is_true(function.get("strict")),
        cache: tool.get("cache_control").or(function.get("cache_control")),
    })
}

fn choice(raw: &RawValue) -> Result<Choice<'_>, Untranslatable> {
    if let Some(word) = text(raw) {
        return match word.as_ref() {
            "auto" => Ok(Choice::Auto),
            "none" => Ok(Choice::None),
            "required" => Ok(Choice::Any),
            other => Err(Untranslatable::new(format!("`tool_choice: {}`", short(other)))),
        };
    }
    let object = Object::read(raw.get()).ok_or_else(|| unreadable("tool_choice"))?;
    let kind = object.text("type").unwrap_or_default();
    if kind != "function" {
        return Err(Untranslatable::new(format!(
            "`tool_choice` of the type `{}`",
            short(&kind)
        )));
    }
    let name = object
        .get("function")
        .and_then(|raw| Object::read(raw.get()))
        .and_then(|function| function.text("name"));
    name.map(Choice::Tool).ok_or_else(|| unreadable("tool_choice.function"))
}
