//! Reads an embeddings request once and rewrites it for the model that serves it: the client's bytes but for `model` and
//! the fields with which a client would choose models behind the policy's back.

use crate::dialect::estimate;
use crate::dialect::members::{STRIPPED, Unreadable, cut, json_string, members, parse, splice};
use crate::dialect::plain::plain;
use bytes::Bytes;
use serde_json::value::RawValue;
use std::ops::Range;

/// What models put around each text.
const AROUND_EACH: u64 = 8;

#[derive(Clone, Debug)]
pub struct EmbeddingsRequest {
    body: Bytes,
    /// What the client calls the model: a route, or `planb/NAME`.
    pub model: String,
    /// Safe estimate of input tokens.
    pub input: u64,
    model_at: Range<usize>,
    cut: Vec<Range<usize>>,
}

impl EmbeddingsRequest {
    pub fn read(body: Bytes) -> Result<Self, Unreadable> {
        let members = members(&body)?;
        let field = |name: &'static str| {
            let found = members.iter().find(|member| member.name == name);
            found.ok_or(Unreadable::Missing(name))
        };
        let model = field("model")?;
        let input = plain(&Bytes::copy_from_slice(field("input")?.json(&body).as_bytes()));
        let input = input.and_then(|plain| String::from_utf8(plain.to_vec()).ok());
        Ok(Self {
            model: parse(model.json(&body), "model", "a string")?,
            input: tokens(input.as_deref().unwrap_or(field("input")?.json(&body)))?,
            model_at: model.value.clone(),
            cut: cut(&members, &body, |member| STRIPPED.contains(&member.name.as_ref())),
            body,
        })
    }

    /// The bytes for one provider.
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    pub fn for_upstream(&self, upstream: &str) -> Bytes {
        let mut edits = vec![(self.model_at.clone(), json_string(upstream))];
        edits.extend(self.cut.iter().map(|range| (range.clone(), String::new())));
        splice(&self.body, edits)
    }
}

/// A text, several texts, the numbers of a text's tokens, or several of those.
fn tokens(input: &str) -> Result<u64, Unreadable> {
    let wrong = || Unreadable::Wrong {
        field: "input",
        expected: "a text, a list of texts, or a list of token numbers",
    };
    if input.starts_with('"') {
        return Ok(text(input));
    }
    let items: Vec<&RawValue> = serde_json::from_str(input).map_err(|_| wrong())?;
    let first = items.first().ok_or_else(wrong)?.get();
    if !first.starts_with(['"', '[']) {
        let numbers: Vec<u32> = serde_json::from_str(input).map_err(|_| wrong())?;
        return Ok(count(numbers.len()));
    }
    let each = |item: &&RawValue| {
        let json = item.get();
        if json.starts_with('"') {
            return Ok(text(json));
        }
        let numbers: Vec<u32> = serde_json::from_str(json).map_err(|_| wrong())?;
        Ok(count(numbers.len()))
    };
    items.iter().map(each).sum()
}

fn text(json: &str) -> u64 {
    estimate::of_json(json.as_bytes()).saturating_add(AROUND_EACH)
}

fn count(numbers: usize) -> u64 {
    u64::try_from(numbers).unwrap_or(u64::MAX).saturating_add(AROUND_EACH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<EmbeddingsRequest, Unreadable> {
        EmbeddingsRequest::read(Bytes::copy_from_slice(json.as_bytes()))
    }

    #[test]
    fn every_form_of_input_is_counted_and_never_under() {
        let input = |json: &str| read(&format!(r#"{{"model":"m","input":{json}}}"#)).map(|request| request.input);
        assert!(input(r#""four words of text""#).unwrap() >= 4);
        let (one, two) = (
            input(r#"["a text"]"#).unwrap(),
            input(r#"["a text","a text"]"#).unwrap(),
        );
        assert_eq!(two, 2 * one);
        assert_eq!(input("[1,2,3]").unwrap(), 3 + AROUND_EACH);
        assert_eq!(input("[[1,2,3],[4]]").unwrap(), 4 + 2 * AROUND_EACH);
        for wrong in ["[]", "7", "{}", "null", "[true]", "[[\"a\"]]", "[1.5]"] {
            assert!(input(wrong).is_err(), "{wrong}");
        }
        assert_eq!(read(r#"{"model":"m"}"#).unwrap_err(), Unreadable::Missing("input"));
    }

    #[test]
    fn the_bytes_stay_the_clients_but_for_the_model_and_words_to_other_routers() {
        let request =
            read(r#"{ "input" : "x", "models":["b"], "model" : "chat","dimensions":256, "own": [1] }"#).unwrap();
        let sent = request.for_upstream("text-embedding-v4");
        assert_eq!(
            std::str::from_utf8(&sent).unwrap(),
            r#"{ "input" : "x", "model" : "text-embedding-v4","dimensions":256, "own": [1] }"#
        );
    }
}
