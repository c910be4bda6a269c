//! How long each phase of an attempt may take: the tightest of what provider, model and route say, else the defaults; and whose
//! time it is that passes.

use crate::policy::defaults;
use crate::policy::snapshot::Timeouts;
use std::time::Duration;
use tokio::time::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    pub connect: Duration,
    pub first_token: Duration,
    pub idle: Duration,
    pub total: Duration,
}

impl Deadlines {
    /// `given` by provider, model and route.
    pub fn of(given: [Timeouts; 3]) -> Self {
        let pick = |word: fn(&Timeouts) -> Option<Duration>| {
            given
                .iter()
                .filter_map(word)
                .min()
                .or(word(&defaults::TIMEOUTS))
                .unwrap_or(Duration::MAX)
        };
        Self {
            connect: pick(|timeouts| timeouts.connect),
            first_token: pick(|timeouts| timeouts.first_token),
            idle: pick(|timeouts| timeouts.idle),
            total: pick(|timeouts| timeouts.total),
        }
    }
}

/// When a stream counts as silent. Only the provider's time counts: while the client takes what it was handed, the clock
/// stands still.
#[derive(Clone, Copy, Debug)]
pub struct Silence {
    within: Duration,
    until: Instant,
    handed: Option<Instant>,
}

impl Silence {
    pub fn from(now: Instant, within: Duration) -> Self {
        Self {
            within,
            until: now + within,
            handed: None,
        }
    }

    pub const fn until(&self) -> Instant {
        self.until
    }

    /// The provider sent something that belongs to the answer.
    pub fn broken(&mut self, now: Instant) {
        self.until = now + self.within;
    }

    /// The client was given something.
    pub const fn handed(&mut self, now: Instant) {
        self.handed = Some(now);
    }

    /// The client asks for more.
    pub fn asked(&mut self, now: Instant) {
        if let Some(handed) = self.handed.take() {
            self.until += now.saturating_duration_since(handed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_reads_slowly_does_not_make_its_provider_silent() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut silence = Silence::from(start, second * 5);
        silence.broken(start + second);
        assert_eq!(silence.until(), start + second * 6);
        silence.handed(start + second);
        silence.asked(start + second * 61);
        assert_eq!(silence.until(), start + second * 66, "a minute of the client's own");
        silence.asked(start + second * 62);
        assert_eq!(silence.until(), start + second * 66, "waiting for the provider again");
    }

    #[test]
    fn the_tightest_given_counts_and_defaults_fill_the_rest() {
        let seconds = |n| Some(Duration::from_secs(n));
        let provider = Timeouts {
            first_token: seconds(90),
            idle: seconds(5),
            ..Timeouts::default()
        };
        let route = Timeouts {
            first_token: seconds(20),
            ..Timeouts::default()
        };
        let model = Timeouts {
            first_token: seconds(30),
            total: seconds(40),
            ..Timeouts::default()
        };
        let all = Deadlines::of([provider, model, route]);
        assert_eq!(all.first_token, Duration::from_secs(20));
        assert_eq!(all.idle, Duration::from_secs(5));
        assert_eq!(all.total, Duration::from_secs(40));
        assert_eq!(Some(all.connect), defaults::TIMEOUTS.connect);
        assert_eq!(
            Deadlines::of([
                Timeouts {
                    first_token: seconds(90),
                    ..Timeouts::default()
                },
                Timeouts::default(),
                Timeouts::default(),
            ])
            .first_token,
            Duration::from_secs(90),
            "a default does not tighten what is given"
        );
    }
}
