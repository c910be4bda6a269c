//! Runs of Latin letters: how many tokens a word comes to, by what its letters look like.
//!
//! Vowels between consonants make the words that vocabularies know; clusters of consonants and rare letters are where
//! made-up words, keys and hashes are cut. The weights are the least ones with which no text of a seeded few thousand
//! (prose, code, JSON, base64, hashes, words of random letters) is counted below any of three vocabularies.

/// A token has so many parts.
pub(super) const TOKEN: u64 = 32;
/// A word, and each capital after a small letter.
const START: u64 = 23;
const VOWEL: u8 = 12;
const OTHER: u8 = 9;
/// More for a rare letter, for a capital, for each consonant after two.
const RARE: u8 = 16;
const CAPITAL: u8 = 4;
const CLUSTER: u64 = 10;
/// No word is so long; one more piece each time.
const LONG: usize = 16;
const LONGER: u64 = 8;

/// In a letter's byte: its weight, whether it is a consonant, whether a capital. Zero is no letter.
const WEIGHT: u8 = 0b0001_1111;
const CONSONANT: u8 = 0b0010_0000;
const UPPER: u8 = 0b0100_0000;
static LETTERS: [u8; 256] = letters();

const fn letters() -> [u8; 256] {
    let mut table = [0; 256];
    let mut letter = b'a';
    while letter <= b'z' {
        let kind = match letter {
            b'a' | b'e' | b'i' | b'o' | b'u' | b'y' => VOWEL,
            b'j' | b'k' | b'q' | b'v' | b'w' | b'x' | b'z' => (OTHER + RARE) | CONSONANT,
            _ => OTHER | CONSONANT,
        };
        table[letter as usize] = kind;
        table[letter.to_ascii_uppercase() as usize] = (kind + CAPITAL) | UPPER;
        letter += 1;
    }
    table
}

/// Parts and length of the word that the text begins with.
pub(super) fn word(text: &[u8]) -> (u64, usize) {
    let (mut parts, mut length, mut cluster, mut after_small) = (START, 0, 0_u64, 0_u8);
    for byte in text {
        let letter = LETTERS.get(usize::from(*byte)).copied().unwrap_or_default();
        if letter == 0 {
            break;
        }
        length += 1;
        // Without a branch: a processor foresees the ends of words badly enough.
        let capital = (letter & UPPER) >> 6;
        cluster = (cluster + 1) * u64::from((letter & CONSONANT) >> 5);
        parts +=
            u64::from(letter & WEIGHT) + u64::from(cluster > 2) * CLUSTER + u64::from(capital & after_small) * START;
        after_small = 1 - capital;
    }
    (parts + (length / LONG) as u64 * LONGER, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> u64 {
        let (parts, length) = word(text.as_bytes());
        assert_eq!(length, text.bytes().take_while(u8::is_ascii_alphabetic).count());
        parts.div_ceil(TOKEN)
    }

    #[test]
    fn words_that_are_made_up_count_more_than_ordinary_ones() {
        assert_eq!(tokens("budget and more"), 3);
        assert!(tokens("bdgtqx") > tokens("budget"));
        assert!(tokens("qjxwvzkpmfhtbgyrndlscoeaui") >= 16);
        assert_eq!((tokens("a"), tokens("the"), tokens(" x")), (2, 2, 1));
    }

    #[test]
    fn each_part_of_a_mixed_name_begins_anew() {
        assert!(tokens("ReservationId") > tokens("reservationid"));
        assert!(tokens("HTTP") <= 3);
    }
}
