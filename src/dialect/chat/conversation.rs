//! What of a request's messages tells which conversation it goes on with, and whether only one model can.
//!
//! One pass over the structure; strings are jumped over. Read only where a route keeps conversations together.

use crate::dialect::estimate::string_end;
use serde::Deserialize;
use std::borrow::Cow;
use std::ops::Range;

/// Keys under which a model hands out state that only it can read.
const SEALED: [&[u8]; 5] = [
    b"signature",
    b"thought_signature",
    b"encrypted_content",
    b"reasoning_details",
    b"thinking_blocks",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conversation<'a> {
    /// Everything up to the end of the first message of a user: what all requests of a conversation begin with.
    pub beginning: &'a [u8],
    /// The last message answers a tool call.
    pub answers_a_call: bool,
    /// It carries reasoning that only the model that gave it can read.
    pub sealed: bool,
}

impl<'a> Conversation<'a> {
    /// `messages` is a JSON array.
    pub fn of(messages: &'a [u8]) -> Self {
        let mut beginning = None;
        let (mut last, mut sealed) = (0..0, false);
        let mut walk = Walk::new(messages);
        while let Some(message) = walk.next_message() {
            sealed |= walk.sealed;
            let of_user = || role(messages.get(message.clone()).unwrap_or_default()) == Role::User;
            if beginning.is_none() && of_user() {
                beginning = Some(message.end);
            }
            last = message;
        }
        let end = beginning.unwrap_or(messages.len());
        Self {
            beginning: messages.get(..end).unwrap_or_default(),
            answers_a_call: role(messages.get(last).unwrap_or_default()) == Role::Tool,
            sealed,
        }
    }
}

#[derive(PartialEq, Eq)]
enum Role {
    User,
    Tool,
    Other,
}

fn role(message: &[u8]) -> Role {
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        role: Cow<'a, str>,
    }
    match serde_json::from_slice::<Message<'_>>(message) {
        Ok(message) if message.role == "user" => Role::User,
        Ok(message) if message.role == "tool" || message.role == "function" => Role::Tool,
        _ => Role::Other,
    }
}

/// Goes over an array, element by element.
struct Walk<'a> {
    json: &'a [u8],
    at: usize,
    /// Since the last element began, a sealed key was seen.
    sealed: bool,
}

impl<'a> Walk<'a> {
    fn new(json: &'a [u8]) -> Self {
        Self {
            json,
            at: 1,
            sealed: false,
        }
    }

    fn next_message(&mut self) -> Option<Range<usize>> {
        let (mut depth, mut start) = (0_usize, self.at);
        self.sealed = false;
        while let Some(byte) = self.json.get(self.at) {
            match byte {
                b'"' => {
                    let end = string_end(self.json, self.at);
                    self.sealed |= self.is_sealed(end);
                    self.at = end + 1;
                    continue;
                }
                b'{' | b'[' => {
                    if depth == 0 {
                        start = self.at;
                    }
                    depth += 1;
                }
                b'}' | b']' if depth <= 1 => {
                    self.at += 1;
                    return (depth == 1).then_some(start..self.at);
                }
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
        }
        None
    }

    /// A key, and with a value that is none of `null`, `""`, `[]`.
    fn is_sealed(&self, end: usize) -> bool {
        let text = self.json.get(self.at + 1..end).unwrap_or_default();
        if !SEALED.contains(&text) {
            return false;
        }
        let after = self.json.get(end + 1..).unwrap_or_default().trim_ascii_start();
        let value = after.strip_prefix(b":").map(<[u8]>::trim_ascii_start);
        value.is_some_and(|value| {
            let empty: [&[u8]; 3] = [b"null", b"\"\"", b"[]"];
            !empty.iter().any(|none| value.starts_with(none))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(messages: &str) -> Conversation<'_> {
        Conversation::of(messages.as_bytes())
    }

    #[test]
    fn it_begins_with_all_up_to_the_first_message_of_a_user() {
        let first = r#"[{"role":"system","content":"be \"brief\" ]}"}, {"content":[{"type":"text","text":"hi"}],"role":"user"}]"#;
        let later = r#"[{"role":"system","content":"be \"brief\" ]}"}, {"content":[{"type":"text","text":"hi"}],"role":"user"},{"role":"assistant","content":"ho"},{"role":"user","content":"more"}]"#;
        assert_eq!(of(first).beginning, of(later).beginning);
        assert!(of(first).beginning.ends_with(br#""role":"user"}"#));
        let other = first.replace("hi", "ha");
        assert_ne!(of(first).beginning, of(&other).beginning);
    }

    #[test]
    fn an_open_tool_loop_ends_with_a_tools_answer() {
        let open = r#"[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"1"}]},{"role":"tool","tool_call_id":"1","content":"7"}]"#;
        assert!(of(open).answers_a_call);
        let closed = open
            .replace("}]}", "}]")
            .replace(r#"content":"7"}"#, r#"content":"7"},{"role":"user","content":"and?"}"#);
        assert!(!of(&closed).answers_a_call);
    }

    #[test]
    fn reasoning_that_others_cannot_read_is_seen_and_what_looks_like_it_in_a_text_is_not() {
        for sealed in [
            r#"[{"role":"assistant","reasoning_details":[{"type":"reasoning.encrypted","data":"x"}]}]"#,
            r#"[{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature" : "abc"}]}]"#,
            r#"[{"role":"assistant","tool_calls":[{"extra_content":{"google":{"thought_signature":"abc"}}}]}]"#,
        ] {
            assert!(of(sealed).sealed, "{sealed}");
        }
        for open in [
            r#"[{"role":"user","content":"\"signature\":\"abc\""}]"#,
            r#"[{"role":"user","content":"signature"}]"#,
            r#"[{"role":"assistant","content":"a","reasoning_content":"b","signature":""}]"#,
        ] {
            assert!(!of(open).sealed, "{open}");
        }
    }

    #[test]
    fn what_is_no_array_of_messages_is_no_conversation() {
        for broken in ["", "[", "[]", "[1, \"a\"]", "[{]", "[[{\"role\":\"tool\"}]]", "null"] {
            let found = of(broken);
            assert!(!found.answers_a_call && !found.sealed, "{broken}");
        }
    }
}
