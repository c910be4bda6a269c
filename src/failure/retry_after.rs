//! Reads how long a provider asks us to wait, in all the forms that were met. Pure; every result is capped.
//!
//! `retry-after-ms` wins over `retry-after` (seconds or a date), which wins over the reset of a limit whose remaining
//! count is zero. A hint that cannot be read is no hint.

use http::HeaderMap;
use jiff::Timestamp;
use std::time::Duration;

/// No provider's word keeps a model away for longer; the longest rate cooldown is as long.
pub const LONGEST: Duration = Duration::from_secs(300);

/// Each limit's remaining count and the header that says when it is full again.
const RESETS: [(&str, &str); 8] = [
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    (
        "x-ratelimit-remaining-project-tokens",
        "x-ratelimit-reset-project-tokens",
    ),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
    (
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
    ),
    (
        "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit-tokens-reset",
    ),
    (
        "anthropic-ratelimit-input-tokens-remaining",
        "anthropic-ratelimit-input-tokens-reset",
    ),
    (
        "anthropic-ratelimit-output-tokens-remaining",
        "anthropic-ratelimit-output-tokens-reset",
    ),
];

pub fn in_headers(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let get = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let milliseconds = || seconds(get("retry-after-ms")?).map(|wait| wait / 1000);
    let after = || {
        let value = get("retry-after")?;
        seconds(value).or_else(|| date(value, now))
    };
    let reset = || {
        let spent = RESETS
            .iter()
            .filter(|(remaining, _)| get(remaining).and_then(|left| left.parse::<f64>().ok()) == Some(0.0));
        spent.filter_map(|(_, reset)| until_reset(get(reset)?, now)).max()
    };
    milliseconds()
        .or_else(after)
        .or_else(reset)
        .map(|wait| wait.min(LONGEST))
}

/// "try again after 1 seconds", "Please try again in 5.289s": only for a message whose code said rate limit.
pub fn in_text(message: &str) -> Option<Duration> {
    let text = message.to_ascii_lowercase();
    let rest = ["try again after ", "try again in ", "retry after ", "retry in "]
        .iter()
        .find_map(|words| text.split_once(words))?
        .1;
    let mut words = rest.split_whitespace();
    let amount = words.next()?.trim_end_matches(['.', ',', ')']);
    let wait = match words.next().map(|unit| unit.trim_end_matches(['.', ',', ')'])) {
        Some("seconds" | "second" | "secs" | "sec") => seconds(amount)?,
        Some("minutes" | "minute" | "mins" | "min") => seconds(amount)?.checked_mul(60)?,
        Some("milliseconds" | "ms") => seconds(amount)? / 1000,
        _ => duration(amount)?,
    };
    Some(wait.min(LONGEST))
}

/// A Go-style duration (`6m0s`, `17ms`, `2m59.56s`) or a protobuf one (`34.07s`), capped.
pub fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (amount, tail) = rest.split_at_checked(number)?;
        let unit = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(unit)?;
        let size = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" | "μs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        total += amount.parse::<f64>().ok()? * size;
        rest = tail;
    }
    capped(total)
}

/// A reset as a duration, an RFC 3339 instant, epoch milliseconds or seconds, or plain seconds. Zero and negative are
/// how some clouds say that there is none.
fn until_reset(value: &str, now: Timestamp) -> Option<Duration> {
    let wait = if let Ok(number) = value.parse::<f64>() {
        match number {
            number if number <= 0.0 => return None,
            number if number >= 1e12 => capped((number - now.as_millisecond() as f64) / 1000.0)?,
            number if number >= 1e9 => capped(number - now.as_second() as f64)?,
            number => capped(number)?,
        }
    } else if let Ok(at) = value.parse::<Timestamp>() {
        until(at, now)
    } else {
        duration(value)?
    };
    (!wait.is_zero()).then_some(wait)
}

fn seconds(value: &str) -> Option<Duration> {
    let wait = value.parse::<f64>().ok()?;
    (wait >= 0.0).then_some(())?;
    // The cap is for seconds; milliseconds come through here too, hence the larger one.
    Duration::try_from_secs_f64(wait.min(1e9)).ok()
}

fn date(value: &str, now: Timestamp) -> Option<Duration> {
    let at = Timestamp::try_from(httpdate::parse_http_date(value).ok()?).ok()?;
    Some(until(at, now))
}

/// Nothing for what has passed.
fn until(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or_default()
}

fn capped(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds.clamp(0.0, LONGEST.as_secs_f64())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn hint(headers: &[(&str, &str)]) -> Option<Duration> {
        let pairs = headers.iter().map(|(name, value)| {
            (
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            )
        });
        in_headers(&pairs.collect(), now())
    }

    fn ms(milliseconds: u64) -> Option<Duration> {
        Some(Duration::from_millis(milliseconds))
    }

    #[test]
    fn seconds_may_be_whole_or_broken() {
        assert_eq!(hint(&[("retry-after", "12")]), ms(12_000));
        assert_eq!(hint(&[("retry-after", "1.5")]), ms(1_500));
        assert_eq!(hint(&[("retry-after", "0")]), ms(0));
    }

    #[test]
    fn a_date_counts_from_now_and_a_past_one_is_nothing_to_wait() {
        assert_eq!(hint(&[("retry-after", "Mon, 23 Nov 2026 12:00:07 GMT")]), ms(7_000));
        assert_eq!(hint(&[("retry-after", "Mon, 23 Nov 2020 12:00:07 GMT")]), ms(0));
        assert_eq!(hint(&[("retry-after", "Wed, 21 Oct 2099 07:28:00 GMT")]), Some(LONGEST));
    }

    #[test]
    fn milliseconds_win() {
        assert_eq!(hint(&[("retry-after", "7"), ("retry-after-ms", "6800")]), ms(6_800));
    }

    #[test]
    fn only_the_reset_of_a_spent_limit_counts() {
        let limits = [
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", "6m0s"),
            ("x-ratelimit-remaining-tokens", "9000"),
            ("x-ratelimit-reset-tokens", "17ms"),
        ];
        assert_eq!(hint(&limits), Some(LONGEST));
        assert_eq!(
            hint(&[
                ("x-ratelimit-remaining-tokens", "0"),
                ("x-ratelimit-reset-tokens", "2.5s")
            ]),
            ms(2_500)
        );
        assert_eq!(
            hint(&[
                ("x-ratelimit-remaining-tokens", "0"),
                ("x-ratelimit-reset-tokens", "-1")
            ]),
            None
        );
        assert_eq!(
            hint(&[("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "0")]),
            None
        );
    }

    #[test]
    fn resets_may_be_instants() {
        let anthropic = [
            ("anthropic-ratelimit-tokens-remaining", "0"),
            ("anthropic-ratelimit-tokens-reset", "2026-11-23T12:00:09Z"),
        ];
        assert_eq!(hint(&anthropic), ms(9_000));
        let at = (now().as_millisecond() + 4_000).to_string();
        assert_eq!(
            hint(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &at)]),
            ms(4_000)
        );
    }

    #[test]
    fn prose_and_durations_are_read() {
        assert_eq!(
            in_text("reached max RPM: 3, please try again after 1 seconds"),
            ms(1_000)
        );
        assert_eq!(in_text("Please try again in 5.289s. Visit us"), ms(5_289));
        assert_eq!(in_text("Please try again in 6m0s."), Some(LONGEST));
        assert_eq!(in_text("please try again later"), None);
        assert_eq!(duration("2m59.56s"), ms(179_560));
        assert_eq!(duration("17ms"), ms(17));
        assert_eq!(duration("34.07s"), ms(34_070));
    }

    proptest! {
        #[test]
        fn no_text_breaks_it_and_no_hint_passes_the_cap(text in "\\PC{0,40}", value in "[ -~]{0,40}") {
            for wait in [in_text(&text), in_text(&format!("try again in {text}")), duration(&text)].into_iter().flatten() {
                prop_assert!(wait <= LONGEST);
            }
            for name in ["retry-after", "retry-after-ms"] {
                prop_assert!(hint(&[(name, &value)]).unwrap_or_default() <= LONGEST);
            }
            let reset = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", value.as_str())];
            prop_assert!(hint(&reset).unwrap_or_default() <= LONGEST);
        }
    }
}
