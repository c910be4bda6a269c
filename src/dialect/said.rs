//! A number of tokens as a provider says it: a count, or something that is none. An absurd number never costs an answer,
//! and never becomes another number: it is told apart, and whoever reads it decides what to do without.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// More tokens than any request has, by far: what is beyond is no count.
const MOST: u64 = 1_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    Tokens(u64),
    /// Negative, broken, beyond all bounds, or no number.
    Absurd,
}

impl Said {
    pub const fn tokens(self) -> Option<u64> {
        match self {
            Self::Tokens(tokens) => Some(tokens),
            Self::Absurd => None,
        }
    }

    fn of(tokens: u64) -> Self {
        if tokens <= MOST {
            Self::Tokens(tokens)
        } else {
            Self::Absurd
        }
    }
}

impl<'de> Deserialize<'de> for Said {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Read)
    }
}

struct Read;

impl<'de> Visitor<'de> for Read {
    type Value = Said;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of tokens")
    }

    fn visit_u64<E>(self, tokens: u64) -> Result<Said, E> {
        Ok(Said::of(tokens))
    }

    fn visit_i64<E>(self, tokens: i64) -> Result<Said, E> {
        Ok(u64::try_from(tokens).map_or(Said::Absurd, Said::of))
    }

    /// `12.0` is twelve.
    fn visit_f64<E>(self, tokens: f64) -> Result<Said, E> {
        let whole = tokens.fract() == 0.0 && (0.0..=MOST as f64).contains(&tokens);
        Ok(if whole { Said::of(tokens as u64) } else { Said::Absurd })
    }

    /// `"12"` is twelve.
    fn visit_str<E>(self, text: &str) -> Result<Said, E> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let read = text.parse().ok().filter(|_| digits);
        Ok(read.map_or(Said::Absurd, Said::of))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Said, E> {
        Ok(Said::Absurd)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Said, A::Error> {
        while all.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Said::Absurd)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<Said, A::Error> {
        while all.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Said::Absurd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_read_however_it_is_written_and_nonsense_is_told_apart() {
        let read = |json: &str| serde_json::from_str::<Said>(json).unwrap();
        for (json, tokens) in [("0", 0), ("12", 12), ("12.0", 12), ("\"12\"", 12), ("1000000000", MOST)] {
            assert_eq!(read(json), Said::Tokens(tokens), "{json}");
        }
        for json in [
            "-1",
            "1.5",
            "-0.5",
            "1e300",
            "1000000001",
            "18446744073709551616",
            "\"\"",
            "\"many\"",
            "\"-3\"",
            "true",
            "[1]",
            "{\"a\": [2]}",
        ] {
            assert_eq!(read(json), Said::Absurd, "{json}");
        }
    }
}
