//! `planb status`: what the running daemon does, on one screen.

use super::{StateArg, daemon_client, fail};
use clap::Args;
use comfy_table::{Table, presets::NOTHING};
use serde_json::Value;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The control API's own JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    state: StateArg,
}

pub fn run(args: &StatusArgs) -> ExitCode {
    let state = args.state.path();
    let all = daemon_client::get(&state, "/planb/status")
        .and_then(|status| Ok((status, daemon_client::get(&state, "/planb/budgets")?, daemon_client::get(&state, "/planb/plans")?)));
    match all {
        Err(error) => fail(error),
        Ok((status, ..)) if args.json => {
            println!("{status:#}");
            ExitCode::SUCCESS
        }
        Ok((status, budgets, plans)) => {
            print!("{}", screen(&status, &budgets, &plans));
            ExitCode::SUCCESS
        }
    }
}

fn screen(status: &Value, budgets: &Value, plans: &Value) -> String {
    let mut text = format!(
        "planb {}  ready: {}  ledger: {} {}\npolicy {} ({}) since {}\n",
        word(&status["version"]),
        status["ready"],
        word(&status["ledger"]["kind"]),
        word(&status["ledger"]["state"]),
        word(&status["policy"]["source"]),
        word(&status["policy"]["hash"]).chars().take(12).collect::<String>(),
        word(&status["policy"]["since"]),
    );
    if !status["policy"]["rejected"].is_null() {
        text.push_str("an edit was REJECTED; the policy above goes on. `planb check` shows why.\n");
    }
    text.push_str(&table(&["provider", "state", "since", "reason"], rows(&status["providers"], &["name", "state", "since", "reason"])));
    text.push_str(&table(&["model", "provider", "supply", "available", "reason"], rows(&status["models"], &["name", "provider", "supply", "available", "reason"])));
    text.push_str(&table(
        &["budget", "key", "limit", "posted", "held", "reserved", "remaining", "used", "exhausted"],
        rows(&budgets["budgets"], &["name", "key", "limit", "posted", "held", "reserved", "remaining", "used", "exhausted"]),
    ));
    text.push_str(&table(&["plan", "active", "since", "why"], rows(&plans["plans"], &["name", "active", "since", "why"])));
    text
}

fn rows(list: &Value, fields: &[&str]) -> Vec<Vec<String>> {
    let all = list.as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().map(|entry| fields.iter().map(|field| cell(field, &entry[*field])).collect()).collect()
}

fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(head).add_rows(rows);
    format!("\n{table}\n")
}

fn cell(field: &str, value: &Value) -> String {
    match (field, value.as_f64()) {
        ("used", Some(share)) => format!("{:.1} %", share * 100.0),
        _ => word(value),
    }
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
