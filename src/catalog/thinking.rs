//! How a model's thinking is switched off in a chat request, where it can be.
//!
//! By vendor, because that is whose field it is; a model that always thinks has no switch. What is not known to work is
//! no switch: an unknown field might be refused.

use super::{ModelRecord, Vendor};

/// The field that switches thinking off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThinkingSwitch {
    /// `enable_thinking: false` (Qwen at Model Studio).
    Enable,
    /// `thinking: {type: disabled}` (DeepSeek, GLM, Kimi, Doubao, Claude).
    Type,
    /// `reasoning_effort: none` (OpenAI, Mistral, Ollama).
    Effort,
    /// `chat_template_kwargs: {enable_thinking: false}` (local servers that apply the model's template).
    Template,
}

impl ThinkingSwitch {
    /// `None`: its thinking cannot be switched off, or nobody knows how.
    pub fn of(vendor: Vendor, upstream: &str, record: Option<&ModelRecord>) -> Option<Self> {
        if always_thinks(vendor, upstream, record) || record.is_some_and(|record| !record.reasoning.supported) {
            return None;
        }
        let begins = |starts: &[&str]| starts.iter().any(|start| upstream.starts_with(start));
        match vendor.word() {
            "dashscope" | "qianfan" => Some(Self::Enable),
            "moonshot" if begins(&["kimi-k3", "k3"]) => None,
            "deepseek" | "moonshot" | "zhipu" | "zai" | "ark" | "hunyuan" => Some(Self::Type),
            // The first reasoning models know no `none`.
            "openai" | "azure" if begins(&["o1", "o3", "o4", "gpt-5-pro"]) => None,
            "openai" | "azure" | "mistral" | "ollama" => Some(Self::Effort),
            "anthropic" => Some(Self::Type),
            "bedrock" | "vertex" if upstream.contains("claude") => Some(Self::Type),
            "gemini" | "vertex" if !upstream.contains("pro") => Some(Self::Effort),
            "llama.cpp" | "vllm" | "sglang" => Some(Self::Template),
            _ => None,
        }
    }

    /// The body's field.
    pub const fn field(self) -> &'static str {
        match self {
            Self::Enable => "enable_thinking",
            Self::Type => "thinking",
            Self::Effort => "reasoning_effort",
            Self::Template => "chat_template_kwargs",
        }
    }

    /// Its value, as JSON.
    pub const fn value(self) -> &'static str {
        match self {
            Self::Enable => "false",
            Self::Type => r#"{"type":"disabled"}"#,
            Self::Effort => r#""none""#,
            Self::Template => r#"{"enable_thinking":false}"#,
        }
    }
}

/// Whatever a request says of it: by the catalogue, or by the vendor's own lists.
pub fn always_thinks(vendor: Vendor, upstream: &str, record: Option<&ModelRecord>) -> bool {
    let named = || ["qwq", "qvq"].iter().any(|start| upstream.starts_with(start)) || upstream.contains("-thinking");
    record.is_some_and(|record| record.reasoning.always_on == Some(true)) || vendor.word() == "dashscope" && named()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_vendor_has_its_own_switch_and_some_models_have_none() {
        for (vendor, upstream, switch) in [
            (Vendor::Dashscope, "qwen3.8-max", Some(ThinkingSwitch::Enable)),
            (Vendor::Dashscope, "qwq-plus", None),
            (Vendor::Dashscope, "qwen3-235b-a22b-thinking-2507", None),
            (Vendor::Deepseek, "deepseek-chat", Some(ThinkingSwitch::Type)),
            (Vendor::Openai, "gpt-5.5", Some(ThinkingSwitch::Effort)),
            (Vendor::Openai, "o3", None),
            (Vendor::LlamaCpp, "qwen3-4b", Some(ThinkingSwitch::Template)),
            (Vendor::OpenaiCompatible, "anything", None),
            (Vendor::Anthropic, "claude-sonnet-5", Some(ThinkingSwitch::Type)),
            (Vendor::Vertex, "claude-sonnet-5", Some(ThinkingSwitch::Type)),
        ] {
            assert_eq!(ThinkingSwitch::of(vendor, upstream, None), switch, "{upstream}");
        }
    }

    #[test]
    fn every_value_is_json() {
        for switch in [
            ThinkingSwitch::Enable,
            ThinkingSwitch::Type,
            ThinkingSwitch::Effort,
            ThinkingSwitch::Template,
        ] {
            assert!(
                serde_json::from_str::<serde_json::Value>(switch.value()).is_ok(),
                "{}",
                switch.field()
            );
        }
    }
}
