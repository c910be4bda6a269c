//! Hides who answered in an answer that comes piece by piece, too large to be held: the same as [`super::masked`], with
//! nothing kept but a name that is not whole yet.

use super::OF_SUPPLIERS;
use bytes::Bytes;

/// No name that matters is longer.
const LONGEST: usize = 64;

/// Where a string is, and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    Name,
    /// The model's, in whose place another stands.
    Replaced,
    Value,
}

/// What becomes of the member of the outermost object that is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    Stays,
    /// Its value is a model's name, if it is a text.
    Model,
    Goes,
}

#[derive(Debug)]
pub struct Pieces {
    /// As JSON.
    name: String,
    depth: usize,
    /// The outermost value has members.
    is_object: bool,
    text: Option<Text>,
    escaped: bool,
    /// The next string of the outermost object is a member's name.
    expects_name: bool,
    member: Member,
    /// A member was let through: the next one needs its comma.
    has_member: bool,
    /// The comma before a member and its name, as long as nobody knows whether it stays.
    held: Vec<u8>,
}

impl Pieces {
    /// `name`: what the client asked for.
    pub fn new(name: &str) -> Self {
        Self {
            name: serde_json::Value::from(name).to_string(),
            depth: 0,
            is_object: false,
            text: None,
            escaped: false,
            expects_name: false,
            member: Member::Stays,
            has_member: false,
            held: Vec::new(),
        }
    }

    /// What the client sees of the next piece; it may be nothing.
    pub fn next(&mut self, piece: &[u8]) -> Bytes {
        let mut out = Vec::with_capacity(piece.len() + self.name.len());
        for byte in piece {
            match self.text {
                Some(text) => self.within(text, *byte, &mut out),
                None => self.between(*byte, &mut out),
            }
        }
        out.into()
    }

    /// What was held back of an answer that ends in the middle of a name.
    pub fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.held).into()
    }

    fn within(&mut self, text: Text, byte: u8, out: &mut Vec<u8>) {
        let ends = byte == b'"' && !self.escaped;
        self.escaped = byte == b'\\' && !self.escaped;
        match text {
            Text::Name => {
                self.held.push(byte);
                if ends || self.held.len() > LONGEST {
                    self.judge(ends, out);
                }
            }
            Text::Replaced if ends => out.extend_from_slice(self.name.as_bytes()),
            Text::Replaced => {}
            Text::Value => self.pass(byte, out),
        }
        if ends {
            self.text = None;
        }
    }

    /// A member's name is whole, or too long to be one that matters.
    fn judge(&mut self, is_whole: bool, out: &mut Vec<u8>) {
        let begin = self.held.iter().position(|byte| *byte == b'"').unwrap_or_default();
        let name = self.held.get(begin..).unwrap_or_default();
        self.member = match name {
            b"\"model\"" => Member::Model,
            name if is_whole && OF_SUPPLIERS.contains(&name) => Member::Goes,
            _ => Member::Stays,
        };
        if !is_whole {
            self.text = Some(Text::Value);
        }
        if self.member == Member::Goes {
            return self.held.clear();
        }
        let first_of_all = !std::mem::replace(&mut self.has_member, true);
        let comma = self.held.first() == Some(&b',');
        out.extend_from_slice(self.held.get(usize::from(first_of_all && comma)..).unwrap_or_default());
        self.held.clear();
    }

    fn between(&mut self, byte: u8, out: &mut Vec<u8>) {
        match byte {
            b'"' if self.depth == 1 && self.expects_name => {
                (self.text, self.expects_name) = (Some(Text::Name), false);
                self.held.push(byte);
            }
            b'"' if self.depth == 1 && self.member == Member::Model => {
                (self.text, self.member) = (Some(Text::Replaced), Member::Stays);
            }
            b'"' => {
                self.text = Some(Text::Value);
                self.pass(byte, out);
            }
            b',' if self.depth == 1 && self.is_object => {
                (self.member, self.expects_name) = (Member::Stays, self.is_object);
                self.flush(out);
                self.held.push(byte);
            }
            b'}' | b']' if self.depth <= 1 => {
                (self.member, self.expects_name, self.depth) = (Member::Stays, false, 0);
                self.flush(out);
                out.push(byte);
            }
            b'}' | b']' => {
                self.depth -= 1;
                self.pass(byte, out);
            }
            b'{' | b'[' => {
                self.depth += 1;
                if self.depth == 1 {
                    self.is_object = byte == b'{';
                    self.expects_name = self.is_object;
                }
                if self.member == Member::Model {
                    self.member = Member::Stays;
                }
                self.pass(byte, out);
            }
            _ if self.expects_name && self.held.len() < LONGEST => self.held.push(byte),
            _ => self.pass(byte, out),
        }
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.held);
    }

    fn pass(&mut self, byte: u8, out: &mut Vec<u8>) {
        // What is held stands before it.
        self.flush(out);
        if self.member != Member::Goes {
            out.push(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::chat::mask::masked;
    use proptest::prelude::*;

    fn shown(json: &[u8], size: usize) -> Vec<u8> {
        let mut pieces = Pieces::new("chat");
        let mut out: Vec<u8> = json.chunks(size).flat_map(|piece| pieces.next(piece)).collect();
        out.extend(pieces.rest());
        out
    }

    #[test]
    fn what_names_the_supplier_is_hidden_wherever_it_is_cut() {
        let json = r#"{"provider":{"a":"b,c"},"id":"x\"","system_fingerprint":"fp","choices":[{"model":"kept","provider":"kept"}], "model" : "qwen\\","x_groq":null}"#;
        let wanted = r#"{"id":"x\"","choices":[{"model":"kept","provider":"kept"}], "model" : "chat"}"#;
        for size in 1..json.len() {
            assert_eq!(
                String::from_utf8(shown(json.as_bytes(), size)).unwrap(),
                wanted,
                "{size}"
            );
        }
    }

    #[test]
    fn nothing_else_is_lost_also_where_it_ends_early() {
        let long = format!(r#"{{"{}":1,"model":7,"b":"cut o"#, "n".repeat(100));
        for json in [
            long.as_str(),
            "",
            "[\"model\",\"x\",\"provider\",1]",
            "{\"model\":[\"x\"]}",
            r#"{"a":1, "mod"#,
            "plain, text",
        ] {
            assert_eq!(String::from_utf8(shown(json.as_bytes(), 3)).unwrap(), json);
        }
    }

    proptest! {
        #[test]
        fn pieces_say_what_the_whole_says(
            members in proptest::collection::vec((
                prop_oneof!["[a-z]{0,6}", Just("provider".to_owned()), Just("system_fingerprint".to_owned()),
                            Just("x_groq".to_owned()), Just("model".to_owned())], ".{0,20}"), 0..8),
            pretty in any::<bool>(), size in 1_usize..40,
        ) {
            let before = serde_json::Value::Object(members.into_iter().map(|(name, text)| (name, text.into())).collect());
            let text = if pretty { serde_json::to_string_pretty(&before).unwrap() } else { before.to_string() };
            let whole: serde_json::Value = serde_json::from_slice(&masked(&Bytes::from(text.clone()), "chat")).unwrap();
            let pieces: serde_json::Value = serde_json::from_slice(&shown(text.as_bytes(), size)).unwrap();
            prop_assert_eq!(pieces, whole);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), json in r#"[{}\[\]",:\\model ]{0,60}"#) {
            shown(&bytes, 7);
            shown(json.as_bytes(), 5);
        }
    }
}
