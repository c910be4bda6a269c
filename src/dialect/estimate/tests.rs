//! The count against real vocabularies: a thousand texts with the counts of cl100k, o200k and Qwen's beside them, which
//! `tests/tokens` holds against those vocabularies.

use super::*;
use crate::usage::{OutputCount, OutputRatio};
use proptest::prelude::*;
use serde::Deserialize;

const TEXTS: &str = include_str!("../../../tests/data/texts.jsonl");
const NATURAL: [&str; 5] = ["english", "chinese", "code", "json", "base64"];

#[derive(Deserialize)]
struct Text {
    kind: String,
    tokens: [u64; 3],
    text: String,
}

fn texts() -> Vec<Text> {
    TEXTS.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn check(text: &Text, count: u64) {
    let (most, least) = (*text.tokens.iter().max().unwrap(), *text.tokens.iter().min().unwrap());
    assert!(count >= most, "{count} for {:?}: {}", text.tokens, text.text);
    if NATURAL.contains(&text.kind.as_str()) {
        assert!(count * 2 <= least * 5, "{count} for {:?}: {}", text.tokens, text.text);
    }
}

#[test]
fn a_thousand_texts_are_never_counted_below_and_ordinary_ones_at_most_two_and_a_half_times() {
    let texts = texts();
    assert_eq!(texts.len(), 1_000);
    for text in &texts {
        check(text, of_text(text.text.as_bytes()));
    }
}

#[test]
fn as_messages_on_the_wire_they_are_never_counted_below_either() {
    for text in texts() {
        let message = serde_json::json!([{"role": "user", "content": text.text}]).to_string();
        let most = *text.tokens.iter().max().unwrap();
        assert!(of_messages(message.as_bytes()) >= most, "{}", text.text);
        // As Python writes it, beyond ASCII in escapes.
        let ascii: String = message.chars().map(escape).collect();
        assert!(of_messages(ascii.as_bytes()) >= most, "{}", text.text);
    }
}

/// Twenty answers teach, the others are foretold.
#[test]
fn output_counted_piece_by_piece_comes_within_a_twentieth_of_each_vocabulary_after_twenty_answers() {
    let texts = texts();
    for kind in ["english", "chinese", "code"] {
        let own: Vec<&Text> = texts.iter().filter(|text| text.kind == kind).collect();
        for vocabulary in 0..3 {
            let (mut ratio, mut expected, mut reported) = (OutputRatio::default(), 0, 0);
            for at in 0..40 {
                let parts = || own.iter().skip(at).step_by(40);
                let pieces = parts().flat_map(|text| text.text.as_bytes().chunks(12));
                let count = pieces.fold(OutputCount::default(), |count, piece| OutputCount {
                    tokens: count.tokens + of_text(piece),
                    pieces: count.pieces + 1,
                });
                let tokens = parts().map(|text| text.tokens[vocabulary]).sum();
                if at < 20 {
                    ratio.learn(count, tokens);
                } else {
                    (expected, reported) = (expected + ratio.expected(count), reported + tokens);
                }
            }
            let off = u64::abs_diff(expected, reported) * 20;
            assert!(off <= reported, "{kind}, {vocabulary}: {expected} of {reported}");
        }
    }
}

fn escape(character: char) -> String {
    if character.is_ascii() {
        return character.to_string();
    }
    let mut pair = [0; 2];
    let units = character.encode_utf16(&mut pair).iter();
    units.map(|unit| format!("\\u{unit:04x}")).collect()
}

#[test]
fn every_digit_counts_because_some_vocabularies_split_them() {
    assert_eq!(of_text(b"20261123"), 8);
}

#[test]
fn a_message_costs_its_text_and_its_template_but_not_its_punctuation() {
    let count = of_messages(br#"[{"role":"user","content":"Say hello."}]"#);
    assert!((8..=20).contains(&count), "{count}");
}

#[test]
fn an_inline_image_costs_an_image_and_not_its_base64() {
    let json = format!(
        r#"[{{"image_url":{{"url":"data:image/png;base64,{}"}}}}]"#,
        "iVBORw0K".repeat(5_000)
    );
    let count = of_messages(json.as_bytes());
    assert!((PER_IMAGE..PER_IMAGE * 2).contains(&count), "{count}");
}

#[test]
fn of_a_call_its_name_and_its_arguments_count() {
    let call =
        br#"[{"index":0,"id":"call_0123456789abcdef","type":"function","function":{"name":"weather","arguments":""}}]"#;
    assert_eq!(of_calls(call), of_text(b"weather"));
    let piece = br#"[{"index":0,"function":{"arguments":"{\"city\": \"Hangzhou\"}"}}]"#;
    assert_eq!(of_calls(piece), of_text(br#"{\"city\": \"Hangzhou\"}"#));
    assert_eq!((of_calls(b"[]"), of_calls(b"[{\"name\"")), (0, 0));
}

proptest! {
    #[test]
    fn any_bytes_are_counted_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = (of_text(&bytes), of_messages(&bytes), of_json(&bytes), of_calls(&bytes));
    }

    #[test]
    fn any_text_comes_to_at_most_its_bytes_and_to_something(text in "\\PC{1,200}") {
        let count = of_text(text.as_bytes());
        prop_assert!(count >= 1 && count <= 2 * text.len() as u64);
    }

    #[test]
    fn more_text_never_counts_less(a in "[ -~]{0,60}", b in "[ -~]{0,60}") {
        let joined = format!("{a} {b}");
        prop_assert!(of_text(joined.as_bytes()) + 2 >= of_text(a.as_bytes()));
    }
}
