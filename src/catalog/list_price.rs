//! List prices as published: typed, exact, and not yet a [`crate::price`] of anybody's.

use super::read;
use crate::money::{Money, Rate};
use jiff::civil::Date;
use serde::Deserialize;
use std::collections::BTreeMap;

/// One price of a model: for a region, in a currency, from a day (inclusive) until a day (exclusive).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListPrice {
    pub region: &'static str,
    pub currency: &'static str,
    #[serde(default, deserialize_with = "read::date")]
    pub from: Option<Date>,
    #[serde(default, deserialize_with = "read::date")]
    pub until: Option<Date>,
    /// Ascending, the first above 0. The one that the request's whole input reaches prices every token of it.
    pub tiers: Vec<ListTier>,
    #[serde(default)]
    pub windows: Vec<ListWindow>,
    /// By service tier: a factor on every token rate.
    #[serde(default, borrow)]
    pub service: BTreeMap<&'static str, Factor>,
    #[serde(default, borrow)]
    pub service_note: Option<&'static str>,
    /// By request option (`inference_geo=us`) or place (`regional_processing=eu`): a factor on every token rate.
    #[serde(default, borrow)]
    pub multipliers: BTreeMap<&'static str, Factor>,
    #[serde(default)]
    pub fees_per_1k: Fees,
    #[serde(default)]
    pub web_search_free: Option<FreeCount>,
    pub source: &'static str,
    pub as_of: &'static str,
    /// Converted from another currency, not read from a list.
    #[serde(default)]
    pub derived: bool,
    /// A rule of the vendor's documents that stood in for a figure.
    #[serde(default, borrow)]
    pub assumed: Option<&'static str>,
    #[serde(default, borrow)]
    pub note: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListTier {
    /// Input tokens of the request, cached ones too, more than this.
    pub above: u64,
    #[serde(default, deserialize_with = "read::rate")]
    pub input: Option<Rate>,
    #[serde(default, deserialize_with = "read::rate")]
    pub cache_read: Option<Rate>,
    #[serde(default, deserialize_with = "read::rate")]
    pub cache_read_explicit: Option<Rate>,
    #[serde(default, deserialize_with = "read::rate")]
    pub cache_write: Option<Rate>,
    #[serde(default, deserialize_with = "read::rate")]
    pub cache_write_1h: Option<Rate>,
    #[serde(default, deserialize_with = "read::rate")]
    pub cache_write_12h: Option<Rate>,
    #[serde(default, deserialize_with = "read::rate")]
    pub output: Option<Rate>,
    /// The whole output of a call in thinking mode.
    #[serde(default, deserialize_with = "read::rate")]
    pub output_thinking: Option<Rate>,
    #[serde(default, deserialize_with = "read::rate")]
    pub input_audio: Option<Rate>,
    #[serde(default, deserialize_with = "read::rate")]
    pub output_audio: Option<Rate>,
}

/// Hours in which other rates hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListWindow {
    pub name: &'static str,
    pub timezone: &'static str,
    /// `mon` to `sun`.
    #[serde(borrow)]
    pub days: Vec<&'static str>,
    /// `09:00-12:00`, the end exclusive.
    #[serde(borrow)]
    pub hours: Vec<&'static str>,
    /// The calendar on whose days it does not hold.
    #[serde(rename = "except")]
    pub not_on: &'static str,
    pub rates: ListRates,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListRates {
    #[serde(deserialize_with = "read::rate")]
    pub input: Option<Rate>,
    #[serde(deserialize_with = "read::rate")]
    pub cache_read: Option<Rate>,
    #[serde(deserialize_with = "read::rate")]
    pub output: Option<Rate>,
}

/// A ratio in billionths: 1.1 is 1,100,000,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Factor(#[serde(deserialize_with = "read::amount")] Money);

impl Factor {
    pub const fn billionths(self) -> i64 {
        self.0.nanos()
    }
}

/// Per thousand uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fees {
    #[serde(deserialize_with = "read::amount")]
    pub web_search: Money,
    #[serde(deserialize_with = "read::amount")]
    pub web_search_agent: Money,
    #[serde(deserialize_with = "read::amount")]
    pub web_fetch: Money,
    #[serde(deserialize_with = "read::amount")]
    pub maps_grounding: Money,
}

/// Uses that are free in each period, for all models of the group together.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreeCount {
    pub count: u64,
    pub per: &'static str,
    pub shared: &'static str,
}

impl ListPrice {
    /// In force at some instant of this day.
    pub fn holds_on(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.until.is_none_or(|until| day < until)
    }
}
