//! A month's bill, rebuilt: every attempt reckoned again from what its row says of usage and rates, and held against what
//! was posted; and what was paid anyway, from the recorded policies. Reads the file alone: no later edit can change it.

use super::connection::open_current;
use super::error::LedgerError;
use super::explain::read_bill;
use super::fees::fees;
use super::text::{read_usage, time};
use crate::money::Money;
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use std::collections::BTreeMap;
use std::path::Path;

/// What a model's attempts of the span came to, in one currency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelBill {
    pub model: String,
    pub currency: String,
    pub attempts: u64,
    /// As the rows say, corrections and holds left out.
    pub posted: Money,
    /// The same from usage and rates.
    pub reckoned: Money,
    /// Retroactive ladders, and holds that were settled as estimates.
    pub corrections: Money,
    pub held: Money,
    /// Attempts whose rows do not say how their amount came about: older than what explains a bill.
    pub unexplained: u64,
    /// What they cost; not in `posted`, `reckoned`.
    pub unexplained_amount: Money,
    /// Attempts that were folded, and what was posted for them: only their sums are left to look at.
    pub folded: u64,
    pub folded_amount: Money,
    /// The policies that priced them, by hash; those whose text the ledger has.
    pub policies: u64,
}

/// An attempt whose amount does not follow from its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub decision: String,
    pub at: String,
    pub model: String,
    pub posted: Money,
    pub reckoned: Money,
}

/// A fee, or what a commitment left unused, over the span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaidAnyway {
    /// The model's name, or `licence NAME`.
    pub name: String,
    pub currency: String,
    pub amount: Money,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MonthBill {
    pub models: Vec<ModelBill>,
    /// All that there are.
    pub differences: Vec<Difference>,
    /// What was paid whether or not anything was used, as the policies of the span had it.
    pub fees: Vec<PaidAnyway>,
    /// Policies that priced something and whose text is missing.
    pub missing_policies: Vec<String>,
}

pub fn month_bill(path: &Path, since: Timestamp, until: Timestamp) -> Result<MonthBill, LedgerError> {
    let mut connection = open_current(path)?;
    let frozen = connection.transaction()?;
    let mut bill = reckon(&frozen, since, until)?;
    let mut paid: BTreeMap<(String, String), Money> = BTreeMap::new();
    for fee in fees(&frozen, (since, until), Timestamp::now())? {
        let sum = paid.entry((fee.name, fee.currency)).or_default();
        *sum = sum.plus(fee.amount);
    }
    let row = |((name, currency), amount)| PaidAnyway { name, currency, amount };
    bill.fees = paid.into_iter().map(row).collect();
    Ok(bill)
}

impl MonthBill {
    /// All that is posted and paid, by currency.
    pub fn totals(&self) -> BTreeMap<&str, Money> {
        let mut totals: BTreeMap<&str, Money> = BTreeMap::new();
        let mut add = |currency, amount: Money| {
            let sum = totals.entry(currency).or_default();
            *sum = sum.plus(amount);
        };
        for one in &self.models {
            add(
                &one.currency,
                one.posted
                    .plus(one.corrections)
                    .plus(one.unexplained_amount)
                    .plus(one.folded_amount),
            );
        }
        for one in &self.fees {
            add(&one.currency, one.amount);
        }
        totals
    }
}

fn reckon(connection: &Connection, since: Timestamp, until: Timestamp) -> rusqlite::Result<MonthBill> {
    let mut bill = MonthBill::default();
    let mut models: BTreeMap<(String, String), (ModelBill, Vec<String>)> = BTreeMap::new();
    let mut statement =
        connection.prepare("SELECT * FROM attempts WHERE at >= ?1 AND at < ?2 AND ended <> 'voided' ORDER BY id")?;
    let mut rows = statement.query(params![time(since), time(until)])?;
    while let Some(row) = rows.next()? {
        let key: (String, String) = (row.get("model")?, row.get("currency")?);
        let (sum, hashes) = models.entry(key.clone()).or_default();
        (sum.model, sum.currency) = key;
        let policy: String = row.get("policy")?;
        if !policy.is_empty() && !hashes.contains(&policy) {
            hashes.push(policy);
        }
        bill.differences.extend(add(sum, row)?);
    }
    let known = |hash: &String| -> rusqlite::Result<bool> {
        connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM policies WHERE hash = ?1)")?
            .query_row([hash], |row| row.get(0))
    };
    for (mut sum, hashes) in models.into_values() {
        for hash in hashes {
            if known(&hash)? {
                sum.policies += 1;
            } else if !bill.missing_policies.contains(&hash) {
                bill.missing_policies.push(hash);
            }
        }
        bill.models.push(sum);
    }
    Ok(bill)
}

fn add(sum: &mut ModelBill, row: &Row<'_>) -> rusqlite::Result<Option<Difference>> {
    let amount = Money::from_nanos(row.get("amount")?);
    let outcome: String = row.get("outcome")?;
    if outcome == "folded" {
        sum.folded += row.get::<_, i64>("folded")?.unsigned_abs();
        if row.get_ref("ended")?.as_str()? == "held" {
            sum.held = sum.held.plus(amount);
        } else {
            sum.folded_amount = sum.folded_amount.plus(amount);
        }
        return Ok(None);
    }
    if matches!(outcome.as_str(), "adjustment" | "release" | "estimate") {
        if row.get_ref("ended")?.as_str()? == "held" {
            sum.held = sum.held.plus(amount);
        } else {
            sum.corrections = sum.corrections.plus(amount);
        }
        return Ok(None);
    }
    sum.attempts += 1;
    if row.get_ref("ended")?.as_str()? == "held" {
        sum.held = sum.held.plus(amount);
        return Ok(None);
    }
    if !is_explained(row, amount)? {
        sum.unexplained += 1;
        sum.unexplained_amount = sum.unexplained_amount.plus(amount);
        return Ok(None);
    }
    let (usage, _) = read_usage(row)?;
    let mut reckoned = Money::ZERO;
    if let Some((bill, lines)) = read_bill(row)? {
        let lines = if lines.is_empty() { bill.lines(&usage) } else { lines };
        reckoned = bill.reckoned(&lines, &usage);
    }
    if usage.estimated {
        // What planb counted itself never costs more than was reserved.
        reckoned = reckoned.min(Money::from_nanos(row.get("worst")?));
    }
    (sum.posted, sum.reckoned) = (sum.posted.plus(amount), sum.reckoned.plus(reckoned));
    let difference = || {
        Ok(Difference {
            decision: row.get("decision")?,
            at: row.get("at")?,
            model: sum.model.clone(),
            posted: amount,
            reckoned,
        })
    };
    (reckoned != amount).then(difference).transpose()
}

/// A priced attempt has always its bill's column filled, and one without a price cost nothing.
fn is_explained(row: &Row<'_>, amount: Money) -> rusqlite::Result<bool> {
    let priced = row.get::<_, Option<i64>>("billed")?.is_some();
    Ok(if priced {
        !row.get_ref("bill")?.as_str()?.is_empty()
    } else {
        amount == Money::ZERO
    })
}
