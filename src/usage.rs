//! What one attempt used, by kind of token, in the one meaning that all dialects are brought to.
//!
//! `input` contains the cached part, as OpenAI counts; an explicit zero is a value and absent is not zero.

/// Tokens of one attempt as reported by the provider (or estimated, see [`Usage::estimated`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All input tokens, cached ones included.
    pub input: u64,
    /// The part of `input` that was read from a prompt cache.
    pub cache_read: u64,
    /// All output tokens, reasoning included.
    pub output: u64,
    /// The part of `output` that was reasoning, where the provider says.
    pub reasoning: u64,
    /// True when the provider gave no (complete) figures and these are planb's own count.
    pub estimated: bool,
}

impl Usage {
    /// Input that no cache served. A provider that reports more cached than total input gets zero, not a wrap.
    pub const fn uncached_input(&self) -> u64 {
        self.input.saturating_sub(self.cache_read)
    }
}
