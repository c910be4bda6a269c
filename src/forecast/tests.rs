//! What holds of every forecast, whatever was spent before.

use super::*;
use crate::money::Money;
use crate::period::{Period, Span};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

mod backtest;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn usd(units: i64) -> Money {
    Money::from_nanos(units * crate::money::NANOS_PER_UNIT)
}

/// Each hour from `since` to before `until`.
fn history(since: Timestamp, until: Timestamp, spent: impl Fn(Timestamp) -> Money) -> History {
    let (first, last) = (hour_of(since), hour_of(until));
    let sums: Vec<(i64, Money)> = (first..last).map(|hour| (hour, spent(hour_at(hour)))).collect();
    let mut history = History::default();
    history.learn(since, first, last, &sums);
    history
}

fn stand(now: Timestamp, spent: Money, limit: Money) -> Stand {
    let pace = Pace::Recorded { own: spent, all: spent };
    Stand {
        now,
        spent,
        limit,
        pace,
    }
}

fn near(found: Timestamp, expected: &str, within: i64) -> bool {
    (found.as_second() - at(expected).as_second()).abs() <= within
}

#[test]
fn an_even_burn_goes_on_evenly_and_runs_out_when_it_must() {
    let (now, zone) = (at("2026-11-11T00:00:00Z"), TimeZone::UTC);
    let history = history(at("2026-09-01T00:00:00Z"), now, |_| usd(1));
    let curve = Curve::learn(&history, &zone, Period::Month.span(now, &zone), now).unwrap();
    let found = curve.project(&stand(now, usd(240), usd(480))).unwrap();
    let end = found.end.unwrap();
    assert_eq!(end.expected, usd(720));
    assert!(
        end.low > usd(600) && end.low < end.expected && end.expected < end.high && end.high < usd(840),
        "{end:?}"
    );
    assert!(near(found.runs_out.expected.unwrap(), "2026-11-21T00:00:00Z", 60));
    let (earliest, latest) = (found.runs_out.earliest.unwrap(), found.runs_out.latest.unwrap());
    assert!(earliest < at("2026-11-21T00:00:00Z") && latest > at("2026-11-21T00:00:00Z"));
    let ample = curve.project(&stand(now, usd(240), usd(5_000))).unwrap();
    assert_eq!((ample.runs_out.expected, ample.runs_out.earliest), (None, None));
    let gone = curve.project(&stand(now, usd(500), usd(480))).unwrap();
    assert_eq!(gone.runs_out.expected, Some(now));
}

#[test]
fn weekends_and_nights_are_learned() {
    let zone = zone("Asia/Shanghai");
    let wall = zone.clone();
    let office = move |hour: Timestamp| {
        let at = wall.to_datetime(hour);
        let works = at.weekday().to_monday_zero_offset() < 5 && (9..18).contains(&at.hour());
        if works { usd(10) } else { Money::ZERO }
    };
    // A Friday evening there: two days of nothing come next.
    let now = at("2026-11-20T12:00:00Z");
    let history = history(at("2026-10-05T00:00:00Z"), now, office);
    let curve = Curve::learn(&history, &zone, Period::Week.span(now, &zone), now).unwrap();
    let end = curve.project(&stand(now, usd(450), usd(1_000))).unwrap().end.unwrap();
    assert!(end.expected < usd(480), "{end:?}");
    let week = curve.week();
    assert!(week[10] > usd(8) && week[10] < usd(11), "Monday at ten: {}", week[10]);
    assert!(week[5 * 24 + 10] < usd(2), "Saturday at ten: {}", week[5 * 24 + 10]);
    assert!(week[3] < usd(1), "Monday at three: {}", week[3]);
}

#[test]
fn the_first_hours_say_something_and_days_that_nobody_saw_widen_it() {
    let (zone, now) = (TimeZone::UTC, at("2026-11-03T13:00:00Z"));
    let month = Period::Month.span(now, &zone);
    let short = history(at("2026-11-03T10:30:00Z"), now, |_| usd(2));
    let curve = Curve::learn(&short, &zone, month, now).unwrap();
    assert_eq!(curve.watched(), 2);
    let end = curve.project(&stand(now, usd(6), usd(100))).unwrap().end.unwrap();
    // Two and a half hours cost 6: 2.4 an hour for 659 hours.
    assert!(end.expected > usd(1_570) && end.expected < usd(1_600), "{end:?}");
    let known = history(at("2026-10-01T00:00:00Z"), now, |_| usd(2));
    let wide = curve.project(&stand(now, usd(6), usd(100))).unwrap().end.unwrap();
    let curve = Curve::learn(&known, &zone, month, now).unwrap();
    let narrow = curve.project(&stand(now, usd(6), usd(100))).unwrap().end.unwrap();
    assert!(wide.high.minus(wide.low) > narrow.high.minus(narrow.low));
    assert!(Curve::learn(&History::default(), &zone, month, now).is_none());
}

#[test]
fn recent_days_count_more_than_earlier_ones() {
    let (zone, now) = (TimeZone::UTC, at("2026-11-15T00:00:00Z"));
    let doubled = at("2026-11-01T00:00:00Z");
    let history = history(at("2026-09-20T00:00:00Z"), now, |hour| {
        if hour < doubled { usd(1) } else { usd(2) }
    });
    let curve = Curve::learn(&history, &zone, Period::Month.span(now, &zone), now).unwrap();
    let rest = curve
        .project(&stand(now, usd(0), usd(1)))
        .unwrap()
        .end
        .unwrap()
        .expected;
    let even = usd(16 * 24);
    assert!(
        rest > even.scaled_down(15, 10) && rest < even.scaled_down(2, 1),
        "{rest}"
    );
}

#[test]
fn hours_that_are_told_again_replace_what_was_known_and_eight_weeks_are_kept() {
    let (since, now) = (at("2026-01-01T00:00:00Z"), at("2026-11-15T00:00:00Z"));
    let mut history = history(since, now, |_| usd(1));
    assert_eq!(history.watched().count() as i64, MOST_HOURS);
    let last = hour_of(now);
    history.learn(
        since,
        last - 2,
        last + 1,
        &[(last - 1, usd(5)), (last, usd(7)), (last, usd(1))],
    );
    let newest: Vec<u64> = history.watched().map(|hour| hour.spent / 1_000_000_000).collect();
    assert_eq!(newest[newest.len() - 4..], [1, 0, 5, 8]);
    assert_eq!(newest.len() as i64, MOST_HOURS);
}

#[test]
fn a_key_goes_on_at_its_own_pace_and_a_credit_has_no_end() {
    let (zone, now) = (TimeZone::UTC, at("2026-11-11T00:00:00Z"));
    let history = history(at("2026-10-01T00:00:00Z"), now, |_| usd(100));
    let curve = Curve::learn(&history, &zone, Period::Month.span(now, &zone), now).unwrap();
    let own = |now, spent| Stand {
        pace: Pace::Own,
        ..stand(now, spent, usd(60))
    };
    assert_eq!(
        curve.project(&own(now, usd(10))).unwrap().end.unwrap().expected,
        usd(30)
    );
    let burst = own(at("2026-11-01T00:01:00Z"), usd(1));
    let burst = curve.project(&burst).unwrap().end.unwrap().expected;
    assert!(burst <= usd(51), "a burst is not the pace of the month: {burst}");
    let credit = Curve::learn(&history, &zone, Span::since(None, now), now).unwrap();
    let found = credit.project(&stand(now, usd(0), usd(4_800))).unwrap();
    assert_eq!(found.end, None);
    assert!(near(found.runs_out.expected.unwrap(), "2026-11-13T00:00:00Z", 60));
    assert_eq!(credit.project(&own(now, usd(10))), None);
}

#[test]
fn what_others_of_a_fleet_spend_goes_on_too() {
    let (zone, now) = (TimeZone::UTC, at("2026-11-11T00:00:00Z"));
    let history = history(at("2026-10-01T00:00:00Z"), now, |_| usd(1));
    let curve = Curve::learn(&history, &zone, Period::Month.span(now, &zone), now).unwrap();
    let mut all = stand(now, usd(720), usd(9_000));
    all.pace = Pace::Recorded {
        own: usd(240),
        all: usd(720),
    };
    assert_eq!(curve.project(&all).unwrap().end.unwrap().expected, usd(2_160));
    all.pace = Pace::Recorded {
        own: Money::ZERO,
        all: usd(720),
    };
    assert_eq!(curve.project(&all), None, "nobody here has spent anything");
}

#[test]
fn weeks_with_a_clock_change_have_as_many_hours_as_they_have() {
    for (name, day, hours) in [
        ("Europe/Berlin", "2026-03-29T12:00:00Z", 743),
        ("Europe/Berlin", "2026-10-25T12:00:00Z", 745),
        ("Australia/Lord_Howe", "2026-04-05T12:00:00Z", 720),
        ("America/Sao_Paulo", "2026-04-05T12:00:00Z", 720),
        ("Asia/Kolkata", "2026-04-05T12:00:00Z", 720),
    ] {
        let (zone, now) = (zone(name), at(day));
        let span = Period::Month.span(now, &zone);
        let history = history(at("2026-01-01T00:00:00Z"), span.start, |_| usd(1));
        let curve = Curve::learn(&history, &zone, span, span.start).unwrap();
        let end = curve
            .project(&stand(span.start, Money::ZERO, usd(9_999)))
            .unwrap()
            .end
            .unwrap();
        let whole = end.expected.plus(Money::from_nanos(500_000_000)).nanos() / crate::money::NANOS_PER_UNIT;
        assert!((whole - hours).abs() <= 1, "{name}: {} of {hours}", end.expected);
    }
}

const ZONES: [&str; 5] = [
    "UTC",
    "Asia/Shanghai",
    "America/New_York",
    "Asia/Kathmandu",
    "Pacific/Apia",
];

proptest! {
    #[test]
    fn a_forecast_is_at_least_what_is_posted_and_rises_with_it(
        hours in proptest::collection::vec(-5_i64..2_000_000_000, 1..400),
        passed in 0_i64..720, spent in 0_i64..1_000_000_000_000, more in 0_i64..1_000_000_000, zone_at in 0..5_usize,
    ) {
        let zone = zone(ZONES[zone_at]);
        let span = Period::Month.span(at("2026-11-11T00:00:00Z"), &zone);
        let now = span.start + SignedDuration::from_hours(passed);
        let since = now - SignedDuration::from_hours(hours.len() as i64);
        let begin = hour_of(since);
        let history = history(since, now, |hour| {
            Money::from_nanos(*hours.get((hour_of(hour) - begin) as usize).unwrap_or(&0))
        });
        let curve = Curve::learn(&history, &zone, span, now).unwrap();
        let (spent, more) = (Money::from_nanos(spent), Money::from_nanos(more));
        let limit = Money::from_nanos(800_000_000_000);
        for own in [false, true] {
            let of = |spent: Money| {
                let mut stand = stand(now, spent, limit);
                stand.pace = if own { Pace::Own } else { stand.pace };
                curve.project(&stand).unwrap()
            };
            let (less, greater) = (of(spent), of(spent.plus(more)));
            let (a, b) = (less.end.unwrap(), greater.end.unwrap());
            prop_assert!(spent <= a.low && a.low <= a.expected && a.expected <= a.high);
            prop_assert!(a.expected <= b.expected && a.high <= b.high);
            let runs = |found: &Projection| found.runs_out.expected.unwrap_or(Timestamp::MAX);
            prop_assert!(runs(&greater) <= runs(&less));
            prop_assert!(less.runs_out.earliest.unwrap_or(Timestamp::MAX) <= runs(&less));
            if let Some(when) = less.runs_out.expected {
                prop_assert!(now <= when && when <= span.end && a.expected.plus(Money::from_nanos(1)) >= limit);
            }
        }
    }

    #[test]
    fn in_another_currency_the_same_hours_say_the_same(
        hours in proptest::collection::vec(0_i64..1_000_000_000, 24..300), factor in 2_i64..1_000,
    ) {
        let now = at("2026-11-20T00:00:00Z");
        let since = now - SignedDuration::from_hours(hours.len() as i64);
        let of = |factor: i64| {
            let known = history(since, now, |hour| {
                Money::from_nanos(hours[(hour_of(hour) - hour_of(since)) as usize] * factor)
            });
            let span = Period::Month.span(now, &TimeZone::UTC);
            let curve = Curve::learn(&known, &TimeZone::UTC, span, now).unwrap();
            let limit = Money::from_nanos(500_000_000_000 * factor);
            curve.project(&stand(now, Money::from_nanos(100_000_000_000 * factor), limit)).unwrap()
        };
        let (one, many) = (of(1), of(factor));
        let (a, b) = (one.end.unwrap(), many.end.unwrap());
        prop_assert!((b.expected.nanos() - a.expected.nanos() * factor).abs() <= factor);
        prop_assert_eq!(one.runs_out.expected.is_some(), many.runs_out.expected.is_some());
    }
}
