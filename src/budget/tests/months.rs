//! The ends of months and of days on the walls of twelve zones, with half hours, odd changes of the clock and midnights
//! that come twice; and a wall clock that steps by a day in either direction.

use super::*;

/// A zone, and when April and November of 2026 begin there.
const MONTHS: [(&str, &str, &str); 12] = [
    ("UTC", "2026-04-01T00:00:00Z", "2026-11-01T00:00:00Z"),
    ("Asia/Shanghai", "2026-03-31T16:00:00Z", "2026-10-31T16:00:00Z"),
    ("Asia/Kolkata", "2026-03-31T18:30:00Z", "2026-10-31T18:30:00Z"),
    ("Asia/Kathmandu", "2026-03-31T18:15:00Z", "2026-10-31T18:15:00Z"),
    ("Europe/Berlin", "2026-03-31T22:00:00Z", "2026-10-31T23:00:00Z"),
    // Summer ends on the first of November, two hours after midnight.
    ("America/New_York", "2026-04-01T04:00:00Z", "2026-11-01T04:00:00Z"),
    ("America/St_Johns", "2026-04-01T02:30:00Z", "2026-11-01T02:30:00Z"),
    // The midnight of that day comes twice: the month begins with the first.
    ("America/Havana", "2026-04-01T04:00:00Z", "2026-11-01T04:00:00Z"),
    // Half an hour of summer.
    ("Australia/Lord_Howe", "2026-03-31T13:00:00Z", "2026-10-31T13:00:00Z"),
    ("Australia/Adelaide", "2026-03-31T13:30:00Z", "2026-10-31T13:30:00Z"),
    ("Pacific/Chatham", "2026-03-31T10:15:00Z", "2026-10-31T10:15:00Z"),
    ("Africa/Cairo", "2026-03-31T22:00:00Z", "2026-10-31T22:00:00Z"),
];

/// Days that are not 24 hours long, by their first and last instant.
const DAYS: [(&str, &str, &str); 8] = [
    ("Europe/Berlin", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
    ("Europe/Berlin", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
    ("America/New_York", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"),
    ("America/St_Johns", "2026-03-08T03:30:00Z", "2026-03-09T02:30:00Z"),
    ("America/Havana", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T13:00:00Z", "2026-04-05T13:30:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T13:30:00Z", "2026-10-04T13:00:00Z"),
    ("Pacific/Chatham", "2026-04-04T10:15:00Z", "2026-04-05T11:15:00Z"),
];

/// Books of one budget by the wall of a zone, and their store that never spent anything before.
struct Wall {
    books: Books,
}

impl Wall {
    fn new(zone: &str, period: Period, now: Timestamp) -> Self {
        let zone = TimeZone::get(zone).unwrap();
        let budget = Budget {
            cycle: Cycle::Calendar(period, Start::default()),
            ..budget("budget", 100)
        };
        let mut books = Books::new();
        let requests = books.install(&[budget], &zone, Currency::USD, now);
        answer(&mut books, requests);
        Self { books }
    }

    fn at(&mut self, now: Timestamp) -> AccountView {
        let requests = self.books.roll(now);
        answer(&mut self.books, requests);
        view(&self.books, "budget", "")
    }

    fn spend(&mut self, amount: i64) {
        let id = reserve(&mut self.books, amount, "").unwrap();
        self.books.end(id, End::Post(usd(amount)));
    }
}

/// Spends on both sides of a period's beginning, with the clock a day ahead and behind in between.
fn crosses(zone: &str, period: Period, begins: Timestamp) {
    let (before, day) = (begins - SignedDuration::from_nanos(1), SignedDuration::from_hours(24));
    let mut wall = Wall::new(zone, period, begins - SignedDuration::from_secs(90));
    let old = wall.at(before);
    assert_eq!(old.span.end, begins, "{zone}");
    wall.spend(60);
    let late = reserve(&mut wall.books, 10, "").unwrap();
    let new = wall.at(begins);
    assert_eq!(
        (new.span.start, new.remaining),
        (begins, usd(100)),
        "{zone}: a new period owes nothing"
    );
    assert!(!new.rebuilding, "{zone}: it was found before it began");
    wall.spend(55);
    wall.books.end(late, End::Post(usd(7)));
    assert_eq!(
        wall.at(begins).posted,
        usd(55),
        "{zone}: each posts to the period it was let in"
    );
    assert_eq!(wall.at(before).posted, usd(67), "{zone}");
    let crossed = wall.books.take_notices();
    assert_eq!(crossed.len(), 2, "{zone}: half of either: {crossed:?}");
    for step in [-day, day, SignedDuration::ZERO] {
        let stepped = wall.at(begins + step);
        assert!(stepped.span.contains(begins + step), "{zone}");
        let known = [(old.span, usd(67)), (new.span, usd(55))];
        let known = known.iter().find(|(span, _)| *span == stepped.span);
        assert_eq!(
            stepped.posted,
            known.map_or(usd(0), |(_, posted)| *posted),
            "{zone} {step}"
        );
    }
    wall.at(before);
    wall.spend(1);
    wall.at(begins);
    wall.spend(1);
    assert_eq!(wall.books.take_notices(), [], "{zone}: nobody is told twice");
    let full = reserve(&mut wall.books, 45, "").unwrap_err();
    assert!(
        matches!(full, Refusal::OverLimit { remaining, .. } if remaining == usd(44)),
        "{zone}: {full:?}"
    );
    let exact = reserve(&mut wall.books, 44, "").unwrap();
    wall.books.end(exact, End::Void);
    wall.books.prove().unwrap();
}

#[test]
fn months_end_on_the_wall_of_every_zone_whatever_the_clock_does() {
    for (zone, april, november) in MONTHS {
        for begins in [april, november] {
            crosses(zone, Period::Month, at(begins));
        }
    }
}

#[test]
fn days_that_a_change_of_the_clock_makes_longer_or_shorter_end_on_the_wall_too() {
    for (zone, begins, ends) in DAYS {
        let span = Wall::new(zone, Period::Day, at(begins)).at(at(begins)).span;
        assert_eq!((span.start, span.end), (at(begins), at(ends)), "{zone}");
        crosses(zone, Period::Day, at(begins));
        crosses(zone, Period::Day, at(ends));
    }
}
