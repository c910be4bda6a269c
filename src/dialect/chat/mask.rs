//! Puts the name that a client asked for in the place of the provider's own, in whole answers, in parts of large ones
//! and in the events of a stream. All other bytes stay.

use bytes::{BufMut, Bytes, BytesMut};
use std::ops::Range;

/// The answer, or the beginning of one, with another `model`; as it is where it has none.
pub fn with_model(json: &Bytes, name: &str) -> Bytes {
    let Some(at) = model_value(json) else {
        return json.clone();
    };
    let name = serde_json::Value::from(name).to_string();
    let mut out = BytesMut::with_capacity(json.len() + name.len());
    out.put_slice(json.get(..at.start).unwrap_or_default());
    out.put_slice(name.as_bytes());
    out.put_slice(json.get(at.end..).unwrap_or_default());
    out.freeze()
}

/// An event of a stream with another `model`. `data` is what its `data:` lines hold.
pub fn event_with_model(raw: &Bytes, data: &Bytes, name: &str) -> Bytes {
    if model_value(data).is_none() {
        return raw.clone();
    }
    let shown = with_model(data, name);
    let mut out = BytesMut::with_capacity(shown.len() + 16);
    for line in shown.split(|byte| *byte == b'\n') {
        out.put_slice(b"data: ");
        out.put_slice(line);
        out.put_u8(b'\n');
    }
    out.put_u8(b'\n');
    out.freeze()
}

/// Where the value of the outermost object's `model` stands, quotes included. Reads a part as well as a whole.
fn model_value(json: &[u8]) -> Option<Range<usize>> {
    let (mut depth, mut at, mut key) = (0_usize, 0, None::<&[u8]>);
    while let Some(byte) = json.get(at) {
        match byte {
            b'{' | b'[' => (depth, key) = (depth + 1, None),
            b'}' | b']' => depth = depth.checked_sub(1)?,
            b',' => key = None,
            b'"' => {
                let end = string_end(json, at)?;
                let text = json.get(at..end)?;
                if depth == 1 && key == Some(b"\"model\"".as_slice()) {
                    return Some(at..end);
                }
                if depth == 1 && key.is_none() {
                    key = Some(text);
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    None
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

    fn masked(json: &str) -> String {
        String::from_utf8(with_model(&Bytes::copy_from_slice(json.as_bytes()), "chat").to_vec()).unwrap()
    }

    #[test]
    fn the_outermost_model_alone_is_replaced() {
        for (json, shown) in [
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
            assert_eq!(masked(json), shown);
        }
    }

    #[test]
    fn an_event_keeps_its_form() {
        let data = Bytes::from_static(br#"{"model":"qwen","choices":[]}"#);
        let raw = Bytes::from_static(b"data: {\"model\":\"qwen\",\"choices\":[]}\n\n");
        assert_eq!(
            &*event_with_model(&raw, &data, "chat"),
            b"data: {\"model\":\"chat\",\"choices\":[]}\n\n"
        );
        let other = Bytes::from_static(b"data:{}\r\n\r\n");
        assert_eq!(event_with_model(&other, &Bytes::from_static(b"{}"), "chat"), other);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), json in r#"[{}\[\]",:\\model ]{0,60}"#) {
            let _ = with_model(&Bytes::from(bytes), "chat");
            let _ = with_model(&Bytes::from(json), "chat");
        }

        #[test]
        fn json_stays_json_and_only_the_model_moves(id in ".{0,20}", model in ".{0,20}", text in ".{0,40}") {
            let before = serde_json::json!({"id": id, "choices": [{"model": text}], "model": model});
            let after: serde_json::Value = serde_json::from_str(&masked(&before.to_string())).unwrap();
            let mut wanted = before;
            wanted["model"] = "chat".into();
            prop_assert_eq!(after, wanted);
        }
    }
}
