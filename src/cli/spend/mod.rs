//! `planb spend`: what was spent, by model, provider, supply, route, client, tag or time. Reads the ledger's file, so
//! that it answers while a daemon runs and when none does.

mod chart;
mod fleet;
mod focus;
mod forecast;
mod table;

use crate::ledger::FILE_NAME;
use crate::ledger::LedgerError;
use crate::ledger::charges::{charges, fee_days};
use crate::ledger::spend::{By, Only, SpendQuery, spend};
use crate::period::Period;
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::path::Path;
use std::process::ExitCode;

#[derive(Args, Clone, Debug)]
pub struct SpendArgs {
    /// One line per: model, provider, supply, route, client, tag.NAME, use, territory, mirror, hour, day or month
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
    /// Only this route
    #[arg(long, value_name = "NAME")]
    pub route: Option<String>,
    /// Only this client
    #[arg(long, value_name = "NAME")]
    pub client: Option<String>,
    /// Only what has this tag; may be given several times. `NAME=` is what has none of that name
    #[arg(long, value_name = "NAME=VALUE", value_parser = read_tag)]
    pub tag: Vec<(String, String)>,
    /// What is ahead instead: where the running daemon's budgets will be at their end, when their money runs out, and what
    /// usually burns in each hour of the week (as a table or JSON)
    #[arg(long, conflicts_with_all = ["by", "month", "since", "until", "route", "client", "tag"])]
    pub forecast: bool,
    /// The sums of the running daemon's whole fleet instead: each budget by daemon, as the database has them (as a table or
    /// JSON). Without it the figures are this daemon's own
    #[arg(long, conflicts_with_all = ["by", "month", "since", "until", "route", "client", "tag", "forecast"])]
    pub fleet: bool,
    /// How to write it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Csv,
    Json,
    /// The columns of the FinOps cost export, FOCUS 1.2, as CSV: a line for each charge of a day, or of an hour with `--by hour`
    Focus,
    /// Bars
    Chart,
}

pub fn run(state_dir: &Path, args: &SpendArgs, now: Timestamp) -> ExitCode {
    if args.forecast {
        return forecast::run(state_dir, args.format);
    }
    if args.fleet {
        return fleet::run(state_dir, args.format);
    }
    let path = state_dir.join(FILE_NAME);
    if !path.exists() {
        return super::fail(format_args!(
            "there is no ledger at {}: no daemon has run with this state directory",
            path.display()
        ));
    }
    match text(&path, &args.query(now), args.format) {
        Ok(text) => {
            super::print(&text);
            ExitCode::SUCCESS
        }
        Err(error) => super::fail(error),
    }
}

/// The whole output, with its last line's end.
fn text(path: &Path, query: &SpendQuery, format: Format) -> Result<String, LedgerError> {
    Ok(match format {
        Format::Focus => focus::csv(&charges(path, query)?, &fee_days(path, query)?),
        Format::Table => table::table(&spend(path, query)?, query),
        Format::Csv => table::csv(&spend(path, query)?, query),
        Format::Json => table::json(&spend(path, query)?, query),
        Format::Chart => chart::chart(&spend(path, query)?, query, chart::Paper::of_standard_output()),
    })
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
            only: Only {
                route: self.route.clone(),
                client: self.client.clone(),
                tags: self.tag.clone(),
            },
        }
    }
}

fn heading(by: &By) -> String {
    match by {
        By::Tag(name) => format!("tag.{name}"),
        other => WORDS
            .iter()
            .find(|(_, by)| by == other)
            .map_or("", |(word, _)| word)
            .to_owned(),
    }
}

const WORDS: [(&str, By); 11] = [
    ("model", By::Model),
    ("provider", By::Provider),
    ("supply", By::Supply),
    ("route", By::Route),
    ("client", By::Client),
    ("use", By::Use),
    ("territory", By::Territory),
    ("mirror", By::Mirror),
    ("hour", By::Hour),
    ("day", By::Day),
    ("month", By::Month),
];

fn day(at: Timestamp) -> String {
    at.to_zoned_datetime(TimeZone::UTC).date().to_string()
}

fn read_by(text: &str) -> Result<By, String> {
    if let Some(name) = text.strip_prefix("tag.").filter(|name| !name.is_empty()) {
        return Ok(By::Tag(name.to_owned()));
    }
    let found = WORDS.into_iter().find(|(word, _)| *word == text);
    found.map(|(_, by)| by).ok_or_else(|| {
        let words = WORDS.map(|(word, _)| word).join(", ");
        format!("expected tag.NAME or one of {words}")
    })
}

fn read_tag(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE, such as team=search".to_owned()),
    }
}

pub fn read_month(text: &str) -> Result<Date, String> {
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

    #[test]
    fn the_default_is_this_month_of_utc_by_model() {
        let query = query(&[]);
        assert_eq!(query.by, By::Model);
        assert_eq!(query.since.to_string(), "2026-11-01T00:00:00Z");
        assert_eq!(query.until.to_string(), "2026-12-01T00:00:00Z");
        assert!(query.only.is_everything());
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
            ["--tag", "team"],
        ] {
            assert!(Cli::try_parse_from(["spend", wrong[0], wrong[1]]).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn filters_are_read_and_every_word_of_by_is_its_own_heading() {
        let only = query(&["--route", "chat", "--tag", "team=search", "--tag", "app="]).only;
        assert_eq!(only.route.as_deref(), Some("chat"));
        assert_eq!(
            only.tags,
            [("team", "search"), ("app", "")].map(|(a, b)| (a.to_owned(), b.to_owned()))
        );
        for (word, by) in WORDS {
            assert_eq!((heading(&by).as_str(), read_by(word)), (word, Ok(by)));
        }
    }
}
