//! `planb licenses`: what was used under each licence in a month, against its terms as they were in force. Reads the
//! ledger's file, so that it answers while a daemon runs and when none does.

use super::spend::read_month;
use super::{StateArg, csv, fail, print};
use crate::ledger::FILE_NAME;
use crate::ledger::users::{LicenseUse, MOST_USERS, license_use};
use crate::license::{Count, License};
use crate::policy::snapshot::Snapshot;
use crate::policy::{Sources, compile};
use clap::{Args, ValueEnum};
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub struct LicensesArgs {
    /// A whole month of UTC, such as 2026-11 (default: this month)
    #[arg(long, value_parser = read_month)]
    month: Option<Date>,
    /// How to write it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    state: StateArg,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    /// Every column, with where each figure comes from
    Csv,
}

pub fn run(args: &LicensesArgs, now: Timestamp) -> ExitCode {
    match report(args, now) {
        Ok(text) => {
            print(&text);
            ExitCode::SUCCESS
        }
        Err(error) => fail(error),
    }
}

fn report(args: &LicensesArgs, now: Timestamp) -> Result<String, String> {
    let path = args.state.path().join(FILE_NAME);
    if !path.exists() {
        return Err(format!("there is no ledger at {}", path.display()));
    }
    let month = args.month.and_then(|first| first.to_zoned_datetime(TimeZone::UTC).ok());
    let at = month.map_or(now, |first| first.timestamp());
    let (used, policy) = license_use(&path, at).map_err(|error| error.to_string())?;
    let Some((hash, origin, text)) = policy else {
        return Err("no policy was in force by then: no daemon had run".to_owned());
    };
    let compiled = compile(&Sources::recorded(&origin, &text), now)
        .map_err(|_| format!("the policy {hash} that was in force is not sound for this version of planb"))?;
    let month = at.strftime("%Y-%m").to_string();
    let rows = rows(&compiled.snapshot, &used, &month, now);
    Ok(match args.format {
        Format::Table if rows.is_empty() => format!("no licence in the policy, and none used in {month}\n"),
        Format::Table => table(&rows),
        Format::Csv => {
            let mut text = csv::line(
                COLUMNS
                    .iter()
                    .map(|(name, _)| (*name).to_owned())
                    .chain(STAMP.map(str::to_owned)),
            );
            for row in &rows {
                let stamp = [hash.clone(), env!("CARGO_PKG_VERSION").to_owned(), format!("{now:.0}")];
                text.push_str(&csv::line(row.iter().cloned().chain(stamp)));
            }
            text
        }
    })
}

/// By name; the second says whether the table has it too.
const COLUMNS: [(&str, bool); 23] = [
    ("license", true),
    ("month", true),
    ("requests", true),
    ("attempts", false),
    ("input_tokens", true),
    ("output_tokens", true),
    ("spent", true),
    ("users_counted", true),
    ("users_declared", true),
    ("users_allowed", true),
    ("requests_without_user", true),
    ("seats_declared", false),
    ("seats_allowed", false),
    ("uses", true),
    ("uses_allowed", false),
    ("territories", true),
    ("territories_allowed", false),
    ("territories_excepted", false),
    ("expires", false),
    ("days_left", true),
    ("fee", true),
    ("holds", true),
    ("breach", false),
];

/// What makes a line of the CSV evidence: by which policy, by which planb, when.
const STAMP: [&str; 3] = ["policy", "planb", "written_at"];

/// Licences of the policy, used or not, and those that were used and are not in it any more.
fn rows(snapshot: &Snapshot, used: &[LicenseUse], month: &str, now: Timestamp) -> Vec<Vec<String>> {
    let empty = |name: &str| LicenseUse {
        license: name.to_owned(),
        ..LicenseUse::default()
    };
    let of = |name: &str| {
        used.iter()
            .find(|one| one.license == name)
            .cloned()
            .unwrap_or_else(|| empty(name))
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    for license in &snapshot.licenses {
        rows.push(row(&of(&license.name), Some(license), snapshot, month, now));
    }
    let known = |name: &str| snapshot.licenses.iter().any(|license| *license.name == *name);
    for one in used.iter().filter(|one| !known(&one.license)) {
        rows.push(row(one, None, snapshot, month, now));
    }
    rows
}

fn row(used: &LicenseUse, license: Option<&License>, snapshot: &Snapshot, month: &str, now: Timestamp) -> Vec<String> {
    let number = |number: Option<u64>| number.map_or_else(String::new, |number| number.to_string());
    let users = license.and_then(|license| license.users).unwrap_or_default();
    let seats = license.and_then(|license| license.seats).unwrap_or_default();
    let places =
        |places: &[crate::license::Territory]| places.iter().map(|place| place.code()).collect::<Vec<_>>().join(" ");
    let spent = used
        .spent
        .iter()
        .map(|(currency, amount)| format!("{amount} {currency}"));
    let breach = license.and_then(|license| breach(license, used, users, now));
    let counted = if used.users >= MOST_USERS {
        format!("{MOST_USERS}+")
    } else {
        used.users.to_string()
    };
    let term = |of: &dyn Fn(&License) -> Option<String>| license.and_then(of).unwrap_or_default();
    vec![
        used.license.clone(),
        month.to_owned(),
        used.requests.to_string(),
        used.attempts.to_string(),
        used.input.to_string(),
        used.output.to_string(),
        spent.collect::<Vec<_>>().join(" + "),
        counted,
        number(users.declared),
        number(users.max),
        used.unnamed.to_string(),
        number(seats.declared),
        number(seats.max),
        used.uses.join(" "),
        term(&|license| Some(license.uses.to_string().replace(',', ""))),
        used.territories.join(" "),
        term(&|license| Some(places(&license.territories))),
        term(&|license| Some(places(&license.except_territories))),
        term(&|license| Some(license.term?.last_day.to_string())),
        term(&|license| Some(license.days_left(now, &snapshot.timezone)?.to_string())),
        term(&|license| Some(license.fee?.to_string())),
        (if license.is_none() {
            "unknown"
        } else if breach.is_some() {
            "NO"
        } else {
            "yes"
        })
        .to_owned(),
        breach.unwrap_or_else(|| {
            (if license.is_none() {
                "not in the policy any more"
            } else {
                ""
            })
            .to_owned()
        }),
    ]
}

/// What of the terms is not met now, by what was declared and by what was counted.
fn breach(license: &License, used: &LicenseUse, users: Count, now: Timestamp) -> Option<String> {
    if let Err(breach) = license.holds(now) {
        return Some(breach.to_string());
    }
    let counted = used.users.unsigned_abs();
    users
        .max
        .filter(|max| counted > *max)
        .map(|max| format!("holds up to {max} users a month, and {counted} were counted"))
}

fn table(rows: &[Vec<String>]) -> String {
    let shown = |row: &[String]| -> Vec<String> {
        let cells = row.iter().zip(&COLUMNS).filter(|(_, (_, shown))| *shown);
        cells.map(|(cell, _)| cell.clone()).collect()
    };
    let header: Vec<String> = COLUMNS.iter().map(|(name, _)| name.replace('_', " ")).collect();
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(shown(&header));
    table.add_rows(rows.iter().map(|row| shown(row)));
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    let mut text = lines.join("\n") + "\n";
    for row in rows {
        if let (Some(name), Some(breach)) = (row.first(), row.last().filter(|breach| !breach.is_empty())) {
            text.push_str(&format!("{name}: {breach}\n"));
        }
    }
    text
}
