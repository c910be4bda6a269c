//! Attempts and decisions summed by the hour as they are written, so that what was spent is read without reading every
//! row again.
//!
//! The sums ride in the transaction of their rows and are added up in memory first: once a batch, not once a row.
//! `planb ledger check` proves them. An hour is one of UTC, named `2026-11-23T10`.

mod covered;
mod summing;

use super::text::time;
use crate::money::{Currency, Money};
use crate::request::Caller;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;

const SECONDS: i64 = 3_600;

/// What was written since the last [`Write::sum_up`].
#[derive(Debug, Default)]
pub(super) struct Hours {
    attempts: HashMap<AttemptHour, AttemptSum>,
    requests: HashMap<RequestHour, RequestSum>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct AttemptHour {
    hour: i64,
    model: Arc<str>,
    provider: Arc<str>,
    supply: &'static str,
    caller: Arc<Caller>,
    licenses: Vec<Arc<str>>,
    currency: Currency,
}

#[derive(Debug, Default)]
struct AttemptSum {
    /// By [`Standing::firsts`]' bits.
    requests: [i64; 4],
    attempts: i64,
    input: i64,
    cache_read: i64,
    output: i64,
    posted: Money,
    held: Money,
    estimated: Money,
    adjusted: Money,
    prepaid: Money,
    retries: Money,
    fallbacks: Money,
    failed: Money,
    cache_saved: Money,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct RequestHour {
    hour: i64,
    route: Arc<str>,
    caller: Arc<Caller>,
    first_choice: Arc<str>,
    model: Arc<str>,
    provider: Arc<str>,
    supply: Arc<str>,
    currency: Currency,
}

#[derive(Debug, Default)]
struct RequestSum {
    requests: i64,
    first_cost: Money,
    compared: i64,
    saved: Money,
}

/// What an attempt is among those of its request, and what its bill says beside its amount.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// Empty, `retry` at the same model, or `fallback` to another.
    pub(super) again: &'static str,
    /// 1: the request's first attempt; 2, 4, 8: its first at this model, provider, supply.
    pub(super) firsts: u8,
    /// What the prompt cache saved, less what writing to it cost beyond plain input.
    pub(super) cache_saved: Money,
    /// What a commitment had paid for.
    pub(super) prepaid: Money,
}

/// A span as its whole hours, which are summed, and the rows before and after them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Split {
    /// Rows from `since` to before `head`, hours from `from` to before `to`, rows from `tail` to before `until`.
    pub(super) since: String,
    pub(super) head: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) tail: String,
    pub(super) until: String,
}

impl Split {
    pub(super) fn of(since: Timestamp, until: Timestamp) -> Self {
        let until = until.max(since);
        let begun = hour_of(since);
        let first = if at(begun) == since { begun } else { begun + 1 };
        let last = hour_of(until).max(first);
        let (head, tail) = (at(first).min(until), at(last).min(until));
        Self {
            since: time(since),
            head: time(head),
            from: name(first),
            to: name(last),
            tail: time(tail.max(head)),
            until: time(until),
        }
    }
}

/// Itself where an hour begins.
pub(super) fn end_of_hour(instant: Timestamp) -> Timestamp {
    let begun = hour_of(instant);
    if at(begun) == instant { instant } else { at(begun + 1) }
}

fn hour_of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(SECONDS)
}

fn at(hour: i64) -> Timestamp {
    Timestamp::from_second(hour.saturating_mul(SECONDS)).unwrap_or(if hour < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

/// The beginning of every time in the hour, as it is written.
fn name(hour: i64) -> String {
    at(hour).strftime("%Y-%m-%dT%H").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(since: &str, until: &str) -> Split {
        Split::of(since.parse().unwrap(), until.parse().unwrap())
    }

    #[test]
    fn whole_hours_need_no_rows() {
        let month = split("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z");
        assert_eq!(
            (month.from.as_str(), month.to.as_str()),
            ("2026-11-01T00", "2026-12-01T00")
        );
        assert_eq!((&month.since, &month.tail), (&month.head, &month.until));
    }

    #[test]
    fn within_an_hour_there_are_only_rows() {
        let minutes = split("2026-11-01T10:10:00Z", "2026-11-01T10:20:00Z");
        assert_eq!((&minutes.head, &minutes.tail), (&minutes.until, &minutes.until));
        assert!(minutes.from >= minutes.to);
    }

    proptest! {
        #[test]
        fn every_instant_of_a_span_is_in_exactly_one_part(
            since in 0_i64..20_000, length in 0_i64..20_000, at in -1_000_i64..45_000,
        ) {
            let second = |second| Timestamp::from_second(1_800_000_000 + second).unwrap();
            let split = Split::of(second(since), second(since + length));
            let (row, hour) = (time(second(at)), name(hour_of(second(at))));
            let parts = [
                split.since <= row && row < split.head,
                split.from <= hour && hour < split.to,
                split.tail <= row && row < split.until,
            ];
            let within = (since..since + length).contains(&at);
            prop_assert_eq!(parts.iter().filter(|within| **within).count(), usize::from(within));
        }
    }
}
