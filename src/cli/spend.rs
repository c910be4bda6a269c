//! `planb spend`: what was spent, by model, provider, supply, route, client, tag or day. Reads the ledger's file, so
//! that it answers while a daemon runs and when none does.

use super::csv;
use crate::ledger::FILE_NAME;
use crate::ledger::spend::{By, Spend, SpendQuery, SpendRow, spend};
use crate::period::Period;
use clap::{Args, ValueEnum};
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::path::Path;
use std::process::ExitCode;

#[derive(Args, Clone, Debug)]
pub struct SpendArgs {
    /// One line per: model, provider, supply, route, client, day, or tag.NAME
    #[arg(long, default_value = "model", value_parser = read_by)]
    pub by: By,
    /// A whole month of UTC, such as 2026-11 (default: this month)
    #[arg(long, value_parser = read_month, conflicts_with_all = ["since", "until"])]
    pub month: Option<Date>,
    /// From this day or instant (UTC)
    #[arg(long, value_parser = read_instant)]
    pub since: Option<Timestamp>,
    /// Up to this day or instant (UTC), itself left out
    #[arg(long, value_parser = read_instant)]
    pub until: Option<Timestamp>,
    /// How to write it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Csv,
    Json,
}

pub fn run(state_dir: &Path, args: &SpendArgs, now: Timestamp) -> ExitCode {
    let path = state_dir.join(FILE_NAME);
    if !path.exists() {
        eprintln!(
            "planb: there is no ledger at {}: no daemon has run with this state directory",
            path.display()
        );
        return ExitCode::FAILURE;
    }
    let query = args.query(now);
    match spend(&path, &query) {
        Ok(spend) => {
            print!("{}", render(&spend, &query, args.format));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("planb: {error}");
            ExitCode::FAILURE
        }
    }
}

impl SpendArgs {
    fn query(&self, now: Timestamp) -> SpendQuery {
        let month = self.month.and_then(|first| first.to_zoned_datetime(TimeZone::UTC).ok());
        let span = Period::Month.span(month.map_or(now, |first| first.timestamp()), &TimeZone::UTC);
        SpendQuery {
            by: self.by.clone(),
            since: self.since.unwrap_or(span.start),
            until: self
                .until
                .unwrap_or(if self.since.is_some() { Timestamp::MAX } else { span.end }),
        }
    }
}

/// The whole output, with its last line's end.
pub fn render(spend: &Spend, query: &SpendQuery, format: Format) -> String {
    match format {
        Format::Table => table(spend, query),
        Format::Csv => table_as_csv(spend, query),
        Format::Json => json(spend, query),
    }
}

const COLUMNS: [&str; 10] = [
    "requests",
    "attempts",
    "input",
    "cached",
    "output",
    "posted",
    "held",
    "currency",
    "estimated",
    "share",
];

fn table(spend: &Spend, query: &SpendQuery) -> String {
    if spend.rows.is_empty() {
        return format!("nothing recorded from {} to {}\n", day(query.since), day(query.until));
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(std::iter::once(heading(&query.by)).chain(COLUMNS.map(str::to_owned)));
    for row in spend.rows.iter().chain(&spend.totals) {
        table.add_row(cells(row, spend, "%"));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n") + "\n"
}

fn table_as_csv(spend: &Spend, query: &SpendQuery) -> String {
    let header = std::iter::once(heading(&query.by)).chain(COLUMNS.map(str::to_owned));
    let mut text = csv::line(header);
    for row in spend.rows.iter().chain(&spend.totals) {
        text.push_str(&csv::line(cells(row, spend, "").into_iter()));
    }
    text
}

fn json(spend: &Spend, query: &SpendQuery) -> String {
    let row = |row: &SpendRow| {
        serde_json::json!({
            "name": row.name, "requests": row.requests, "attempts": row.attempts,
            "input": row.input, "cached": row.cached, "output": row.output,
            "posted": row.posted.to_string(), "held": row.held.to_string(), "currency": row.currency,
            "estimated": estimated(row), "share": share(row, spend),
        })
    };
    let value = serde_json::json!({
        "by": heading(&query.by),
        "since": query.since.to_string(),
        "until": query.until.to_string(),
        "rows": spend.rows.iter().map(row).collect::<Vec<_>>(),
        "totals": spend.totals.iter().map(row).collect::<Vec<_>>(),
    });
    format!("{value:#}\n")
}

fn heading(by: &By) -> String {
    match by {
        By::Model => "model".to_owned(),
        By::Provider => "provider".to_owned(),
        By::Supply => "supply".to_owned(),
        By::Route => "route".to_owned(),
        By::Client => "client".to_owned(),
        By::Day => "day".to_owned(),
        By::Tag(name) => format!("tag.{name}"),
    }
}

fn cells(row: &SpendRow, spend: &Spend, percent: &str) -> Vec<String> {
    let share_cell = |share: f64| format!("{:.1}{percent}", share * 100.0);
    vec![
        row.name.clone(),
        row.requests.to_string(),
        row.attempts.to_string(),
        row.input.to_string(),
        row.cached.to_string(),
        row.output.to_string(),
        row.posted.to_string(),
        row.held.to_string(),
        row.currency.clone(),
        share_cell(estimated(row)),
        share_cell(share(row, spend)),
    ]
}

/// The share of `posted` that rests on planb's own count.
fn estimated(row: &SpendRow) -> f64 {
    if row.posted.nanos() == 0 {
        0.0
    } else {
        row.estimated.share_of(row.posted)
    }
}

/// The row's share of its currency's total, held money included.
fn share(row: &SpendRow, spend: &Spend) -> f64 {
    let total = spend.totals.iter().find(|total| total.currency == row.currency);
    let total = total.map_or(row.posted.plus(row.held), |total| total.posted.plus(total.held));
    if total.nanos() == 0 {
        0.0
    } else {
        row.posted.plus(row.held).share_of(total)
    }
}

fn day(at: Timestamp) -> String {
    at.to_zoned_datetime(TimeZone::UTC).date().to_string()
}

fn read_by(text: &str) -> Result<By, String> {
    match text {
        "model" => Ok(By::Model),
        "provider" => Ok(By::Provider),
        "supply" => Ok(By::Supply),
        "route" => Ok(By::Route),
        "client" => Ok(By::Client),
        "day" => Ok(By::Day),
        other => match other.strip_prefix("tag.") {
            Some(name) if !name.is_empty() => Ok(By::Tag(name.to_owned())),
            _ => Err("expected model, provider, supply, route, client, day or tag.NAME".to_owned()),
        },
    }
}

fn read_month(text: &str) -> Result<Date, String> {
    let first = format!("{text}-01");
    first.parse().map_err(|_| "expected a month such as 2026-11".to_owned())
}

pub fn read_instant(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let date: Date = text
        .parse()
        .map_err(|_| "expected a day such as 2026-11-23 or an RFC 3339 time".to_owned())?;
    let midnight = date
        .to_zoned_datetime(TimeZone::UTC)
        .map_err(|error| error.to_string())?;
    Ok(midnight.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Money;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        spend: SpendArgs,
    }

    fn query(words: &[&str]) -> SpendQuery {
        let args = Cli::try_parse_from(std::iter::once(&"spend").chain(words))
            .unwrap()
            .spend;
        args.query("2026-11-23T12:00:00Z".parse().unwrap())
    }

    fn row(name: &str, posted: &str, estimated: &str) -> SpendRow {
        let money = |text| Money::parse(text).unwrap();
        SpendRow {
            name: name.to_owned(),
            currency: "USD".to_owned(),
            requests: 2,
            attempts: 3,
            input: 1000,
            cached: 10,
            output: 200,
            posted: money(posted),
            held: money("0"),
            estimated: money(estimated),
        }
    }

    fn sample() -> Spend {
        Spend {
            rows: vec![row("a,\"b", "0.75", "0.075"), row("c", "0.25", "0")],
            totals: vec![row("total", "1", "0.075")],
        }
    }

    #[test]
    fn the_default_is_this_month_of_utc_by_model() {
        let query = query(&[]);
        assert_eq!(query.by, By::Model);
        assert_eq!(query.since.to_string(), "2026-11-01T00:00:00Z");
        assert_eq!(query.until.to_string(), "2026-12-01T00:00:00Z");
    }

    #[test]
    fn months_days_and_instants_are_read() {
        assert_eq!(query(&["--month", "2026-02"]).until.to_string(), "2026-03-01T00:00:00Z");
        let days = query(&[
            "--since",
            "2026-11-02",
            "--until",
            "2026-11-03T06:00:00Z",
            "--by",
            "tag.team",
        ]);
        assert_eq!(days.since.to_string(), "2026-11-02T00:00:00Z");
        assert_eq!(days.until.to_string(), "2026-11-03T06:00:00Z");
        assert_eq!(days.by, By::Tag("team".to_owned()));
        for wrong in [
            ["--month", "2026-13"],
            ["--by", "colour"],
            ["--since", "soon"],
            ["--by", "tag."],
        ] {
            assert!(Cli::try_parse_from(["spend", wrong[0], wrong[1]]).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_table_has_a_line_each_and_a_total() {
        let table = render(&sample(), &query(&[]), Format::Table);
        assert_eq!(table.lines().count(), 4, "{table}");
        assert!(
            table.lines().nth(1).unwrap().contains("10.0%"),
            "estimated share\n{table}"
        );
        assert!(
            table.lines().nth(1).unwrap().ends_with("75.0%"),
            "share of the total\n{table}"
        );
        assert!(
            table.lines().nth(3).unwrap().trim_start().starts_with("total"),
            "{table}"
        );
        assert!(render(&Spend::default(), &query(&[]), Format::Table).starts_with("nothing recorded"));
    }

    #[test]
    fn csv_quotes_what_needs_it() {
        let csv = render(&sample(), &query(&[]), Format::Csv);
        assert!(
            csv.contains("\r\n\"a,\"\"b\",2,3,1000,10,200,0.75,0,USD,10.0,75.0\r\n"),
            "{csv}"
        );
    }

    #[test]
    fn json_keeps_money_as_decimal_text() {
        let json: serde_json::Value = serde_json::from_str(&render(&sample(), &query(&[]), Format::Json)).unwrap();
        assert_eq!(json["rows"][0]["posted"], "0.75");
        assert_eq!(json["totals"][0]["currency"], "USD");
    }
}
