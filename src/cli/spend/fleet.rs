//! `planb spend --fleet`: what all daemons of the running one's fleet have spent of their budgets, with each one's part.

use super::Format;
use crate::cli::{daemon_client, fail, print};
use comfy_table::{Table, presets::NOTHING};
use serde_json::Value;
use std::path::Path;
use std::process::ExitCode;

pub fn run(state_dir: &Path, format: Format) -> ExitCode {
    match (daemon_client::get(state_dir, "/planb/fleet"), format) {
        (Err(error), _) => fail(error),
        (Ok(found), Format::Json) => {
            print(&format!("{found:#}\n"));
            ExitCode::SUCCESS
        }
        (Ok(found), Format::Table) => {
            print(&text(&found));
            ExitCode::SUCCESS
        }
        (Ok(_), _) => fail("a fleet's sums are written as `--format table` or `--format json`"),
    }
}

fn text(found: &Value) -> String {
    let fleet = &found["fleet"];
    let mut table = Table::new();
    table.load_style(NOTHING).set_header([
        "budget", "key", "daemon", "posted", "held", "leased", "free", "limit", "currency",
    ]);
    for budget in found["budgets"].as_array().into_iter().flatten() {
        let (name, key) = (word(&budget["name"]), word(&budget["key"]));
        let sums = ["posted", "held", "leased", "free", "limit", "currency"].map(|field| word(&budget[field]));
        table.add_row([&[name, key, "all"], &sums[..]].concat());
        for part in budget["daemons"].as_array().into_iter().flatten() {
            let holder = word(&part["holder"]);
            let who = format!(
                "{} {}",
                word(&part["machine"]),
                holder.get(holder.len().saturating_sub(6)..).unwrap_or(holder)
            );
            table.add_row([
                name,
                key,
                &who,
                word(&part["posted"]),
                word(&part["held"]),
                word(&part["leased"]),
            ]);
        }
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim().to_owned()).collect();
    format!(
        "fleet {} of {} daemons, by {}\n{}\n",
        word(&fleet["name"]),
        fleet["daemons"],
        word(&fleet["database"]),
        lines.join("\n")
    )
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
