//! Where the money went: attempts summed by one of the questions people ask, from the hours that were summed when they
//! were written, and from rows only at the edges of a span. Reads the file alone.

use super::connection::open_current;
use super::error::LedgerError;
use super::fees::fees;
use super::fold::folded_upto;
use super::hours::{Split, end_of_hour};
use super::text::time;
use crate::money::Money;
use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};
use std::collections::BTreeMap;
use std::path::Path;

/// What a line of the sum stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    Model,
    Provider,
    Supply,
    Route,
    Client,
    Tag(String),
    Use,
    Territory,
    /// The budget that paid for copies which a mirror sent; what served clients has none.
    Mirror,
    /// Hours, days and months of UTC.
    Hour,
    Day,
    Month,
}

impl By {
    /// In order of time, not of money.
    pub const fn is_time(&self) -> bool {
        matches!(self, Self::Hour | Self::Day | Self::Month)
    }

    /// Only the tag's name comes from outside, and it is bound as a parameter.
    const fn column(&self) -> &'static str {
        match self {
            Self::Model => "nullif(model, '')",
            Self::Provider => "nullif(provider, '')",
            Self::Supply => "nullif(supply, '')",
            Self::Route => "nullif(route, '')",
            Self::Client => "nullif(client, '')",
            Self::Tag(_) => "(SELECT nullif(t.value, '') FROM json_each(tags) t WHERE t.key = :tag)",
            Self::Use => "nullif(purpose, '')",
            Self::Territory => "nullif(territory, '')",
            Self::Mirror => "nullif(mirror, '')",
            Self::Hour => "hour || ':00Z'",
            Self::Day => "substr(hour, 1, 10)",
            Self::Month => "substr(hour, 1, 7)",
        }
    }

    /// A request that went on at another model counts once at each of them, and once altogether.
    const fn requests(&self) -> &'static str {
        match self {
            Self::Model => "model_requests",
            Self::Provider => "provider_requests",
            Self::Supply => "supply_requests",
            _ => "requests",
        }
    }
}

/// Which requests; empty is all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Only {
    pub route: Option<String>,
    pub client: Option<String>,
    /// All of them must be there with these values; the empty value is a tag that is not there.
    pub tags: Vec<(String, String)>,
}

impl Only {
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Clone, Debug)]
pub struct SpendQuery {
    pub by: By,
    /// Inclusive.
    pub since: Timestamp,
    /// Exclusive.
    pub until: Timestamp,
    pub only: Only,
}

impl SpendQuery {
    /// Of what is folded only whole hours are known: each counts where it begins.
    pub(super) fn as_kept(&self, connection: &Connection) -> rusqlite::Result<Self> {
        let upto = folded_upto(connection)?;
        let kept = |at: Timestamp| if time(at) < upto { end_of_hour(at) } else { at };
        Ok(Self {
            since: kept(self.since),
            until: kept(self.until),
            ..self.clone()
        })
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpendRow {
    pub name: String,
    pub currency: String,
    pub requests: i64,
    pub attempts: i64,
    pub input: i64,
    pub cached: i64,
    pub output: i64,
    pub posted: Money,
    pub held: Money,
    /// The part of `posted` that rests on planb's own count of tokens.
    pub estimated: Money,
    /// The part of `posted` that corrects what a ladder re-rated.
    pub adjusted: Money,
    /// The part of `posted` that a commitment had paid for.
    pub prepaid: Money,
    /// What attempts after a request's first cost: at the same model, and at another.
    pub retries: Money,
    pub fallbacks: Money,
    /// What attempts cost, or may cost, that gave no answer.
    pub failed: Money,
    /// What prompt caches saved against plain input.
    pub cache_saved: Money,
    /// Answered requests whose first choice without plans is known, and what they cost less than they would have there.
    pub compared: i64,
    pub saved: Money,
}

/// The lines, dearest first (times in order), and one total a currency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spend {
    pub rows: Vec<SpendRow>,
    pub totals: Vec<SpendRow>,
}

/// The line of what crashes left unrecorded.
const UNACCOUNTED: &str = "(unaccounted)";
const NONE: &str = "(none)";

pub fn spend(path: &Path, query: &SpendQuery) -> Result<Spend, LedgerError> {
    let mut connection = open_current(path)?;
    // One state of the file for all that is asked of it.
    let frozen = connection.transaction()?;
    let query = &query.as_kept(&frozen)?;
    let name = format!("coalesce({}, '{NONE}')", query.by.column());
    let mut rows = grouped(&frozen, &name, query.by.requests(), query)?;
    if query.by.is_time() {
        rows.sort_by(|a, b| (&a.name, &a.currency).cmp(&(&b.name, &b.currency)));
    } else {
        let money = |row: &SpendRow| row.posted.plus(row.held);
        rows.sort_by(|a, b| money(b).cmp(&money(a)).then_with(|| a.name.cmp(&b.name)));
    }
    let mut totals = grouped(&frozen, "'total'", "requests", query)?;
    let lost = if query.only.is_everything() {
        unaccounted(&frozen, query)?
    } else {
        Vec::new()
    };
    for lost in lost {
        match totals.iter_mut().find(|total| total.currency == lost.currency) {
            Some(total) => total.held = total.held.plus(lost.held),
            None => totals.push(SpendRow {
                name: "total".to_owned(),
                ..lost.clone()
            }),
        }
        rows.push(lost);
    }
    if query.only.is_everything() {
        for paid in paid_anyway(&frozen, query)? {
            match totals.iter_mut().find(|total| total.currency == paid.currency) {
                Some(total) => total.posted = total.posted.plus(paid.posted),
                None => totals.push(SpendRow {
                    name: "total".to_owned(),
                    ..paid.clone()
                }),
            }
            rows.push(paid);
        }
    }
    Ok(Spend { rows, totals })
}

/// Fees are of no request, and so they have rows of their own.
fn paid_anyway(connection: &Connection, query: &SpendQuery) -> rusqlite::Result<Vec<SpendRow>> {
    let mut sums: BTreeMap<(String, String), Money> = BTreeMap::new();
    for fee in fees(connection, (query.since, query.until), Timestamp::now())? {
        let name = match query.by {
            By::Model => format!("{} (fee)", fee.name),
            By::Provider => format!("{} (fees)", fee.provider),
            By::Supply => format!("{} (fees)", fee.supply),
            By::Day => format!("{} (fees)", fee.day),
            By::Month => format!("{} (fees)", fee.day.get(..7).unwrap_or_default()),
            _ => "(fees)".to_owned(),
        };
        let sum = sums.entry((name.trim().to_owned(), fee.currency)).or_default();
        *sum = sum.plus(fee.amount);
    }
    let row = |((name, currency), posted)| SpendRow {
        name,
        currency,
        posted,
        ..SpendRow::default()
    };
    Ok(sums.into_iter().map(row).collect())
}

/// Hours and rows under one set of names. What a row adds is what it added to its hour.
const SPENT: &str = "
    SELECT hour, model, provider, supply, route, client, tags, purpose, territory, currency, requests, model_requests,
        provider_requests, supply_requests, attempts, input, cache_read, output, posted, held, estimated, adjusted,
        prepaid, retries, fallbacks, failed, cache_saved, '' AS mirror
    FROM spend_hours WHERE hour >= :from AND hour < :to
    UNION ALL
    SELECT substr(at, 1, 13), model, provider, supply, route, client, tags, purpose, territory, currency, firsts & 1,
        (firsts >> 1) & 1, (firsts >> 2) & 1, (firsts >> 3) & 1, outcome NOT IN ('adjustment', 'release', 'estimate'), input, cache_read, output,
        iif(ended = 'posted', amount, 0), iif(ended = 'held', amount, 0), iif(ended = 'posted' AND estimated, amount, 0),
        iif(outcome = 'adjustment', amount, 0), prepaid_worth, iif(again = 'retry', amount, 0),
        iif(again = 'fallback', amount, 0), iif(outcome = 'failed' OR (outcome IN ('release', 'estimate', 'adjustment') AND
        (SELECT first.outcome FROM attempts first WHERE first.id = attempts.corrects) = 'failed'), amount, 0), cache_saved, mirror
    FROM attempts WHERE (at >= :since AND at < :head) OR (at >= :tail AND at < :until)";

/// Hours sum copies for mirrors with what served clients: their rows are taken out of that and put under their own name.
fn moved(sign: &str, mirror: &str) -> String {
    format!(
        "
    UNION ALL
    SELECT substr(at, 1, 13), model, provider, supply, route, client, tags, purpose, territory, currency, 0, 0, 0, 0,
        {sign} iif(outcome = 'folded', folded, outcome NOT IN ('adjustment', 'release', 'estimate')), {sign} input, {sign} cache_read, {sign} output,
        {sign} iif(ended = 'posted', amount, 0), {sign} iif(ended = 'held', amount, 0),
        {sign} iif(ended = 'posted' AND estimated, amount, 0), {sign} iif(outcome = 'adjustment', amount, 0),
        {sign} prepaid_worth, {sign} iif(again = 'retry', amount, 0), {sign} iif(again = 'fallback', amount, 0),
        {sign} iif(outcome = 'failed' OR (outcome IN ('release', 'estimate', 'adjustment') AND
        (SELECT first.outcome FROM attempts first WHERE first.id = attempts.corrects) = 'failed'), amount, 0),
        {sign} cache_saved, {mirror}
    FROM attempts WHERE mirror <> '' AND at >= :head AND at < :tail"
    )
}

/// With copies for mirrors apart where that is asked, and there may be any: their rows have to be looked for.
pub(super) fn spent(connection: &Connection, mirrors_apart: bool) -> rusqlite::Result<String> {
    let any = "SELECT EXISTS (SELECT 1 FROM pools WHERE shape LIKE '%|shadows')";
    let apart = mirrors_apart && connection.query_row(any, [], |row| row.get(0))?;
    let copies = if apart {
        moved("-", "''") + &moved("+", "mirror")
    } else {
        String::new()
    };
    Ok(format!("({SPENT}{copies})"))
}

/// By the decision, whatever SQLite thinks of the index by model: that one finds a third of all rows.
const ASKED: &str = "(
    SELECT hour, route, client, tags, purpose, territory, model, provider, supply, currency, compared, saved, '' AS mirror
    FROM request_hours WHERE hour >= :from AND hour < :to AND compared > 0
    UNION ALL
    SELECT substr(d.at, 1, 13), d.route, d.client, d.tags, d.purpose, d.territory, d.chosen, coalesce(a.provider, ''),
        coalesce(a.supply, ''), d.currency, 1, d.first_cost - d.cost, ''
    FROM decisions d LEFT JOIN attempts a ON a.decision = d.id AND a.outcome = 'ok' AND +a.model = d.chosen AND a.mirror = ''
    WHERE ((d.at >= :since AND d.at < :head) OR (d.at >= :tail AND d.at < :until))
        AND d.first_choice <> '' AND d.outcome = 'ok' AND d.chosen IS NOT NULL)";

fn grouped(connection: &Connection, name: &str, requests: &str, query: &SpendQuery) -> rusqlite::Result<Vec<SpendRow>> {
    let only = Filter::of(query);
    let spent = spent(connection, query.by == By::Mirror)?;
    let sql = format!(
        "SELECT {name} AS name, currency, sum({requests}), sum(attempts), sum(input), sum(cache_read), sum(output),
         sum(posted), sum(held), sum(estimated), sum(adjusted), sum(prepaid), sum(retries), sum(fallbacks), sum(failed),
         sum(cache_saved) FROM {spent} WHERE {} GROUP BY 1, 2",
        only.condition
    );
    let mut rows = only.rows(connection, &sql, |row| {
        let money = |at| row.get(at).map(Money::from_nanos);
        Ok(SpendRow {
            name: row.get(0)?,
            currency: row.get(1)?,
            requests: row.get(2)?,
            attempts: row.get(3)?,
            input: row.get(4)?,
            cached: row.get(5)?,
            output: row.get(6)?,
            posted: money(7)?,
            held: money(8)?,
            estimated: money(9)?,
            adjusted: money(10)?,
            prepaid: money(11)?,
            retries: money(12)?,
            fallbacks: money(13)?,
            failed: money(14)?,
            cache_saved: money(15)?,
            ..SpendRow::default()
        })
    })?;
    let sql = format!(
        "SELECT {name} AS name, currency, sum(compared), sum(saved) FROM {ASKED} WHERE {} GROUP BY 1, 2",
        only.condition
    );
    let saved = only.rows(connection, &sql, |row| {
        Ok(SpendRow {
            name: row.get(0)?,
            currency: row.get(1)?,
            compared: row.get(2)?,
            saved: Money::from_nanos(row.get(3)?),
            ..SpendRow::default()
        })
    })?;
    for found in saved {
        let same = |row: &&mut SpendRow| row.name == found.name && row.currency == found.currency;
        match rows.iter_mut().find(same) {
            Some(row) => (row.compared, row.saved) = (found.compared, found.saved),
            // A free model's answer that nobody was asked to pay for.
            None => rows.push(found),
        }
    }
    Ok(rows)
}

/// A query's span and its conditions, with what is bound to their names.
pub(super) struct Filter {
    pub(super) condition: String,
    bound: Vec<(String, Value)>,
}

impl Filter {
    pub(super) fn of(query: &SpendQuery) -> Self {
        let split = Split::of(query.since, query.until);
        let span = [
            (":since", split.since),
            (":head", split.head),
            (":from", split.from),
            (":to", split.to),
            (":tail", split.tail),
            (":until", split.until),
        ];
        let mut bound: Vec<(String, Value)> = span.map(|(name, text)| (name.to_owned(), text.into())).into();
        if let By::Tag(name) = &query.by {
            bound.push((":tag".to_owned(), name.clone().into()));
        }
        let mut condition = "true".to_owned();
        for (column, wanted) in [("route", &query.only.route), ("client", &query.only.client)] {
            if let Some(wanted) = wanted {
                condition.push_str(&format!(" AND {column} = :{column}"));
                bound.push((format!(":{column}"), wanted.clone().into()));
            }
        }
        for (at, (name, value)) in query.only.tags.iter().enumerate() {
            condition.push_str(&format!(
                " AND coalesce((SELECT t.value FROM json_each(tags) t WHERE t.key = :name{at}), '') = :value{at}"
            ));
            bound.push((format!(":name{at}"), name.clone().into()));
            bound.push((format!(":value{at}"), value.clone().into()));
        }
        Self { condition, bound }
    }

    pub(super) fn rows<T>(
        &self,
        connection: &Connection,
        sql: &str,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        let mut statement = connection.prepare(sql)?;
        let mut values = vec![Value::Null; statement.parameter_count()];
        for (name, value) in &self.bound {
            // A name that this statement does not use.
            let Some(at) = statement.parameter_index(name)? else {
                continue;
            };
            if let Some(place) = values.get_mut(at - 1) {
                *place = value.clone();
            }
        }
        statement.query_map(params_from_iter(values), read)?.collect()
    }
}

/// The same unrecorded money is missing from every budget that covered it: the largest sum of one budget counts.
fn unaccounted(connection: &Connection, query: &SpendQuery) -> rusqlite::Result<Vec<SpendRow>> {
    let mut statement = connection.prepare(
        "SELECT currency, sum(most) FROM (
             SELECT currency, max(total) AS most FROM (
                 SELECT l.incarnation, p.budget, p.currency, sum(l.unaccounted) AS total
                 FROM leases l JOIN pools p ON p.id = l.pool JOIN incarnations i ON i.number = l.incarnation
                 WHERE l.unaccounted > 0 AND i.seen_at >= ?1 AND i.seen_at < ?2
                 GROUP BY l.incarnation, p.budget, p.currency)
             GROUP BY incarnation, currency)
         GROUP BY currency ORDER BY currency",
    )?;
    let rows = statement.query_map(params![time(query.since), time(query.until)], |row| {
        Ok(SpendRow {
            name: UNACCOUNTED.to_owned(),
            currency: row.get(0)?,
            held: Money::from_nanos(row.get(1)?),
            ..SpendRow::default()
        })
    })?;
    rows.collect()
}
