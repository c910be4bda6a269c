//! Options of a request that change its price: a top-level field with a value, `inference_geo=us`.
//!
//! A field and its value are one text, the same from a policy and from a request however a number is written there.

use std::sync::Arc;

/// `value` is a text, `true` or `false`, or a number as JSON writes it.
pub fn option(name: &str, value: &str) -> Arc<str> {
    let number = value.parse::<f64>().ok().filter(|number| number.is_finite());
    match number.filter(|_| value.starts_with(|first: char| first == '-' || first.is_ascii_digit())) {
        // Both zeros are one number.
        Some(number) => format!("{name}={}", number + 0.0).into(),
        None => format!("{name}={value}").into(),
    }
}

/// The field's name.
pub(super) fn field(option: &str) -> &str {
    option.split_once('=').map_or(option, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_one_however_they_are_written_and_texts_stay_texts() {
        assert_eq!(option("top_p", "1"), option("top_p", "1.0"));
        assert_eq!(option("top_p", "1e0"), option("top_p", "1"));
        assert_eq!(option("seed", "-0"), option("seed", "0"));
        assert_ne!(option("seed", "1"), option("seed", "10"));
        assert_eq!(&*option("tier", "inf"), "tier=inf");
        assert_eq!(&*option("geo", "us"), "geo=us");
        assert_eq!(field("geo=us=west"), "geo");
    }
}
