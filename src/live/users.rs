//! Who used what under each licence this month, as keyed hashes: so that a new user beyond a licence's bound is told apart
//! from those that are counted already. Filled from the ledger, and by attempts as they begin.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

#[derive(Debug, Default)]
pub struct LicenseUsers {
    /// The first day of the month of UTC that is counted.
    month: Option<Date>,
    counted: HashMap<Arc<str>, u64>,
    /// Of the licences that bound their users.
    known: HashMap<Arc<str>, HashSet<u64>>,
}

impl LicenseUsers {
    /// What the ledger has of the month. Users that it has not heard of yet stay: their attempts run.
    pub fn found(&mut self, now: Timestamp, counted: HashMap<Arc<str>, u64>, known: HashMap<Arc<str>, HashSet<u64>>) {
        self.turn(now);
        self.counted = counted;
        for (license, users) in known {
            self.known.entry(license).or_default().extend(users);
        }
    }

    pub fn counted(&self, license: &str) -> Option<u64> {
        self.counted.get(license).copied()
    }

    /// How many there are, where there are as many as may be and this one is none of them.
    pub fn crowded(&self, license: &str, max: u64, user: u64, now: Timestamp) -> Option<u64> {
        if self.month != first_of_month(now) {
            return None;
        }
        let known = self.known.get(license)?;
        let count = known.len() as u64;
        (count >= max && !known.contains(&user)).then_some(count)
    }

    /// An attempt of this user begins; whether it is one more of the licence's.
    pub fn begin(&mut self, license: &Arc<str>, user: u64, now: Timestamp) -> bool {
        self.turn(now);
        self.known.entry(license.clone()).or_default().insert(user)
    }

    /// It used nothing after all.
    pub fn forget(&mut self, license: &str, user: u64) {
        if let Some(known) = self.known.get_mut(license) {
            known.remove(&user);
        }
    }

    fn turn(&mut self, now: Timestamp) {
        let month = first_of_month(now);
        if self.month != month {
            self.month = month;
            self.known.clear();
        }
    }
}

fn first_of_month(at: Timestamp) -> Option<Date> {
    Some(at.to_zoned_datetime(TimeZone::UTC).date().first_of_month())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_user_beyond_the_bound_is_told_apart_until_the_month_ends() {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let (now, next) = (at("2026-11-30T23:59:59Z"), at("2026-12-01T00:00:00Z"));
        let (deal, mut users) = (Arc::<str>::from("deal"), LicenseUsers::default());
        assert_eq!(users.crowded("deal", 0, 1, now), None, "nothing is known yet");
        users.begin(&deal, 1, now);
        assert_eq!(users.crowded("deal", 2, 9, now), None);
        let found = HashMap::from([(deal.clone(), HashSet::from([2]))]);
        users.found(now, HashMap::from([(deal.clone(), 1)]), found);
        assert_eq!(
            users.crowded("deal", 2, 9, now),
            Some(2),
            "who runs and who is recorded"
        );
        assert_eq!(
            (users.crowded("deal", 2, 1, now), users.crowded("deal", 3, 9, now)),
            (None, None)
        );
        assert_eq!(users.counted("deal"), Some(1));
        assert_eq!(users.crowded("deal", 2, 9, next), None, "a month of its own");
        assert!(users.begin(&deal, 9, next) && !users.begin(&deal, 9, next));
        assert_eq!(users.crowded("deal", 1, 1, next), Some(1));
        users.forget("deal", 9);
        assert_eq!(
            users.crowded("deal", 1, 1, next),
            None,
            "a call that used nothing takes no place"
        );
    }
}
