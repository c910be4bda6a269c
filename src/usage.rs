//! What one attempt used, by kind, in the one meaning that all dialects are brought to.
//!
//! `input` contains what was cached, written, heard and seen, as OpenAI counts; an explicit zero is a value and absent is
//! not zero.

mod counting;

pub use counting::{ENOUGH, OutputCount, OutputRatio, OutputRatioRow, OutputRatios};

use std::time::Duration;

/// Tokens of one attempt as reported by the provider (or estimated, see [`Usage::estimated`]), and what else is billed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All input tokens, cached ones included.
    pub input: u64,
    /// The part of `input` that was read from a prompt cache.
    pub cache_read: u64,
    /// The part of `input` that was read from a cache which the request set up itself.
    pub cache_read_explicit: u64,
    /// The part of `input` that was written to a cache for its usual short life.
    pub cache_write: u64,
    pub cache_write_1h: u64,
    pub cache_write_12h: u64,
    /// The parts of `input` that were sound and pictures.
    pub input_audio: u64,
    pub input_image: u64,
    /// All output tokens, reasoning included.
    pub output: u64,
    /// The part of `output` that was reasoning, where the provider says.
    pub reasoning: u64,
    /// The part of `output` that was sound.
    pub output_audio: u64,
    /// `None` where the provider does not say.
    pub web_searches: Option<u64>,
    pub web_fetches: u64,
    /// Uses of other tools that the provider runs.
    pub tool_calls: u64,
    /// The service tier that the answer names: what is billed, whatever was asked for.
    pub tier: Option<ServiceTier>,
    /// The call was made in thinking mode, whether or not the provider counted its reasoning.
    pub thinking: bool,
    /// The part of a machine's time that the attempt took, where time is billed.
    pub time: Duration,
    /// True when the provider gave no (complete) figures and these are planb's own count.
    pub estimated: bool,
}

impl Usage {
    pub const NONE: Self = Self {
        input: 0,
        cache_read: 0,
        cache_read_explicit: 0,
        cache_write: 0,
        cache_write_1h: 0,
        cache_write_12h: 0,
        input_audio: 0,
        input_image: 0,
        output: 0,
        reasoning: 0,
        output_audio: 0,
        web_searches: None,
        web_fetches: 0,
        tool_calls: 0,
        tier: None,
        thinking: false,
        time: Duration::ZERO,
        estimated: false,
    };

    /// Input that has no kind of its own. A provider that reports more cached than total input gets zero, not a wrap.
    pub const fn uncached_input(&self) -> u64 {
        self.input
            .saturating_sub(self.cache_read)
            .saturating_sub(self.cache_read_explicit)
            .saturating_sub(self.cache_write)
            .saturating_sub(self.cache_write_1h)
            .saturating_sub(self.cache_write_12h)
            .saturating_sub(self.input_audio)
            .saturating_sub(self.input_image)
    }

    /// A report that cannot be: more cached, written, heard and seen than there was input, or more reasoning than output.
    pub const fn parts_exceed_whole(&self) -> bool {
        let of_input = self
            .cache_read
            .saturating_add(self.cache_read_explicit)
            .saturating_add(self.cache_write)
            .saturating_add(self.cache_write_1h)
            .saturating_add(self.cache_write_12h);
        of_input > self.input || self.output_audio > self.output
    }

    pub const fn tokens(&self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

/// How a request is served at the same model for another price. A word that is none of these is the standard one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServiceTier {
    Standard,
    Batch,
    Flex,
    Priority,
    Scale,
    Fast,
    Ultrafast,
}

impl ServiceTier {
    pub const ALL: [Self; 7] = [
        Self::Standard,
        Self::Batch,
        Self::Flex,
        Self::Priority,
        Self::Scale,
        Self::Fast,
        Self::Ultrafast,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Batch => "batch",
            Self::Flex => "flex",
            Self::Priority => "priority",
            Self::Scale => "scale",
            Self::Fast => "fast",
            Self::Ultrafast => "ultrafast",
        }
    }

    /// A request that says so lets the provider choose a dearer tier than the standard one.
    pub fn is_open(word: &str) -> bool {
        word == "auto"
    }

    /// As requests and answers spell it (`default`, `auto`, `on_demand` and the like are the standard tier).
    pub fn of(word: &str) -> Option<Self> {
        match word {
            "auto" | "default" | "standard" | "standard_only" | "on_demand" => Some(Self::Standard),
            "performance" => Some(Self::Priority),
            _ => Self::ALL.into_iter().find(|tier| tier.word() == word),
        }
    }
}

/// How long what a request writes to a prompt cache is kept there; longer is dearer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum CacheLife {
    /// The request says nothing: what the provider does of its own accord.
    #[default]
    Unsaid,
    /// Minutes.
    Short,
    Hour,
    HalfDay,
}
