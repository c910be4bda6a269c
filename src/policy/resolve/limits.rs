//! Rates, requests in flight and the queues for them.

use super::Resolver;
use super::units;
use crate::policy::defaults;
use crate::policy::read;
use crate::policy::snapshot::{Limits, Rate};
use crate::policy::source::Word;
use std::time::Duration;

/// Beyond it a queue hides an outage rather than a burst.
const LONGEST_QUEUE: u64 = 10_000;
const LONGEST_WAIT: Duration = Duration::from_secs(60);

impl Resolver<'_, '_> {
    pub fn limits(&mut self, written: &read::Limits) -> Limits {
        if let (Some(word), None) = (&written.wait, &written.queue) {
            self.report
                .error(
                    word.place,
                    "missing-key",
                    "`wait` is the wait in a `queue`, and there is none",
                )
                .help("write how many may wait: `queue: 20`");
        }
        self.rates(written)
    }

    /// Of a route: its `wait` is also for money that others have reserved, and needs no queue.
    pub fn route_limits(&mut self, written: &read::Limits) -> (Limits, Option<Duration>) {
        let limits = self.rates(written);
        let wait = written.wait.as_ref().map(|_| limits.wait);
        (limits, wait)
    }

    fn rates(&mut self, written: &read::Limits) -> Limits {
        let limits = Limits {
            requests: self.rate_of(written.requests.as_ref(), "600/min"),
            tokens: self.rate_of(written.tokens.as_ref(), "1M/min"),
            in_flight: self.places(written.in_flight.as_ref(), 1_000_000),
            queue: self.places(written.queue.as_ref(), LONGEST_QUEUE).unwrap_or(0),
            wait: self.span(written.wait.as_ref()).unwrap_or(defaults::WAIT),
        };
        if let Some(word) = written.wait.as_ref().filter(|_| limits.wait > LONGEST_WAIT) {
            self.unreadable(word, "wait of a queue", "a client waits too: write up to `60s`");
        }
        let place = written.queue.as_ref().map(|word| word.place);
        if let Some(place) = place.filter(|_| limits.is_none()) {
            self.report
                .error(place, "missing-key", "a `queue` needs something to wait for")
                .help("write `requests: 600/min`, `tokens: 1M/min` or `in_flight: 50` beside it");
        }
        limits
    }

    /// `600/min`, `1M/h`.
    fn rate_of(&mut self, word: Option<&Word>, example: &str) -> Option<Rate> {
        let word = word.filter(|word| !word.broken)?;
        let found = rate(&word.text);
        if found.is_none() {
            let help = format!("rates are written `{example}`, with `/s`, `/min`, `/h` or `/day`");
            self.unreadable(word, "rate", &help);
        }
        found
    }

    fn places(&mut self, word: Option<&Word>, most: u64) -> Option<u32> {
        let word = word.filter(|word| !word.broken)?;
        let found = units::size(&word.text).filter(|count| (1..=most).contains(count));
        if found.is_none() {
            self.unreadable(word, "count", &format!("write a whole number from 1 to {most}"));
        }
        found.and_then(|count| u32::try_from(count).ok())
    }
}

fn rate(text: &str) -> Option<Rate> {
    let (count, unit) = text.trim().split_once('/')?;
    let seconds = match unit.trim() {
        "s" => 1,
        "min" => 60,
        "h" => 3_600,
        "day" => 86_400,
        _ => return None,
    };
    Some(Rate {
        count: units::size(count.trim()).filter(|count| *count > 0)?,
        per: Duration::from_secs(seconds),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_a_count_and_a_time() {
        for (text, count, seconds) in [
            ("600/min", 600, 60),
            ("1M/min", 1_000_000, 60),
            ("10 / s", 10, 1),
            ("2.5k/h", 2_500, 3_600),
            ("100/day", 100, 86_400),
        ] {
            let per = Duration::from_secs(seconds);
            assert_eq!(rate(text), Some(Rate { count, per }), "{text}");
        }
        for text in [
            "",
            "600",
            "/min",
            "0/min",
            "-1/s",
            "600/m",
            "600/month",
            "600 per min",
            "1e3/s",
        ] {
            assert_eq!(rate(text), None, "{text}");
        }
    }
}
