//! JSON as it would stand without needless escapes: `"image\u005furl"` is `"image_url"` to whoever parses it, and must be
//! to whoever looks for words in the bytes.

use bytes::Bytes;

/// The same JSON with every escaped ASCII character that need not be escaped written as itself; `None` where there is
/// none, which is nearly always.
pub(super) fn plain(json: &Bytes) -> Option<Bytes> {
    let mut out: Option<Vec<u8>> = None;
    let (mut kept, mut at) = (0, 0);
    while let Some(found) = json.get(at..).and_then(|rest| memchr::memchr(b'\\', rest)) {
        let from = at + found;
        match json.get(from..).and_then(character) {
            Some(character) => {
                let out = out.get_or_insert_with(|| Vec::with_capacity(json.len()));
                out.extend_from_slice(json.get(kept..from).unwrap_or_default());
                out.push(character);
                (kept, at) = (from + 6, from + 6);
            }
            // The escaped character is no backslash of its own.
            None => at = from + 2,
        }
    }
    let mut out = out?;
    out.extend_from_slice(json.get(kept..).unwrap_or_default());
    Some(out.into())
}

/// What `\u00XX` stands for, where it may stand for itself.
fn character(escape: &[u8]) -> Option<u8> {
    let digits = escape.strip_prefix(b"\\u00")?.get(..2)?;
    let code = std::str::from_utf8(digits)
        .ok()
        .filter(|digits| !digits.starts_with('+'))?;
    let code = u8::from_str_radix(code, 16).ok()?;
    ((b' '..=b'~').contains(&code) && code != b'"' && code != b'\\').then_some(code)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every n-th character inside strings written as an escape.
    pub fn escaped(json: &str, every: usize) -> String {
        let (mut out, mut inside, mut after_backslash, mut seen) = (String::new(), false, false, 0);
        for letter in json.chars() {
            if after_backslash {
                out.push(letter);
                after_backslash = false;
                continue;
            }
            match letter {
                '"' => inside = !inside,
                '\\' => after_backslash = inside,
                _ if inside => {
                    seen += 1;
                    if seen % every.max(1) == 0 {
                        let mut units = [0; 2];
                        for unit in letter.encode_utf16(&mut units) {
                            out.push_str(&format!("\\u{unit:04x}"));
                        }
                        continue;
                    }
                }
                _ => {}
            }
            out.push(letter);
        }
        out
    }

    #[test]
    fn only_needless_escapes_go() {
        let plainly = |text: &'static str| plain(&Bytes::from_static(text.as_bytes()));
        assert_eq!(plainly(r#"{"a":"b\n\"c\\"}"#), None);
        assert_eq!(
            plainly(r#""\u005f\u0022\u005C\u000a\u00e9""#).unwrap(),
            r#""_\u0022\u005C\u000a\u00e9""#
        );
        assert_eq!(plainly(r#""\\u005f""#), None, "a backslash and a word");
        assert_eq!(plainly(r#""\u00+1\u00""#), None);
        assert_eq!(plainly("\"\\"), None);
    }

    proptest! {
        #[test]
        fn it_means_the_same(text in "\\PC{0,40}", every in 1_usize..4) {
            let json = serde_json::Value::from(text).to_string();
            let written = Bytes::from(escaped(&json, every));
            let read = |json: &[u8]| serde_json::from_slice::<String>(json).unwrap();
            let plain = plain(&written).unwrap_or_else(|| written.clone());
            prop_assert_eq!(read(&plain), read(json.as_bytes()));
        }
    }
}
