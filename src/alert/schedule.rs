//! When a failed webhook is tried again: ten tries over three days, spread by a seed. Pure.
//!
//! | after try | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 |
//! | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
//! | wait | 5 s | 5 min | 30 min | 2 h | 5 h | 10 h | 14 h | 20 h | 23 h 25 min | given up |
//!
//! Each wait is 10 % shorter to 10 % longer, so that what failed together does not come back together.

use std::time::{Duration, SystemTime};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
/// Seconds after each failed try; 75 h in all.
const WAITS: [u64; 9] = [
    5,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    23 * HOUR + 25 * MINUTE,
];
/// A receiver may ask for a longer wait, up to this.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(HOUR);

/// The wait after try number `attempt` (from 1) failed; `None` when that was the last.
pub fn next_try(attempt: u32, seed: u64) -> Option<Duration> {
    let index = usize::try_from(attempt.checked_sub(1)?).ok()?;
    let wait = Duration::from_secs(*WAITS.get(index)?);
    // 900 to 1100 thousandths.
    let thousandths = 900 + u32::try_from(mix(seed ^ u64::from(attempt)) % 201).unwrap_or(100);
    Some(wait * thousandths / 1000)
}

/// A seed from a delivery's id, so that its tries fall alike wherever they are computed.
pub fn seed_of(id: &str) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325_u64;
    id.bytes().fold(start, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A `Retry-After` header, in seconds or as a date, bounded by [`RETRY_AFTER_MAX`].
pub fn retry_after(header: &str, now: SystemTime) -> Option<Duration> {
    let header = header.trim();
    let wait = match header.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok()?,
        Err(_) => httpdate::parse_http_date(header).ok()?.duration_since(now).ok()?,
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// Spreads every bit of the input over the output (splitmix64's finish).
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_tries_take_about_75_hours() {
        assert_eq!(WAITS.iter().sum::<u64>(), 75 * HOUR + 5);
        assert_eq!((next_try(0, 1), next_try(10, 1)), (None, None));
        for seed in 0..200 {
            let total: Duration = (1..10).map(|attempt| next_try(attempt, seed).unwrap()).sum();
            assert!((67..83).contains(&(total.as_secs() / HOUR)), "{total:?}");
            let first = next_try(1, seed).unwrap();
            assert!((4500..=5500).contains(&first.as_millis()), "{first:?}");
        }
    }

    #[test]
    fn waits_are_spread_and_repeatable() {
        assert_eq!(next_try(3, seed_of("msg_1")), next_try(3, seed_of("msg_1")));
        let waits: std::collections::HashSet<_> = (0..50).map(|n| next_try(3, seed_of(&format!("msg_{n}")))).collect();
        assert!(waits.len() > 20);
    }

    #[test]
    fn retry_after_is_read_in_both_forms_and_bounded() {
        let now = httpdate::parse_http_date("Mon, 23 Nov 2026 18:00:00 GMT").unwrap();
        assert_eq!(retry_after(" 120 ", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("1.5", now), Some(Duration::from_millis(1500)));
        assert_eq!(
            retry_after("Mon, 23 Nov 2026 18:01:00 GMT", now),
            Some(Duration::from_secs(60))
        );
        assert_eq!(retry_after("86400", now), Some(RETRY_AFTER_MAX));
        for none in ["", "-1", "nan", "inf", "soon", "Mon, 23 Nov 2026 17:00:00 GMT"] {
            assert_eq!(retry_after(none, now), None, "{none}");
        }
    }
}
