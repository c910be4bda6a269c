//! Durations, sizes, percentages and plain numbers.

use super::Resolver;
use crate::money::ungrouped;
use crate::policy::mask::shown;
use crate::policy::source::Word;
use std::fmt;
use std::time::Duration;

/// What to do about a [`decimal_comma`].
pub(in crate::policy) const NO_COMMA: &str = "write a decimal point, not a comma";
/// Beyond it a duration is a slip, and sums of deadlines could overflow.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

impl Resolver<'_, '_> {
    pub fn unreadable(&mut self, word: &Word, what: &str, help: &str) {
        let message = format!("`{}` is no {what}", shown(&word.text));
        self.report.error(word.place, "bad-value", message).help(help);
    }

    pub fn duration(&mut self, word: Option<&Word>) -> Option<Duration> {
        let word = word.filter(|word| !word.broken)?;
        let found = duration(&word.text).filter(|length| *length <= LONGEST);
        if found.is_none() {
            let help = match word.text.parse::<u64>() {
                Ok(number) => format!("a duration has a unit: `{number}s`"),
                Err(_) => "durations are written `500ms`, `8s`, `5m`, `2h` or `30d`, up to 366 days".to_owned(),
            };
            self.unreadable(word, "duration", &help);
        }
        found
    }

    /// A duration that must be more than nothing.
    pub fn span(&mut self, word: Option<&Word>) -> Option<Duration> {
        let length = self.duration(word)?;
        if length.is_zero() {
            let word = word?;
            self.unreadable(word, "length of time here", "write more than zero, such as `8s`");
            return None;
        }
        Some(length)
    }

    /// A number of tokens, at least one.
    pub fn size(&mut self, word: Option<&Word>) -> Option<u64> {
        let word = word.filter(|word| !word.broken)?;
        let found = size(&word.text).filter(|size| *size > 0);
        if found.is_none() {
            let usual = "sizes are written `4096`, `32k` (thousand), `1M` (million), `32Ki` or `1Mi` (of 1,024)";
            let help = match size(&word.text) {
                Some(_) => "write at least 1, or leave it out".to_owned(),
                None if decimal_comma(&word.text) => NO_COMMA.to_owned(),
                None => spelt(&word.text).map_or_else(|| usual.to_owned(), |meant| format!("did you mean `{meant}`?")),
            };
            self.unreadable(word, "size", &help);
        }
        found
    }

    /// A whole number between two others.
    pub fn number<N>(&mut self, word: Option<&Word>, what: &str, least: N, most: N) -> Option<N>
    where
        N: TryFrom<u64> + PartialOrd + fmt::Display + Copy,
    {
        let word = word.filter(|word| !word.broken)?;
        let found = whole(&word.text).and_then(|n| N::try_from(n).ok());
        let found = found.filter(|number| (least..=most).contains(number));
        if found.is_none() {
            self.unreadable(word, what, &format!("write a whole number from {least} to {most}"));
        }
        found
    }

    /// A share in basis points.
    pub fn percentage(&mut self, word: &Word) -> Option<u32> {
        if word.broken {
            return None;
        }
        let found = percentage(&word.text);
        if found.is_none() {
            let share = word
                .text
                .strip_prefix("0.")
                .and_then(|rest| percentage(&format!("0.{rest}%")));
            let help = match share.and_then(|share| share.checked_mul(100)) {
                Some(points) if points % 100 == 0 => format!("did you mean `{}%`?", points / 100),
                _ if whole(&word.text).is_some() => format!("did you mean `{}%`?", word.text),
                _ if decimal_comma(&word.text) => NO_COMMA.to_owned(),
                _ => "percentages are written `80%` or `99.5%`".to_owned(),
            };
            self.unreadable(word, "percentage", &help);
        }
        found
    }
}

pub(in crate::policy) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number = whole(&rest[..digits])?;
        rest = &rest[digits..];
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let part = match &rest[..end] {
            "ms" => Duration::from_millis(number),
            "s" => Duration::from_secs(number),
            "m" => Duration::from_secs(number.checked_mul(60)?),
            "h" => Duration::from_secs(number.checked_mul(3_600)?),
            "d" => Duration::from_secs(number.checked_mul(86_400)?),
            _ => return None,
        };
        total = total.checked_add(part)?;
        rest = &rest[end..];
        if rest.is_empty() {
            return Some(total);
        }
    }
}

pub(in crate::policy) fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let factor: u64 = match &text[digits..] {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "Ki" => 1_024,
        "Mi" => 1_048_576,
        _ => return None,
    };
    let (before, after) = text[..digits].split_once('.').unwrap_or((&text[..digits], ""));
    if after.len() > 6 || after.is_empty() && text[..digits].contains('.') {
        return None;
    }
    let scale = 10_u64.pow(after.len() as u32);
    let fraction = if after.is_empty() { 0 } else { whole(after)? };
    let scaled = whole(before)?
        .checked_mul(scale)?
        .checked_add(fraction)?
        .checked_mul(factor)?;
    (scaled % scale == 0).then_some(scaled / scale)
}

/// The size in the spelling that is known: `32K`, `32 k`, `1MiB`, `128,000`.
fn spelt(text: &str) -> Option<String> {
    let plain = text.replace(' ', "");
    let digits = plain
        .find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ',' | '_'))
        .unwrap_or(plain.len());
    let (number, unit) = plain.split_at(digits);
    let number = ungrouped(number)?;
    let unit = match unit
        .to_ascii_lowercase()
        .trim_end_matches("tokens")
        .trim_end_matches('b')
    {
        "" => "",
        "k" => "k",
        "m" => "M",
        "ki" => "Ki",
        "mi" => "Mi",
        _ => return None,
    };
    let meant = format!("{number}{unit}");
    size(&meant).filter(|size| *size > 0).map(|_| meant)
}

/// A comma that parts no thousands, so that nobody knows what was meant and nothing may be suggested: `1,5M`, `12,50 EUR`.
pub(in crate::policy) fn decimal_comma(text: &str) -> bool {
    let number = text.chars().filter(|c| c.is_ascii_digit() || matches!(c, '.' | ','));
    let number: String = number.collect();
    let parts_digits = |three: &[u8]| three[0].is_ascii_digit() && three[1] == b',' && three[2].is_ascii_digit();
    text.as_bytes().windows(3).any(parts_digits) && ungrouped(&number).is_none()
}

pub(in crate::policy) fn percentage(text: &str) -> Option<u32> {
    let number = text.trim().strip_suffix('%')?.trim_end();
    let (before, after) = number.split_once('.').unwrap_or((number, "0"));
    let fraction = match after.len() {
        1 => whole(after)? * 10,
        2 => whole(after)?,
        _ => return None,
    };
    let points = whole(before)?.checked_mul(100)?.checked_add(fraction)?;
    u32::try_from(points).ok()
}

/// Digits alone: no sign, no separator.
fn whole(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_and_add_up() {
        for (text, milliseconds) in [
            ("500ms", 500),
            ("8s", 8_000),
            ("5m", 300_000),
            ("2h", 7_200_000),
            ("30d", 2_592_000_000),
            ("1m30s", 90_000),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "5", "s", "5 m", "-5s", "1.5s", "5x", "99999999999999999999d", "5m5"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_know_thousands_from_1024() {
        for (text, tokens) in [
            ("4096", 4_096),
            ("32k", 32_000),
            ("1M", 1_000_000),
            ("32Ki", 32_768),
            ("1Mi", 1_048_576),
            ("1.5k", 1_500),
        ] {
            assert_eq!(size(text), Some(tokens), "{text}");
        }
        for text in [
            "",
            "k",
            "-1",
            "1m",
            "1K",
            "1.0005k",
            "1.k",
            "1e3",
            "99999999999999999999",
        ] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    #[test]
    fn nothing_is_suggested_for_a_decimal_comma() {
        for (text, meant) in [
            ("128,000", "128000"),
            ("1,000k", "1000k"),
            ("32 K", "32k"),
            ("1_000", "1000"),
        ] {
            assert_eq!(spelt(text).as_deref(), Some(meant), "{text}");
            assert!(!decimal_comma(text), "{text}");
        }
        for text in ["1,5M", "12,50", "0,5k", "1,5 MB"] {
            assert_eq!(spelt(text), None, "{text}");
            assert!(decimal_comma(text), "{text}");
        }
        for text in ["99,5%", "0,8", "1.000,5"] {
            assert_eq!(percentage(text), None, "{text}");
            assert!(decimal_comma(text), "{text}");
        }
    }

    #[test]
    fn percentages_are_basis_points() {
        for (text, points) in [("80%", 8_000), ("99.5%", 9_950), ("0.25%", 25), ("150%", 15_000)] {
            assert_eq!(percentage(text), Some(points), "{text}");
        }
        for text in ["80", "0.8", "%", "-1%", "1.234%", "a%"] {
            assert_eq!(percentage(text), None, "{text}");
        }
    }
}
