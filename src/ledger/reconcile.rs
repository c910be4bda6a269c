//! The ledger's side of an invoice: what was recorded of some providers over some days, by day, model and item, in the
//! invoice's currency. Reads the file alone.

mod post;

pub use post::{Origin, Posted, post};

use super::connection::open_current;
use super::error::LedgerError;
use super::explain::read_bill;
use super::text::{read_time, read_usage, time};
use super::users::{RecordedPolicy, policy};
use crate::invoice::{Decimal, Doubtful, Item, Recorded};
use crate::money::{Currency, Money, Ratio};
use crate::price::{Bill, Line, split};
use crate::usage::Usage;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What is asked of the ledger.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    pub providers: &'a [String],
    /// Inclusive, in the vendor's zone.
    pub days: (Date, Date),
    pub zone: &'a TimeZone,
    /// The invoice's; `None` where it has no money: then each price's own.
    pub currency: Option<Currency>,
    /// What one unit of the invoice's currency is worth in the policy's; `None` without a rate.
    pub exchange: Option<Ratio>,
}

/// What was recorded, and under which names.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub recorded: Recorded,
    pub upstreams: BTreeSet<String>,
    /// The policy's names, by the provider's.
    pub models: BTreeMap<String, BTreeSet<String>>,
    /// Something was priced in another currency than the invoice's, and needs a rate.
    pub foreign: Option<Currency>,
}

/// The policy (hash, origin, text) that was in force before an instant; before the first of them, the first.
pub fn policy_before(path: &Path, at: Timestamp) -> Result<Option<RecordedPolicy>, LedgerError> {
    let connection = open_current(path)?;
    if let Some(found) = policy(&connection, at)? {
        return Ok(Some(found));
    }
    let first = connection
        .prepare("SELECT hash, origin, text FROM policies ORDER BY id LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    Ok(first)
}

pub fn recorded(path: &Path, asked: &Asked<'_>) -> Result<Found, LedgerError> {
    let mut connection = open_current(path)?;
    let frozen = connection.transaction()?;
    Ok(Reading::new(asked).run(&frozen)?)
}

struct Reading<'a> {
    asked: &'a Asked<'a>,
    found: Found,
    /// Where the doubtful attempt of a row is: its group and its place there.
    places: BTreeMap<i64, ((Date, String), usize)>,
}

impl<'a> Reading<'a> {
    fn new(asked: &'a Asked<'a>) -> Self {
        Self {
            asked,
            found: Found::default(),
            places: BTreeMap::new(),
        }
    }

    fn run(mut self, connection: &Connection) -> rusqlite::Result<Found> {
        let (since, until) = self.span();
        let mut statement = connection.prepare(
            "SELECT a.*, EXISTS (SELECT 1 FROM holds h WHERE h.attempt = a.id) AS open FROM attempts a
             WHERE a.at >= ?1 AND a.at < ?2 AND a.provider IN (SELECT value FROM json_each(?3)) ORDER BY a.id",
        )?;
        let providers = serde_json::to_string(self.asked.providers).unwrap_or_default();
        let mut rows = statement.query(params![time(since), time(until), providers])?;
        while let Some(row) = rows.next()? {
            self.row(row)?;
        }
        Ok(self.found)
    }

    fn span(&self) -> (Timestamp, Timestamp) {
        let midnight = |day: Date| {
            let start = day.to_zoned_datetime(self.asked.zone.clone());
            start.map_or(Timestamp::MAX, |start| start.timestamp())
        };
        let (first, last) = self.asked.days;
        let after = last.tomorrow().map_or(Timestamp::MAX, midnight);
        (midnight(first), after)
    }

    fn row(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        let at: String = row.get("at")?;
        let Some(at) = read_time(&at) else { return Ok(()) };
        let upstream: String = row.get("upstream")?;
        let group = (at.to_zoned_datetime(self.asked.zone.clone()).date(), upstream.clone());
        if self.found.upstreams.insert(upstream.clone()) || !self.found.models.contains_key(&upstream) {
            self.found.models.entry(upstream.clone()).or_default();
        }
        let model: String = row.get("model")?;
        if let Some(models) = self.found.models.get_mut(&upstream)
            && !models.contains(&model)
        {
            models.insert(model);
        }
        let amount = Money::from_nanos(row.get("amount")?);
        match row.get_ref("outcome")?.as_str()? {
            "adjustment" | "release" | "estimate" => self.correction(row, group, amount),
            _ if row.get_ref("ended")?.as_str()? == "voided" => {
                *self.found.recorded.voided.entry(group).or_default() += 1;
                Ok(())
            }
            _ => {
                let requests = self.found.recorded.requests.entry(group.clone()).or_default();
                *requests = requests.saturating_add(1);
                self.attempt(row, group, amount)
            }
        }
    }

    fn correction(&mut self, row: &Row<'_>, group: (Date, String), amount: Money) -> rusqlite::Result<()> {
        let corrects: Option<i64> = row.get("corrects")?;
        let place = corrects.and_then(|id| self.places.get(&id));
        let doubtful = place.and_then(|(group, place)| self.found.recorded.doubtful.get_mut(group)?.get_mut(*place));
        match doubtful {
            Some(one) => one.now = one.now.plus(amount),
            None => {
                let money = Decimal::of(amount).times(self.exchanged(row)?.inverse());
                let items = self.found.recorded.groups.entry(group).or_default();
                items.entry(Item::All).or_default().add(0, money);
            }
        }
        Ok(())
    }

    /// What one unit of the invoice's currency is worth in the ledger's.
    fn exchanged(&mut self, row: &Row<'_>) -> rusqlite::Result<Ratio> {
        let own: String = row.get("currency")?;
        let own = Currency::parse(&own);
        let Some(wanted) = self.asked.currency.or(own).filter(|wanted| Some(*wanted) != own) else {
            return Ok(Ratio::ONE);
        };
        let priced: String = row.get("billed_currency")?;
        if Currency::parse(&priced) == Some(wanted) {
            let told: String = row.get("exchange")?;
            return Ok(super::explain::read_fraction(&told));
        }
        if self.asked.exchange.is_none() {
            self.found.foreign = own;
        }
        Ok(self.asked.exchange.unwrap_or(Ratio::ONE))
    }

    fn attempt(&mut self, row: &Row<'_>, group: (Date, String), amount: Money) -> rusqlite::Result<()> {
        let (usage, _) = read_usage(row)?;
        let exchange = self.exchanged(row)?;
        let held = row.get_ref("ended")?.as_str()? == "held";
        if held || usage.estimated {
            let open: bool = row.get("open")?;
            let worst = Money::from_nanos(row.get("worst")?);
            let attempt = row.get("id")?;
            let one = Doubtful {
                attempt,
                held: open,
                now: amount,
                worst: worst.max(amount),
                used: [(Item::Input, tokens(usage.input)), (Item::Output, tokens(usage.output))],
                exchange,
            };
            self.doubt(attempt, group, one);
            return Ok(());
        }
        let items = self.found.recorded.groups.entry(group.clone()).or_default();
        for (kind, used) in split(&usage) {
            if used > 0 {
                items
                    .entry(Item::of(kind))
                    .or_default()
                    .add(tokens(used), Decimal::ZERO);
            }
        }
        if let Some(searches) = usage.web_searches.filter(|searches| *searches > 0) {
            items
                .entry(Item::Other)
                .or_default()
                .add(tokens(searches), Decimal::ZERO);
        }
        let whole = Decimal::of(amount).times(exchange.inverse());
        match priced(row)? {
            Some(priced) => {
                let bill = &priced.bill;
                let lines = if priced.lines.is_empty() {
                    bill.lines(&usage)
                } else {
                    priced.lines.clone()
                };
                let factor = bill.times.times(bill.account).times(self.factor(&priced, exchange));
                let items = self.found.recorded.groups.entry(group).or_default();
                let mut rest = whole;
                for line in lines {
                    let money = Decimal::of_tokens(line.tokens, line.rate.nanos_per_million(), factor);
                    rest = rest.minus(money);
                    money_of(items, Item::of(line.kind), money);
                }
                // Fees and what is no token; without any it is a rounding.
                if has_fees(bill, &usage) {
                    money_of(items, Item::Other, rest);
                }
            }
            None if amount != Money::ZERO => {
                let items = self.found.recorded.groups.entry(group).or_default();
                money_of(items, Item::All, whole);
            }
            None => {}
        }
        Ok(())
    }
}

impl Reading<'_> {
    fn doubt(&mut self, id: i64, group: (Date, String), one: Doubtful) {
        let all = self.found.recorded.doubtful.entry(group.clone()).or_default();
        all.push(one);
        self.places.insert(id, (group, all.len() - 1));
    }

    /// From the price's own currency into the invoice's.
    fn factor(&self, bill: &Priced, exchange: Ratio) -> Ratio {
        match self.asked.currency {
            Some(wanted) if bill.currency == Some(wanted) => Ratio::ONE,
            _ => bill.bill.exchange.times(exchange.inverse()),
        }
    }
}

/// A row's bill with the currency that its price is in.
struct Priced {
    bill: Bill,
    lines: Vec<Line>,
    currency: Option<Currency>,
}

/// `None` where the row does not say how its amount came about.
fn priced(row: &Row<'_>) -> rusqlite::Result<Option<Priced>> {
    if row.get_ref("bill")?.as_str()?.is_empty() {
        return Ok(None);
    }
    let currency: String = row.get("billed_currency")?;
    Ok(read_bill(row)?.map(|(bill, lines)| Priced {
        bill,
        lines,
        currency: Currency::parse(&currency),
    }))
}

fn money_of(items: &mut BTreeMap<Item, crate::invoice::Sum>, item: Item, money: Decimal) {
    let sum = items.entry(item).or_default();
    sum.money = sum.money.plus(money);
    sum.count = sum.count.max(1);
}

fn has_fees(bill: &Bill, usage: &Usage) -> bool {
    bill.fees.request != Money::ZERO
        || bill.compute.is_some()
        || usage.web_searches.unwrap_or(0) > 0
        || usage.web_fetches > 0
        || usage.tool_calls > 0
}

fn tokens(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
