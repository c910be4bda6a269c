//! What planb knows of vendors, as data with source and date.

/// A vendor word of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Vendor {
    Dashscope,
    Deepseek,
    Openai,
    OpenaiCompatible,
    LlamaCpp,
    Ollama,
    Vllm,
}

/// What a vendor brings. Data: `vendors.json` beside this file.
#[derive(Clone, Debug)]
pub struct VendorFacts {
    pub word: &'static str,
    /// Hosted vendors need a key; local servers do not.
    pub needs_key: bool,
    pub local: bool,
    /// Path on the server's root that answers 200 when it is ready, for local servers.
    pub health_path: Option<&'static str>,
    /// The body field in which planb sends an output bound of its own: `max_tokens` or `max_completion_tokens`.
    pub output_bound_field: &'static str,
    /// Thinking tokens are not counted under the output bound.
    pub thinking_outside_bound: bool,
    /// `stream_options.include_usage` is understood.
    pub stream_usage: bool,
}

impl Vendor {
    pub fn facts(self) -> &'static VendorFacts {
        todo!()
    }

    pub fn word(self) -> &'static str {
        self.facts().word
    }
}
