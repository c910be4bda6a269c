//! One difference between an invoice and the ledger: where, of what kind, and what either side says.

use super::{Decimal, Item};
use jiff::civil::Date;

/// How the two sides differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    OnlyInvoice,
    OnlyLedger,
    /// The same tokens at another price.
    Price,
    Quantity,
    Requests,
    /// Where an export tells no tokens.
    Money,
    /// What one day has too many the next has too few: requests over the vendor's midnight.
    Midnight,
    /// Held or estimated attempts, and what the invoice says of them.
    Explained,
}

impl What {
    pub const fn word(self) -> &'static str {
        match self {
            Self::OnlyInvoice => "only_invoice",
            Self::OnlyLedger => "only_ledger",
            Self::Price => "price",
            Self::Quantity => "quantity",
            Self::Requests => "requests",
            Self::Money => "money",
            Self::Midnight => "midnight",
            Self::Explained => "explained",
        }
    }
}

/// What one side says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Side {
    pub quantity: Option<i64>,
    pub money: Option<Decimal>,
}

impl Side {
    pub(super) const fn money(money: Decimal) -> Self {
        Self {
            quantity: None,
            money: Some(money),
        }
    }

    /// Of a million tokens, to six decimals; nothing without both.
    pub fn rate(&self) -> Option<Decimal> {
        let (money, quantity) = (self.money?, self.quantity.filter(|quantity| *quantity > 0)?);
        Some(money.part(1_000_000, i128::from(quantity)).rounded(6))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The first and the last day of it.
    pub days: (Date, Date),
    pub model: String,
    pub item: Item,
    pub what: What,
    pub invoice: Side,
    pub ledger: Side,
    pub note: String,
}
