//! The ends of months, fiscal years and days in twelve zones, over changes of the clock.

use super::super::*;
use proptest::prelude::*;

/// Half hours, no and odd changes of the clock, midnights that are skipped, a date line that moved.
const ZONES: [&str; 12] = [
    "UTC",
    "Asia/Shanghai",
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Pacific/Apia",
    "America/Havana",
    "Africa/Cairo",
    "Asia/Beirut",
    "Asia/Kolkata",
    "America/St_Johns",
];

#[test]
fn every_month_of_forty_years_begins_at_its_first_instant_in_twelve_zones() {
    for name in ZONES {
        let zone = TimeZone::get(name).unwrap();
        let mut at: Timestamp = "2000-01-15T12:00:00Z".parse().unwrap();
        for _ in 0..480 {
            let span = Period::Month.span(at, &zone);
            let first = span.start.to_zoned_datetime(zone.clone()).datetime();
            assert_eq!(first.day(), 1, "{name} {first}");
            let before = span.start.checked_sub(jiff::SignedDuration::from_nanos(1)).unwrap();
            let last = before.to_zoned_datetime(zone.clone()).datetime();
            assert_ne!(
                (last.year(), last.month()),
                (first.year(), first.month()),
                "{name}: the first instant"
            );
            assert_eq!(Period::Month.span(before, &zone).end, span.start, "{name}: no gap");
            at = span.end;
        }
    }
}

#[test]
fn days_have_as_many_hours_as_the_wall_has() {
    for (zone, day, hours) in [
        ("Europe/Berlin", "2026-03-29", 23.0),
        ("Europe/Berlin", "2026-10-25", 25.0),
        ("America/New_York", "2026-03-08", 23.0),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("Asia/Shanghai", "2026-03-29", 24.0),
        // Its midnight is skipped.
        ("Asia/Beirut", "2026-03-29", 23.0),
    ] {
        let tz = TimeZone::get(zone).unwrap();
        let date: Date = day.parse().unwrap();
        let noon = date.at(12, 0, 0, 0).to_zoned_datetime(tz.clone()).unwrap().timestamp();
        let span = Period::Day.span(noon, &tz);
        let length = span.end.duration_since(span.start).as_secs_f64() / 3_600.0;
        assert_eq!(length, hours, "{zone} {day}");
    }
}

proptest! {
    /// A clock that steps by a day and back is in the same period again, and steps of a day never skip a month.
    #[test]
    fn a_step_of_the_clock_finds_the_neighbour_and_back_the_old_period(
        seconds in 946_684_800_i64..2_500_000_000, zone in 0..12_usize, kind in 0..6_usize, month in 1..13_i8, day in 1..29_i8,
    ) {
        let zone = TimeZone::get(ZONES[zone]).unwrap();
        let (period, start) = (Period::ALL[kind], Start { month, day, ..Start::default() });
        let at = Timestamp::from_second(seconds).unwrap();
        let span = period.span_from(start, at, &zone);
        for hours in [-24, 24] {
            let stepped = at.checked_add(jiff::SignedDuration::from_hours(hours)).unwrap();
            let other = period.span_from(start, stepped, &zone);
            prop_assert!(other.contains(stepped));
            let apart = other.end <= span.start || span.end <= other.start;
            prop_assert!(other == span || apart, "two periods overlap: {span:?} {other:?}");
            let back = stepped.checked_sub(jiff::SignedDuration::from_hours(hours)).unwrap();
            prop_assert_eq!(period.span_from(start, back, &zone), span);
            if matches!(period, Period::Month | Period::Quarter | Period::Year) && other != span {
                prop_assert!(other.end == span.start || span.end == other.start, "a period was skipped");
            }
        }
    }
}
