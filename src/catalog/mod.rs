//! What planb knows of vendors, models, licences and holidays, as data with source and date beside this file.
//!
//! The data is compiled in, and each file is read once, when it is first asked for; tests prove that it is whole. It
//! holds facts, no behaviour: how a failure of a vendor is read is `failure/`, how a body is shaped is `dialect/`, what
//! a usage costs is `price/`, whether it may happen is `license/`. A policy overrides any of it.

mod calendar;
mod licenses;
mod list_price;
mod model;
mod read;
mod terms;
mod thinking;
mod vendor;
mod wire;

pub use calendar::{Calendar, calendar, calendars};
pub use licenses::{CeilingRecord, LicenseRecord, license, licenses};
pub use list_price::{Factor, Fees, FreeCount, ListPrice, ListRates, ListTier, ListWindow};
pub use model::{FreeTokens, Kind, ModelRecord, ReasoningRecord, SupplyRecord, as_of, find, models};
pub use thinking::{ThinkingSwitch, always_thinks};
pub use vendor::{BalanceListing, BalanceShape, Dialect, Place, Vendor, VendorFacts};
pub use wire::{KeyHeader, Wire};
