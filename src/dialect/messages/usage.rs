//! The `usage` of the Messages dialect, in which input does not contain what was cached. Streams give it in parts: what
//! came last holds, and what a part leaves out is as it was.

use crate::usage::{ServiceTier, Usage};
use serde::Deserialize;

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct WireUsage {
    input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation: Option<Written>,
    output_tokens: Option<u64>,
    output_tokens_details: Option<OutputDetails>,
    server_tool_use: Option<ServerTools>,
    service_tier: Option<String>,
    speed: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct Written {
    ephemeral_1h_input_tokens: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct OutputDetails {
    thinking_tokens: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct ServerTools {
    web_search_requests: Option<u64>,
    web_fetch_requests: Option<u64>,
}

impl WireUsage {
    pub(super) fn update(&mut self, later: Self) {
        let earlier = std::mem::take(self);
        *self = Self {
            input_tokens: later.input_tokens.or(earlier.input_tokens),
            cache_creation_input_tokens: later
                .cache_creation_input_tokens
                .or(earlier.cache_creation_input_tokens),
            cache_read_input_tokens: later.cache_read_input_tokens.or(earlier.cache_read_input_tokens),
            cache_creation: later.cache_creation.or(earlier.cache_creation),
            output_tokens: later.output_tokens.or(earlier.output_tokens),
            output_tokens_details: later.output_tokens_details.or(earlier.output_tokens_details),
            server_tool_use: later.server_tool_use.or(earlier.server_tool_use),
            service_tier: later.service_tier.or(earlier.service_tier),
            speed: later.speed.or(earlier.speed),
        };
    }

    /// `None` where a side is missing, and where both are zero: some clones leave the figures empty, and no answer has
    /// neither a question nor a word.
    pub(super) fn usage(&self) -> Option<Usage> {
        let (plain, output) = (self.input_tokens?, self.output_tokens?);
        let read = self.cache_read_input_tokens.unwrap_or(0);
        let written = self.cache_creation_input_tokens.unwrap_or(0);
        let hour = self
            .cache_creation
            .and_then(|by_life| by_life.ephemeral_1h_input_tokens);
        let hour = hour.unwrap_or(0).min(written);
        let input = plain.saturating_add(read).saturating_add(written);
        let tools = self.server_tool_use.unwrap_or_default();
        let fast = self
            .speed
            .as_deref()
            .and_then(ServiceTier::of)
            .filter(|tier| *tier == ServiceTier::Fast);
        (input > 0 || output > 0).then_some(Usage {
            input,
            cache_read: read,
            cache_write: written - hour,
            cache_write_1h: hour,
            output,
            reasoning: self
                .output_tokens_details
                .and_then(|details| details.thinking_tokens)
                .unwrap_or(0),
            web_searches: tools.web_search_requests,
            web_fetches: tools.web_fetch_requests.unwrap_or(0),
            tier: fast.or_else(|| ServiceTier::of(self.service_tier.as_deref()?)),
            ..Usage::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> WireUsage {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn input_contains_what_was_cached_and_written_by_its_life() {
        let usage = read(
            r#"{"input_tokens":10,"cache_creation_input_tokens":30,"cache_read_input_tokens":50,
                "cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20},
                "output_tokens":7,"output_tokens_details":{"thinking_tokens":3},
                "server_tool_use":{"web_search_requests":2},"service_tier":"priority"}"#,
        );
        assert_eq!(
            usage.usage(),
            Some(Usage {
                input: 90,
                cache_read: 50,
                cache_write: 10,
                cache_write_1h: 20,
                output: 7,
                reasoning: 3,
                web_searches: Some(2),
                tier: Some(ServiceTier::Priority),
                ..Usage::default()
            })
        );
    }

    #[test]
    fn what_came_last_holds_and_what_it_leaves_out_stays() {
        let mut usage = read(r#"{"input_tokens":10,"cache_read_input_tokens":5,"output_tokens":1}"#);
        usage.update(read(r#"{"output_tokens":9}"#));
        assert_eq!(usage.usage().map(|usage| (usage.input, usage.output)), Some((15, 9)));
        usage.update(read(r#"{"input_tokens":0,"output_tokens":9}"#));
        assert_eq!(usage.usage().map(|usage| usage.input), Some(5), "a zero is a value");
    }

    #[test]
    fn figures_that_were_left_empty_are_none() {
        assert_eq!(read("{}").usage(), None);
        assert_eq!(read(r#"{"input_tokens":0,"output_tokens":0}"#).usage(), None);
        assert_eq!(read(r#"{"output_tokens":3}"#).usage(), None);
    }
}
