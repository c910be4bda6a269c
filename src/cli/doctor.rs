//! `planb doctor`: is everything in order on this machine? Looks, changes nothing, and says what to do.

use super::{StateArg, check, daemon_client, print};
use crate::daemon::state_dir;
use crate::ledger::FILE_NAME;
use crate::ledger::verify::verify;
use crate::policy;
use crate::watch::read_sources;
use clap::Args;
use jiff::Timestamp;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The policy to look at [default: the one that `planb serve` would take]
    #[arg(long, value_name = "FILE-OR-DIR", env = "PLANB_POLICY")]
    policy: Option<PathBuf>,
    #[command(flatten)]
    state: StateArg,
}

/// One thing that was looked at.
struct Found {
    what: &'static str,
    state: State,
    says: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Fine,
    /// Right, and worth knowing.
    Note,
    Wrong,
}

const fn found(what: &'static str, state: State, says: String) -> Found {
    Found { what, state, says }
}

pub fn run(args: &DoctorArgs, now: Timestamp) -> ExitCode {
    let state = args.state.path();
    let mut all = vec![directory(&state)];
    all.extend(ledger(&state));
    all.extend(daemon(&state));
    all.extend(policy(args.policy.as_deref(), now));
    let mut text = String::new();
    for one in &all {
        let mark = match one.state {
            State::Fine => "ok",
            State::Note => "note",
            State::Wrong => "WRONG",
        };
        let _ = writeln!(text, "{mark:<6}{:<10}{}", one.what, one.says);
    }
    print(&text);
    if all.iter().any(|one| one.state == State::Wrong) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn directory(state: &Path) -> Found {
    let what = "state";
    let shown = state.display();
    match state.metadata() {
        Err(_) => found(
            what,
            State::Note,
            format!("{shown} is not there yet; `planb serve` makes it"),
        ),
        Ok(about) if !about.is_dir() => found(what, State::Wrong, format!("{shown} is no directory")),
        Ok(about) if about.permissions().mode() & 0o077 != 0 => {
            let says = format!("others may look into {shown}, where the admin token is: chmod 700 {shown}");
            found(what, State::Wrong, says)
        }
        Ok(_) => found(what, State::Fine, format!("{shown} is this user's alone")),
    }
}

fn ledger(state: &Path) -> Option<Found> {
    let path = state.join(FILE_NAME);
    path.exists().then(|| match verify(&path) {
        Err(error) => found("ledger", State::Wrong, error.to_string()),
        Ok(proofs) => {
            let broken = proofs.iter().filter(|proof| !proof.broken.is_empty()).count();
            if broken == 0 {
                let says = format!("{} holds all of its {} promises", path.display(), proofs.len());
                found("ledger", State::Fine, says)
            } else {
                let says = format!("{broken} of {} promises are broken: planb ledger check", proofs.len());
                found("ledger", State::Wrong, says)
            }
        }
    })
}

fn daemon(state: &Path) -> Vec<Found> {
    let Some(address) = state_dir::running(state) else {
        return vec![found(
            "daemon",
            State::Note,
            "none runs with this state directory".to_owned(),
        )];
    };
    let status = match daemon_client::get(state, "/planb/status") {
        Ok(status) => status,
        Err(error) => return vec![found("daemon", State::Wrong, error)],
    };
    let version = status["version"].as_str().unwrap_or_default();
    let here = env!("CARGO_PKG_VERSION");
    let mut all = vec![if version == here {
        found("daemon", State::Fine, format!("{version} answers at {}", address.url))
    } else {
        found(
            "daemon",
            State::Note,
            format!("{version} answers at {}, and this is {here}", address.url),
        )
    }];
    if !status["policy"]["rejected"].is_null() {
        let says = "the last edit was rejected and an earlier policy is in force: planb check".to_owned();
        all.push(found("policy", State::Wrong, says));
    }
    if status["ledger"]["state"] != "ok" {
        let says = format!("the daemon says {}", status["ledger"]);
        all.push(found("ledger", State::Wrong, says));
    }
    all.push(match daemon_client::get(state, "/planb/proof") {
        Ok(proof) if proof["proven"] == true => {
            let says = format!(
                "every sum is that of its {} open reservations",
                proof["open_reservations"]
            );
            found("books", State::Fine, says)
        }
        Ok(proof) => found(
            "books",
            State::Wrong,
            proof["violation"].as_str().unwrap_or_default().to_owned(),
        ),
        Err(error) => found("books", State::Wrong, error),
    });
    let providers = status["providers"].as_array().map(Vec::as_slice).unwrap_or_default();
    for provider in providers
        .iter()
        .filter(|provider| provider["state"] == "down" || provider["state"] == "no_credential")
    {
        let word = |key: &str| provider[key].as_str().unwrap_or_default().to_owned();
        all.push(found(
            "provider",
            State::Wrong,
            format!("{} is {}: {}", word("name"), word("state"), word("reason")),
        ));
    }
    all
}

fn policy(asked: Option<&Path>, now: Timestamp) -> Vec<Found> {
    let default = state_dir::default_policy();
    let path = asked.or(default.as_deref());
    let sources = match read_sources(path) {
        Ok(sources) => sources,
        Err(error) => return vec![found("policy", State::Wrong, error.to_string())],
    };
    match policy::compile(&sources, now) {
        Err(diagnostics) => {
            let errors = diagnostics.iter().filter(|found| found.is_error()).count();
            let says = format!("{} has {errors} errors: planb check", sources.origin);
            vec![found("policy", State::Wrong, says)]
        }
        Ok(compiled) => {
            let (count, origin) = (compiled.warnings.len(), &sources.origin);
            let state = if count == 0 { State::Fine } else { State::Note };
            let mut all = vec![found("policy", state, format!("{origin} is sound, {count} warnings"))];
            let missing = check::missing_credentials(&compiled.snapshot);
            all.extend(missing.into_iter().map(|says| found("key", State::Note, says)));
            all
        }
    }
}
