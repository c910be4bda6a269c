//! The members of a request's body with their places, so that a few can change while all other bytes stay the client's.

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::ops::Range;

/// Words to other routers: by the first three a client would name models or hosts and pass the policy by, the last two
/// are about their retries and mean nothing to a provider.
pub(super) const STRIPPED: [&str; 5] = [
    "models",
    "fallbacks",
    "provider",
    "num_retries",
    "mock_testing_fallbacks",
];
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the body is not a JSON object: {0}")]
    NotJson(String),
    #[error("`{0}` is missing")]
    Missing(&'static str),
    #[error("`{field}` must be {expected}")]
    Wrong {
        field: &'static str,
        expected: &'static str,
    },
    #[error("`{0}` is given twice")]
    Twice(String),
    #[error("give `max_tokens` or `max_completion_tokens`, not both")]
    TwoBounds,
    #[error("`service_tier: {0}` is not known to planb, and may have a price of its own; leave it out")]
    UnknownTier(String),
}

impl Unreadable {
    /// The body field to blame, for the error's `param`.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::NotJson(_) => None,
            Self::Missing(field) | Self::Wrong { field, .. } => Some(field),
            Self::Twice(field) => Some(field),
            Self::TwoBounds => Some("max_tokens"),
            Self::UnknownTier(_) => Some("service_tier"),
        }
    }
}

pub(super) struct Member<'a> {
    pub name: Cow<'a, str>,
    pub value: Range<usize>,
}

impl Member<'_> {
    pub fn json<'b>(&self, body: &'b Bytes) -> &'b str {
        body.get(self.value.clone())
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .unwrap_or("null")
    }
}

/// The top-level members with the places of their values. Names must be unique: parsers differ on which of two counts,
/// and the provider's may be another than ours.
pub(super) fn members(body: &Bytes) -> Result<Vec<Member<'_>>, Unreadable> {
    struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);
    impl<'de> Deserialize<'de> for Members<'de> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Collect;
            impl<'de> Visitor<'de> for Collect {
                type Value = Members<'de>;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                    let mut all = Vec::with_capacity(16);
                    while let Some(Key(name)) = map.next_key()? {
                        all.push((name, map.next_value()?));
                    }
                    Ok(Members(all))
                }
            }
            deserializer.deserialize_map(Collect)
        }
    }
    let Members(all) = serde_json::from_slice(body).map_err(|error| Unreadable::NotJson(error.to_string()))?;
    let start = body.as_ptr() as usize;
    let mut members: Vec<Member<'_>> = Vec::with_capacity(all.len());
    for (name, raw) in all {
        if members.iter().any(|member| member.name == name) {
            return Err(Unreadable::Twice(name.into_owned()));
        }
        let from = raw.get().as_ptr() as usize - start;
        members.push(Member {
            name,
            value: from..from + raw.get().len(),
        });
    }
    Ok(members)
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

pub(super) fn parse<'a, T: Deserialize<'a>>(
    json: &'a str,
    field: &'static str,
    expected: &'static str,
) -> Result<T, Unreadable> {
    serde_json::from_str(json).map_err(|_| Unreadable::Wrong { field, expected })
}

/// Unwanted members, each with one comma: the one before it where a member stays before it, else the one behind it, so
/// that what is left is an object again however many go.
pub(super) fn cut(members: &[Member<'_>], body: &Bytes, unwanted: impl Fn(&Member<'_>) -> bool) -> Vec<Range<usize>> {
    let mut kept_before = false;
    let mut ranges = Vec::new();
    for member in members {
        if !unwanted(member) {
            kept_before = true;
            continue;
        }
        let key = key_range(member, body);
        let comma = |byte: &u8| *byte == b',';
        ranges.push(if kept_before {
            let before = body.get(..key.start).unwrap_or_default();
            before.iter().rposition(comma).unwrap_or(key.start)..member.value.end
        } else {
            let after = body.get(member.value.end..).unwrap_or_default();
            key.start..member.value.end + after.iter().position(comma).map_or(0, |at| at + 1)
        });
    }
    ranges
}

/// The key of a member, quotes included: the last string before the colon before the value.
pub(super) fn key_range(member: &Member<'_>, body: &Bytes) -> Range<usize> {
    let before = body.get(..member.value.start).unwrap_or_default();
    let colon = before.iter().rposition(|byte| *byte == b':').unwrap_or(0);
    let end = before
        .get(..colon)
        .unwrap_or_default()
        .iter()
        .rposition(|byte| *byte == b'"')
        .map_or(0, |at| at + 1);
    // Only names without escapes come here, so that the opening quote is the one before.
    let start = before
        .get(..end.saturating_sub(1))
        .unwrap_or_default()
        .iter()
        .rposition(|byte| *byte == b'"')
        .unwrap_or(0);
    start..end
}

pub(super) fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Applies edits to disjoint ranges.
pub(super) fn splice(body: &Bytes, mut edits: Vec<(Range<usize>, String)>) -> Bytes {
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    let extra: usize = edits.iter().map(|(_, text)| text.len()).sum();
    let mut out = Vec::with_capacity(body.len() + extra);
    let mut from = 0;
    for (range, text) in edits {
        out.extend_from_slice(body.get(from..range.start).unwrap_or_default());
        out.extend_from_slice(text.as_bytes());
        from = range.end;
    }
    out.extend_from_slice(body.get(from..).unwrap_or_default());
    Bytes::from(out)
}
