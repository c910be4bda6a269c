//! `planb serve`: the daemon.

use super::{StateArg, fail};
use crate::daemon::{self, DaemonError, FleetOptions, Options, state_dir};
use crate::ledger::compact::LEAST_MONTHS;
use crate::telemetry::logs::{self, LogFormat};
use clap::Args;
use clap::builder::RangedI64ValueParser;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Policy: a file, or a directory of files [default: $XDG_CONFIG_HOME/planb/policy.yaml, else the built-in quickstart]
    #[arg(long, value_name = "FILE-OR-DIR", env = "PLANB_POLICY")]
    policy: Option<PathBuf>,
    /// IP address and port to listen on; other than loopback only with `clients` in the policy
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4141", env = "PLANB_LISTEN")]
    listen: SocketAddr,
    #[command(flatten)]
    state: StateArg,
    /// Serve this host name besides localhost and IP addresses (may be repeated)
    #[arg(long = "allow-host", value_name = "NAME")]
    allowed_hosts: Vec<String>,
    /// Share budgets with other daemons over this database: postgres://USER@HOST/DB
    #[arg(
        long,
        value_name = "URL",
        env = "PLANB_LEDGER",
        hide_env_values = true,
        requires = "fleet"
    )]
    ledger: Option<String>,
    /// The fleet whose daemons share budgets
    #[arg(long, value_name = "NAME", env = "PLANB_FLEET", requires = "ledger")]
    fleet: Option<String>,
    /// Fold attempts that are older than so many months (13 at least) into sums; without it all are kept
    #[arg(long, value_name = "MONTHS", env = "PLANB_KEEP", value_parser = months())]
    keep: Option<u32>,
    /// How log lines look
    #[arg(long, value_enum, default_value = "text", env = "PLANB_LOG_FORMAT")]
    log_format: LogFormat,
    /// What is logged: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "info", env = "PLANB_LOG")]
    log: String,
}

/// Of attempts that are kept one by one.
pub(super) fn months() -> RangedI64ValueParser<u32> {
    RangedI64ValueParser::new().range(i64::from(LEAST_MONTHS)..=1_200)
}

pub fn run(args: ServeArgs) -> ExitCode {
    if let Err(error) = logs::install(args.log_format, &args.log) {
        return fail(error);
    }
    let policy = args.policy.or_else(state_dir::default_policy);
    if policy.is_none() {
        eprintln!("planb: no --policy and no file in the configuration directory: using the built-in quickstart");
    }
    let options = Options {
        policy,
        listen: args.listen,
        state: args.state.path(),
        allowed_hosts: args.allowed_hosts,
        fleet: args
            .ledger
            .zip(args.fleet)
            .map(|(url, name)| FleetOptions { url, name: name.into() }),
        keep: args.keep,
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(error),
    };
    match runtime.block_on(daemon::run(options, |url| eprintln!("planb: listening on {url}"))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(DaemonError::Policy(diagnostics)) => {
            for diagnostic in &diagnostics {
                eprintln!("{diagnostic}");
            }
            let errors = diagnostics.iter().filter(|found| found.is_error()).count();
            let them = if errors == 1 { "error" } else { "errors" };
            fail(format!("the policy has {errors} {them}; nothing was started"))
        }
        Err(error) => fail(error),
    }
}
