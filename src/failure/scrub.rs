//! Takes keys, account ids and addresses out of provider text before it can reach a client, a log or a webhook.
//!
//! It errs on the side of taking too much: a message is a courtesy, a leaked key is not.

/// As much of a provider's prose as anyone will read.
const LONGEST: usize = 500;
const REDACTED: &str = "[redacted]";

/// How keys and account ids of the known vendors begin.
const PREFIXES: [&str; 16] = [
    "sk-", "sk_", "ak-", "pk-", "rk-", "org-", "org_", "proj-", "proj_", "user-", "sess-", "akia", "ltai", "altak",
    "eyj", "hf_",
];

/// The text without secrets, control characters and what exceeds 500 characters.
pub fn scrub(text: &str) -> String {
    let mut clean = String::new();
    let mut after_bearer = false;
    let mut rest = text;
    while !rest.is_empty() {
        let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let (token, tail) = rest.split_at(length);
        if !token.is_empty() {
            let word = token.trim_end_matches(['.', ':']);
            if after_bearer || is_secret(word) {
                clean.push_str(REDACTED);
                clean.push_str(&token[word.len()..]);
            } else {
                clean.push_str(token);
            }
            after_bearer = word.eq_ignore_ascii_case("bearer");
        }
        let mut separators = tail.chars();
        if let Some(separator) = separators.next() {
            clean.push(if separator.is_control() { ' ' } else { separator });
        }
        rest = separators.as_str();
    }
    match clean.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", clean[..at].trim_end().trim_end_matches('[')),
        None => clean,
    }
}

/// A provider's code as a word: scrubbed, and only what a code is made of.
pub(super) fn code(text: &str) -> String {
    let word = text.chars().map(|c| {
        if c.is_ascii_alphanumeric() || "._-".contains(c) {
            c
        } else {
            '_'
        }
    });
    let word: String = word.take(64).collect();
    if is_secret(&word) { REDACTED.to_owned() } else { word }
}

fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-+/=.@*~%:".contains(c)
}

fn is_secret(token: &str) -> bool {
    // A scheme or a label may stand before the secret (`key:sk-…`, `k=v`); every piece is judged.
    let pieces = || token.split([':', '/', '=']).filter(|piece| !piece.is_empty());
    let starts = |piece: &str| {
        let lower = piece.to_ascii_lowercase();
        PREFIXES
            .iter()
            .any(|prefix| lower.starts_with(prefix) && lower.len() > prefix.len())
    };
    token.contains('@')
        || token.contains("**")
        || token.contains("bce-v3")
        || pieces().any(|piece| starts(piece) || is_account(piece) || is_hexadecimal(piece) || is_dense(piece))
        || (token.len() >= 32 && is_mixed(token))
}

/// Account numbers are long and digits only; token counts are not.
fn is_account(piece: &str) -> bool {
    piece.len() >= 12 && piece.bytes().all(|b| b.is_ascii_digit())
}

fn is_hexadecimal(piece: &str) -> bool {
    let digits = piece.bytes().filter(u8::is_ascii_hexdigit).count();
    digits >= 24 && piece.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

/// A run of letters and digits that no word and no model's name is.
fn is_dense(piece: &str) -> bool {
    piece.split(|c: char| !c.is_ascii_alphanumeric()).any(|run| {
        run.len() >= 20 && run.bytes().any(|b| b.is_ascii_digit()) && run.bytes().any(|b| b.is_ascii_alphabetic())
    })
}

/// What base64 looks like: long, with digits, small and capital letters, and no word breaks by dots.
fn is_mixed(token: &str) -> bool {
    let has = |what: fn(&u8) -> bool| token.bytes().any(|b| what(&b));
    has(u8::is_ascii_digit)
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && !token.contains("://")
        && !token.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_and_accounts_are_taken_out() {
        for (text, clean) in [
            (
                "Incorrect API key provided: sk-****abcd.",
                "Incorrect API key provided: [redacted].",
            ),
            (
                "Authentication Fails, Your api key: ****cafe is invalid",
                "Authentication Fails, Your api key: [redacted] is invalid",
            ),
            (
                "Your account org-0<ak-0> request reached",
                "Your account [redacted]<[redacted]> request reached",
            ),
            ("Authorization: Bearer abc", "Authorization: Bearer [redacted]"),
            ("mail to jane.doe@example.org, please", "mail to [redacted], please"),
            ("account 1234567890123456 is overdue", "account [redacted] is overdue"),
            ("id 0af7651916cd43dd8448eb211c80319c", "id [redacted]"),
            ("id 123e4567-e89b-12d3-a456-426614174000!", "id [redacted]!"),
            ("key=\"AbCdEfGh0123456789IjKlMnOp\"", "key=\"[redacted]\""),
        ] {
            assert_eq!(scrub(text), clean);
        }
    }

    #[test]
    fn ordinary_words_stay() {
        for text in [
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.",
            "The model `qwen3-235b-a22b-thinking-2507` does not exist",
            "Range of input length should be [1, 30720]",
            "see https://platform.openai.com/account/rate-limits",
            "您的账户已达到速率限制",
        ] {
            assert_eq!(scrub(text), text);
        }
    }

    #[test]
    fn text_is_bounded_and_of_one_line() {
        assert_eq!(scrub("a\r\nb"), "a  b");
        assert!(scrub(&"word ".repeat(1000)).chars().count() <= LONGEST + 1);
    }

    proptest! {
        #[test]
        fn a_key_never_comes_through(before in "\\PC{0,20}", key in "[A-Za-z0-9]{24,48}", after in "[ .,;\"')]\\PC{0,20}") {
            let secret = format!("sk-{key}");
            let clean = scrub(&format!("{before} {secret}{after}"));
            prop_assert!(!clean.contains(&key), "{}", clean);
        }
    }
}
