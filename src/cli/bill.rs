//! `planb ledger bill`: what a past month cost, rebuilt attempt by attempt from recorded usage and rates.

use super::spend::read_month;
use super::{fail, print};
use crate::ledger::bill::{MonthBill, month_bill};
use crate::period::Period;
use clap::{Args, ValueEnum};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

/// Differences that a table lists; JSON has all.
const SHOWN: usize = 50;

#[derive(Args, Clone, Debug)]
pub struct BillArgs {
    /// A whole month of UTC, such as 2026-10
    #[arg(long, value_parser = read_month)]
    month: Date,
    /// How to write it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

pub fn run(path: &Path, args: &BillArgs) -> ExitCode {
    let Ok(first) = args.month.to_zoned_datetime(TimeZone::UTC) else {
        return fail("there is no such month");
    };
    let span = Period::Month.span(first.timestamp(), &TimeZone::UTC);
    let bill = match month_bill(path, span.start, span.end) {
        Ok(bill) => bill,
        Err(error) => return fail(error),
    };
    print(&match args.format {
        Format::Table => table(&bill),
        Format::Json => shown(&bill),
    });
    if bill.differences.is_empty() {
        return ExitCode::SUCCESS;
    }
    fail("some attempts did not cost what their usage and rates come to")
}

fn table(bill: &MonthBill) -> String {
    let mut text = String::new();
    for one in &bill.models {
        let _ = writeln!(
            text,
            "{}: {} {} posted for {} attempts, {} reckoned again; corrections {}, held {}",
            one.model,
            one.posted,
            one.currency,
            one.attempts - one.unexplained,
            one.reckoned,
            one.corrections,
            one.held
        );
        if one.unexplained > 0 {
            let _ = writeln!(
                text,
                "{}: not explained: {} {} for {} attempts from before rows kept what explains them",
                one.model, one.unexplained_amount, one.currency, one.unexplained
            );
        }
        if one.folded > 0 {
            let _ = writeln!(
                text,
                "{}: {} {} posted for {} attempts that were folded, and cannot be reckoned one by one any more",
                one.model, one.folded_amount, one.currency, one.folded
            );
        }
    }
    for one in &bill.fees {
        let _ = writeln!(text, "{} (fee): {} {}", one.name, one.amount, one.currency);
    }
    for (currency, amount) in bill.totals() {
        let _ = writeln!(text, "total: {amount} {currency}");
    }
    if bill.models.is_empty() {
        text.push_str("nothing recorded in this month\n");
    } else if bill.differences.is_empty() {
        let all = bill.models.iter().all(|one| one.unexplained == 0);
        text.push_str(if all {
            "every attempt costs what its usage and rates come to\n"
        } else {
            "every explained attempt costs what its usage and rates come to\n"
        });
    }
    for hash in &bill.missing_policies {
        let _ = writeln!(text, "the ledger has not the text of policy {hash}");
    }
    for one in bill.differences.iter().take(SHOWN) {
        let _ = writeln!(
            text,
            "differs: {} {} decision {}: posted {}, reckoned {}",
            one.at, one.model, one.decision, one.posted, one.reckoned
        );
    }
    if bill.differences.len() > SHOWN {
        let _ = writeln!(text, "and {} more", bill.differences.len() - SHOWN);
    }
    text
}

fn shown(bill: &MonthBill) -> String {
    let models = bill.models.iter().map(|one| {
        json!({
            "model": one.model, "currency": one.currency, "attempts": one.attempts,
            "posted": one.posted.to_string(), "reckoned": one.reckoned.to_string(),
            "corrections": one.corrections.to_string(), "held": one.held.to_string(),
            "unexplained": one.unexplained, "unexplained_amount": one.unexplained_amount.to_string(),
            "policies": one.policies,
            "folded": one.folded, "folded_amount": one.folded_amount.to_string(),
        })
    });
    let differences = bill.differences.iter().map(|one| {
        json!({
            "decision": one.decision, "at": one.at, "model": one.model,
            "posted": one.posted.to_string(), "reckoned": one.reckoned.to_string(),
        })
    });
    let fees = bill
        .fees
        .iter()
        .map(|one| json!({"name": one.name, "currency": one.currency, "amount": one.amount.to_string()}));
    let totals: BTreeMap<&str, String> = bill
        .totals()
        .into_iter()
        .map(|(currency, amount)| (currency, amount.to_string()))
        .collect();
    let value = json!({
        "models": models.collect::<Vec<_>>(),
        "fees": fees.collect::<Vec<_>>(),
        "totals": totals,
        "differences": differences.collect::<Vec<_>>(),
        "missing_policies": bill.missing_policies,
    });
    format!("{value:#}\n")
}
