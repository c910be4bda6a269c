//! What a vendor says it billed, as its console exports it, and what of it the ledger does not say: read as a stream,
//! in exact decimals, compared day by day, model by model and kind by kind. It asks no file and no clock, proposes
//! corrections and applies none.

mod compare;
mod decimal;
mod difference;
mod doubtful;
mod factor;
mod form;
mod names;
mod read;
mod rows;
mod sums;
#[cfg(test)]
mod tests;
mod text;

pub use compare::{Report, compare};
pub use decimal::Decimal;
pub use difference::{Difference, Side, What};
pub use doubtful::{Explained, Share};
pub use factor::Factor;
pub use form::Form;
pub use names::Names;
pub use read::{Summary, read};
pub use sums::{Billed, Doubtful, Recorded, Sum};

use crate::money::Currency;
use crate::price::Kind;
use jiff::civil::Date;

/// What is billed of a model, as coarse as vendors tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    Input,
    CacheRead,
    CacheWrite,
    /// For an hour or longer.
    CacheWriteLong,
    Output,
    /// Searches and whatever else is no token.
    Other,
    /// Money that is told of the model as a whole.
    All,
}

impl Item {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::CacheRead => "cache_read",
            Self::CacheWrite => "cache_write",
            Self::CacheWriteLong => "cache_write_long",
            Self::Output => "output",
            Self::Other => "other",
            Self::All => "all",
        }
    }

    pub const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Input | Kind::InputAudio | Kind::InputImage => Self::Input,
            Kind::CacheRead | Kind::CacheReadExplicit => Self::CacheRead,
            Kind::CacheWrite => Self::CacheWrite,
            Kind::CacheWrite1h | Kind::CacheWrite12h => Self::CacheWriteLong,
            Kind::Output | Kind::OutputThinking | Kind::OutputAudio => Self::Output,
        }
    }
}

/// One thing that a row of an invoice says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// In the vendor's zone.
    pub day: Date,
    /// As the vendor calls it here; empty where it names none.
    pub model: String,
    pub item: Item,
    /// Tokens, or pieces of what is none. Negative where something is taken back.
    pub quantity: Option<i64>,
    pub requests: Option<i64>,
    pub amount: Option<Decimal>,
}

/// Why an invoice cannot be read, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum InvoiceError {
    #[error("the file is empty")]
    Empty,
    #[error("the file is packed (a spreadsheet's own format or an archive): export or save it as CSV")]
    Packed,
    #[error(
        "line {line} is not UTF-8: it may be GBK or Latin-1, which cannot be told apart for sure. Save it as `CSV UTF-8`, \
         or convert it, such as with `iconv -f GBK -t UTF-8`"
    )]
    Encoding { line: u64 },
    #[error(
        "no export form that planb knows has these columns: {columns}. It reads {}; name one with --form to hear what it needs",
        Form::ALL.map(Form::word).join(", ")
    )]
    Unknown { columns: String },
    #[error("an export of the form `{form}` has one of the columns {accepted}, and here are only: {columns}")]
    Missing {
        form: Form,
        accepted: String,
        columns: String,
    },
    #[error("line {line}, column `{column}`: `{value}` is not {expected}")]
    Cell {
        line: u64,
        column: &'static str,
        value: String,
        expected: &'static str,
    },
    #[error("no column says which currency the amounts are in: say it with --currency, such as --currency CNY")]
    NoCurrency,
    #[error("line {line} is in {other}, and lines before it in {first}: export each currency by itself")]
    Currencies {
        line: u64,
        first: Currency,
        other: Currency,
    },
    #[error("the file has a header and no line of use or money")]
    NoLines,
    #[error("the file cannot be read: {0}")]
    Io(#[from] std::io::Error),
    #[error("line {line}: {reason}")]
    Csv { line: u64, reason: String },
}
