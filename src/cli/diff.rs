//! `planb diff OLD NEW`: what a policy edit changes, in words.
//!
//! Reads two policies and asks nobody. Both must be sound: what a broken one would do, nobody can say.

use super::{fail, print};
use crate::daemon::projection::{shown, traffic};
use crate::ledger::FILE_NAME;
use crate::ledger::decided::sample_in;
use crate::money::Currency;
use crate::policy::diff::{self, Change};
use crate::policy::snapshot::Snapshot;
use crate::policy::{Diagnostic, compile};
use crate::rehearse::{Projection, project};
use crate::watch::read_sources;
use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Something could not be read; 1 is for `--exit-code`.
const TROUBLE: u8 = 2;
/// More recorded requests make it slower, and hardly another figure.
const MOST: u32 = 100_000;

#[derive(Args, Clone, Debug)]
pub struct DiffArgs {
    /// The policy as it is: a file, or a directory of files
    old: PathBuf,
    /// The policy as it shall be
    new: PathBuf,
    /// Also decide recorded requests again under both: a ledger's file, or a state directory
    #[arg(long, value_name = "LEDGER")]
    traffic: Option<PathBuf>,
    /// How many days of it
    #[arg(long, default_value_t = 30)]
    days: u16,
    /// How to write it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// End with exit code 1 where the two differ
    #[arg(long)]
    exit_code: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

pub fn run(args: &DiffArgs) -> ExitCode {
    let (old, new) = match (sound(&args.old), sound(&args.new)) {
        (Ok(old), Ok(new)) => (old, new),
        (old, new) => {
            for trouble in [old.err(), new.err()].into_iter().flatten() {
                let _ = fail(trouble);
            }
            return ExitCode::from(TROUBLE);
        }
    };
    let changes = diff::changes(&old, &new);
    let currency = new.currency;
    let projection = match &args.traffic {
        None => None,
        Some(path) => match projection(path, args.days, old, new) {
            Ok(projection) => Some(projection),
            Err(trouble) => {
                let _ = fail(trouble);
                return ExitCode::from(TROUBLE);
            }
        },
    };
    match args.format {
        Format::Text => {
            print(&text(&changes));
            if let Some(projection) = &projection {
                print(&moved(projection, currency));
            }
        }
        Format::Json => {
            let traffic = projection.as_ref().map(|projection| {
                let mut shown = shown(projection, currency.code());
                let moves = projection.moves.iter();
                let moves = moves.map(|(from, to, requests)| json!({"from": from, "to": to, "requests": requests}));
                shown["moves"] = moves.collect();
                shown
            });
            print(&format!(
                "{:#}\n",
                json!({"changes": listed(&changes), "traffic": traffic})
            ));
        }
    }
    if args.exit_code && !changes.is_empty() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn projection(path: &Path, days: u16, old: Snapshot, new: Snapshot) -> Result<Projection, String> {
    let file = if path.is_dir() {
        path.join(FILE_NAME)
    } else {
        path.to_owned()
    };
    if !file.exists() {
        return Err(format!("there is no ledger at {}", file.display()));
    }
    if old.currency != new.currency {
        return Err(format!(
            "the old policy reckons in {} and the new one in {}: what requests cost under both cannot be compared",
            old.currency, new.currency
        ));
    }
    let now = Timestamp::now();
    let since = now.saturating_sub(SignedDuration::from_hours(24 * i64::from(days)));
    let since = since.unwrap_or(Timestamp::UNIX_EPOCH);
    let recorded = sample_in(&file, since, MOST).map_err(|error| error.to_string())?;
    let found = project(&Arc::new(old), &Arc::new(new), &traffic(recorded), now, &mut || true);
    found.ok_or_else(|| {
        format!(
            "{} has no requests of the last {days} days to decide again",
            file.display()
        )
    })
}

fn moved(projection: &Projection, currency: Currency) -> String {
    let Projection {
        requests,
        of,
        moved,
        before,
        after,
        ..
    } = projection;
    let taken = match of.checked_sub(*requests as u64) {
        None | Some(0) => String::new(),
        Some(_) => format!(", taken evenly from {of},"),
    };
    let mut text = format!("\nof {requests} recorded requests{taken} {moved} move\n");
    for (from, to, count) in &projection.moves {
        let _ = writeln!(text, "  {count:>8}  {from} -> {to}");
    }
    let month = projection.monthly_change;
    let _ = writeln!(
        text,
        "they would cost {after} {currency} and not {before}: {month} {currency} a month"
    );
    text
}

fn sound(path: &Path) -> Result<Snapshot, String> {
    let sources = read_sources(Some(path)).map_err(|error| error.to_string())?;
    let compiled = compile(&sources, jiff::Timestamp::now()).map_err(|found| {
        let errors = found.iter().filter(|found| found.is_error());
        let listed: Vec<String> = errors.map(Diagnostic::to_string).collect();
        format!("{} is no sound policy\n{}", path.display(), listed.join("\n\n"))
    })?;
    Ok(compiled.snapshot)
}

fn text(changes: &[Change]) -> String {
    if changes.is_empty() {
        return "nothing changes\n".to_owned();
    }
    changes.iter().fold(String::new(), |mut text, change| {
        let _ = writeln!(text, "{change}");
        text
    })
}

fn listed(changes: &[Change]) -> Vec<Value> {
    let one = |change: &Change| {
        let mut value = json!(change);
        value["text"] = json!(change.to_string());
        value
    };
    changes.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(folder: &Path, name: &str, limit: &str) -> PathBuf {
        let text = include_str!("../../policies/quickstart.yaml").replace("limit: 20 USD", limit);
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn an_edit_is_told_and_its_exit_code_is_the_callers_wish() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (
            policy(folder.path(), "a.yaml", "limit: 20 USD"),
            policy(folder.path(), "b.yaml", "limit: 30 USD"),
        );
        let changes = diff::changes(&sound(&old).unwrap(), &sound(&new).unwrap());
        assert_eq!(text(&changes), "budget month: limit is 30 USD, was 20 USD (+50 %)\n");
        assert_eq!(listed(&changes)[0]["after"], "30 USD");
        let args = |exit_code| DiffArgs {
            old: old.clone(),
            new: new.clone(),
            traffic: None,
            days: 30,
            format: Format::Json,
            exit_code,
        };
        assert_eq!(run(&args(false)), ExitCode::SUCCESS);
        assert_eq!(run(&args(true)), ExitCode::FAILURE);
    }

    #[test]
    fn of_two_currencies_it_is_said_that_they_cannot_be_compared() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path().join(FILE_NAME);
        std::fs::write(&ledger, "").unwrap();
        let in_currency = |name: &str, currency: &str| {
            let text = "
providers: {q: {vendor: llama.cpp}}
models: {m: {provider: q, supply: local}}
routes: [{name: chat, try: [m]}]
";
            let path = folder.path().join(name);
            std::fs::write(&path, format!("currency: {currency}{text}")).unwrap();
            sound(&path).unwrap()
        };
        let (old, new) = (in_currency("a.yaml", "USD"), in_currency("b.yaml", "EUR"));
        let told = projection(&ledger, 30, old, new).unwrap_err();
        assert!(
            told.starts_with("the old policy reckons in USD and the new one in EUR"),
            "{told}"
        );
    }

    #[test]
    fn a_policy_that_is_not_sound_is_trouble_and_shown_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("broken.yaml");
        std::fs::write(&path, "routs: []\n").unwrap();
        let told = sound(&path).unwrap_err();
        assert!(told.contains("did you mean `routes`?"), "{told}");
    }
}
