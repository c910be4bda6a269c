//! Hides who answered: puts the name that a client asked for in the place of the provider's own and takes out what only
//! says who the provider is, in whole answers, in parts of large ones and in the events of a stream. All other bytes stay.

mod pieces;

pub use pieces::Pieces;

use crate::dialect::sse::event_of;
use bytes::{BufMut, Bytes, BytesMut};
use std::ops::Range;

/// Members of an answer that name its supplier, or its build: OpenRouter's, OpenAI's and Groq's.
const OF_SUPPLIERS: [&[u8]; 3] = [b"\"provider\"", b"\"system_fingerprint\"", b"\"x_groq\""];

/// The answer, or the beginning of one, as if `name` had given it; as it is where nothing in it says otherwise.
pub fn masked(json: &Bytes, name: &str) -> Bytes {
    let edits = edits(json);
    if edits.is_empty() {
        return json.clone();
    }
    let name = serde_json::Value::from(name).to_string();
    let mut out = BytesMut::with_capacity(json.len() + name.len());
    let mut from = 0;
    for edit in edits {
        let (range, text) = match edit {
            Edit::Rename(range) => (range, name.as_bytes()),
            Edit::Cut(range) => (range, &b""[..]),
        };
        out.put_slice(json.get(from..range.start).unwrap_or_default());
        out.put_slice(text);
        from = range.end;
    }
    out.put_slice(json.get(from..).unwrap_or_default());
    out.freeze()
}

/// An event of a stream as if `name` had sent it. `data` is what its `data:` lines hold.
pub fn masked_event(raw: &Bytes, data: &Bytes, name: &str) -> Bytes {
    let shown = masked(data, name);
    if shown == *data {
        return raw.clone();
    }
    event_of(&shown)
}

#[derive(Debug)]
enum Edit {
    /// The value of `model`, quotes included.
    Rename(Range<usize>),
    /// A member with one of its commas.
    Cut(Range<usize>),
}

/// A member of the outermost object that is being read.
struct Open {
    key: Range<usize>,
    /// The first string of its value.
    value: Option<Range<usize>>,
}

/// What has to change, in the order of the bytes. Reads a part as well as a whole; a member that is cut off stays.
fn edits(json: &[u8]) -> Vec<Edit> {
    let (mut edits, mut depth, mut at) = (Vec::new(), 0_usize, 0);
    let (mut open, mut comma, mut kept) = (None::<Open>, 0, false);
    while let Some(byte) = json.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => break,
            b',' | b'}' | b']' => {
                let ends = depth == 1;
                depth -= usize::from(*byte != b',');
                if let Some(member) = open.take_if(|_| ends) {
                    let name = json.get(member.key.clone()).unwrap_or_default();
                    if OF_SUPPLIERS.contains(&name) {
                        // The comma before it where a member stays before it, else the one behind it.
                        let behind = at + usize::from(*byte == b',');
                        edits.push(Edit::Cut(if kept { comma..at } else { member.key.start..behind }));
                    } else {
                        kept = true;
                        let renamed = member.value.filter(|_| name == b"\"model\"");
                        edits.extend(renamed.map(Edit::Rename));
                    }
                }
                comma = if ends { at } else { comma };
            }
            b'"' => {
                let Some(end) = string_end(json, at) else { break };
                match &mut open {
                    None if depth == 1 => {
                        open = Some(Open {
                            key: at..end,
                            value: None,
                        });
                    }
                    Some(member) if depth == 1 && member.value.is_none() => member.value = Some(at..end),
                    _ => {}
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    // The last member of a part: its name is whole, whatever comes after it.
    let rest = open.filter(|member| json.get(member.key.clone()) == Some(b"\"model\""));
    edits.extend(rest.and_then(|member| member.value).map(Edit::Rename));
    edits
}

/// Behind the closing quote of the string that opens at `start`.
fn string_end(json: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', json.get(at..)?)?;
        match json.get(at)? {
            b'"' => return Some(at + 1),
            _ => at += 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(json: &str) -> String {
        String::from_utf8(masked(&Bytes::copy_from_slice(json.as_bytes()), "chat").to_vec()).unwrap()
    }

    #[test]
    fn the_outermost_model_alone_is_replaced() {
        for (json, wanted) in [
            (
                r#"{"id":"x","model":"qwen3.8-max","choices":[]}"#,
                r#"{"id":"x","model":"chat","choices":[]}"#,
            ),
            (
                r#"{"a":{"model":"in"},"b":["model","x"],"model" : "out"}"#,
                r#"{"a":{"model":"in"},"b":["model","x"],"model" : "chat"}"#,
            ),
            (
                r#"{"text":"\"model\":\"no\"","model":"a\"b"}"#,
                r#"{"text":"\"model\":\"no\"","model":"chat"}"#,
            ),
            (r#"{"x":"model","model":null}"#, r#"{"x":"model","model":null}"#),
            (
                r#"{"model":"whole","choices":[{"text":"cut off he"#,
                r#"{"model":"chat","choices":[{"text":"cut off he"#,
            ),
            ("", ""),
            ("[\"model\"]", "[\"model\"]"),
        ] {
            assert_eq!(shown(json), wanted);
        }
    }

    #[test]
    fn members_that_name_the_supplier_go_wherever_they_stand() {
        for (json, wanted) in [
            (
                r#"{"provider":"DeepInfra","id":"x","system_fingerprint":"fp_1", "choices":[{"provider":"kept"}]}"#,
                r#"{"id":"x", "choices":[{"provider":"kept"}]}"#,
            ),
            (
                r#"{"provider":{"name":"a,b"},"system_fingerprint":null,"model":"m","x_groq":{"id":"r"}}"#,
                r#"{"model":"chat"}"#,
            ),
            (r#"{ "system_fingerprint" : "fp" }"#, r#"{ }"#),
            (r#"{"a":"provider","b":1,"provider":"x"}"#, r#"{"a":"provider","b":1}"#),
            (r#"{"id":"x","provider":"cut o"#, r#"{"id":"x","provider":"cut o"#),
        ] {
            assert_eq!(shown(json), wanted);
        }
    }

    #[test]
    fn an_event_keeps_its_form() {
        let data = Bytes::from_static(br#"{"model":"qwen","choices":[]}"#);
        let raw = Bytes::from_static(b"data: {\"model\":\"qwen\",\"choices\":[]}\n\n");
        assert_eq!(
            &*masked_event(&raw, &data, "chat"),
            b"data: {\"model\":\"chat\",\"choices\":[]}\n\n"
        );
        let other = Bytes::from_static(b"data:{}\r\n\r\n");
        assert_eq!(masked_event(&other, &Bytes::from_static(b"{}"), "chat"), other);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), json in r#"[{}\[\]",:\\model ]{0,60}"#) {
            let _ = masked(&Bytes::from(bytes), "chat");
            let _ = masked(&Bytes::from(json), "chat");
        }

        #[test]
        fn json_stays_json_and_what_names_no_supplier_stays(
            members in proptest::collection::btree_map(
                prop_oneof!["[a-z]{0,6}", Just("provider".to_owned()), Just("system_fingerprint".to_owned()),
                            Just("x_groq".to_owned()), Just("model".to_owned())], ".{0,20}", 0..8),
            pretty in any::<bool>(),
        ) {
            let before = serde_json::json!(members);
            let text = if pretty { serde_json::to_string_pretty(&before).unwrap() } else { before.to_string() };
            let after: serde_json::Value = serde_json::from_str(&shown(&text)).unwrap();
            let mut wanted = before.as_object().unwrap().clone();
            wanted.retain(|name, _| !["provider", "system_fingerprint", "x_groq"].contains(&name.as_str()));
            wanted.entry("model").and_modify(|name| *name = "chat".into());
            prop_assert_eq!(after, serde_json::Value::Object(wanted));
        }
    }
}
