//! Hides literal credentials in lines that people are shown, keeping every column where it was.
//!
//! Two nets: the places that the reader knows to be secrets, and the look of the text itself, because a line may be
//! shown whose structure could not be read. It hides too much rather than too little.

/// Keys whose value must be a reference, spelled without `_` and `-`.
const SECRET_KEYS: [&str; 8] = [
    "apikey",
    "key",
    "keys",
    "secret",
    "token",
    "password",
    "accesskey",
    "authorization",
];
const REFERENCES: [&str; 3] = ["env:", "file:", "credential:"];
/// How keys of well-known vendors and webhook secrets begin.
const SECRET_STARTS: [&str; 4] = ["sk-", "whsec_", "Bearer ", "bce-v3/"];
/// Words longer than this are cut in messages.
const SHOWN_LENGTH: usize = 60;

/// Is the value of this key a credential?
pub(super) fn is_secret_key(key: &str) -> bool {
    let plain: String = key.chars().filter(|c| !"_- ".contains(*c)).collect();
    SECRET_KEYS.contains(&plain.to_ascii_lowercase().as_str())
}

/// Does it say where a secret is, rather than being one?
pub(super) fn is_reference(value: &str) -> bool {
    value.is_empty() || REFERENCES.iter().any(|start| value.starts_with(start))
}

/// A word of the policy as it may appear in a message.
pub(super) fn shown(word: &str) -> String {
    let hidden = masked(word, std::iter::empty());
    if hidden.chars().count() <= SHOWN_LENGTH {
        return hidden;
    }
    hidden.chars().take(SHOWN_LENGTH).chain(['…']).collect()
}

/// The line with the given byte ranges, and whatever looks like a credential, replaced character by character.
pub(super) fn masked(line: &str, known: impl Iterator<Item = (usize, usize)>) -> String {
    let mut ranges: Vec<(usize, usize)> = known.filter(|(start, end)| start < end).collect();
    ranges.extend(secret_values(line));
    ranges.extend(secret_words(line));
    ranges.extend(passwords_in_urls(line));
    ranges.sort_unstable();
    let mut rest = ranges.into_iter().peekable();
    let mut until = 0;
    let mut text = String::with_capacity(line.len());
    for (at, c) in line.char_indices() {
        while let Some((_, end)) = rest.next_if(|(start, _)| *start <= at) {
            until = until.max(end);
        }
        text.push(if at < until { '*' } else { c });
    }
    text
}

/// What follows `api_key:` and its like, where it is no reference.
fn secret_values(line: &str) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (colon, _) in line.match_indices(':') {
        // What is hidden already needs no second look, however long it is.
        if found.last().is_some_and(|(_, end)| colon < *end) {
            continue;
        }
        let before = line[..colon].trim_end_matches(['"', '\'', ' ']);
        let key_start = before
            .rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'))
            .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        if !is_secret_key(&before[key_start..]) {
            continue;
        }
        let after = &line[colon + 1..];
        let value = after.trim_start_matches([' ', '\t', '"', '\'', '[']);
        let start = line.len() - value.len();
        if is_reference(value) || value.starts_with(['{', '&', '*', '|', '>', '#']) {
            continue;
        }
        let end = value.find([',', '}', ']', '"', '\'']).unwrap_or(value.len());
        found.push((start, start + end));
    }
    found
}

fn secret_words(line: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for start in SECRET_STARTS {
        let mut seen = 0;
        for (at, _) in line
            .match_indices(start)
            .filter(|(at, _)| !line[..*at].ends_with(|c: char| c.is_ascii_alphanumeric()))
        {
            if at < seen {
                continue;
            }
            let tail = &line[at + start.len()..];
            let length = tail
                .find(|c: char| !(c.is_ascii_alphanumeric() || "-_./+=".contains(c)))
                .unwrap_or(tail.len());
            seen = at + start.len() + length;
            if length >= 8 {
                found.push((at, seen));
            }
        }
    }
    found
}

/// Who logs in, and what stands behind a question mark: both may be secrets.
fn passwords_in_urls(line: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut seen = 0;
    for (at, _) in line.match_indices("://") {
        let start = at + 3;
        if start < seen {
            continue;
        }
        let rest = &line[start..];
        let url = rest.split([' ', ',', '}', '"', '\'']).next().unwrap_or(rest);
        seen = start + url.len();
        let authority = url.split(['/', '?']).next().unwrap_or(url);
        found.extend(authority.rfind('@').map(|end| (start, start + end)));
        found.extend(url.find('?').map(|query| (start + query + 1, start + url.len())));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(line: &str) -> String {
        masked(line, std::iter::empty())
    }

    #[test]
    fn a_literal_after_a_key_word_is_hidden_and_columns_stay() {
        assert_eq!(
            plain("{api_key: hunter2, region: intl}"),
            "{api_key: *******, region: intl}"
        );
        assert_eq!(plain("  \"API-Key\": \"hunter2\""), "  \"API-Key\": \"*******\"");
        assert_eq!(plain("secret: whsec_abcdefgh1"), "secret: ***************");
    }

    #[test]
    fn references_stay_readable() {
        for line in [
            "api_key: env:DASHSCOPE_API_KEY",
            "{key: file:search.key, tags: {team: a}}",
        ] {
            assert_eq!(plain(line), line);
        }
    }

    #[test]
    fn keys_are_known_by_their_look_anywhere() {
        assert_eq!(plain("name: sk-0123456789abcdef"), "name: *******************");
        assert_eq!(plain("name: task-0123456789"), "name: task-0123456789");
        assert_eq!(plain("url: http://me:pw@host/x"), "url: http://*****@host/x");
        assert_eq!(plain("url: http://host/x?k=pw, a: b"), "url: http://host/x?****, a: b");
    }

    #[test]
    fn places_that_are_known_are_hidden_whole() {
        assert_eq!(masked("abc déf ghi", [(4, 8)].into_iter()), "abc *** ghi");
    }
}
