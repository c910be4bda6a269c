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
    let all = daemon_client::get(&state, "/planb/status").and_then(|status| {
        Ok((
            status,
            daemon_client::get(&state, "/planb/budgets")?,
            daemon_client::get(&state, "/planb/plans")?,
        ))
    });
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
    let ready = if status["ready"] == true { "ready" } else { "not ready" };
    let mut text = format!(
        "planb {} is {ready}, its ledger ({}) is {}\npolicy {} ({}) since {}\n",
        word(&status["version"]),
        word(&status["ledger"]["kind"]),
        word(&status["ledger"]["state"]),
        word(&status["policy"]["source"]),
        word(&status["policy"]["hash"]).chars().take(12).collect::<String>(),
        word(&status["policy"]["since"]),
    );
    text.push_str(&rejected(&status["policy"]["rejected"]));
    let stale: Vec<String> = status["stale"].as_array().into_iter().flatten().map(word).collect();
    if !stale.is_empty() {
        text.push_str(&format!("nothing new is heard of {}\n", stale.join(", ")));
    }
    text.push_str(&fleet(&status["fleet"]));
    let mut table = |list: &Value, fields: &[&str]| text.push_str(&table(list, fields));
    table(&status["providers"], &["provider", "state", "since", "reason"]);
    table(
        &status["models"],
        &["model", "provider", "supply", "available", "reason"],
    );
    table(
        &budgets["budgets"],
        &[
            "budget",
            "key",
            "currency",
            "limit",
            "posted",
            "held",
            "held_share",
            "reserved",
            "remaining",
            "used",
            "projected",
            "runs_out",
            "exhausted",
        ],
    );
    table(&plans["plans"], &["plan", "active", "since", "why"]);
    text
}

/// Whose sums the budgets show.
fn fleet(fleet: &Value) -> String {
    if fleet.is_null() {
        return String::new();
    }
    let (name, state) = (word(&fleet["name"]), word(&fleet["state"]));
    let why = fleet["reason"]
        .as_str()
        .map_or_else(String::new, |why| format!(": {why}"));
    let daemons = &fleet["daemons"];
    format!(
        "fleet {name} ({daemons} daemons) is {state}{why}\nbudgets show what the whole fleet spent, as of the last exchange; reserved is this daemon's\n"
    )
}

/// An edit that was refused: where and why, in a line each.
fn rejected(rejected: &Value) -> String {
    if rejected.is_null() {
        return String::new();
    }
    let mut text = format!(
        "the edit of {} is REJECTED, so that policy goes on:\n",
        word(&rejected["at"])
    );
    for found in rejected["diagnostics"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
    {
        let (file, message) = (word(&found["file"]), word(&found["message"]));
        text.push_str(&format!("  {file}:{}:{}: {message}\n", found["line"], found["column"]));
    }
    text
}

/// The first column is the thing's name; its head says what it is.
fn table(list: &Value, fields: &[&str]) -> String {
    let all = list.as_array().map(Vec::as_slice).unwrap_or_default();
    if all.is_empty() {
        return String::new();
    }
    let row = |entry: &Value| -> Vec<String> {
        let of = |(place, field): (usize, &&str)| cell(field, &entry[if place == 0 { "name" } else { *field }]);
        fields.iter().enumerate().map(of).collect()
    };
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_header(fields)
        .add_rows(all.iter().map(row));
    let lines: Vec<String> = table.lines().map(|line| line.trim().to_owned()).collect();
    format!("\n{}\n", lines.join("\n"))
}

fn cell(field: &str, value: &Value) -> String {
    match (field, value) {
        ("used" | "held_share", Value::Number(share)) => format!("{:.1} %", share.as_f64().unwrap_or_default() * 100.0),
        ("projected", Value::Object(end)) => {
            let amount = |name: &str| end.get(name).map(word).unwrap_or_default();
            format!("{} ({} to {})", amount("expected"), amount("low"), amount("high"))
        }
        ("runs_out", Value::Object(when)) => {
            let at = |name: &str| when.get(name).map(minute).filter(|at| !at.is_empty());
            // That it may come to it is worth a word, too.
            at("expected").unwrap_or_else(|| format!("perhaps {}", at("earliest").unwrap_or_default()))
        }
        (_, Value::Bool(claim)) => (if *claim { "yes" } else { "no" }).to_owned(),
        _ => word(value),
    }
}

/// An instant to the minute.
fn minute(at: &Value) -> String {
    let text = word(at);
    text.get(..16).map_or_else(String::new, |minute| format!("{minute}Z"))
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_refused_edit_is_shown_with_its_places() {
        let found = json!({"file": "p.yaml", "line": 3, "column": 5, "message": "no model is called `x`"});
        let text = rejected(&json!({"at": "2026-11-23T10:00:00.000Z", "diagnostics": [found]}));
        assert_eq!(text.lines().nth(1), Some("  p.yaml:3:5: no model is called `x`"));
        assert_eq!(rejected(&Value::Null), "");
    }

    #[test]
    fn what_is_ahead_is_told_in_few_words() {
        let end = json!({"expected": "1.5", "low": "1.2", "high": "1.9"});
        assert_eq!(cell("projected", &end), "1.5 (1.2 to 1.9)");
        let when =
            |expected: Value| json!({"expected": expected, "earliest": "2026-11-20T10:07:00.000Z", "latest": null});
        let expected = json!("2026-11-23T10:00:30.000Z");
        assert_eq!(cell("runs_out", &when(expected)), "2026-11-23T10:00Z");
        assert_eq!(cell("runs_out", &when(Value::Null)), "perhaps 2026-11-20T10:07Z");
        assert_eq!(cell("runs_out", &Value::Null), "");
    }

    #[test]
    fn tables_name_what_they_list() {
        let text = table(&json!([{"name": "outage", "active": true}]), &["plan", "active"]);
        let words: Vec<Vec<&str>> = text
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(words, [["plan", "active"], ["outage", "yes"]]);
    }
}
