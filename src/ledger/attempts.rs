//! One attempt into the tables: its row, what explains its bill, its postings and its meters.

use super::explain::{explained, fraction};
use super::hours::Standing;
use super::record::{Adjustment, AttemptRecord, EndKind};
use super::text::{count, names, tags, time};
use super::write::Write;
use crate::money::Money;
use crate::price::{Bill, Kind, Unit};
use rusqlite::{named_params, params};
use serde_json::{Map, Value};

impl Write<'_> {
    pub(super) fn attempt(&mut self, a: &AttemptRecord) -> rusqlite::Result<()> {
        let standing = self.standing(a)?;
        self.row(a, &standing)?;
        let attempt = self.connection.last_insert_rowid();
        self.count_attempt(a, &standing);
        self.user(a)?;
        for posting in &a.postings {
            self.post(attempt, posting, a.currency)?;
        }
        if a.end == EndKind::Held && a.amount > Money::ZERO {
            self.hold(attempt, a.estimate)?;
        }
        a.meters.iter().try_for_each(|change| self.meter(change))?;
        a.adjustment
            .as_ref()
            .map_or(Ok(()), |adjustment| self.adjustment(a, adjustment))
    }

    fn row(&self, a: &AttemptRecord, standing: &Standing) -> rusqlite::Result<()> {
        let (usage, bill) = (&a.usage, a.bill.as_ref());
        let rate = |kind| bill.map(|bill| bill.rates.get(kind).nanos_per_million());
        self.run(
            "INSERT INTO attempts (incarnation, decision, number, at, model, provider, supply, upstream, client, tags, purpose,
             route, key, territory, run, ended, outcome, class, status, input, cache_read, cache_read_explicit, cache_write, cache_write_1h, cache_write_12h,
             input_audio, input_image, output, reasoning, output_audio, thinking, web_searches, web_fetches, tool_calls,
             service_tier, machine_ms, estimated, amount, worst, currency, rate_input, rate_cache_read, rate_output,
             rates, price_from, billed, billed_currency, exchange, free_tokens, prepaid, first_token_ms, total_ms,
             again, firsts, cache_saved, prepaid_worth, licenses, policy, options, bill, named_user, mirror)
             VALUES (:incarnation, :decision, :number, :at, :model, :provider, :supply, :upstream, :client, :tags, :purpose,
             :route, :key, :territory, :run, :ended, :outcome, :class, :status, :input, :cache_read, :cache_read_explicit, :cache_write,
             :cache_write_1h, :cache_write_12h, :input_audio, :input_image, :output, :reasoning, :output_audio, :thinking,
             :web_searches, :web_fetches, :tool_calls, :service_tier, :machine_ms, :estimated, :amount, :worst, :currency,
             :rate_input, :rate_cache_read, :rate_output, :rates, :price_from, :billed, :billed_currency, :exchange,
             :free_tokens, :prepaid, :first_token_ms, :total_ms, :again, :firsts, :cache_saved, :prepaid_worth, :licenses,
             :policy, :options, :bill, :named_user, :mirror)",
            named_params! {
                ":incarnation": self.incarnation,
                ":decision": a.decision,
                ":number": a.number,
                ":at": time(a.at),
                ":model": a.model,
                ":provider": a.provider,
                ":supply": a.supply,
                ":upstream": a.upstream,
                ":client": a.caller.client,
                ":tags": tags(&a.caller.tags),
                ":purpose": a.caller.purpose,
                ":route": a.caller.route,
                ":key": a.key,
                ":territory": a.caller.territory,
                ":run": a.caller.run,
                ":ended": a.end.word(),
                ":outcome": a.outcome,
                ":class": a.class,
                ":status": a.status,
                ":input": count(usage.input),
                ":cache_read": count(usage.cache_read),
                ":cache_read_explicit": count(usage.cache_read_explicit),
                ":cache_write": count(usage.cache_write),
                ":cache_write_1h": count(usage.cache_write_1h),
                ":cache_write_12h": count(usage.cache_write_12h),
                ":input_audio": count(usage.input_audio),
                ":input_image": count(usage.input_image),
                ":output": count(usage.output),
                ":reasoning": count(usage.reasoning),
                ":output_audio": count(usage.output_audio),
                ":thinking": usage.thinking,
                ":web_searches": count(usage.web_searches.unwrap_or(0)),
                ":web_fetches": count(usage.web_fetches),
                ":tool_calls": count(usage.tool_calls),
                ":service_tier": usage.tier.map_or("", |tier| tier.word()),
                ":machine_ms": i64::try_from(usage.time.as_millis()).unwrap_or(i64::MAX),
                ":estimated": usage.estimated,
                ":amount": a.amount.nanos(),
                ":worst": a.worst.nanos(),
                ":currency": a.currency.code(),
                ":rate_input": rate(Kind::Input),
                ":rate_cache_read": rate(Kind::CacheRead),
                ":rate_output": rate(Kind::Output),
                ":rates": bill.map_or_else(|| "{}".to_owned(), rates),
                ":price_from": bill.and_then(|bill| bill.from).map_or_else(String::new, time),
                ":billed": bill.map(|bill| bill.billed.nanos()),
                ":billed_currency": bill.map_or_else(String::new, |bill| bill.currency.to_string()),
                ":exchange": bill.map_or_else(String::new, exchange),
                ":free_tokens": if a.end == EndKind::Held { held_quota(a) } else { bill.map_or(0, |bill| count(bill.drawn.free)) },
                ":prepaid": bill.map_or(0, |bill| bill.prepaid.nanos()),
                ":first_token_ms": a.first_token_ms.map(count),
                ":total_ms": count(a.total_ms),
                ":again": standing.again,
                ":firsts": standing.firsts,
                ":cache_saved": standing.cache_saved.nanos(),
                ":prepaid_worth": standing.prepaid.nanos(),
                ":licenses": names(&a.licenses),
                ":policy": a.policy,
                ":options": names(&a.options),
                ":bill": bill.map_or_else(String::new, |bill| explained(bill, &a.lines)),
                ":named_user": a.user.is_some(),
                ":mirror": a.caller.mirror,
            },
        )
    }

    /// Corrects what attempts before this one cost. A row of its own, so that every row stays what it was.
    fn adjustment(&mut self, a: &AttemptRecord, adjustment: &Adjustment) -> rusqlite::Result<()> {
        self.count_adjustment(a, adjustment.amount);
        self.run(
            "INSERT INTO attempts (incarnation, decision, number, at, model, provider, supply, upstream, client, tags,
             purpose, ended, outcome, class, status, input, cache_read, output, reasoning, estimated, amount, worst,
             currency, total_ms, route, key, territory, licenses, run, mirror)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 'posted', 'adjustment', '', 0, 0, 0, 0, 0, 0, ?12, 0,
             ?13, 0, ?14, ?15, ?16, ?17, ?18, ?19)",
            params![
                self.incarnation,
                a.decision,
                a.number,
                time(a.at),
                a.model,
                a.provider,
                a.supply,
                a.upstream,
                a.caller.client,
                tags(&a.caller.tags),
                a.caller.purpose,
                adjustment.amount.nanos(),
                a.currency.code(),
                a.caller.route,
                a.key,
                a.caller.territory,
                names(&a.licenses),
                a.caller.run,
                a.caller.mirror,
            ],
        )?;
        let row = self.connection.last_insert_rowid();
        let mut postings = adjustment.postings.iter();
        postings.try_for_each(|posting| self.post(row, posting, a.currency))
    }
}

/// What a held attempt may have drawn of a free quota: the one meter that it counts on.
fn held_quota(a: &AttemptRecord) -> i64 {
    let tokens = a.meters.iter().filter(|change| change.unit == Unit::Tokens);
    count(tokens.map(|change| change.added).max().unwrap_or(0))
}

/// Nano-units a million by kind, of the kinds that cost something.
fn rates(bill: &Bill) -> String {
    let rates = Kind::ALL.map(|kind| (kind.word(), bill.rates.get(kind).nanos_per_million()));
    let paid = rates.into_iter().filter(|(_, rate)| *rate != 0);
    let rates: Map<String, Value> = paid.map(|(kind, rate)| (kind.to_owned(), rate.into())).collect();
    Value::Object(rates).to_string()
}

/// What one unit of the price's currency was worth, as a fraction.
fn exchange(bill: &Bill) -> String {
    fraction(bill.exchange)
}
