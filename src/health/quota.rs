//! What is left of a provider's quotas, as the headers of its answers tell it.
//!
//! Each quota counts by its share; one whose reset has passed is full again. No headers, no quota: nothing is guessed.

use super::level::Level;
use crate::failure::retry_after::{LONGEST, duration};
use crate::uptime::Uptime;
use http::HeaderMap;
use jiff::Timestamp;
use std::time::Duration;

/// What was told longer ago is stale.
const FRESH: Duration = Duration::from_secs(300);

/// Names of the limit, of what remains and of the reset.
const COUNTED: [[&str; 3]; 8] = [
    counted(
        "x-ratelimit-limit-requests",
        "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests",
    ),
    counted(
        "x-ratelimit-limit-tokens",
        "x-ratelimit-remaining-tokens",
        "x-ratelimit-reset-tokens",
    ),
    counted(
        "x-ratelimit-limit-project-tokens",
        "x-ratelimit-remaining-project-tokens",
        "x-ratelimit-reset-project-tokens",
    ),
    counted("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"),
    counted(
        "anthropic-ratelimit-requests-limit",
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
    ),
    counted(
        "anthropic-ratelimit-tokens-limit",
        "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit-tokens-reset",
    ),
    counted(
        "anthropic-ratelimit-input-tokens-limit",
        "anthropic-ratelimit-input-tokens-remaining",
        "anthropic-ratelimit-input-tokens-reset",
    ),
    counted(
        "anthropic-ratelimit-output-tokens-limit",
        "anthropic-ratelimit-output-tokens-remaining",
        "anthropic-ratelimit-output-tokens-reset",
    ),
];

/// Windows of a subscription: the share that is used, and the reset in seconds of the epoch.
const WINDOWS: [[&str; 2]; 2] = [
    [
        "anthropic-ratelimit-unified-5h-utilization",
        "anthropic-ratelimit-unified-5h-reset",
    ],
    [
        "anthropic-ratelimit-unified-7d-utilization",
        "anthropic-ratelimit-unified-7d-reset",
    ],
];

const MOST: usize = COUNTED.len() + WINDOWS.len();

const fn counted<'a>(limit: &'a str, remaining: &'a str, reset: &'a str) -> [&'a str; 3] {
    [limit, remaining, reset]
}

/// The quotas that one answer told.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quotas([Option<Quota>; MOST]);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Quota {
    left: f64,
    full_in: Option<Duration>,
}

impl Quotas {
    /// `None` where the answer tells none.
    pub fn read(headers: &HeaderMap, now: Timestamp) -> Option<Self> {
        let tells = |name: &str| name.starts_with("x-ratelimit-") || name.starts_with("anthropic-ratelimit-");
        if !headers.keys().any(|name| tells(name.as_str())) {
            return None;
        }
        let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
        let number = |name: &str| text(name)?.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0);
        let counts = COUNTED.iter().map(|[limit, remaining, reset]| {
            let left = number(remaining)? / number(limit).filter(|limit| *limit > 0.0)?;
            Some(Quota {
                left: left.min(1.0),
                full_in: text(reset).and_then(|reset| full_in(reset, now)),
            })
        });
        let windows = WINDOWS.iter().map(|[used, reset]| {
            let left = (1.0 - number(used)?).max(0.0);
            Some(Quota {
                left,
                full_in: text(reset).and_then(|reset| full_in(reset, now)),
            })
        });
        let mut quotas = [None; MOST];
        for (place, quota) in quotas.iter_mut().zip(counts.chain(windows)) {
            *place = quota;
        }
        quotas.iter().any(Option::is_some).then_some(Self(quotas))
    }
}

/// An instant (RFC 3339, or milliseconds or seconds of the epoch), or a stretch (`6m0s`, seconds). `None` where it does
/// not say, or lies further ahead than is read exactly.
fn full_in(reset: &str, now: Timestamp) -> Option<Duration> {
    let until = |at: Timestamp| Duration::try_from(at.duration_since(now)).ok();
    let wait = match (reset.parse::<f64>(), reset.parse::<Timestamp>()) {
        (Ok(number), _) if number >= 1e12 => until(Timestamp::from_millisecond(number as i64).ok()?)?,
        (Ok(number), _) if number >= 1e9 => until(Timestamp::from_second(number as i64).ok()?)?,
        (Ok(number), _) => Duration::try_from_secs_f64(number).ok()?,
        (_, Ok(at)) => until(at)?,
        _ => duration(reset).filter(|wait| *wait < LONGEST)?,
    };
    (!wait.is_zero()).then_some(wait)
}

/// What one credential was told last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    quotas: Quotas,
    at: Uptime,
}

impl Told {
    pub(super) const fn new(quotas: Quotas, at: Uptime) -> Self {
        Self { quotas, at }
    }

    /// The scarcest quota's share.
    pub(super) fn level(&self, now: Uptime) -> Option<Level> {
        let age = now.saturating_sub(self.at);
        let left = |quota: &Quota| match quota.full_in {
            Some(wait) if wait <= age => 1.0,
            _ => quota.left,
        };
        let value = self.quotas.0.iter().flatten().map(left).reduce(f64::min)?;
        Some(Level {
            value,
            stale: age > FRESH,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(headers: &[(&str, &str)]) -> Option<Told> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        let now = "2026-11-23T12:00:00Z".parse().unwrap();
        Quotas::read(&map, now).map(|quotas| Told::new(quotas, Duration::from_secs(100)))
    }

    fn left(headers: &[(&str, &str)], after: u64) -> Option<(f64, bool)> {
        let level = told(headers)?.level(Duration::from_secs(100 + after))?;
        Some((level.value, level.stale))
    }

    #[test]
    fn the_scarcest_quota_counts_until_it_is_full_again() {
        let headers = [
            ("x-ratelimit-limit-requests", "600"),
            ("x-ratelimit-remaining-requests", "540"),
            ("x-ratelimit-limit-tokens", "1000000"),
            ("x-ratelimit-remaining-tokens", "50000"),
            ("x-ratelimit-reset-tokens", "30s"),
        ];
        assert_eq!(left(&headers, 0), Some((0.05, false)));
        assert_eq!(left(&headers, 29), Some((0.05, false)));
        assert_eq!(left(&headers, 30), Some((0.9, false)), "the tokens are full again");
        assert_eq!(left(&headers, 301), Some((0.9, true)), "nothing was heard for long");
    }

    #[test]
    fn anthropics_counts_and_windows_are_read() {
        let headers = [
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "40"),
            ("anthropic-ratelimit-requests-reset", "2026-11-23T12:01:00Z"),
            ("anthropic-ratelimit-unified-5h-utilization", "0.75"),
        ];
        assert_eq!(left(&headers, 0), Some((0.25, false)));
    }

    #[test]
    fn what_tells_no_limit_tells_no_quota() {
        assert_eq!(left(&[("x-ratelimit-remaining-requests", "3")], 0), None);
        assert_eq!(left(&[("content-type", "application/json")], 0), None);
        let azure = [
            ("x-ratelimit-limit-tokens", "-1"),
            ("x-ratelimit-remaining-tokens", "0"),
        ];
        assert_eq!(left(&azure, 0), None);
        let odd = [
            ("x-ratelimit-limit-tokens", "lots"),
            ("x-ratelimit-remaining-tokens", "NaN"),
        ];
        assert_eq!(left(&odd, 0), None);
    }
}
