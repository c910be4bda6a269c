//! By how much a model's price would have to change for the ledger to say what the invoice says: an exact ratio, and the
//! lines of a policy that carry it. Proposed, never applied.

use super::Decimal;
use super::difference::{Difference, What};
use jiff::civil::Date;
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Factor {
    pub model: String,
    pub since: Date,
    /// What was billed, and what the same would have cost at the ledger's rates; the factor is their ratio.
    pub billed: Decimal,
    pub due: Decimal,
}

impl Factor {
    /// In lowest terms, of 1e-18 of a unit.
    pub fn ratio(&self) -> (i128, i128) {
        let (above, below) = (self.billed.atoms(), self.due.atoms());
        let divisor = divisor(above.unsigned_abs(), below.unsigned_abs()).max(1);
        let divisor = i128::try_from(divisor).unwrap_or(1);
        (above / divisor, below / divisor)
    }

    /// To four places.
    pub fn shown(&self) -> String {
        let one = Decimal::of(crate::money::Money::from_nanos(crate::money::NANOS_PER_UNIT));
        let ratio = one.part(self.billed.atoms() / SCALE, (self.due.atoms() / SCALE).max(1));
        let text = ratio.rounded(4).to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        format!("{whole}.{fraction:0<4}")
    }

    /// Hundredths of a percent above what is reckoned; negative below it.
    pub fn basis_points(&self) -> i128 {
        let off = self.billed.minus(self.due);
        Decimal::of(crate::money::Money::from_nanos(crate::money::NANOS_PER_UNIT))
            .part(off.atoms() / SCALE, (self.due.atoms() / SCALE).max(1))
            .rounded(4)
            .part(10_000, 1)
            .whole()
    }

    /// What a model's `price` says more, or less; nothing where a hundredth of a percent does not show it.
    pub fn policy_words(&self) -> Option<String> {
        let points = self.basis_points();
        let percent = |points: i128| {
            let text = format!("{}.{:02}", points / 100, points % 100);
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        };
        match points {
            0 => None,
            1.. => Some(format!("surcharge: {}%", percent(points))),
            _ => Some(format!("discount: {}%", percent(-points))),
        }
    }
}

/// Atoms to nano-units, so that products of two sums fit.
const SCALE: i128 = 1_000;

/// Of models whose price differs: over everything that was billed at another rate, from the first such day on.
pub(super) fn factors(found: &BTreeMap<String, Vec<Difference>>) -> Vec<Factor> {
    let of = |(model, differences): (&String, &Vec<Difference>)| {
        let priced: Vec<&Difference> = differences
            .iter()
            .filter(|one| matches!(one.what, What::Price | What::Money))
            .collect();
        let since = priced.iter().map(|one| one.days.0).min()?;
        let billed: Decimal = priced.iter().filter_map(|one| one.invoice.money).sum();
        let due: Decimal = priced.iter().filter_map(|one| due(one)).sum();
        (billed > Decimal::ZERO && due > Decimal::ZERO).then(|| Factor {
            model: model.clone(),
            since,
            billed,
            due,
        })
    };
    found.iter().filter_map(of).collect()
}

/// The invoice's tokens at the ledger's rate.
fn due(one: &Difference) -> Option<Decimal> {
    let money = one.ledger.money?;
    Some(match one.invoice.quantity.zip(one.ledger.quantity) {
        Some((told, known)) if known > 0 && told != known => money.part(i128::from(told), i128::from(known)),
        _ => money,
    })
}

const fn divisor(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
