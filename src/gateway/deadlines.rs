//! How long each phase of an attempt may take: the tightest of what provider and route say, else the defaults.

use crate::policy::defaults;
use crate::policy::snapshot::Timeouts;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    pub connect: Duration,
    pub first_token: Duration,
    pub idle: Duration,
    pub total: Duration,
}

impl Deadlines {
    pub fn of(provider: Timeouts, route: Timeouts) -> Self {
        let pick = |word: fn(&Timeouts) -> Option<Duration>| {
            let given = [provider, route].iter().filter_map(word).min();
            given.or(word(&defaults::TIMEOUTS)).unwrap_or(Duration::MAX)
        };
        Self {
            connect: pick(|timeouts| timeouts.connect),
            first_token: pick(|timeouts| timeouts.first_token),
            idle: pick(|timeouts| timeouts.idle),
            total: pick(|timeouts| timeouts.total),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tightest_given_counts_and_defaults_fill_the_rest() {
        let seconds = |n| Some(Duration::from_secs(n));
        let provider = Timeouts { first_token: seconds(90), idle: seconds(5), ..Timeouts::default() };
        let route = Timeouts { first_token: seconds(20), ..Timeouts::default() };
        let all = Deadlines::of(provider, route);
        assert_eq!(all.first_token, Duration::from_secs(20));
        assert_eq!(all.idle, Duration::from_secs(5));
        assert_eq!(Some(all.total), defaults::TIMEOUTS.total);
        assert_eq!(Deadlines::of(Timeouts { first_token: seconds(90), ..Timeouts::default() }, Timeouts::default()).first_token, Duration::from_secs(90), "a default does not tighten what is given");
    }
}
