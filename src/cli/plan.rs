//! `planb plan activate|release NAME`: an override by hand, with an end. `planb plan history NAME`: when it came and went.

use super::{StateArg, daemon_client, fail};
use clap::{Args, ValueEnum};
use comfy_table::{Table, presets::NOTHING};
use jiff::SignedDuration;
use serde_json::{Value, json};
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
    /// When it came and went, and why
    History,
}

pub fn run(args: &PlanArgs) -> ExitCode {
    let action = match args.action {
        Action::Activate => "activate",
        Action::Release => "release",
        Action::History if args.lasts.is_some() => return fail("--for goes with `activate` and `release`"),
        Action::History => return history(args),
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

fn history(args: &PlanArgs) -> ExitCode {
    let path = format!("/planb/plans/{}", encoded(&args.name));
    match daemon_client::get(&args.state.path(), &path) {
        Ok(plan) => {
            print!("{}", listed(&plan));
            ExitCode::SUCCESS
        }
        Err(error) => fail(error),
    }
}

/// One change a line, the newest first.
fn listed(plan: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let condition = word(&plan["condition"]);
    let mut text = format!("plan {} {}\n", word(&plan["name"]), condition)
        .trim_end()
        .to_owned();
    text.push('\n');
    let mut table = Table::new();
    table.load_style(NOTHING);
    for event in plan["history"].as_array().map_or(&[][..], Vec::as_slice) {
        let what = match (
            event["flapping"] == true,
            word(&event["cause"]).as_str(),
            event["active"] == true,
        ) {
            (true, ..) => "held on".to_owned(),
            (_, "", true) => "active".to_owned(),
            (_, "", false) => "released".to_owned(),
            (_, cause, true) => format!("active by {cause}"),
            (_, cause, false) => format!("released by {cause}"),
        };
        table.add_row(vec![word(&event["at"]), what, word(&event["why"])]);
    }
    if table.is_empty() {
        text.push_str("it has never changed\n");
    } else {
        text.push_str(&format!("{table}\n"));
    }
    text
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
