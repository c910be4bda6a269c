//! Attempts of which the ledger does not know for sure what they cost: held, or posted by planb's own count. What of an
//! invoice nothing else explains is theirs, as long as it is no more than was reserved for them.

use super::difference::{Difference, Side, What};
use super::sums::{Doubtful, Group, Sum};
use super::{Decimal, Item};
use crate::money::Money;
use std::collections::BTreeMap;

/// What the invoice says that one of them cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub attempt: i64,
    pub held: bool,
    pub now: Money,
    pub billed: Money,
}

/// A day's doubtful attempts at a model, explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    pub group: Group,
    pub held: u64,
    pub estimated: u64,
    /// In the invoice's currency.
    pub now: Decimal,
    pub billed: Decimal,
    /// The invoice has lines of this day and model.
    pub told: bool,
    pub shares: Vec<Share>,
}

impl Explained {
    /// In the ledger something else is written.
    pub fn differs(&self) -> bool {
        self.shares.iter().any(|share| share.held || share.now != share.billed)
    }
}

/// What is left of the invoice beside what was reported, where that can be theirs; and the lines as they are then.
pub(super) fn explain(
    group: &Group,
    doubtful: &[Doubtful],
    billed: &BTreeMap<Item, Sum>,
    reported: &BTreeMap<Item, Sum>,
    (has_quantities, has_money): (bool, bool),
    tolerance: Decimal,
) -> Option<Explained> {
    let mut rest = Decimal::ZERO;
    if has_quantities {
        for item in [
            Item::Input,
            Item::CacheRead,
            Item::CacheWrite,
            Item::CacheWriteLong,
            Item::Output,
        ] {
            let (told, known) = (sum(billed, item), sum(reported, item));
            let left = told.quantity.saturating_sub(known.quantity);
            if left < 0 {
                return None;
            }
            let (money, of) = if has_money && told.quantity != 0 {
                (told.money, told.quantity)
            } else {
                (known.money, known.quantity)
            };
            if left > 0 && of == 0 {
                // Nothing says what such a token costs.
                return None;
            }
            rest = rest.plus(money.part(i128::from(left), i128::from(of)));
        }
    } else {
        let all = |sums: &BTreeMap<Item, Sum>| sums.values().map(|sum| sum.money).sum::<Decimal>();
        rest = all(billed).minus(all(reported));
    }
    let worst: Decimal = doubtful
        .iter()
        .map(|one| Decimal::of(one.worst).times(one.exchange.inverse()))
        .sum();
    if rest.plus(tolerance).is_negative() || rest > worst.plus(tolerance) {
        return None;
    }
    let rest = if rest.abs() <= tolerance { Decimal::ZERO } else { rest };
    let now = doubtful
        .iter()
        .map(|one| Decimal::of(one.now).times(one.exchange.inverse()))
        .sum::<Decimal>();
    // What planb counted is told to the vendor's rounding: nothing to correct.
    let rest = if now.minus(rest).abs() <= tolerance && doubtful.iter().all(|one| !one.held) {
        now
    } else {
        rest
    };
    Some(Explained {
        group: group.clone(),
        held: doubtful.iter().filter(|one| one.held).count() as u64,
        estimated: doubtful.iter().filter(|one| !one.held).count() as u64,
        now,
        billed: rest,
        told: !billed.is_empty(),
        shares: shares(doubtful, rest, now),
    })
}

/// In proportion to what they count as now (to what was reserved, where that is nothing); all add up to the whole.
fn shares(doubtful: &[Doubtful], billed: Decimal, now: Decimal) -> Vec<Share> {
    let settled = billed == now;
    let weight = |one: &Doubtful| i128::from(one.now.nanos().max(0));
    let total: i128 = doubtful.iter().map(weight).sum();
    let weight = |one: &Doubtful| {
        if total > 0 {
            weight(one)
        } else {
            i128::from(one.worst.nanos().max(1))
        }
    };
    let total: i128 = doubtful.iter().map(weight).sum();
    let (mut passed, mut given) = (0, Decimal::ZERO);
    let mut shares = Vec::with_capacity(doubtful.len());
    for one in doubtful {
        passed += weight(one);
        let upto = billed.part(passed, total);
        let own = if settled {
            one.now
        } else {
            upto.minus(given).times(one.exchange).money()
        };
        given = upto;
        shares.push(Share {
            attempt: one.attempt,
            held: one.held,
            now: one.now,
            billed: own,
        });
    }
    shares
}

/// Where they are not explained they stand as they are, beside what was reported.
pub(super) fn as_recorded(doubtful: &[Doubtful], into: &mut BTreeMap<Item, Sum>) {
    for one in doubtful {
        for (item, tokens) in one.used {
            into.entry(item).or_default().add(tokens, Decimal::ZERO);
        }
        let money = Decimal::of(one.now).times(one.exchange.inverse());
        into.entry(Item::All).or_default().add(0, money);
    }
}

/// What is left once they are explained: the same on both sides.
pub(super) fn settle(explained: &Explained, billed: &BTreeMap<Item, Sum>, into: &mut BTreeMap<Item, Sum>) {
    if billed.is_empty() {
        return;
    }
    for (item, told) in billed {
        if *item == Item::Other || *item == Item::All {
            continue;
        }
        let sum = into.entry(*item).or_default();
        let left = told.quantity.saturating_sub(sum.quantity);
        if left > 0 {
            // At the ledger's own rate, so that another one of the vendor's still shows.
            let rate = if sum.quantity > 0 { *sum } else { *told };
            sum.add(left, rate.money.part(i128::from(left), i128::from(rate.quantity)));
        }
    }
    let tokens: i64 = billed.values().map(|sum| sum.quantity).sum();
    if tokens == 0 {
        into.entry(Item::All).or_default().add(0, explained.billed);
    }
}

/// As a line of the report.
pub(super) fn line(explained: &Explained) -> Difference {
    let (day, model) = explained.group.clone();
    let kind = |count: u64, word: &str| (count > 0).then(|| format!("{count} {word}"));
    let kinds: Vec<String> = [kind(explained.held, "held"), kind(explained.estimated, "estimated")]
        .into_iter()
        .flatten()
        .collect();
    Difference {
        days: (day, day),
        model,
        item: Item::All,
        what: What::Explained,
        invoice: Side::money(explained.billed),
        ledger: Side::money(explained.now),
        note: format!("{} explained by the invoice", kinds.join(" and ")),
    }
}

pub(super) fn sum(sums: &BTreeMap<Item, Sum>, item: Item) -> Sum {
    sums.get(&item).copied().unwrap_or_default()
}
