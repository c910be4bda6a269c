//! A fast count of input tokens on the safe side, read from the request's own JSON bytes.
//!
//! Stays at or above what the vocabularies of GPT-4 (cl100k), GPT-4o (o200k) and Qwen count of prose in a dozen scripts,
//! code, JSON, numbers, base64 and hashes; made-up words of random letters can exceed it by a tenth, and rows of rare
//! Chinese characters by more. One pass, no allocation. It is no tokenizer: exact counting of a large prompt costs more
//! than it saves on the way of a request.

mod media;

pub use media::PER_IMAGE;
use media::Within;

/// What a chat template adds around each message (role markers, separators).
const PER_OBJECT: u64 = 6;

/// Tokens of a JSON value whose strings a template renders as text (messages): structure and keys are free,
/// every object costs what a template adds.
pub fn of_messages(json: &[u8]) -> u64 {
    let mut count = 0;
    let mut at = 0;
    let mut within = Within::default();
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => {
                let end = string_end(json, at);
                let inner = json.get(at + 1..end).unwrap_or_default();
                if is_key(json, end) {
                    within.enter(inner);
                } else {
                    count += within.media(inner).unwrap_or_else(|| of_text(inner));
                }
                at = end + 1;
            }
            b'{' => {
                count += PER_OBJECT;
                at += 1;
            }
            b'}' => {
                within = Within::default();
                at += 1;
            }
            _ => at += 1,
        }
    }
    count
}

/// Tokens of a JSON value that the model reads as JSON (tools, schemas): everything counts.
pub fn of_json(json: &[u8]) -> u64 {
    of_text(json)
}

/// Tokens of a piece of an answer, as its raw JSON: of a string without its quotes, of anything else (a tool call) all.
pub fn of_piece(json: &[u8]) -> u64 {
    let string = json.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    of_text(string.unwrap_or(json))
}

/// Tokens of plain text, such as an answer's parts.
pub fn of_text(text: &[u8]) -> u64 {
    let mut count = 0;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let (tokens, length) = match byte {
            b'a'..=b'z' | b'A'..=b'Z' => word(text, at),
            // A blank belongs to the word behind it, but some vocabularies join none to a number.
            b' ' | b'\t' if !matches!(text.get(at + 1), Some(b' ' | b'\t')) => {
                (u64::from(text.get(at + 1).is_some_and(u8::is_ascii_digit)), 1)
            }
            b' ' | b'\t' => blanks(text, at),
            b'\\' => escape(text, at),
            0x80.. => wide(text, at),
            _ => (1, 1),
        };
        count += tokens;
        at += length;
    }
    count
}

/// The index of the closing quote (or the end) of the string that opens at `at`.
pub(in crate::dialect) fn string_end(json: &[u8], at: usize) -> usize {
    let mut from = at + 1;
    while let Some(found) = json.get(from..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        let place = from + found;
        if json.get(place) == Some(&b'"') {
            return place;
        }
        from = place + 2;
    }
    json.len()
}

fn is_key(json: &[u8], end: usize) -> bool {
    let rest = json.get(end + 1..).unwrap_or_default();
    rest.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':')
}

/// Words in one case average some 4 letters a token; two letters leave room for rare ones. Mixed case (identifiers,
/// base64) splits far more often.
fn word(text: &[u8], at: usize) -> (u64, usize) {
    let rest = text.get(at..).unwrap_or_default();
    let (mut length, mut upper_inside) = (0_usize, false);
    // Eight bytes at a time: the ends of words, byte by byte, are what a processor cannot foresee.
    while let Some(eight) = rest.get(length..).and_then(|rest| rest.first_chunk()) {
        let (letters, upper) = letters_of(*eight);
        upper_inside |= (if length == 0 { upper & !0xFF } else { upper }) != 0;
        length += letters;
        if letters < 8 {
            return (tokens_of_word(length, upper_inside), length);
        }
    }
    let letters = rest.get(length..).unwrap_or_default().iter();
    for byte in letters.take_while(|byte| byte.is_ascii_alphabetic()) {
        upper_inside |= length > 0 && byte.is_ascii_uppercase();
        length += 1;
    }
    (tokens_of_word(length, upper_inside), length)
}

/// How many letters begin these bytes, and the top bit of the byte of each capital among those.
fn letters_of(eight: [u8; 8]) -> (usize, u64) {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x80 * ONES;
    let bytes = u64::from_le_bytes(eight);
    let small = (bytes | (0x20 * ONES)) & !TOPS;
    let from_a = small + (0x80 - u64::from(b'a')) * ONES;
    let beyond_z = small + (0x80 - u64::from(b'z') - 1) * ONES;
    let letters = from_a & !beyond_z & !bytes & TOPS;
    let others = !letters & TOPS;
    // Below the first other one; all where there is none.
    let first = others.wrapping_sub(1) & !others;
    (others.trailing_zeros() as usize / 8, letters & !(bytes << 2) & first)
}

/// A longer run of letters is no word (a key, a hash) and splits more often.
const LONGEST_WORD: usize = 20;

fn tokens_of_word(length: usize, upper_inside: bool) -> u64 {
    let tokens = if upper_inside || length > LONGEST_WORD {
        (length * 3).div_ceil(4)
    } else {
        length.div_ceil(2)
    };
    tokens as u64
}

/// One blank belongs to the word behind it; longer runs (indentation), which come here, are tokens of their own.
fn blanks(text: &[u8], at: usize) -> (u64, usize) {
    let length = text
        .get(at..)
        .unwrap_or_default()
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    (1 + length as u64 / 16, length)
}

/// Never less than the character itself: extension A of the Chinese characters, and half of a pair, are the dearest.
fn escape(text: &[u8], at: usize) -> (u64, usize) {
    match (text.get(at + 1), text.get(at + 2)) {
        (Some(b'u'), Some(b'3' | b'4' | b'd' | b'D')) => (3, 6),
        (Some(b'u'), _) => (2, 6),
        _ => (1, 2),
    }
}

fn wide(text: &[u8], at: usize) -> (u64, usize) {
    match text.get(at).copied().unwrap_or_default() {
        // Characters so rare (CJK extension A) that vocabularies spell them byte by byte.
        0xE3 if text.get(at + 1).is_some_and(|second| *second >= 0x90) => (3, 3),
        0xE4 if text.get(at + 1).is_some_and(|second| *second < 0xB8) => (3, 3),
        // Three bytes: mostly Chinese, Japanese and Korean, up to 1.3 tokens a character in the older vocabularies.
        0xE0..=0xEF => {
            let pair = text.get(at + 3).is_some_and(|next| (0xE0..=0xEF).contains(next));
            if pair { (3, 6) } else { (2, 3) }
        }
        0xF0.. => (3, 4),
        // Two bytes (Latin with accents, Cyrillic, Greek, Arabic), or a stray byte.
        _ => (1, 2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_count_is_never_below_the_largest_of_three_vocabularies() {
        // The true counts were taken with o200k_base, cl100k_base and Qwen's vocabulary; the largest stands here.
        for (most, text) in [
            (
                21,
                "A budget is a promise: what was posted, held and reserved never passes its limit, whatever crashes.",
            ),
            (
                64,
                "阿里云百炼平台提供大模型服务，用户可以按量付费，也可以购买节省计划。昨天下午，他在图书馆里读完了一本关于量子力学的书。",
            ),
            (
                46,
                "Москва является столицей России. Быстрая коричневая лиса прыгает через ленивую собаку.",
            ),
            (
                43,
                "fn reserve(&mut self, worst: Money) -> Result<ReservationId, Refusal> {\n    self.now = now;\n        if worst > Money::ZERO { self.admit(worst)?; }\n}",
            ),
            (
                48,
                r#"{"id": 482910337, "name": "user_7", "tags": ["a", "bc"], "v": 0.8273640193}"#,
            ),
            (
                55,
                "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
            ),
            (55, "3f2b8c1e-9d47-4a60-b5f3-7e21c09a64d8 81.3377 902144 17.5"),
            (32, "qjxwvzkpmfhtbgyrndlscoeauiqjxwvzkpmfhtbgyrndlscoeaui"),
        ] {
            let count = of_text(text.as_bytes());
            assert!((most..=most * 5 / 2).contains(&count), "{count} for {most}: {text}");
        }
    }

    #[test]
    fn ordinary_english_is_counted_above_the_true_number_and_below_two_and_a_half_times_it() {
        // 45 tokens in the GPT-4 vocabulary, which is the coarsest of those served.
        let text =
            b"The quick brown fox jumps over the lazy dog. A contingency plan is a plan devised for an outcome other \
                     than the usual one, and it is often used for risk management when an exceptional risk exists.";
        let count = of_text(text);
        assert!((45..=112).contains(&count), "{count}");
    }

    #[test]
    fn chinese_counts_more_than_a_token_a_character() {
        let text = "阿里云百炼平台提供大模型服务";
        let characters = text.chars().count() as u64;
        let count = of_text(text.as_bytes());
        assert!(
            (characters..=characters * 2).contains(&count),
            "{count} for {characters}"
        );
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

    proptest! {
        #[test]
        fn any_bytes_are_counted_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = (of_text(&bytes), of_messages(&bytes), of_json(&bytes));
        }

        #[test]
        fn a_word_is_found_the_same_eight_bytes_at_a_time(text in "[a-zA-Z@`{\\[]{0,12}[a-cX\u{e9}\u{80} ]{0,20}") {
            let letters = text.bytes().take_while(u8::is_ascii_alphabetic).count();
            let upper_inside = text.bytes().take(letters).skip(1).any(|byte| byte.is_ascii_uppercase());
            prop_assert_eq!(word(text.as_bytes(), 0), (tokens_of_word(letters, upper_inside), letters));
        }

        #[test]
        fn more_text_never_counts_less(a in "[ -~]{0,60}", b in "[ -~]{0,60}") {
            let joined = format!("{a} {b}");
            prop_assert!(of_text(joined.as_bytes()) + 2 >= of_text(a.as_bytes()));
        }
    }
}
