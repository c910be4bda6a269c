//! One file a command: parse arguments, call one library function, print.

pub mod bill;
mod budget;
pub mod check;
mod csv;
pub mod curl;
mod daemon_client;
pub mod diff;
pub mod doctor;
pub mod explain;
pub mod fmt;
pub mod ledger;
pub mod licenses;
mod past;
pub mod plan;
pub mod reconcile;
pub mod schema;
pub mod serve;
pub mod spend;
pub mod status;
pub mod test;

use crate::daemon::state_dir;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Routes inference requests to licensed Qwen, a competitor or a local open model, by policy and budget.
#[derive(Debug, Parser)]
#[command(name = "planb", version, about, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon
    Serve(serve::ServeArgs),
    /// Check a policy: every error at once, with its place
    Check(check::CheckArgs),
    /// Run a policy's own tests
    Test(test::TestArgs),
    /// Say which model would serve a request, and why no other
    Explain(explain::ExplainArgs),
    /// Say in words what a policy edit changes
    Diff(diff::DiffArgs),
    /// Lay policies out in one way; comments, order and meaning stay
    Fmt(fmt::FmtArgs),
    /// Print the JSON Schema of policies or of their tests, for editors
    Schema(schema::SchemaArgs),
    /// Show what the running daemon does
    Status(status::StatusArgs),
    /// Show what was spent
    Spend {
        #[command(flatten)]
        args: spend::SpendArgs,
        #[command(flatten)]
        state: StateArg,
    },
    /// Show what was used under each licence, against its terms
    Licenses(licenses::LicensesArgs),
    /// Activate or release a plan by hand
    Plan(plan::PlanArgs),
    /// Prove the ledger, back it up, export its rows
    Ledger(ledger::LedgerArgs),
    /// Look whether everything is in order on this machine
    Doctor(doctor::DoctorArgs),
    /// Raise a budget's limit by hand, with an end
    Budget(budget::BudgetArgs),
}

impl Arguments {
    pub fn run(self) -> ExitCode {
        match self.command {
            Command::Serve(args) => serve::run(args),
            Command::Check(args) => check::run(&args),
            Command::Test(args) => test::run(&args),
            Command::Explain(args) => explain::run(&args),
            Command::Diff(args) => diff::run(&args),
            Command::Fmt(args) => fmt::run(&args),
            Command::Schema(args) => schema::run(&args),
            Command::Status(args) => status::run(&args),
            Command::Spend { args, state } => spend::run(&state.path(), &args, jiff::Timestamp::now()),
            Command::Licenses(args) => licenses::run(&args, jiff::Timestamp::now()),
            Command::Plan(args) => plan::run(&args),
            Command::Ledger(args) => ledger::run(&args),
            Command::Doctor(args) => doctor::run(&args, jiff::Timestamp::now()),
            Command::Budget(args) => budget::run(&args, jiff::Timestamp::now()),
        }
    }
}

/// Where the state directory is.
#[derive(Clone, Debug, clap::Args)]
pub struct StateArg {
    /// State directory [default: $XDG_STATE_HOME/planb or ~/.local/state/planb]
    #[arg(long, value_name = "DIR", env = "PLANB_STATE", global = true)]
    state: Option<PathBuf>,
}

impl StateArg {
    pub fn path(&self) -> PathBuf {
        self.state.clone().unwrap_or_else(state_dir::default_state)
    }
}

/// Says what is wrong on standard error.
fn fail(message: impl std::fmt::Display) -> ExitCode {
    eprintln!("planb: {message}");
    ExitCode::FAILURE
}

/// A reader that has gone away (`| head`) is no failure.
fn print(text: &str) {
    use std::io::Write as _;
    let mut stream = std::io::stdout();
    let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
}
