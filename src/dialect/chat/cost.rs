//! Puts what an answer cost beside its usage, `usage.cost`, for clients that look for it there. All other bytes stay.

use crate::dialect::members::members;
use bytes::{BufMut, Bytes, BytesMut};

/// The answer, or the data of an event, with its cost, a number in JSON; as it is where it has no usage.
pub fn with_cost(json: &Bytes, cost: &str) -> Bytes {
    inserted(json, cost).unwrap_or_else(|| json.clone())
}

fn inserted(json: &Bytes, cost: &str) -> Option<Bytes> {
    let place = |body: &Bytes, name: &str| {
        let found = members(body).ok()?.into_iter().find(|member| member.name == name)?;
        Some(found.value)
    };
    let usage = place(json, "usage")?;
    let own = json.slice(usage.clone());
    let all = members(&own).ok()?;
    let (from, to, text) = match place(&own, "cost") {
        Some(known) => (known.start, known.end, cost.to_owned()),
        None => {
            let end = own.len() - 1;
            let comma = if all.is_empty() { "" } else { "," };
            (end, end, format!("{comma}\"cost\":{cost}"))
        }
    };
    let mut out = BytesMut::with_capacity(json.len() + text.len());
    out.put_slice(json.get(..usage.start + from)?);
    out.put_slice(text.as_bytes());
    out.put_slice(json.get(usage.start + to..)?);
    Some(out.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(json: &'static str) -> String {
        let out = with_cost(&Bytes::from(json), "0.00304");
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn the_cost_stands_in_the_usage_and_nothing_else_changes() {
        for (json, expected) in [
            (
                r#"{"id": "x", "usage": {"prompt_tokens": 1 }, "z": [1]}"#,
                r#"{"id": "x", "usage": {"prompt_tokens": 1 ,"cost":0.00304}, "z": [1]}"#,
            ),
            (r#"{"usage":{}}"#, r#"{"usage":{"cost":0.00304}}"#),
            (
                r#"{"usage":{"cost":7e-2,"is_byok":false}}"#,
                r#"{"usage":{"cost":0.00304,"is_byok":false}}"#,
            ),
        ] {
            assert_eq!(costs(json), expected);
        }
    }

    #[test]
    fn what_has_no_usage_stays_as_it_is() {
        for json in [
            r#"{"id":"x"}"#,
            r#"{"usage":null}"#,
            r#"{"usage":[]}"#,
            "half {",
            "[DONE]",
        ] {
            assert_eq!(costs(json), json);
        }
    }
}
