//! Sums rows up as they are written, and writes the sums once a batch.

use super::super::record::{AttemptRecord, DecisionRecord, EndKind};
use super::super::text::{count, names, tags};
use super::super::write::Write;
use super::{AttemptHour, AttemptSum, RequestHour, RequestSum, Standing, hour_of, name};
use crate::money::{Money, TOKENS_PER_RATE};
use crate::price::{Bill, Kind};
use crate::usage::Usage;
use rusqlite::{OptionalExtension, params};
use std::sync::Arc;

impl Write<'_> {
    pub(in crate::ledger) fn standing(&self, a: &AttemptRecord) -> rusqlite::Result<Standing> {
        let bill = a.bill.as_ref().filter(|_| a.end == EndKind::Posted);
        let cache_saved = bill.map_or(Money::ZERO, |bill| cache_saved(&a.usage, bill));
        let prepaid = bill.map_or(Money::ZERO, |bill| worth(i128::from(bill.prepaid.nanos()), bill));
        // A copy for a mirror is no request.
        let (mut again, mut firsts) = ("", if a.caller.is_shadow() { 0 } else { 15 });
        if a.number > 1 {
            let mut statement = self.connection.prepare_cached(
                "SELECT model, provider, supply FROM attempts
                 WHERE decision = ?1 AND number < ?2 AND mirror = '' AND outcome <> 'adjustment' ORDER BY number",
            )?;
            let mut rows = statement.query(params![a.decision, a.number])?;
            while let Some(row) = rows.next()? {
                let is = |at: usize, word: &str| -> rusqlite::Result<bool> { Ok(row.get_ref(at)?.as_str()? == word) };
                let model = is(0, &a.model)?;
                again = if model { "retry" } else { "fallback" };
                firsts &= !1;
                firsts &= if model { !2 } else { !0 };
                firsts &= if is(1, &a.provider)? { !4 } else { !0 };
                firsts &= if is(2, a.supply)? { !8 } else { !0 };
            }
        }
        Ok(Standing {
            again,
            firsts,
            cache_saved,
            prepaid,
        })
    }

    pub(in crate::ledger) fn count_attempt(&mut self, a: &AttemptRecord, standing: &Standing) {
        self.memory
            .served
            .insert(a.model.clone(), (a.provider.clone(), a.supply));
        let sum = self.hours.attempts.entry(key(a)).or_default();
        for (bit, requests) in (0..).zip(&mut sum.requests) {
            *requests += i64::from(standing.firsts >> bit & 1);
        }
        sum.attempts += 1;
        sum.input = sum.input.saturating_add(count(a.usage.input));
        sum.cache_read = sum.cache_read.saturating_add(count(a.usage.cache_read));
        sum.output = sum.output.saturating_add(count(a.usage.output));
        let add = |to: &mut Money, amount: Money| *to = to.plus(amount);
        match a.end {
            EndKind::Posted => add(&mut sum.posted, a.amount),
            EndKind::Held => add(&mut sum.held, a.amount),
            EndKind::Voided => {}
        }
        if a.end == EndKind::Posted && a.usage.estimated {
            add(&mut sum.estimated, a.amount);
        }
        match standing.again {
            "retry" => add(&mut sum.retries, a.amount),
            "fallback" => add(&mut sum.fallbacks, a.amount),
            _ => {}
        }
        if a.outcome == "failed" {
            add(&mut sum.failed, a.amount);
        }
        add(&mut sum.cache_saved, standing.cache_saved);
        add(&mut sum.prepaid, standing.prepaid);
    }

    /// A row of its own that corrects others: its money counts, and nothing else of it does.
    pub(in crate::ledger) fn count_adjustment(&mut self, a: &AttemptRecord, amount: Money) {
        let sum = self.hours.attempts.entry(key(a)).or_default();
        sum.posted = sum.posted.plus(amount);
        sum.adjusted = sum.adjusted.plus(amount);
    }

    /// Requests of which nobody knows what they would have been asked of first are left out.
    pub(in crate::ledger) fn count_decision(&mut self, d: &DecisionRecord) -> rusqlite::Result<()> {
        let Some(first_choice) = &d.first_choice else {
            return Ok(());
        };
        let (provider, supply) = match &d.chosen {
            Some(model) => self.served_by(model, &d.id)?,
            None => (Arc::from(""), Arc::from("")),
        };
        let answered = d.outcome == "ok" && d.chosen.is_some();
        let key = RequestHour {
            hour: hour_of(d.at),
            route: d.route.clone(),
            caller: d.caller.clone(),
            first_choice: first_choice.clone(),
            model: d.chosen.clone().unwrap_or_else(|| Arc::from("")),
            provider,
            supply,
            currency: d.currency,
        };
        let sum = self.hours.requests.entry(key).or_default();
        sum.requests += 1;
        sum.first_cost = sum.first_cost.plus(d.first_cost);
        if answered {
            sum.compared += 1;
            sum.saved = sum.saved.plus(d.first_cost.minus(d.cost));
        }
        Ok(())
    }

    /// An attempt is sent before the decision that it was made for, so that its model is mostly still known here.
    fn served_by(&self, model: &str, decision: &str) -> rusqlite::Result<(Arc<str>, Arc<str>)> {
        if let Some((provider, supply)) = self.memory.served.get(model) {
            return Ok((provider.clone(), Arc::from(*supply)));
        }
        let found = self
            .connection
            .prepare_cached("SELECT provider, supply FROM attempts WHERE decision = ?1 AND +model = ?2 LIMIT 1")?
            .query_row(params![decision, model], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        Ok(found.unwrap_or_else(|| (Arc::from(""), Arc::from(""))))
    }

    pub(in crate::ledger) fn write_hours(&mut self) -> rusqlite::Result<()> {
        let hours = std::mem::take(&mut self.hours);
        for (key, sum) in &hours.attempts {
            self.write_attempts(key, sum)?;
        }
        for (key, sum) in &hours.requests {
            self.write_requests(key, sum)?;
        }
        Ok(())
    }

    fn write_attempts(&self, key: &AttemptHour, sum: &AttemptSum) -> rusqlite::Result<()> {
        let [requests, of_model, of_provider, of_supply] = sum.requests;
        self.run(
            "INSERT INTO spend_hours VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
             ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28)
             ON CONFLICT DO UPDATE SET requests = requests + excluded.requests,
             model_requests = model_requests + excluded.model_requests,
             provider_requests = provider_requests + excluded.provider_requests,
             supply_requests = supply_requests + excluded.supply_requests, attempts = attempts + excluded.attempts,
             input = input + excluded.input, cache_read = cache_read + excluded.cache_read,
             output = output + excluded.output, posted = posted + excluded.posted, held = held + excluded.held,
             estimated = estimated + excluded.estimated, adjusted = adjusted + excluded.adjusted,
             prepaid = prepaid + excluded.prepaid, retries = retries + excluded.retries,
             fallbacks = fallbacks + excluded.fallbacks, failed = failed + excluded.failed,
             cache_saved = cache_saved + excluded.cache_saved",
            params![
                name(key.hour),
                key.model,
                key.provider,
                key.supply,
                key.caller.route,
                key.caller.client,
                tags(&key.caller.tags),
                key.caller.purpose,
                key.caller.territory,
                names(&key.licenses),
                key.currency.code(),
                requests,
                of_model,
                of_provider,
                of_supply,
                sum.attempts,
                sum.input,
                sum.cache_read,
                sum.output,
                sum.posted.nanos(),
                sum.held.nanos(),
                sum.estimated.nanos(),
                sum.adjusted.nanos(),
                sum.prepaid.nanos(),
                sum.retries.nanos(),
                sum.fallbacks.nanos(),
                sum.failed.nanos(),
                sum.cache_saved.nanos(),
            ],
        )
    }

    fn write_requests(&self, key: &RequestHour, sum: &RequestSum) -> rusqlite::Result<()> {
        self.run(
            "INSERT INTO request_hours VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
             ON CONFLICT DO UPDATE SET requests = requests + excluded.requests,
             first_cost = first_cost + excluded.first_cost, compared = compared + excluded.compared,
             saved = saved + excluded.saved",
            params![
                name(key.hour),
                key.route,
                key.caller.client,
                tags(&key.caller.tags),
                key.caller.purpose,
                key.caller.territory,
                key.first_choice,
                key.model,
                key.provider,
                key.supply,
                key.currency.code(),
                sum.requests,
                sum.first_cost.nanos(),
                sum.compared,
                sum.saved.nanos(),
            ],
        )
    }
}

fn key(a: &AttemptRecord) -> AttemptHour {
    AttemptHour {
        hour: hour_of(a.at),
        model: a.model.clone(),
        provider: a.provider.clone(),
        supply: a.supply,
        caller: a.caller.clone(),
        licenses: a.licenses.clone(),
        currency: a.currency,
    }
}

/// At list rates: reads at less than plain input save, writes at more cost.
fn cache_saved(usage: &Usage, bill: &Bill) -> Money {
    let plain = i128::from(bill.rates.get(Kind::Input).nanos_per_million());
    let parts = [
        (Kind::CacheRead, usage.cache_read),
        (Kind::CacheReadExplicit, usage.cache_read_explicit),
        (Kind::CacheWrite, usage.cache_write),
        (Kind::CacheWrite1h, usage.cache_write_1h),
        (Kind::CacheWrite12h, usage.cache_write_12h),
    ];
    let saved = parts.iter().fold(0_i128, |sum, (kind, tokens)| {
        let less = plain - i128::from(bill.rates.get(*kind).nanos_per_million());
        sum.saturating_add(less.saturating_mul(i128::from(*tokens)))
    });
    worth(saved / TOKENS_PER_RATE, bill)
}

/// Nano-units of the price's currency in the policy's.
fn worth(nanos: i128, bill: &Bill) -> Money {
    let numerator = i128::from(bill.exchange.numerator());
    let denominator = i128::from(bill.exchange.denominator()).max(1);
    let nanos = nanos.saturating_mul(numerator) / denominator;
    let bound = i128::from(i64::MAX);
    Money::from_nanos(i64::try_from(nanos.clamp(-bound, bound)).unwrap_or(0))
}
