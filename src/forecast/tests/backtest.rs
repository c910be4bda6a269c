//! A recorded month foretold from each of its days, against what it came to and against a straight line. The tables are
//! those of `docs/forecast.md`: `cargo test --lib forecast::tests::backtest -- --nocapture` prints them.

use super::super::*;
use crate::money::Money;
use crate::period::Span;
use jiff::Timestamp;
use jiff::tz::TimeZone;

const HOURS: &str = include_str!("../../../tests/data/month_hours.csv");
const DOCS: &str = include_str!("../../../docs/forecast.md");
/// A Monday, and a month of thirty days.
const BEGIN: &str = "2026-06-01T00:00:00Z";
const DAYS: i64 = 30;

fn month() -> Vec<Money> {
    let cost = |line: &str| line.rsplit(',').next().unwrap().parse().unwrap();
    HOURS
        .lines()
        .skip(1)
        .map(|line| Money::from_nanos(cost(line)))
        .collect()
}

/// Errors in hundredths of a percent of what the period came to.
struct Row {
    day: i64,
    planb: i64,
    low: i64,
    high: i64,
    straight: i64,
}

impl Row {
    fn holds(&self) -> bool {
        self.low <= 0 && 0 <= self.high
    }

    fn text(&self) -> String {
        let percent = |error: i64| format!("{:+.1} %", (error as f64 / 10.0).round() / 10.0);
        format!(
            "| {} | {} | {} to {} | {} |",
            self.day,
            percent(self.planb),
            percent(self.low),
            percent(self.high),
            percent(self.straight)
        )
    }
}

/// The period begins with day `from`; the days before it are history.
fn rows(from: i64) -> Vec<Row> {
    let (hours, begin) = (month(), BEGIN.parse::<Timestamp>().unwrap());
    let first = hour_of(begin);
    let span = Span {
        start: hour_at(first + 24 * from),
        end: hour_at(first + 24 * DAYS),
    };
    let sum = |from: i64, to: i64| {
        hours[from as usize * 24..to as usize * 24]
            .iter()
            .copied()
            .sum::<Money>()
    };
    let total = sum(from, DAYS);
    let row = |day: i64| {
        let now = hour_at(first + 24 * day);
        let known: Vec<(i64, Money)> = (first..).zip(hours[..day as usize * 24].iter().copied()).collect();
        let mut history = History::default();
        history.learn(begin, first, hour_of(now), &known);
        let spent = sum(from, day);
        let stand = Stand {
            now,
            spent,
            limit: total,
            pace: Pace::Recorded { own: spent, all: spent },
        };
        let curve = Curve::learn(&history, &TimeZone::UTC, span, now).unwrap();
        let end = curve.project(&stand).unwrap().end.unwrap();
        let error = |forecast: Money| forecast.minus(total).scaled_down(10_000, total.nanos()).nanos();
        Row {
            day: day - from,
            planb: error(end.expected),
            low: error(end.low),
            high: error(end.high),
            straight: error(spent.scaled_down(DAYS - from, day - from)),
        }
    };
    (from + 1..DAYS).map(row).collect()
}

fn table(rows: &[Row]) -> String {
    let head = "| after day | planb | eight in ten | straight line |\n| --- | --- | --- | --- |\n";
    let lines: Vec<String> = rows.iter().map(Row::text).collect();
    format!("{head}{}\n", lines.join("\n"))
}

fn mean(rows: &[Row], of: fn(&Row) -> i64) -> i64 {
    rows.iter().map(|row| of(row).abs()).sum::<i64>() / rows.len() as i64
}

#[test]
fn a_month_without_history_is_foretold_within_a_tenth_from_its_middle_on() {
    let rows = rows(0);
    println!("{}", table(&rows));
    for row in rows.iter().filter(|row| row.day >= 7) {
        assert!(row.planb.abs() <= 1_000, "after day {}: {}", row.day, row.planb);
    }
    let middle = rows.iter().find(|row| row.day == 15).unwrap();
    assert!(middle.planb.abs() <= 500, "{}", middle.planb);
    let held = rows.iter().filter(|row| row.holds()).count();
    assert!(held * 10 >= rows.len() * 8, "{held} of {}", rows.len());
    // Once weekends were seen, it is no worse than a straight line.
    let later = &rows[7..];
    assert!(mean(later, |row| row.planb) < mean(later, |row| row.straight));
    assert!(DOCS.contains(&table(&rows)), "docs/forecast.md has another table");
}

#[test]
fn a_period_after_two_recorded_weeks_is_foretold_within_a_tenth_from_its_first_day_on() {
    let rows = rows(14);
    println!("{}", table(&rows));
    for row in &rows {
        assert!(row.planb.abs() <= 1_000, "after day {}: {}", row.day, row.planb);
    }
    let held = rows.iter().filter(|row| row.holds()).count();
    assert!(held * 10 >= rows.len() * 8, "{held} of {}", rows.len());
    assert!(mean(&rows, |row| row.planb) * 2 < mean(&rows, |row| row.straight));
    assert!(DOCS.contains(&table(&rows)), "docs/forecast.md has another table");
}
