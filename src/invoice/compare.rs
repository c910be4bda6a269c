//! Invoice against ledger: day by day, model by model, item by item, every difference once.

use super::difference::{Difference, Side, What};
use super::doubtful::{Explained, as_recorded, explain, line, settle, sum};
use super::factor::{Factor, factors};
use super::sums::{Billed, Group, Recorded, Sum};
use super::{Decimal, Item, Names};
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub differences: Vec<Difference>,
    pub explained: Vec<Explained>,
    pub factors: Vec<Factor>,
    /// Money that differs by no more than rounding can: in how many places, and by how much altogether.
    pub rounded: (u64, Decimal),
    pub invoice: Decimal,
    pub ledger: Decimal,
}

impl Report {
    /// Whether anything is there that rounding, midnight and what is explained already do not account for.
    pub fn differs(&self) -> bool {
        let open = |one: &Difference| !matches!(one.what, What::Midnight | What::Explained);
        self.differences.iter().any(open) || self.explained.iter().any(Explained::differs)
    }
}

/// `places` is the most decimals that an amount of the invoice shows.
pub fn compare(billed: &Billed, recorded: &Recorded, names: &Names, places: u32) -> Report {
    let mut comparison = Comparison {
        billed,
        names,
        step: Decimal::half_of_place(places.max(LEAST_PLACES)),
        report: Report::default(),
        found: BTreeMap::new(),
    };
    let groups = billed
        .groups
        .keys()
        .chain(recorded.groups.keys())
        .chain(recorded.doubtful.keys());
    let groups: BTreeSet<&Group> = groups.collect();
    for group in groups {
        comparison.group(group, recorded);
    }
    comparison.requests(recorded);
    let Comparison { mut report, found, .. } = comparison;
    report.factors = factors(&found);
    report.differences.extend(found.into_values().flatten());
    over_midnight(&mut report.differences);
    report.differences = merged(std::mem::take(&mut report.differences));
    report
        .differences
        .sort_by(|a, b| (&a.model, a.what, a.item, a.days).cmp(&(&b.model, b.what, b.item, b.days)));
    report
}

/// Vendors that show whole amounts still bill cents.
const LEAST_PLACES: u32 = 2;

struct Comparison<'a> {
    billed: &'a Billed,
    names: &'a Names,
    /// Half of the last decimal of the invoice.
    step: Decimal,
    report: Report,
    /// By model, in order of time.
    found: BTreeMap<String, Vec<Difference>>,
}

impl Comparison<'_> {
    /// The exact rule: half of the last decimal that the invoice shows for each of its lines, and half of a nano-unit for
    /// each attempt, which is how often either side has rounded.
    fn tolerance(&self, lines: u64, attempts: u64) -> Decimal {
        self.step.many(lines).plus(Decimal::half_of_place(9).many(attempts))
    }

    fn group(&mut self, group: &Group, recorded: &Recorded) {
        let nothing = BTreeMap::new();
        let told = self.billed.groups.get(group).unwrap_or(&nothing);
        let mut known = recorded.groups.get(group).cloned().unwrap_or_default();
        let reported: Decimal = known.values().map(|sum| sum.money).sum();
        let lines = told.values().map(|sum| sum.count).sum();
        if let Some(doubtful) = recorded.doubtful.get(group) {
            let attempts = known.values().map(|sum| sum.count).sum::<u64>() + doubtful.len() as u64;
            let has = (self.billed.has_quantities, self.billed.has_money);
            match explain(group, doubtful, told, &known, has, self.tolerance(lines, attempts)) {
                Some(explained) => {
                    settle(&explained, told, &mut known);
                    self.report.ledger = self.report.ledger.plus(explained.now);
                    self.found.entry(group.1.clone()).or_default().push(line(&explained));
                    self.report.explained.push(explained);
                }
                None => {
                    as_recorded(doubtful, &mut known);
                    let now = doubtful
                        .iter()
                        .map(|one| Decimal::of(one.now).times(one.exchange.inverse()));
                    self.report.ledger = self.report.ledger.plus(now.sum());
                }
            }
        }
        self.report.ledger = self.report.ledger.plus(reported);
        self.report.invoice = self.report.invoice.plus(told.values().map(|sum| sum.money).sum());
        let note = self.note(group, recorded);
        let mut found = Vec::new();
        if self.billed.has_money
            && [told, &known]
                .iter()
                .any(|side| sum(side, Item::All).money != Decimal::ZERO)
        {
            // Money of no kind on one side: only the whole can be compared.
            let whole = |side: &BTreeMap<Item, Sum>| Sum {
                count: side.values().map(|sum| sum.count).sum(),
                quantity: 0,
                money: side.values().map(|sum| sum.money).sum(),
            };
            found.extend(self.item(Item::All, whole(told), whole(&known), true));
            let parts = |side: &BTreeMap<Item, Sum>, item| Sum {
                money: Decimal::ZERO,
                ..sum(side, item)
            };
            for item in items(told, &known) {
                found.extend(self.item(item, parts(told, item), parts(&known, item), false));
            }
        } else {
            for item in items(told, &known) {
                found.extend(self.item(item, sum(told, item), sum(&known, item), self.billed.has_money));
            }
        }
        let whole_day = told.is_empty() || known.is_empty();
        for (what, item, invoice, ledger) in found {
            self.found.entry(group.1.clone()).or_default().push(Difference {
                days: (group.0, group.0),
                model: group.1.clone(),
                item,
                what,
                invoice,
                ledger,
                note: if whole_day || what == What::OnlyInvoice {
                    note.clone()
                } else {
                    String::new()
                },
            });
        }
    }

    fn note(&self, group: &Group, recorded: &Recorded) -> String {
        if !self.names.knows(&group.1) {
            return "the policy names no such model at this provider".to_owned();
        }
        match recorded.voided.get(group) {
            Some(voided) => format!("{voided} attempts of that day were voided as not billed"),
            None if !recorded.groups.contains_key(group) && !recorded.doubtful.contains_key(group) => {
                "nothing of that day passed planb".to_owned()
            }
            None => String::new(),
        }
    }

    fn item(&mut self, item: Item, told: Sum, known: Sum, money: bool) -> Vec<(What, Item, Side, Side)> {
        let counts = self.billed.has_quantities && item != Item::All;
        let side = |sum: Sum| Side {
            quantity: counts.then_some(sum.quantity),
            money: money.then_some(sum.money),
        };
        let (invoice, ledger) = (side(told), side(known));
        let empty = |sum: Sum| (!counts || sum.quantity == 0) && (!money || sum.money.is_zero());
        let tolerance = self.tolerance(told.count, known.count);
        let off = told.money.minus(known.money);
        let within = !money || off.abs() <= tolerance;
        let told_so = |what| vec![(what, item, invoice, ledger)];
        match (empty(told), empty(known)) {
            (true, true) => return Vec::new(),
            (false, true) if !(within && (!counts || told.quantity == 0)) => return told_so(What::OnlyInvoice),
            (true, false) if !(within && (!counts || known.quantity == 0)) => return told_so(What::OnlyLedger),
            _ => {}
        }
        let mut found = Vec::new();
        let same = !counts || told.quantity == known.quantity;
        if !same {
            found.extend(told_so(What::Quantity));
        }
        // What the invoice's tokens cost at the ledger's rate.
        let due = if same || known.quantity == 0 {
            known.money
        } else {
            known.money.part(i128::from(told.quantity), i128::from(known.quantity))
        };
        let off = told.money.minus(due);
        if money && off.abs() > tolerance {
            let what = if counts && told.quantity > 0 && known.quantity > 0 {
                What::Price
            } else {
                What::Money
            };
            found.extend(told_so(what));
        } else if money && !off.is_zero() {
            self.report.rounded.0 += 1;
            self.report.rounded.1 = self.report.rounded.1.plus(off);
        }
        found
    }

    fn requests(&mut self, recorded: &Recorded) {
        for (group, told) in &self.billed.requests {
            let known = recorded.requests.get(group).copied().unwrap_or(0);
            if *told != known {
                let note = self.note(group, recorded);
                let side = |quantity| Side {
                    quantity: Some(quantity),
                    money: None,
                };
                self.found.entry(group.1.clone()).or_default().push(Difference {
                    days: (group.0, group.0),
                    model: group.1.clone(),
                    item: Item::All,
                    what: What::Requests,
                    invoice: side(*told),
                    ledger: side(known),
                    note,
                });
            }
        }
    }
}

fn items(told: &BTreeMap<Item, Sum>, known: &BTreeMap<Item, Sum>) -> BTreeSet<Item> {
    told.keys()
        .chain(known.keys())
        .copied()
        .filter(|item| *item != Item::All)
        .collect()
}

/// Tokens that one day has too many and the next exactly as many too few.
fn over_midnight(differences: &mut [Difference]) {
    let counted = |one: &Difference| {
        matches!(
            one.what,
            What::Quantity | What::OnlyInvoice | What::OnlyLedger | What::Requests
        )
    };
    let off = |one: &Difference| {
        let sides = one.invoice.quantity.zip(one.ledger.quantity)?;
        Some(i128::from(sides.0) - i128::from(sides.1))
    };
    let mut places: BTreeMap<(String, Item, bool, Date), (usize, i128)> = BTreeMap::new();
    for (place, one) in differences.iter().enumerate().filter(|(_, one)| counted(one)) {
        if let Some(off) = off(one) {
            let requests = one.what == What::Requests;
            places.insert((one.model.clone(), one.item, requests, one.days.0), (place, off));
        }
    }
    let mut moved = BTreeSet::new();
    for ((model, item, requests, day), (place, off)) in &places {
        let Ok(next) = day.tomorrow() else { continue };
        let Some((other, back)) = places.get(&(model.clone(), *item, *requests, next)) else {
            continue;
        };
        if *off == -*back && !moved.contains(place) {
            moved.extend([*place, *other]);
        }
    }
    for place in moved {
        if let Some(one) = differences.get_mut(place) {
            one.what = What::Midnight;
        }
    }
}

/// A price that differs over several days in the same way is one difference since the first of them.
fn merged(differences: Vec<Difference>) -> Vec<Difference> {
    let mut kept: Vec<Difference> = Vec::with_capacity(differences.len());
    let mut last: BTreeMap<(String, Item), usize> = BTreeMap::new();
    let mut all = differences;
    all.sort_by_key(|one| one.days);
    for one in all {
        if one.what != What::Price {
            kept.push(one);
            continue;
        }
        let key = (one.model.clone(), one.item);
        let before = last.get(&key).and_then(|place| kept.get_mut(*place));
        match before.filter(|before| alike(before, &one)) {
            Some(before) => {
                before.days.1 = one.days.1;
                before.invoice = both(before.invoice, one.invoice);
                before.ledger = both(before.ledger, one.ledger);
            }
            None => {
                last.insert(key, kept.len());
                kept.push(one);
            }
        }
    }
    kept
}

/// To four digits of both rates: what a vendor's own rounding leaves of them.
fn alike(a: &Difference, b: &Difference) -> bool {
    let near = |a: Side, b: Side| match (a.rate(), b.rate()) {
        (Some(a), Some(b)) => a.minus(b).abs().many(2_000) <= a.abs().plus(b.abs()),
        _ => false,
    };
    near(a.invoice, b.invoice) && near(a.ledger, b.ledger)
}

fn both(a: Side, b: Side) -> Side {
    Side {
        quantity: a.quantity.zip(b.quantity).map(|(a, b)| a.saturating_add(b)),
        money: a.money.zip(b.money).map(|(a, b)| a.plus(b)),
    }
}
