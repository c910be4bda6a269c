//! Holiday calendars by name (`calendars.json`), for price windows that do not hold on them.

use super::read;
use serde::Deserialize;
use std::sync::OnceLock;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    pub name: &'static str,
    /// Single days and ranges with both ends in: `2026-01-01..2026-01-03`.
    #[serde(borrow)]
    pub days: Vec<&'static str>,
    /// The years that are known; others must be added by the policy.
    pub covers: &'static str,
    pub note: &'static str,
    #[serde(borrow)]
    pub unsure: Vec<&'static str>,
    pub source: &'static str,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "about")]
    _about: &'static str,
    #[serde(rename = "as_of")]
    _as_of: &'static str,
    calendars: Vec<Calendar>,
}

pub fn calendars() -> &'static [Calendar] {
    static READ: OnceLock<File> = OnceLock::new();
    &READ
        .get_or_init(|| read::file(include_str!("calendars.json")))
        .calendars
}

pub fn calendar(name: &str) -> Option<&'static Calendar> {
    calendars().iter().find(|calendar| calendar.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::Date;

    #[test]
    fn the_calendar_of_china_has_its_days_and_says_what_it_lacks() {
        let calendar = calendar("cn-statutory-holidays").unwrap();
        assert!(!calendar.unsure.is_empty());
        for day in &calendar.days {
            let (from, to) = day.split_once("..").unwrap_or((day, day));
            let (from, to): (Date, Date) = (from.parse().unwrap(), to.parse().unwrap());
            assert!(from <= to && from.year() == 2026, "{day}");
        }
        assert!(calendar.days.contains(&"2026-10-01..2026-10-07"));
    }
}
