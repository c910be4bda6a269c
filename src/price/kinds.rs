//! The kinds of tokens that have rates of their own, and what an absent one costs.

use crate::money::Rate;
use crate::usage::Usage;

/// Spelled in policies and in the catalogue as [`Kind::word`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Input,
    CacheRead,
    CacheReadExplicit,
    CacheWrite,
    CacheWrite1h,
    CacheWrite12h,
    InputAudio,
    InputImage,
    Output,
    OutputThinking,
    OutputAudio,
}

impl Kind {
    /// Each after the kind that it costs as much as where it is absent.
    pub const ALL: [Self; 11] = [
        Self::Input,
        Self::CacheRead,
        Self::CacheReadExplicit,
        Self::CacheWrite,
        Self::CacheWrite1h,
        Self::CacheWrite12h,
        Self::InputAudio,
        Self::InputImage,
        Self::Output,
        Self::OutputThinking,
        Self::OutputAudio,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::CacheRead => "cache_read",
            Self::CacheReadExplicit => "cache_read_explicit",
            Self::CacheWrite => "cache_write",
            Self::CacheWrite1h => "cache_write_1h",
            Self::CacheWrite12h => "cache_write_12h",
            Self::InputAudio => "input_audio",
            Self::InputImage => "input_image",
            Self::Output => "output",
            Self::OutputThinking => "output_thinking",
            Self::OutputAudio => "output_audio",
        }
    }

    /// The kind that it costs as much as where it has no rate of its own.
    const fn plain(self) -> Option<Self> {
        match self {
            Self::Input | Self::Output => None,
            Self::CacheRead | Self::CacheWrite | Self::InputAudio | Self::InputImage => Some(Self::Input),
            Self::CacheReadExplicit => Some(Self::CacheRead),
            Self::CacheWrite1h => Some(Self::CacheWrite),
            Self::CacheWrite12h => Some(Self::CacheWrite1h),
            Self::OutputThinking | Self::OutputAudio => Some(Self::Output),
        }
    }
}

/// Rates as somebody gave them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds([Option<Rate>; 11]);

impl Kinds {
    pub fn get(&self, kind: Kind) -> Option<Rate> {
        self.0[kind as usize]
    }

    pub fn set(&mut self, kind: Kind, rate: Rate) {
        self.0[kind as usize] = Some(rate);
    }

    #[must_use]
    pub fn with(mut self, kind: Kind, rate: Rate) -> Self {
        self.set(kind, rate);
        self
    }

    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// These, and where they are silent `others`.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        let mut both = self;
        for kind in Kind::ALL {
            both.0[kind as usize] = self.get(kind).or(others.get(kind));
        }
        both
    }

    /// Every kind has a rate: its own, else that of its plain kind if that is given here, else the one in `base`.
    pub fn filled(&self, base: &Rates) -> Rates {
        let mut rates = *base;
        let mut given = [false; 11];
        for kind in Kind::ALL {
            let at = kind as usize;
            if let Some(rate) = self.get(kind) {
                (rates.0[at], given[at]) = (rate, true);
            } else if let Some(plain) = kind.plain().filter(|plain| given[*plain as usize]) {
                (rates.0[at], given[at]) = (rates.get(plain), true);
            }
        }
        rates
    }
}

/// A rate for every kind, per million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates([Rate; 11]);

impl Rates {
    pub const FREE: Self = Self([Rate::FREE; 11]);

    pub const fn get(&self, kind: Kind) -> Rate {
        self.0[kind as usize]
    }

    pub(super) fn are_free(&self) -> bool {
        *self == Self::FREE
    }
}

/// The tokens of a usage by kind, in the order in which they count against quotas and brackets: input before output. The
/// parts never exceed the whole, whatever a provider reports.
pub fn split(usage: &Usage) -> [(Kind, u64); 10] {
    let (mut input, mut output) = (usage.input, usage.output);
    let part = |rest: &mut u64, tokens: u64| {
        let part = tokens.min(*rest);
        *rest -= part;
        part
    };
    let mut of_input = |tokens| part(&mut input, tokens);
    let parts = [
        (Kind::CacheRead, of_input(usage.cache_read)),
        (Kind::CacheReadExplicit, of_input(usage.cache_read_explicit)),
        (Kind::CacheWrite, of_input(usage.cache_write)),
        (Kind::CacheWrite1h, of_input(usage.cache_write_1h)),
        (Kind::CacheWrite12h, of_input(usage.cache_write_12h)),
        (Kind::InputAudio, of_input(usage.input_audio)),
        (Kind::InputImage, of_input(usage.input_image)),
    ];
    let sound = part(&mut output, usage.output_audio);
    let plain = if usage.thinking || usage.reasoning > 0 {
        Kind::OutputThinking
    } else {
        Kind::Output
    };
    let [a, b, c, d, e, f, g] = parts;
    [
        (Kind::Input, input),
        a,
        b,
        c,
        d,
        e,
        f,
        g,
        (plain, output),
        (Kind::OutputAudio, sound),
    ]
}
