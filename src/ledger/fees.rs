//! What was paid whether or not anything was used: fees of models and licences, and what commitments and minimums left
//! unused, spread over their periods day by day. From the policies that were in force, as the file has them.

use super::text::{read_time, time};
use crate::money::{Exact, Money, Ratio};
use crate::period::{Period, Span};
use crate::policy::snapshot::Snapshot;
use crate::policy::{Sources, compile};
use crate::price::MeterKey;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeSet;

/// A day's part of something that is paid for a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeeRow {
    /// A day of UTC.
    pub day: String,
    /// The model's name, or `licence NAME`.
    pub name: String,
    pub provider: String,
    pub supply: String,
    pub currency: String,
    pub amount: Money,
}

/// Of the days of a span, up to `now`. A day is under the policy that was in force when it ended.
pub(super) fn fees(
    connection: &Connection,
    (since, until): (Timestamp, Timestamp),
    now: Timestamp,
) -> rusqlite::Result<Vec<FeeRow>> {
    let first: Option<String> = connection.query_row("SELECT min(since) FROM policies", [], |row| row.get(0))?;
    let Some(first) = first.as_deref().and_then(read_time) else {
        return Ok(Vec::new());
    };
    let (mut from, until) = (since.max(first), until.min(now));
    let mut found = Vec::new();
    let mut known: Option<(i64, Option<Snapshot>)> = None;
    while from < until {
        let day = Period::Day.span(from, &TimeZone::UTC);
        let part = Span {
            start: from,
            end: day.end.min(until),
        };
        let id = policy_before(connection, part.end)?;
        if let Some(id) = id.filter(|id| known.as_ref().is_none_or(|(known, _)| known != id)) {
            known = Some((id, snapshot(connection, id)?));
        }
        if let Some((_, Some(snapshot))) = &known {
            of_part(connection, snapshot, part, now, &mut found)?;
        }
        from = part.end;
    }
    Ok(found)
}

fn policy_before(connection: &Connection, end: Timestamp) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT max(id) FROM policies WHERE since < ?1")?
        .query_row([time(end)], |row| row.get(0))
}

/// `None` where this planb does not read it any more.
fn snapshot(connection: &Connection, id: i64) -> rusqlite::Result<Option<Snapshot>> {
    let mut statement = connection.prepare("SELECT origin, text, since FROM policies WHERE id = ?1")?;
    let found: Option<(String, String, String)> = statement
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    Ok(found.and_then(|(origin, text, since)| {
        let compiled = compile(&Sources::recorded(&origin, &text), read_time(&since)?);
        Some(compiled.ok()?.snapshot)
    }))
}

fn of_part(
    connection: &Connection,
    snapshot: &Snapshot,
    part: Span,
    now: Timestamp,
    found: &mut Vec<FeeRow>,
) -> rusqlite::Result<()> {
    let mut committed = BTreeSet::new();
    let row = |name: String, provider: &str, supply: &str, amount: Money| FeeRow {
        day: part.start.to_string().chars().take(10).collect(),
        name,
        provider: provider.to_owned(),
        supply: supply.to_owned(),
        currency: snapshot.currency.to_string(),
        amount,
    };
    for model in &snapshot.models {
        let Some(price) = &model.price else { continue };
        let provider = &snapshot.provider(model.provider).name;
        let mut paid = Money::ZERO;
        if let Some(fee) = price.flat_fee(part.start) {
            let whole = worth(fee.amount, price.exchange(part.start));
            paid = share(whole, fee.per.span(part.start, &snapshot.timezone), part);
        }
        if let Some((meter, amount)) = price.committed(part.start)
            && committed.insert(meter.key(part.start))
        {
            let (key, span) = (meter.key(part.start), meter.span(part.start));
            let unused = unused(connection, &key, (amount, span), now)?;
            let elapsed = Span {
                end: span.end.min(now),
                ..span
            };
            paid = paid.plus(share(worth(unused, price.exchange(part.start)), elapsed, part));
        }
        if paid > Money::ZERO {
            found.push(row(model.name.to_string(), provider, model.supply.word(), paid));
        }
    }
    for license in &snapshot.licenses {
        let Some(fee) = &license.fee else { continue };
        let rates = snapshot.rates.iter().find(|(currency, _)| *currency == fee.currency);
        let period = fee.per.period().span(part.start, &snapshot.timezone);
        let paid = share(
            worth(fee.amount, rates.map_or(Ratio::ONE, |(_, ratio)| *ratio)),
            period,
            part,
        );
        if paid > Money::ZERO {
            let own = FeeRow {
                // One that has no rate stands for itself.
                currency: rates.map_or(fee.currency, |_| snapshot.currency).to_string(),
                ..row(format!("licence {}", license.name), "", "", paid)
            };
            found.push(own);
        }
    }
    Ok(())
}

/// What of a commitment the elapsed part of its period has not used; in the price's own currency.
fn unused(
    connection: &Connection,
    key: &MeterKey,
    (amount, span): (Money, Span),
    now: Timestamp,
) -> rusqlite::Result<Money> {
    // A row without a shape is from before shapes were kept; the most that was counted is what was used.
    let used: Option<i64> = connection
        .prepare_cached("SELECT max(used) FROM meters WHERE name = ?1 AND shape IN (?2, '') AND period_start = ?3")?
        .query_row(params![key.name, key.shape, time(key.start)], |row| row.get(0))?;
    let elapsed = Span {
        end: span.end.min(now),
        ..span
    };
    let due = share(amount, span, elapsed);
    Ok(due.minus(Money::from_nanos(used.unwrap_or(0))).max(Money::ZERO))
}

fn worth(amount: Money, exchange: Ratio) -> Money {
    Exact::of(amount).rounded_half_even_at(exchange, 1)
}

/// The part of a period's amount that falls to a part of the period; all parts add up to the whole.
fn share(amount: Money, period: Span, part: Span) -> Money {
    let seconds = |from: Timestamp, to: Timestamp| to.as_second().saturating_sub(from.as_second());
    let whole = seconds(period.start, period.end).max(1);
    let until = |at: Timestamp| {
        let passed = seconds(period.start, at).clamp(0, whole);
        amount.scaled_down(passed, whole)
    };
    until(part.end).minus(until(part.start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_days_of_a_period_add_up_to_its_fee() {
        let at = |day: i64| Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(24 * day);
        let month = Period::Month.span(at(0), &TimeZone::UTC);
        let amount = Money::parse("100").unwrap();
        let days: Vec<Money> = (0..31)
            .map(|day| {
                share(
                    amount,
                    month,
                    Span {
                        start: at(day),
                        end: at(day + 1),
                    },
                )
            })
            .collect();
        assert_eq!(days[0].to_string(), "3.225806451");
        assert_eq!(days.into_iter().sum::<Money>(), amount);
    }
}
