//! Reads a whole (non-streamed) answer: is it one, and what did it use?
//!
//! A status of 200 proves nothing: error objects, HTML and empty answers come with it too.

use super::billed::{WireUsage, usage_of};
use super::wire::{Outline, is_empty};
use crate::usage::Usage;
use serde_json::value::RawValue;

/// What a body with a success status turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Whole {
        /// As reported; `None` when the provider said nothing or half.
        usage: Option<Usage>,
        /// Safe count of the output's tokens, for when the provider said nothing.
        counted_output: u64,
        /// Finish reasons, one per choice.
        finish: Vec<String>,
    },
    /// An error object in place of an answer.
    Error,
    /// No content in any choice, though nothing asked for that.
    Empty {
        usage: Option<Usage>,
    },
    Malformed(&'static str),
}

/// `may_be_empty`: the request has stop sequences, so that an empty answer is a legitimate one.
pub fn read(body: &[u8], may_be_empty: bool) -> Answer {
    // DeepSeek keeps a queued connection open with blank lines before the body.
    let Ok(outline) = serde_json::from_slice::<Outline<'_>>(body.trim_ascii()) else {
        return Answer::Malformed("the body is not a chat completion in JSON");
    };
    if outline.error.is_some_and(|error| !is_empty(error.get())) {
        return Answer::Error;
    }
    let usage = usage_of(outline.usage, outline.service_tier.as_deref());
    let Some(choices) = outline.choices.filter(|choices| !choices.is_empty()) else {
        return Answer::Malformed("the answer has no choices");
    };
    let (mut filled, mut counted_output, mut finish) = (false, 0, Vec::with_capacity(choices.len()));
    for choice in &choices {
        let reason = choice.finish_reason.as_deref().unwrap_or_default();
        let excused = may_be_empty || matches!(reason, "length" | "content_filter");
        filled |= excused;
        for tokens in choice.delta.iter().flat_map(|part| part.counted()) {
            filled = true;
            counted_output += tokens;
        }
        finish.push(reason.to_owned());
    }
    if filled {
        Answer::Whole {
            usage,
            counted_output,
            finish,
        }
    } else {
        Answer::Empty { usage }
    }
}

/// The usage of a body that is no answer, if it has one: some failures are billed.
pub fn usage_in(body: &[u8]) -> Option<Usage> {
    #[derive(serde::Deserialize)]
    struct OnlyUsage<'a> {
        #[serde(borrow, default)]
        usage: Option<&'a RawValue>,
    }
    usage_of(serde_json::from_slice::<OnlyUsage<'_>>(body).ok()?.usage, None)
}

/// The last usage within a part of an answer's bytes. Quotes in an answer's text are escaped, so that a text about usage
/// is none.
pub fn usage_within(part: &[u8]) -> Option<Usage> {
    const KEY: &[u8] = b"\"usage\"";
    memchr::memmem::rfind_iter(part, KEY).find_map(|at| {
        let rest = part.get(at + KEY.len()..)?.trim_ascii_start().strip_prefix(b":")?;
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<WireUsage>();
        values.next()?.ok()?.usage()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(json: &str) -> (Option<Usage>, u64) {
        match read(json.as_bytes(), false) {
            Answer::Whole {
                usage, counted_output, ..
            } => (usage, counted_output),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn usage_is_read_in_every_spelling_of_cached_tokens() {
        for cached in [
            r#""prompt_tokens_details":{"cached_tokens":4}"#,
            r#""prompt_cache_hit_tokens":4,"prompt_cache_miss_tokens":6"#,
            r#""cached_tokens":4"#,
        ] {
            let json = format!(
                r#"{{"choices":[{{"message":{{"content":"hi"}},"finish_reason":"stop"}}],
                    "usage":{{"prompt_tokens":10,"completion_tokens":5,"completion_tokens_details":{{"reasoning_tokens":2}},{cached}}}}}"#
            );
            let expected = Usage {
                input: 10,
                cache_read: 4,
                output: 5,
                reasoning: 2,
                ..Usage::default()
            };
            assert_eq!(whole(&json).0, Some(expected), "{cached}");
        }
    }

    #[test]
    fn half_a_usage_is_none_and_an_explicit_zero_is_one() {
        let with = |usage: &str| {
            whole(&format!(
                r#"{{"choices":[{{"message":{{"content":"hi"}}}}],"usage":{usage}}}"#
            ))
            .0
        };
        assert_eq!(with(r#"{"prompt_tokens":3}"#), None);
        assert_eq!(with("null"), None);
        assert_eq!(
            with(r#"{"prompt_tokens":0,"completion_tokens":0}"#),
            Some(Usage::default())
        );
    }

    #[test]
    fn an_absurd_report_is_none_and_an_absurd_part_of_one_is_left_out_and_flagged() {
        let with = |usage: &str| {
            whole(&format!(
                r#"{{"choices":[{{"message":{{"content":"hi"}}}}],"usage":{usage}}}"#
            ))
            .0
        };
        for none in [
            r#"{"prompt_tokens":-10,"completion_tokens":5}"#,
            r#"{"prompt_tokens":10,"completion_tokens":99999999999999999999999}"#,
            r#"{"prompt_tokens":10,"completion_tokens":1e99}"#,
            r#"{"prompt_tokens":"ten","completion_tokens":5}"#,
            r#"{"prompt_tokens":[10],"completion_tokens":{}}"#,
            r#"{"completion_tokens":5}"#,
            "[]",
            "7",
            r#""many""#,
        ] {
            assert_eq!(with(none), None, "{none}");
        }
        let plain = with(r#"{"prompt_tokens":"10","completion_tokens":5.0}"#).unwrap();
        assert_eq!((plain.input, plain.output, plain.estimated), (10, 5, false));
        for flagged in [
            r#"{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":-4}}"#,
            r#"{"prompt_tokens":10,"completion_tokens":5,"completion_tokens_details":{"reasoning_tokens":"much"}}"#,
            r#"{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":11}}"#,
        ] {
            let usage = with(flagged).unwrap();
            assert_eq!((usage.input, usage.output, usage.estimated), (10, 5, true), "{flagged}");
            let paid: u64 = crate::price::split(&usage).iter().map(|(_, tokens)| tokens).sum();
            assert_eq!(paid, 15, "the parts are never more than the whole");
        }
    }

    #[test]
    fn the_last_usage_of_a_part_is_found_and_a_text_about_usage_is_none() {
        let output = |part: &str| usage_within(part.as_bytes()).map(|usage| usage.output);
        let last =
            r#"..\"usage\": {\"prompt_tokens\":1}"}}],"usage" : {"prompt_tokens":9,"completion_tokens":7},"x":1}"#;
        assert_eq!(output(last), Some(7));
        assert_eq!(
            output(r#"{"usage":{"prompt_tokens":9,"completion_tokens":7},"choices":[{"usage":null"#),
            Some(7)
        );
        for none in [
            "",
            r#""usage""#,
            r#""usage":{"prompt_tokens":9,"compl"#,
            r#"\"usage\":{}"#,
        ] {
            assert_eq!(output(none), None, "{none}");
        }
    }

    #[test]
    fn a_tool_call_alone_is_an_answer() {
        let (_, counted) = whole(
            r#"{"choices":[{"message":{"content":null,"tool_calls":[{"id":"c","function":{"name":"f"}}]},"finish_reason":"tool_calls"}]}"#,
        );
        assert!(counted > 0);
    }

    #[test]
    fn blank_lines_before_the_body_are_no_fault() {
        whole("\n\n\n{\"choices\":[{\"message\":{\"content\":\"hi\"}}]}");
    }

    #[test]
    fn what_is_no_answer_is_said_to_be_none() {
        assert_eq!(
            read(br#"{"error":{"code":502,"message":"Provider returned error"}}"#, false),
            Answer::Error
        );
        assert!(matches!(read(b"<html>busy</html>", false), Answer::Malformed(_)));
        assert!(matches!(
            read(b"{\"id\":\"c\",\"choices\":[{\"index\":0,\"message\":", false),
            Answer::Malformed(_)
        ));
        assert!(matches!(read(b"{}", false), Answer::Malformed(_)));
        assert!(matches!(read(br#"{"choices":[]}"#, false), Answer::Malformed(_)));
        let empty = br#"{"choices":[{"message":{"role":"assistant","content":""},"finish_reason":"stop"}]}"#;
        assert_eq!(read(empty, false), Answer::Empty { usage: None });
        assert!(
            matches!(read(empty, true), Answer::Whole { .. }),
            "a stop sequence may end an answer at once"
        );
    }
}
