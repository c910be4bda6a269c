//! A comparison with an invoice on paper: for people, as CSV, as JSON.

use super::Told;
use crate::cli::csv as comma;
use crate::invoice::{Difference, Explained, Factor, Side, Summary, What};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Lines of differences that people are shown; CSV and JSON have all.
const SHOWN: usize = 200;

pub(super) fn table(told: &Told) -> String {
    let mut text = String::new();
    let currency = unit(told);
    for one in &told.summaries {
        let _ = writeln!(text, "{}", file(one));
    }
    let _ = writeln!(
        text,
        "{} to {} ({}), provider {}: {} {currency} billed, {} {currency} recorded",
        told.days.0,
        told.days.1,
        told.zone,
        told.providers.join(", "),
        told.report.invoice,
        told.report.ledger
    );
    for one in told.report.differences.iter().take(SHOWN) {
        let _ = writeln!(text, "{}", sentence(one, told));
    }
    if told.report.differences.len() > SHOWN {
        let _ = writeln!(
            text,
            "and {} more; --format csv has all",
            told.report.differences.len() - SHOWN
        );
    }
    let (count, sum) = told.report.rounded;
    if count > 0 {
        let _ = writeln!(text, "rounding: {count} sums, {sum} {currency} altogether");
    }
    for one in &told.report.factors {
        text.push_str(&proposal(one, told));
    }
    if let Some(posted) = &told.posted {
        let _ = match &posted.copy {
            Some(copy) => writeln!(
                text,
                "posted for {} attempts, by which the ledger changes by {}; it was copied to {}",
                posted.attempts,
                posted.change,
                copy.display()
            ),
            None => writeln!(text, "nothing to post"),
        };
    }
    if told.report.differences.is_empty() {
        text.push_str("no difference\n");
    }
    text
}

fn unit(told: &Told) -> String {
    told.currency.map_or_else(String::new, |currency| currency.to_string())
}

fn file(one: &Summary) -> String {
    let mut text = format!("{}: {} lines", one.form, one.rows);
    for (count, what) in [
        (one.totals, "sums of others"),
        (one.doubled, "the same as an earlier one"),
        (one.foreign, "of other products"),
    ] {
        if count > 0 {
            let _ = write!(text, "; left out {count} {what}");
        }
    }
    text
}

fn sentence(one: &Difference, told: &Told) -> String {
    let days = if one.days.0 == one.days.1 {
        one.days.0.to_string()
    } else {
        format!("{} to {}", one.days.0, one.days.1)
    };
    let sides = |of: fn(&Side) -> Option<String>, unit: &str| match (of(&one.invoice), of(&one.ledger)) {
        (Some(invoice), Some(ledger)) => format!("{invoice} against {ledger} {unit}"),
        _ => String::new(),
    };
    let currency = unit(told);
    let rate = |side: &Side| side.rate().map(|rate| rate.to_string());
    let money = |side: &Side| side.money.map(|money| money.to_string());
    let tokens = |side: &Side| side.quantity.map(|quantity| quantity.to_string());
    let (money, tokens) = (sides(money, &currency), sides(tokens, "tokens"));
    let differs = match one.what {
        What::Price => format!(
            "price differs: {} since {}",
            sides(rate, &format!("{currency}/M")),
            one.days.0
        ),
        What::Quantity => format!("other tokens: {tokens}"),
        What::Requests => format!("other requests: {}", tokens.replace(" tokens", "")),
        What::Money => format!("other money: {money}"),
        What::OnlyInvoice => "only on the invoice".to_owned(),
        What::OnlyLedger => "only in the ledger".to_owned(),
        What::Midnight => format!("over midnight: {tokens}"),
        What::Explained => "explained".to_owned(),
    };
    let mut text = format!("{}: {} {differs}, {days}", model(&one.model), one.item.word());
    for part in [money, tokens] {
        if !part.is_empty() && !differs.contains(&part) && one.what != What::Requests {
            let _ = write!(text, "; {part}");
        }
    }
    if !one.note.is_empty() {
        let _ = write!(text, " ({})", one.note);
    }
    text
}

fn model(name: &str) -> &str {
    if name.is_empty() { "(no model)" } else { name }
}

/// What would carry it, for a person to put into the policy.
fn proposal(factor: &Factor, told: &Told) -> String {
    let (above, below) = factor.ratio();
    let mut text = format!(
        "{}: {} times what was recorded since {} (exactly {above}/{below})\n",
        model(&factor.model),
        factor.shown(),
        factor.since
    );
    let Some(words) = factor.policy_words() else {
        return text;
    };
    let names = told.found.models.get(&factor.model);
    for name in names.into_iter().flatten() {
        let _ = writeln!(
            text,
            "  models: {{{name}: {{price: {{{words}}}}}}}   # beside what the price says already"
        );
    }
    text
}

pub(super) fn csv(told: &Told) -> String {
    let names = [
        "difference",
        "model",
        "kind",
        "first_day",
        "last_day",
        "invoice_quantity",
        "ledger_quantity",
        "invoice_amount",
        "ledger_amount",
        "currency",
        "invoice_rate",
        "ledger_rate",
        "note",
    ];
    let mut text = comma::line(names.into_iter().map(str::to_owned));
    for one in &told.report.differences {
        let number = |value: Option<String>| value.unwrap_or_default();
        let quantity = |side: &Side| number(side.quantity.map(|quantity| quantity.to_string()));
        let money = |side: &Side| number(side.money.map(|money| money.to_string()));
        let rate = |side: &Side| number(side.rate().map(|rate| rate.to_string()));
        let cells = [
            one.what.word().to_owned(),
            one.model.clone(),
            one.item.word().to_owned(),
            one.days.0.to_string(),
            one.days.1.to_string(),
            quantity(&one.invoice),
            quantity(&one.ledger),
            money(&one.invoice),
            money(&one.ledger),
            unit(told),
            rate(&one.invoice),
            rate(&one.ledger),
            one.note.clone(),
        ];
        text.push_str(&comma::line(cells.into_iter()));
    }
    text
}

pub(super) fn json(told: &Told) -> String {
    let side = |side: &Side| {
        json!({
            "quantity": side.quantity,
            "amount": side.money.map(|money| money.to_string()),
            "per_million": side.rate().map(|rate| rate.to_string()),
        })
    };
    let difference = |one: &Difference| {
        json!({
            "difference": one.what.word(), "model": one.model, "kind": one.item.word(),
            "first_day": one.days.0.to_string(), "last_day": one.days.1.to_string(),
            "invoice": side(&one.invoice), "ledger": side(&one.ledger), "note": one.note,
        })
    };
    let factor = |one: &Factor| {
        let (above, below) = one.ratio();
        json!({
            "model": one.model, "since": one.since.to_string(), "factor": one.shown(),
            "exact": format!("{above}/{below}"), "price": one.policy_words(),
            "models": told.found.models.get(&one.model),
        })
    };
    let file = |one: &Summary| {
        json!({
            "form": one.form.word(), "lines": one.rows, "totals": one.totals,
            "doubled": one.doubled, "foreign": one.foreign,
        })
    };
    let posted = told.posted.as_ref().map(|posted| {
        json!({
            "attempts": posted.attempts, "change": posted.change.to_string(),
            "copy": posted.copy.as_ref().map(|copy| copy.display().to_string()),
        })
    });
    let report = &told.report;
    let value = json!({
        "files": told.summaries.iter().map(file).collect::<Vec<_>>(),
        "providers": told.providers,
        "first_day": told.days.0.to_string(), "last_day": told.days.1.to_string(), "zone": told.zone,
        "currency": told.currency.map(|currency| currency.to_string()),
        "invoice": report.invoice.to_string(), "ledger": report.ledger.to_string(),
        "differences": report.differences.iter().map(difference).collect::<Vec<_>>(),
        "explained": report.explained.iter().map(explained).collect::<Vec<_>>(),
        "rounding": {"sums": report.rounded.0, "amount": report.rounded.1.to_string()},
        "corrections": report.factors.iter().map(factor).collect::<Vec<_>>(),
        "named_on_the_invoice": told.billed.told,
        "posted": posted,
    });
    format!("{value:#}\n")
}

fn explained(one: &Explained) -> Value {
    let share = |share: &crate::invoice::Share| {
        json!({
            "attempt": share.attempt, "held": share.held,
            "recorded": share.now.to_string(), "billed": share.billed.to_string(),
        })
    };
    json!({
        "day": one.group.0.to_string(), "model": one.group.1, "on_invoice": one.told,
        "recorded": one.now.to_string(), "billed": one.billed.to_string(),
        "attempts": one.shares.iter().map(share).collect::<Vec<_>>(),
    })
}
