//! How the values of the data files are read: dates, and decimals that never pass through floating point.

use crate::money::{Money, Rate};
use jiff::civil::Date;
use serde::de::{Deserialize, Deserializer, Error};

pub(super) fn date<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Date>, D::Error> {
    let text = <&str>::deserialize(source)?;
    text.parse().map(Some).map_err(D::Error::custom)
}

pub(super) fn amount<'de, D: Deserializer<'de>>(source: D) -> Result<Money, D::Error> {
    let text = <&str>::deserialize(source)?;
    Money::parse(text).ok_or_else(|| D::Error::custom(format!("`{text}` is no decimal")))
}

/// Per million tokens.
pub(super) fn rate<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Rate>, D::Error> {
    amount(source).map(|amount| Some(Rate::per_million(amount)))
}

/// One whole file. What is compiled in is proved whole by a test, so an error leaves nothing rather than ending the
/// process.
pub(super) fn file<T: Deserialize<'static> + Default>(text: &'static str) -> T {
    serde_json::from_str(text).unwrap_or_default()
}
