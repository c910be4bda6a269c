//! What a request may be billed for besides plain tokens: tiers, caches, sound, searches. What the policy prices besides
//! is read by its words, in [`crate::dialect::Inbound::needs`].

use crate::dialect::members::Unreadable;
use crate::request::Extras;
use crate::usage::{CacheLife, ServiceTier};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Searches, fetches and tool uses that a request without a bound of its own is reserved for.
const UNBOUNDED: u32 = 5;

/// `raw` gives a top-level member's JSON where it is not `null`.
pub(super) fn extras<'a>(body: &[u8], raw: impl Fn(&str) -> Option<&'a str>) -> Result<Extras, Unreadable> {
    let holds = |word: &str| memchr::memmem::find(body, word.as_bytes()).is_some();
    let (tier, any_tier) = tier(raw("service_tier"))?;
    let mut extras = Extras {
        tier,
        any_tier,
        cache: cache(&holds),
        audio: holds("input_audio") || raw("modalities").is_some_and(|json| json.contains("audio")),
        ..Extras::default()
    };
    let searches = raw("enable_search") == Some("true") || raw("web_search_options").is_some();
    extras.searches = u32::from(searches);
    for tool in raw("tools").map(hosted_tools).unwrap_or_default() {
        let Some(tool) = tool else {
            // What a lenient provider makes of it nobody knows: it may be any of them.
            for counted in [&mut extras.searches, &mut extras.fetches, &mut extras.tool_calls] {
                *counted = counted.saturating_add(UNBOUNDED);
            }
            continue;
        };
        let most = tool.max_uses.unwrap_or(UNBOUNDED);
        let counted = match tool.kind.as_deref().unwrap_or_default() {
            "function" | "custom" | "" => continue,
            kind if kind.starts_with("web_search") => &mut extras.searches,
            kind if kind.starts_with("web_fetch") => &mut extras.fetches,
            _ => &mut extras.tool_calls,
        };
        *counted = counted.saturating_add(most);
    }
    let speed = raw("speed").and_then(|json| serde_json::from_str::<Cow<'_, str>>(json).ok());
    if speed.is_some_and(|speed| speed == "fast") {
        extras.tier = extras.tier.or(Some(ServiceTier::Fast));
    }
    Ok(extras)
}

/// A tier whose price planb cannot know is refused; whether a model has a price for a known one is for the decision.
fn tier(json: Option<&str>) -> Result<(Option<ServiceTier>, bool), Unreadable> {
    let Some(json) = json else { return Ok((None, false)) };
    let wrong = |_| Unreadable::Wrong {
        field: "service_tier",
        expected: "a string",
    };
    let word: Cow<'_, str> = serde_json::from_str(json).map_err(wrong)?;
    match ServiceTier::of(&word) {
        Some(tier) => Ok((Some(tier), ServiceTier::is_open(&word))),
        None => Err(Unreadable::UnknownTier(word.chars().take(40).collect())),
    }
}

/// The words stand in a prompt at times, too: then the dearer price is reserved, and the bill is what it is.
fn cache(holds: &impl Fn(&str) -> bool) -> CacheLife {
    if holds("\"24h\"") && holds("prompt_cache_retention") || holds("\"12h\"") && holds("prompt_cache_options") {
        CacheLife::HalfDay
    } else if holds("cache_control") && holds("\"1h\"") {
        CacheLife::Hour
    } else if holds("cache_control") || holds("prompt_cache_options") {
        CacheLife::Short
    } else {
        CacheLife::Unsaid
    }
}

#[derive(Deserialize)]
struct Tool<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(default)]
    max_uses: Option<u32>,
}

/// `None` for one that cannot be read: a type given twice, a bound that is no whole number.
fn hosted_tools(json: &str) -> Vec<Option<Tool<'_>>> {
    let tools: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
    let parsed = tools.into_iter().map(|tool| serde_json::from_str(tool.get()).ok());
    parsed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hosted_tool_that_cannot_be_read_may_be_any_of_them() {
        for tool in [
            r#"{"type":"web_search","max_uses":2.5}"#,
            r#"{"type":"web_search","max_uses":-1}"#,
            r#"{"type":"function","type":"web_search"}"#,
        ] {
            let tools = format!("[{tool}]");
            let read = extras(b"", |name| (name == "tools").then_some(tools.as_str())).unwrap();
            let most = [read.searches, read.fetches, read.tool_calls];
            assert_eq!(most, [UNBOUNDED; 3], "{tool}");
        }
        let read = extras(b"", |name| (name == "tools").then_some(r#"[{"type":"function"}]"#)).unwrap();
        assert_eq!([read.searches, read.fetches, read.tool_calls], [0; 3]);
    }
}
