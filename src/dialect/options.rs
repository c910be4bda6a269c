//! The fields of a request that some price goes by: those that the policy names, and no others are looked at.

use super::members::members;
use crate::price::option;
use bytes::Bytes;
use std::borrow::Cow;
use std::sync::Arc;

/// Longer texts are nobody's option.
const MOST: usize = 200;

/// Each of `priced` that stands at the top of the body with a text, a truth or a number.
pub(super) fn options(body: &Bytes, priced: &[Arc<str>]) -> Vec<Arc<str>> {
    // A name may be written with escapes.
    let may_hold = |name: &Arc<str>| memchr::memmem::find(body, name.as_bytes()).is_some();
    if priced.is_empty() || !(memchr::memmem::find(body, b"\\u").is_some() || priced.iter().any(may_hold)) {
        return Vec::new();
    }
    let members = members(body).unwrap_or_default();
    let named = members
        .iter()
        .filter(|member| priced.iter().any(|name| **name == *member.name));
    named
        .filter_map(|member| Some(option(&member.name, &value(member.json(body))?)))
        .collect()
}

fn value(json: &str) -> Option<Cow<'_, str>> {
    if json.len() > MOST {
        return None;
    }
    match json.as_bytes().first()? {
        b'"' => serde_json::from_str(json).ok(),
        b't' | b'f' | b'-' | b'0'..=b'9' => Some(json.into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_truths_and_numbers_are_read_where_a_price_names_them() {
        let body = r#"{"region":"eu","\u0066ast":true,"n":2.0,"seed":7,"deep":{"region":"us"},"list":[1],"none":null}"#;
        let body = Bytes::from_static(body.as_bytes());
        let priced: Vec<Arc<str>> = ["region", "fast", "n", "deep", "list", "none", "absent"]
            .map(Into::into)
            .into();
        let found: Vec<String> = options(&body, &priced).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["region=eu", "fast=true", "n=2"]);
        assert!(options(&body, &[]).is_empty());
    }

    #[test]
    fn a_text_without_end_is_no_option() {
        let body = format!(r#"{{"region":"{}"}}"#, "x".repeat(MOST));
        assert!(options(&body.into(), &["region".into()]).is_empty());
    }
}
