//! Reads an embeddings answer: is it one, and what did it use? The vectors are not looked at, only that there are some.

use crate::dialect::chat::answer::Answer;
use crate::dialect::said::Said;
use crate::usage::Usage;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Outline<'a> {
    #[serde(borrow, default)]
    data: Option<Vec<&'a RawValue>>,
    #[serde(default)]
    usage: Option<WireUsage>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// There is no output to report.
#[derive(Deserialize)]
struct WireUsage {
    prompt_tokens: Option<Said>,
}

pub fn read(body: &[u8]) -> Answer {
    let Ok(outline) = serde_json::from_slice::<Outline<'_>>(body.trim_ascii()) else {
        return Answer::Malformed("the body is no list of embeddings in JSON");
    };
    if outline
        .error
        .is_some_and(|error| !matches!(error.get(), "null" | "{}" | "\"\""))
    {
        return Answer::Error;
    }
    let usage = outline.usage.and_then(|usage| {
        Some(Usage {
            input: usage.prompt_tokens?.tokens()?,
            ..Usage::default()
        })
    });
    match outline.data {
        None => Answer::Malformed("the answer has no `data`"),
        Some(data) if data.is_empty() => Answer::Empty { usage },
        Some(_) => Answer::Whole {
            usage,
            counted_output: 0,
            finish: Vec::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absurd_number_of_tokens_costs_no_answer() {
        let body = br#"{"data":[{"embedding":[0.1],"index":0}],"usage":{"prompt_tokens":-7}}"#;
        assert!(matches!(read(body), Answer::Whole { usage: None, .. }));
    }

    #[test]
    fn vectors_are_an_answer_and_their_input_is_what_was_used() {
        let body =
            br#"{"object":"list","data":[{"embedding":[0.1],"index":0}],"usage":{"prompt_tokens":7,"total_tokens":7}}"#;
        let Answer::Whole { usage, .. } = read(body) else {
            panic!("an answer")
        };
        assert_eq!(usage.map(|usage| (usage.input, usage.output)), Some((7, 0)));
    }

    #[test]
    fn what_has_no_vectors_is_no_answer() {
        assert!(matches!(read(br#"{"error":{"message":"no"}}"#), Answer::Error));
        assert!(matches!(read(br#"{"data":[]}"#), Answer::Empty { .. }));
        assert!(matches!(read(b"<html>"), Answer::Malformed(_)));
        assert!(matches!(read(br#"{"choices":[]}"#), Answer::Malformed(_)));
    }
}
