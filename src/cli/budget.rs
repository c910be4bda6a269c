//! `planb budget raise NAME +200USD --until DAY`: a higher limit for a while, by hand.

use super::{StateArg, daemon_client, fail};
use clap::{Args, Subcommand};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::json;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub struct BudgetArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Raise the limit until an end, or take every raise by hand back
    Raise {
        /// The budget's name in the policy
        name: String,
        /// How much higher, with its currency: `+200USD`
        #[arg(required_unless_present = "none", conflicts_with = "none")]
        by: Option<String>,
        /// The last day that counts, in this machine's time zone, or a time with its offset
        #[arg(long, value_name = "DAY", required_unless_present_any = ["lasts", "none"])]
        until: Option<String>,
        /// How long it lasts (`12h`, `72h`) instead of a day
        #[arg(long = "for", value_name = "DURATION", conflicts_with = "until")]
        lasts: Option<SignedDuration>,
        /// End every raise by hand now
        #[arg(long)]
        none: bool,
        #[command(flatten)]
        state: StateArg,
    },
}

pub fn run(args: &BudgetArgs, now: Timestamp) -> ExitCode {
    let Action::Raise {
        name,
        by,
        until,
        lasts,
        none,
        state,
    } = &args.action;
    let end = match (none, until, lasts) {
        (true, ..) => Some(now),
        (_, Some(day), _) => end_of(day),
        (_, None, Some(lasts)) => now.checked_add(*lasts).ok(),
        (_, None, None) => None,
    };
    let Some(end) = end else {
        return fail("--until is a day such as 2026-12-24, or a time such as 2026-12-24T18:00:00+01:00");
    };
    let path = state.path();
    let (amount, currency) = match by.as_deref().map(amount_of) {
        Some(Some(amount)) => amount,
        Some(None) => return fail("how much is written `+200USD` or `+0.50USD`"),
        None => match daemon_client::get(&path, "/planb/budgets") {
            Ok(budgets) => {
                let currency = budgets["budgets"][0]["currency"].as_str().unwrap_or("USD");
                ("0".to_owned(), currency.to_owned())
            }
            Err(error) => return fail(error),
        },
    };
    let body = json!({"by": amount, "currency": currency, "until": end.to_string()});
    let address = format!("/planb/budgets/{}/raise", super::plan::encoded(name));
    match daemon_client::post(&path, &address, &body) {
        Ok(_) if *none => println!("budget {name}: no raise by hand is left"),
        Ok(_) => println!("budget {name}: {amount} {currency} more until {end}"),
        Err(error) => return fail(error),
    }
    ExitCode::SUCCESS
}

/// `+200USD`, `200 USD`.
fn amount_of(text: &str) -> Option<(String, String)> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let at = text.find(|c: char| c.is_ascii_uppercase())?;
    let (amount, currency) = text.split_at(at);
    Some((amount.trim().to_owned(), currency.to_owned()))
}

fn end_of(day: &str) -> Option<Timestamp> {
    if let Ok(time) = day.parse::<Timestamp>() {
        return Some(time);
    }
    let after = day.parse::<Date>().ok()?.checked_add(1.day()).ok()?;
    Some(after.to_zoned_datetime(TimeZone::system()).ok()?.timestamp())
}
