//! The `usage` object in the forms of all served vendors, brought to one meaning. Cached tokens have three spellings,
//! written ones two, and each may be missing. Input and output that are no numbers are no report; a part that is none, or
//! that is more than its whole, counts for nothing and has the rest flagged as estimated.

use crate::dialect::said::Said;
use crate::usage::{ServiceTier, Usage};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Debug, Default, Deserialize)]
pub(super) struct WireUsage {
    prompt_tokens: Option<Said>,
    completion_tokens: Option<Said>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
    prompt_cache_hit_tokens: Option<Said>,
    cached_tokens: Option<Said>,
    server_tool_use: Option<ServerTools>,
    tool_usage: Option<ToolUsage>,
}

#[derive(Debug, Default, Deserialize)]
struct PromptDetails {
    cached_tokens: Option<Said>,
    /// OpenAI's word.
    cache_write_tokens: Option<Said>,
    cache_write_tokens_details: Option<WriteDetails>,
    /// Model Studio's word: only caches that the request set up are written.
    cache_creation_input_tokens: Option<Said>,
    cache_creation: Option<WriteDetails>,
    cache_type: Option<String>,
    audio_tokens: Option<Said>,
    image_tokens: Option<Said>,
}

#[derive(Debug, Default, Deserialize)]
struct WriteDetails {
    ttl_12h_tokens: Option<Said>,
    ephemeral_1h_input_tokens: Option<Said>,
}

#[derive(Debug, Default, Deserialize)]
struct CompletionDetails {
    reasoning_tokens: Option<Said>,
    audio_tokens: Option<Said>,
}

#[derive(Debug, Default, Deserialize)]
struct ServerTools {
    web_search_requests: Option<Said>,
    web_fetch_requests: Option<Said>,
}

#[derive(Debug, Default, Deserialize)]
struct ToolUsage {
    web_search: Option<Requests>,
}

#[derive(Debug, Default, Deserialize)]
struct Requests {
    num_requests: Option<Said>,
}

impl WireUsage {
    /// `None` unless both sides are there: half a report is no report. An explicit zero is a value.
    pub(super) fn usage(&self) -> Option<Usage> {
        let mut usage = Usage {
            input: self.prompt_tokens?.tokens()?,
            output: self.completion_tokens?.tokens()?,
            ..Usage::default()
        };
        let mut absurd = false;
        self.prompt(&mut usage, &mut absurd);
        if let Some(details) = &self.completion_tokens_details {
            usage.reasoning = part(details.reasoning_tokens, &mut absurd).unwrap_or(0);
            usage.output_audio = part(details.audio_tokens, &mut absurd).unwrap_or(0);
        }
        self.tools(&mut usage, &mut absurd);
        usage.estimated = absurd || usage.parts_exceed_whole();
        Some(usage)
    }

    fn tools(&self, usage: &mut Usage, absurd: &mut bool) {
        let searched = self.tool_usage.as_ref().and_then(|tools| tools.web_search.as_ref());
        usage.web_searches = part(searched.and_then(|search| search.num_requests), absurd);
        if let Some(tools) = &self.server_tool_use {
            usage.web_searches = usage.web_searches.or(part(tools.web_search_requests, absurd));
            usage.web_fetches = part(tools.web_fetch_requests, absurd).unwrap_or(0);
        }
    }

    fn prompt(&self, usage: &mut Usage, absurd: &mut bool) {
        let nothing = PromptDetails::default();
        let details = self.prompt_tokens_details.as_ref().unwrap_or(&nothing);
        let cached = details
            .cached_tokens
            .or(self.prompt_cache_hit_tokens)
            .or(self.cached_tokens);
        let cached = part(cached, absurd).unwrap_or(0);
        // A cache that the request set up itself has another price than the provider's own.
        let explicit =
            details.cache_type.as_deref() == Some("ephemeral") || details.cache_creation_input_tokens.is_some();
        if explicit {
            usage.cache_read_explicit = cached;
        } else {
            usage.cache_read = cached;
        }
        let written = details.cache_write_tokens.or(details.cache_creation_input_tokens);
        let written = part(written, absurd).unwrap_or(0);
        let lives = [&details.cache_write_tokens_details, &details.cache_creation];
        let mut by_life = |life: fn(&WriteDetails) -> Option<Said>| {
            let known = lives.into_iter().flatten().find_map(life);
            part(known, absurd).unwrap_or(0).min(written)
        };
        usage.cache_write_12h = by_life(|details| details.ttl_12h_tokens);
        usage.cache_write_1h = by_life(|details| details.ephemeral_1h_input_tokens);
        let longer = usage.cache_write_12h.saturating_add(usage.cache_write_1h);
        usage.cache_write = written.saturating_sub(longer);
        usage.input_audio = part(details.audio_tokens, absurd).unwrap_or(0);
        usage.input_image = part(details.image_tokens, absurd).unwrap_or(0);
    }
}

/// What is no number counts for nothing, and is noticed.
fn part(said: Option<Said>, absurd: &mut bool) -> Option<u64> {
    *absurd |= said == Some(Said::Absurd);
    said.and_then(Said::tokens)
}

/// The usage of an answer, with the tier that the answer names beside it.
pub(super) fn usage_of(raw: Option<&RawValue>, tier: Option<&str>) -> Option<Usage> {
    let usage = serde_json::from_str::<Option<WireUsage>>(raw?.get()).ok()??.usage()?;
    Some(Usage {
        tier: tier.and_then(ServiceTier::of),
        ..usage
    })
}
