//! Sliding windows in sixty buckets: what was spent within the last ten minutes, hours or days.
//!
//! Buckets and blocks are counted from the Unix epoch, so that everybody cuts time at the same places, whatever the zone.
//! A block is as long as the window: the window that ends now lies in the present block and the one before it.

use super::Span;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// Buckets of a window.
pub const BUCKETS: i64 = 60;

/// A whole number of minutes, so that each bucket is a whole number of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rolling {
    /// Seconds of one bucket.
    bucket: i64,
}

impl Rolling {
    /// `None` for what is no whole number of minutes, or longer than [`Rolling::LONGEST`].
    pub const fn new(window: Duration) -> Option<Self> {
        let seconds = window.as_secs();
        let whole = window.subsec_nanos() == 0 && seconds >= 60 && seconds.is_multiple_of(60);
        if !whole || seconds > Self::LONGEST.as_secs() {
            return None;
        }
        Some(Self {
            bucket: (seconds / 60) as i64,
        })
    }

    pub const LONGEST: Duration = Duration::from_secs(31 * 86_400);

    pub const fn window(self) -> Duration {
        Duration::from_secs((self.bucket * BUCKETS) as u64)
    }

    /// Seconds of one bucket.
    pub const fn bucket_seconds(self) -> i64 {
        self.bucket
    }

    /// The number of the bucket that contains an instant.
    pub fn bucket(self, at: Timestamp) -> i64 {
        floor(at).div_euclid(self.bucket)
    }

    pub fn block(self, at: Timestamp) -> Span {
        let first = self.bucket(at).div_euclid(BUCKETS) * BUCKETS;
        self.buckets(first, first + BUCKETS)
    }

    /// The window that ends with the bucket of `at`.
    pub fn span(self, at: Timestamp) -> Span {
        let now = self.bucket(at);
        self.buckets(now - BUCKETS + 1, now + 1)
    }

    /// Does what was spent in one bucket count in another? Also what lies ahead, as after a step back of the clock:
    /// a window that will contain both must not pass the limit either.
    pub const fn counts(spent: i64, now: i64) -> bool {
        (spent - now).abs() < BUCKETS
    }

    fn buckets(self, first: i64, end: i64) -> Span {
        let at = |bucket: i64| Timestamp::from_second(bucket.saturating_mul(self.bucket));
        Span {
            start: at(first).unwrap_or(Timestamp::MIN),
            end: at(end).unwrap_or(Timestamp::MAX),
        }
    }
}

/// Whole seconds, rounded down before the epoch too.
fn floor(at: Timestamp) -> i64 {
    at.duration_since(Timestamp::UNIX_EPOCH)
        .as_nanos()
        .div_euclid(SignedDuration::from_secs(1).as_nanos()) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rolling(minutes: u64) -> Rolling {
        Rolling::new(Duration::from_secs(minutes * 60)).unwrap()
    }

    #[test]
    fn ten_minutes_are_sixty_buckets_of_ten_seconds() {
        let window = rolling(10);
        let span = window.span("2026-11-23T12:34:56Z".parse().unwrap());
        assert_eq!(span.start.to_string(), "2026-11-23T12:25:00Z");
        assert_eq!(span.end.to_string(), "2026-11-23T12:35:00Z");
        let block = window.block("2026-11-23T12:34:56Z".parse().unwrap());
        assert_eq!(block.start.to_string(), "2026-11-23T12:30:00Z");
        assert_eq!(block.end.to_string(), "2026-11-23T12:40:00Z");
    }

    #[test]
    fn what_is_no_whole_number_of_minutes_is_no_window() {
        for seconds in [0, 1, 59, 61, 90, 31 * 86_400 + 60] {
            assert_eq!(Rolling::new(Duration::from_secs(seconds)), None, "{seconds}");
        }
        assert_eq!(rolling(1).bucket_seconds(), 1);
        assert_eq!(Rolling::new(Rolling::LONGEST).unwrap().window(), Rolling::LONGEST);
    }

    proptest! {
        #[test]
        fn a_window_lies_in_its_block_and_the_one_before(milliseconds in -4_000_000_000_000_i64..4_000_000_000_000, minutes in 1_u64..2_000) {
            let (window, at) = (rolling(minutes), Timestamp::from_millisecond(milliseconds).unwrap());
            let (block, span) = (window.block(at), window.span(at));
            prop_assert!(block.contains(at) && span.contains(at));
            let before = window.block(block.start.checked_sub(SignedDuration::from_nanos(1)).unwrap());
            prop_assert_eq!(before.end, block.start);
            prop_assert!(before.start < span.start && span.end <= block.end);
            prop_assert!(Rolling::counts(window.bucket(span.start), window.bucket(at)));
            let earlier = span.start.checked_sub(SignedDuration::from_nanos(1)).unwrap();
            prop_assert!(!Rolling::counts(window.bucket(earlier), window.bucket(at)));
        }
    }
}
