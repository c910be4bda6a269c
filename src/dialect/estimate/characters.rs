//! What characters beyond ASCII cost where they are dearest: a table made from the vocabularies themselves
//! (`tests/tokens/count.py` makes it again and compares).
//!
//! Two bits for each character of the first plane (0 to 3 tokens), then two for each of U+1F000 to U+1FFFF (1 to 4).
//! Vocabularies spell the rarest byte by byte, so that four bytes cost four tokens at most.

static TABLE: &[u8; 0x4000 + 0x400] = include_bytes!("characters.bin");
const PICTURES: u32 = 0x1_F000;
const AFTER_PICTURES: u32 = 0x2_0000;

/// Tokens of one character by itself.
pub(super) fn cost(code: u32) -> u64 {
    match code {
        0..0x80 => 1,
        0x80..0x1_0000 => bits(code),
        PICTURES..AFTER_PICTURES => bits(0x1_0000 + code - PICTURES) + 1,
        _ => 4,
    }
}

fn bits(place: u32) -> u64 {
    let byte = usize::try_from(place / 4).ok().and_then(|at| TABLE.get(at));
    u64::from(byte.copied().unwrap_or(u8::MAX) >> (place % 4 * 2) & 3)
}

/// Tokens and length of the character that the text begins with; bytes that are none count each.
pub(super) fn character(text: &[u8]) -> (u64, usize) {
    let tail = |byte: &u8| u32::from(byte & 0x3F);
    match text {
        [a @ 0xC2..=0xDF, b, ..] => (cost(u32::from(a & 0x1F) << 6 | tail(b)), 2),
        [a @ 0xE0..=0xEF, b, c, ..] => (cost(u32::from(a & 0x0F) << 12 | tail(b) << 6 | tail(c)), 3),
        [a @ 0xF0..=0xF4, b, c, d, ..] => {
            let code = u32::from(a & 0x07) << 18 | tail(b) << 12 | tail(c) << 6 | tail(d);
            (cost(code), 4)
        }
        _ => (1, 1),
    }
}

/// Tokens and length of `\u4F60`, which begins at the backslash; half of a pair costs half of what four bytes do.
pub(super) fn escaped(text: &[u8]) -> (u64, usize) {
    let digits = text.get(2..6).and_then(|digits| std::str::from_utf8(digits).ok());
    match digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) {
        Some(0xD800..=0xDFFF) | None => (2, 6),
        Some(code) => (cost(code).max(1), 6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_cost_the_same_however_they_are_written() {
        for (text, json, tokens) in [
            ("的", "\\u7684", 1),
            ("é", "\\u00e9", 1),
            ("鼹", "\\u9f39", 3),
            ("あ", "\\u3042", 1),
        ] {
            assert_eq!(character(text.as_bytes()), (tokens, text.len()), "{text}");
            assert_eq!(escaped(json.as_bytes()), (tokens, 6), "{text}");
        }
        assert_eq!(character("𠀀".as_bytes()), (4, 4));
        assert_eq!((character(&[0xFF]), character(&[0xE4, 0xBD])), ((1, 1), (1, 1)));
        assert_eq!((escaped(b"\\ud83d"), escaped(b"\\uzz")), ((2, 6), (2, 6)));
    }
}
