//! `planb spend --forecast`: what the running daemon expects of its budgets, and the usual week of each as a line of bars
//! a day.

use super::Format;
use crate::cli::{daemon_client, fail, print};
use crate::money::Money;
use crate::period::window::WEEKDAYS;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

pub fn run(state_dir: &Path, format: Format) -> ExitCode {
    match (daemon_client::get(state_dir, "/planb/forecast"), format) {
        (Err(error), _) => fail(error),
        (Ok(found), Format::Json) => {
            print(&format!("{found:#}\n"));
            ExitCode::SUCCESS
        }
        (Ok(found), Format::Table) => {
            print(&text(&found));
            ExitCode::SUCCESS
        }
        (Ok(_), _) => fail("a forecast is written as `--format table` or `--format json`"),
    }
}

fn text(found: &Value) -> String {
    let mut text = String::new();
    for forecast in list(&found["forecasts"]) {
        let (name, currency) = (word(&forecast["name"]), word(&forecast["currency"]));
        let hours = forecast["learned_hours"].as_u64().unwrap_or_default();
        let _ = writeln!(text, "{name}, learned from {hours} hours");
        for account in list(&forecast["accounts"]) {
            let _ = writeln!(text, "  {}", line(account, currency));
        }
        text.push_str(&week(&forecast["week"], currency));
        text.push('\n');
    }
    if text.is_empty() {
        return "nothing is known yet: forecasts begin when the first hour is over, and sliding windows have none\n"
            .to_owned();
    }
    text
}

fn line(account: &Value, currency: &str) -> String {
    let mut line = account["key"]
        .as_str()
        .map_or_else(String::new, |key| format!("{key}: "));
    let (spent, limit) = (word(&account["spent"]), word(&account["limit"]));
    let _ = write!(line, "{spent} of {limit} {currency} spent");
    let (end, out) = (&account["projected"], &account["runs_out"]);
    if end.is_object() {
        let (expected, low, high) = (word(&end["expected"]), word(&end["low"]), word(&end["high"]));
        let _ = write!(
            line,
            ", {expected} by {} ({low} to {high})",
            word(&account["period_end"])
        );
    }
    if let Some(at) = out["expected"].as_str() {
        let _ = write!(
            line,
            "; runs out {at} ({} to {})",
            word(&out["earliest"]),
            latest(&out["latest"])
        );
    } else if let Some(at) = out["earliest"].as_str() {
        let _ = write!(line, "; may run out from {at} on");
    }
    line
}

fn latest(at: &Value) -> &str {
    at.as_str().unwrap_or("later than this period")
}

/// A bar for each hour, as high as its share of the dearest hour of the week.
fn week(week: &Value, currency: &str) -> String {
    let day = |name: &str| -> Vec<i64> {
        let amount = |hour: &Value| Money::parse(word(hour)).unwrap_or_default().nanos();
        list(&week[name]).iter().map(amount).collect()
    };
    let days: Vec<(&str, Vec<i64>)> = WEEKDAYS.iter().map(|name| (*name, day(name))).collect();
    let most = days.iter().flat_map(|(_, hours)| hours).copied().max().unwrap_or(0);
    let bar = |hour: &i64| {
        let height = i128::from(*hour) * 7 / i128::from(most.max(1));
        BARS.get(usize::try_from(height).unwrap_or(0)).copied().unwrap_or(' ')
    };
    let mut text = format!("  an hour of the week, up to {} {currency}\n", Money::from_nanos(most));
    for (name, hours) in &days {
        let bars: String = hours.iter().map(bar).collect();
        let sum: Money = hours.iter().copied().map(Money::from_nanos).sum();
        let _ = writeln!(text, "  {name} {bars} {sum}");
    }
    text
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_budget_is_told_with_its_end_and_its_week() {
        let mut hours = vec!["0"; 24];
        hours[9] = "0.5";
        hours[10] = "1";
        let week = json!({"mon": hours, "sun": vec!["0.25"; 24]});
        let account = json!({"key": "search", "spent": "3", "limit": "10", "period_end": "2026-12-01T00:00:00.000Z",
            "projected": {"expected": "12", "low": "9", "high": "15"},
            "runs_out": {"expected": "2026-11-28T00:00:00.000Z", "earliest": "2026-11-26T00:00:00.000Z", "latest": null}});
        let found = json!({"forecasts": [{"name": "teams", "currency": "USD", "learned_hours": 400,
            "accounts": [account], "week": week}]});
        let text = text(&found);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "teams, learned from 400 hours");
        assert_eq!(
            lines[1],
            "  search: 3 of 10 USD spent, 12 by 2026-12-01T00:00:00.000Z (9 to 15); runs out 2026-11-28T00:00:00.000Z \
             (2026-11-26T00:00:00.000Z to later than this period)"
        );
        assert_eq!(lines[3], "  mon ▁▁▁▁▁▁▁▁▁▄█▁▁▁▁▁▁▁▁▁▁▁▁▁ 1.5");
        assert!(super::text(&json!({"forecasts": []})).starts_with("nothing is known yet"));
    }
}
