//! `planb plan activate|release NAME`: an override by hand, with an end.

use super::{StateArg, daemon_client, fail};
use clap::{Args, ValueEnum};
use jiff::SignedDuration;
use serde_json::json;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub struct PlanArgs {
    /// What to do with it
    #[arg(value_enum)]
    action: Action,
    /// The plan's name in the policy
    name: String,
    /// How long the override holds (`2h`, `30m`). Without it, an activation holds until `planb plan release`, a release until the plan's condition no longer holds
    #[arg(long = "for", value_name = "DURATION")]
    lasts: Option<SignedDuration>,
    #[command(flatten)]
    state: StateArg,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Action {
    Activate,
    Release,
}

pub fn run(args: &PlanArgs) -> ExitCode {
    let action = match args.action {
        Action::Activate => "activate",
        Action::Release => "release",
    };
    let body = match args.lasts.map(|lasts| u32::try_from(lasts.as_secs())) {
        None => json!({}),
        Some(Ok(seconds)) if seconds > 0 => json!({"for": seconds}),
        Some(_) => return fail("--for must be a second or more, such as 30m or 2h"),
    };
    match daemon_client::post(
        &args.state.path(),
        &format!("/planb/plans/{}/{action}", encoded(&args.name)),
        &body,
    ) {
        Ok(answer) => {
            let until = answer["until"]
                .as_str()
                .map_or_else(String::new, |until| format!(" until {until}"));
            println!("plan {}: {action}d{until}", args.name);
            ExitCode::SUCCESS
        }
        Err(error) => fail(error),
    }
}

/// A name may hold what a path cannot.
pub fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    name.bytes()
        .map(|byte| {
            if plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}
