//! Both sides of the comparison, summed by day, model and item: what was billed, and what was recorded.

use super::{Decimal, Item, Line, Names};
use crate::money::{Money, Ratio};
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};

/// A day and the model's name at its provider.
pub type Group = (Date, String);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Lines or attempts.
    pub count: u64,
    pub quantity: i64,
    pub money: Decimal,
}

impl Sum {
    pub fn add(&mut self, quantity: i64, money: Decimal) {
        self.count = self.count.saturating_add(1);
        self.quantity = self.quantity.saturating_add(quantity);
        self.money = self.money.plus(money);
    }
}

/// What one or several exports of a vendor say.
#[derive(Clone, Debug, Default)]
pub struct Billed {
    pub groups: BTreeMap<Group, BTreeMap<Item, Sum>>,
    pub requests: BTreeMap<Group, i64>,
    /// Something says how many tokens, how much money.
    pub has_quantities: bool,
    pub has_money: bool,
    /// The vendor's names, by the known ones.
    pub told: BTreeMap<String, BTreeSet<String>>,
}

impl Billed {
    pub fn add(&mut self, line: Line) {
        let group = (line.day, line.model);
        if let Some(requests) = line.requests {
            let sum = self.requests.entry(group.clone()).or_default();
            *sum = sum.saturating_add(requests);
        }
        self.has_quantities |= line.quantity.is_some();
        self.has_money |= line.amount.is_some();
        if line.quantity.is_some() || line.amount.is_some() {
            let items = self.groups.entry(group).or_default();
            items
                .entry(line.item)
                .or_default()
                .add(line.quantity.unwrap_or(0), line.amount.unwrap_or_default());
        }
    }

    /// The same by the names that are known.
    #[must_use]
    pub fn named(self, names: &Names) -> Self {
        let mut named = Self {
            has_quantities: self.has_quantities,
            has_money: self.has_money,
            ..Self::default()
        };
        let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut resolve = |(day, model): Group| {
            let known = names.resolve(&model);
            if known != model {
                told.entry(known.clone()).or_default().insert(model);
            }
            (day, known)
        };
        for (group, items) in self.groups {
            let into = named.groups.entry(resolve(group)).or_default();
            for (item, sum) in items {
                let both = into.entry(item).or_default();
                both.count = both.count.saturating_add(sum.count);
                both.quantity = both.quantity.saturating_add(sum.quantity);
                both.money = both.money.plus(sum.money);
            }
        }
        for (group, requests) in self.requests {
            let sum = named.requests.entry(resolve(group)).or_default();
            *sum = sum.saturating_add(requests);
        }
        named.told = told;
        named
    }

    /// The first and the last day.
    pub fn days(&self) -> Option<(Date, Date)> {
        let days = || self.groups.keys().chain(self.requests.keys()).map(|(day, _)| *day);
        Some((days().min()?, days().max()?))
    }

    pub fn keep(&mut self, (first, last): (Date, Date)) {
        let within = |group: &Group| group.0 >= first && group.0 <= last;
        self.groups.retain(|group, _| within(group));
        self.requests.retain(|group, _| within(group));
    }
}

/// What the ledger says of the same provider and days.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// Attempts whose use the provider reported.
    pub groups: BTreeMap<Group, BTreeMap<Item, Sum>>,
    /// All that were posted or held.
    pub requests: BTreeMap<Group, i64>,
    pub voided: BTreeMap<Group, u64>,
    /// Held ones, and those whose use is planb's own count.
    pub doubtful: BTreeMap<Group, Vec<Doubtful>>,
}

/// An attempt of which the ledger does not know for sure what it cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubtful {
    /// Its row in the ledger.
    pub attempt: i64,
    /// Its money is held yet.
    pub held: bool,
    /// What it counts as now, with all corrections, in the ledger's currency.
    pub now: Money,
    /// What was reserved for it.
    pub worst: Money,
    /// Its own count, by item.
    pub used: [(Item, i64); 2],
    /// What one unit of the invoice's currency is worth in the ledger's.
    pub exchange: Ratio,
}
