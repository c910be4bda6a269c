//! Anthropic's Messages, as models are called in it. `encode` writes a conversation as a request, `stream` and `answer` read
//! what came back, `usage` brings its counts to one meaning. It knows no other dialect: `translate` joins them.

pub mod answer;
mod body;
pub mod encode;
mod seal;
pub mod stream;
mod thinking;
mod turns;
mod usage;

use crate::catalog::{Vendor, Wire};

/// The model that a conversation is written for.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    pub vendor: Vendor,
    /// The provider's name of the model.
    pub upstream: &'a str,
    pub wire: Wire,
    /// It can think when it is asked to.
    pub thinks: bool,
    /// It does, whatever it is asked.
    pub always_thinks: bool,
}

/// What planb says of its own accord.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// All output that was reserved for, thinking in: the dialect wants a bound with every request.
    pub max_tokens: u64,
    pub stream: bool,
    pub thinking_off: bool,
}

impl Target<'_> {
    /// Of Claude, its generation by its name: `claude-opus-4-8` and `anthropic.claude-opus-4-8-v1:0` are 4.8.
    fn generation(&self) -> Option<(u32, u32)> {
        let (_, name) = self.upstream.split_once("claude-")?;
        let is_number =
            |part: &str| !part.is_empty() && part.len() <= 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        let name = name.split(['@', ':']).next().unwrap_or_default();
        let mut parts = name.split(['-', '.']).skip_while(|part| !is_number(part));
        let major = parts.next()?.parse().ok()?;
        let minor = parts.next().filter(|part| is_number(part));
        Some((major, minor.and_then(|minor| minor.parse().ok()).unwrap_or(0)))
    }

    fn is_claude_since(&self, generation: (u32, u32)) -> bool {
        self.generation().is_some_and(|own| own >= generation)
    }

    /// Says how much it should think in words, and not in tokens.
    fn thinks_by_effort(&self) -> bool {
        self.is_claude_since((4, 6))
    }

    /// Takes a system message in the middle of a conversation.
    fn hears_system_midway(&self) -> bool {
        self.is_claude_since((4, 8))
    }

    /// Refuses `temperature` and `top_p` together.
    fn takes_one_of_sampling(&self) -> bool {
        self.is_claude_since((4, 1))
    }
}

#[cfg(test)]
mod tests;
