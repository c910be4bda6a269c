//! `planb ledger check|bill|reconcile|compact|backup|export`: the books proven, a bill rebuilt, an invoice compared, the file
//! made smaller, saved, and handed to other tools.

use super::bill::{self, BillArgs};
use super::reconcile::{self, ReconcileArgs};
use super::serve::months;
use super::spend::read_instant;
use super::{StateArg, csv, fail, print};
use crate::daemon::state_dir::StateDir;
use crate::ledger::FILE_NAME;
use crate::ledger::compact::{compact_by_hand, kept_since};
use crate::ledger::copy::{Rows, back_up, export};
use crate::ledger::verify::verify;
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub struct LedgerArgs {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    state: StateArg,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Prove that the file is whole and that every sum in it is the sum of its parts
    Check,
    /// Rebuild a past month's bill from recorded usage and rates, and list what differs
    Bill(BillArgs),
    /// Compare a vendor's invoice with what was recorded. Exit code: 0 no difference, 1 differences, 2 not comparable
    Reconcile(ReconcileArgs),
    /// Fold old attempts into one row for each hour and kind, and give their space back; sums stay as they are
    Compact {
        /// Months whose attempts are kept one by one, 13 at least
        #[arg(long, value_name = "MONTHS", env = "PLANB_KEEP", value_parser = months())]
        keep: u32,
    },
    /// Copy the whole ledger, beside a running daemon too
    Backup {
        /// The new file
        file: PathBuf,
    },
    /// Write rows to standard output, oldest first
    Export {
        /// Which rows
        #[arg(value_enum, default_value_t = What::Attempts)]
        what: What,
        /// From this day or instant (UTC)
        #[arg(long, value_parser = read_instant)]
        since: Option<Timestamp>,
        /// Up to this day or instant (UTC), itself left out
        #[arg(long, value_parser = read_instant)]
        until: Option<Timestamp>,
        /// How to write them
        #[arg(long, value_enum, default_value_t = Format::Csv)]
        format: Format,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    Attempts,
    Decisions,
    Plans,
    Events,
    /// Requests that were turned away before there was a decision
    Refusals,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Csv,
    /// One JSON object a line
    Jsonl,
}

pub fn run(args: &LedgerArgs) -> ExitCode {
    let path = args.state.path().join(FILE_NAME);
    // That has an exit code of its own for it.
    if !path.exists() && !matches!(args.action, Action::Reconcile(_)) {
        return fail(format_args!("there is no ledger at {}", path.display()));
    }
    match &args.action {
        Action::Check => check(&path),
        Action::Bill(args) => bill::run(&path, args),
        Action::Reconcile(asked) => reconcile::run(&args.state.path(), asked, Timestamp::now()),
        Action::Compact { keep } => compact(&args.state.path(), &path, *keep),
        Action::Backup { file } => match back_up(&path, file) {
            Ok(()) => {
                println!("{} is a whole copy of {}", file.display(), path.display());
                ExitCode::SUCCESS
            }
            Err(error) => fail(error),
        },
        Action::Export {
            what,
            since,
            until,
            format,
        } => {
            let span = (since.unwrap_or(Timestamp::MIN), until.unwrap_or(Timestamp::MAX));
            write(&path, *what, span, *format)
        }
    }
}

fn compact(state: &Path, path: &Path, months: u32) -> ExitCode {
    let Some(before) = kept_since(months, Timestamp::now()) else {
        return fail("there is no such month");
    };
    let size = || path.metadata().map_or(0, |about| about.len());
    let (alone, was) = (StateDir::open(state), size());
    let folded = match compact_by_hand(path, before, alone.is_ok()) {
        Ok(folded) => folded,
        Err(error) => return fail(error),
    };
    println!(
        "{} attempts from before {} are {} rows now, {} decisions are gone; {} bytes, {} before",
        folded.attempts,
        before.strftime("%Y-%m-%d"),
        folded.remaining,
        folded.decisions,
        size(),
        was
    );
    ExitCode::SUCCESS
}

fn check(path: &Path) -> ExitCode {
    let proofs = match verify(path) {
        Ok(proofs) => proofs,
        Err(error) => return fail(error),
    };
    let mut text = String::new();
    for proof in &proofs {
        let mark = if proof.broken.is_empty() { "ok    " } else { "BROKEN" };
        let _ = writeln!(text, "{mark}  {}", proof.promise);
        for place in &proof.broken {
            let _ = writeln!(text, "        {place}");
        }
    }
    print(&text);
    if proofs.iter().all(|proof| proof.broken.is_empty()) {
        return ExitCode::SUCCESS;
    }
    fail("the ledger does not add up: keep the file as it is, take a backup, and do not trust its sums")
}

fn write(path: &Path, what: What, (since, until): (Timestamp, Timestamp), format: Format) -> ExitCode {
    let rows = match what {
        What::Attempts => Rows::Attempts,
        What::Decisions => Rows::Decisions,
        What::Plans => Rows::Plans,
        What::Events => Rows::Events,
        What::Refusals => Rows::Refusals,
    };
    let mut out = BufWriter::new(std::io::stdout());
    let mut begun = false;
    let written = export(path, rows, since, until, |names, values| {
        let text = match format {
            Format::Jsonl => {
                let row: Map<String, Value> = names.iter().cloned().zip(values).collect();
                format!("{}\n", Value::Object(row))
            }
            Format::Csv => {
                let row = csv::line(values.iter().map(cell));
                if begun {
                    row
                } else {
                    csv::line(names.iter().cloned()) + &row
                }
            }
        };
        begun = true;
        // A reader that has gone away (`| head`) is no failure.
        let _ = out.write_all(text.as_bytes());
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(error),
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
