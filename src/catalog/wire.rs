//! Which API a model is called by: its vendor's, except where one vendor serves several.

use super::{Dialect, Vendor};
use serde::Deserialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// OpenAI Chat Completions.
    Chat,
    /// Anthropic Messages.
    Messages,
    /// The same as Vertex has it: the model stands in the address, the version in the body.
    RawPredict,
}

/// The header that carries a provider's key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyHeader {
    /// `authorization: Bearer KEY`
    #[default]
    Bearer,
    /// `x-api-key: KEY`
    XApiKey,
}

impl KeyHeader {
    pub const ALL: [Self; 2] = [Self::Bearer, Self::XApiKey];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::XApiKey => "x-api-key",
        }
    }
}

impl Wire {
    /// Of the model that the vendor calls `upstream`.
    pub fn of(vendor: Vendor, upstream: &str) -> Self {
        match vendor {
            // Also behind the profile of a region: `eu.anthropic.claude-…`.
            Vendor::Bedrock if upstream.contains("anthropic.claude") => Self::Messages,
            Vendor::Vertex if upstream.starts_with("claude") => Self::RawPredict,
            _ => match vendor.facts().dialect {
                Dialect::Chat => Self::Chat,
                Dialect::Messages => Self::Messages,
            },
        }
    }

    pub const fn is_chat(self) -> bool {
        matches!(self, Self::Chat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_says_which_api_it_is_called_by_where_a_vendor_has_several() {
        for (vendor, upstream, wire) in [
            (Vendor::Anthropic, "claude-opus-5-5", Wire::Messages),
            (Vendor::AnthropicCompatible, "qwen3.8-max", Wire::Messages),
            (Vendor::Bedrock, "anthropic.claude-opus-5-5", Wire::Messages),
            (
                Vendor::Bedrock,
                "eu.anthropic.claude-haiku-4-5-20251001-v1:0",
                Wire::Messages,
            ),
            (Vendor::Bedrock, "openai.gpt-oss-120b-1:0", Wire::Chat),
            (Vendor::Vertex, "claude-sonnet-5@20260301", Wire::RawPredict),
            (Vendor::Vertex, "google/gemini-3-pro", Wire::Chat),
            (Vendor::Openrouter, "anthropic/claude-opus-5-5", Wire::Chat),
        ] {
            assert_eq!(Wire::of(vendor, upstream), wire, "{upstream}");
        }
    }
}
