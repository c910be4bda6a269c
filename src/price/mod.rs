//! How a model's use turns into money: a [`Price`] is all that is known of it, a [`Quote`] what it says of one request.
//!
//! Promises one exact sum and one rounding for every amount, and that no usage within the bounds that were reserved costs
//! more than was reserved. Knows no clock and keeps no counters: instants and positions are handed in.

mod bill;
mod counters;
mod kinds;
mod machines;
mod meter;
mod moment;
mod option;
mod places;
mod promise;
mod quote;
mod sheet;
#[cfg(test)]
mod tests;
mod version;

pub use bill::{Bill, Drawn, Line};
pub use counters::{Counted, Counters, MeterChange, MeterRow};
pub use kinds::{Kind, Kinds, Rates, split};
pub use meter::{Meter, MeterKey, Position, Positions, Unit};
pub use moment::Moment;
pub use option::option;
pub use promise::Promise;
pub use quote::{Ceiling, Quote};
pub use sheet::{Commitment, Compute, Fees, FlatFee, FreeQuota, LadderKind, LadderSheet, Service, Sheet, WindowSheet};
pub use version::MOST_WINDOWS;

use crate::money::{Currency, Money, Rate, Ratio};
use jiff::Timestamp;
use jiff::civil::Date;
use version::Version;

/// No attempt costs more: what would is a provider's or a client's nonsense, and a few such figures would leave the
/// range in which money adds up.
pub const MOST_OF_ONE_ATTEMPT: Money = Money::from_nanos(10_000_000 * crate::money::NANOS_PER_UNIT);

/// A model's whole price: its versions over time.
#[derive(Clone, Debug)]
pub struct Price {
    /// By the instant from which each counts; none at all is free.
    versions: Vec<Version>,
}

impl Price {
    pub const FREE: Self = Self { versions: Vec::new() };

    /// One sheet for each date from which prices change.
    pub fn of(sheets: Vec<Sheet>) -> Self {
        let mut versions: Vec<Version> = sheets.into_iter().map(Version::of).collect();
        versions.sort_by_key(|version| version.from);
        Self { versions }
    }

    /// Plain rates, always the same.
    pub fn flat(input: Rate, cache_read: Rate, output: Rate) -> Self {
        Self::of(vec![Sheet {
            kinds: Kinds::default()
                .with(Kind::Input, input)
                .with(Kind::CacheRead, cache_read)
                .with(Kind::Output, output),
            ..Sheet::default()
        }])
    }

    /// What it says of one request.
    pub fn quote<'p>(&'p self, moment: &Moment<'p>) -> Quote<'p> {
        Quote::new(self.version(moment.at), moment)
    }

    /// The same with everything at so many hundredths.
    #[must_use]
    pub fn at_percent(&self, percent: u8) -> Self {
        let share = Ratio::basis_points(u32::from(percent) * 100);
        let versions = self.versions.iter().map(|version| version.at(share));
        Self {
            versions: versions.collect(),
        }
    }

    pub fn is_free(&self) -> bool {
        self.versions.iter().all(Version::is_free)
    }

    /// When somebody last looked at the price that counts at an instant.
    pub fn as_of(&self, at: Timestamp) -> Option<Date> {
        self.version(at)?.as_of
    }

    /// As of when the catalogue says the price that counts at an instant, or a part of it; `None` where it is all the
    /// policy's.
    pub fn listed(&self, at: Timestamp) -> Option<Date> {
        self.version(at)?.listed
    }

    /// What is paid at an instant for having the model at all.
    pub fn flat_fee(&self, at: Timestamp) -> Option<FlatFee> {
        self.version(at)?.flat
    }

    /// Fields of a request that change what it costs, at one time or another.
    pub fn priced_fields(&self) -> impl Iterator<Item = &str> {
        let options = self.versions.iter().flat_map(|version| &version.options);
        options.map(|(option, _)| option::field(option))
    }

    /// The counters of the price that counts at an instant: its ladder's, its free quota's and its commitment's.
    pub fn meters_at(&self, at: Timestamp) -> [Option<&Meter>; 3] {
        let version = self.version(at);
        [
            version
                .and_then(|version| version.ladder.as_ref())
                .map(|ladder| &ladder.meter),
            version
                .and_then(|version| version.free.as_ref())
                .map(|quota| &quota.meter),
            version
                .and_then(|version| version.commitment.as_ref())
                .map(|commitment| &commitment.meter),
        ]
    }

    /// In which currency it counts at an instant.
    pub fn currency(&self, at: Timestamp) -> Option<Currency> {
        self.version(at).map(|version| version.currency)
    }

    /// What one unit of its currency is worth in the policy's at an instant.
    pub fn exchange(&self, at: Timestamp) -> Ratio {
        self.version(at).map_or(Ratio::ONE, |version| version.exchange)
    }

    /// Money that is spent in any case, in its own currency, and the meter of what is used of it.
    pub fn committed(&self, at: Timestamp) -> Option<(&Meter, Money)> {
        let commitment = self.version(at)?.commitment.as_ref()?;
        Some((&commitment.meter, commitment.amount))
    }

    /// It has counters, so that what it says depends on what was used before.
    pub fn is_metered(&self, at: Timestamp) -> bool {
        self.version(at)
            .is_some_and(|version| version.ladder.is_some() || version.free.is_some() || version.commitment.is_some())
    }

    /// The meters of all its versions.
    pub fn meters(&self) -> impl Iterator<Item = &Meter> {
        self.versions.iter().flat_map(Version::meters)
    }

    /// The meter of the free quota that may be drawn at an instant.
    pub fn quota_at(&self, at: Timestamp) -> Option<&Meter> {
        Some(&self.version(at)?.free.as_ref()?.meter)
    }

    pub fn meters_mut(&mut self) -> impl Iterator<Item = &mut Meter> {
        self.versions.iter_mut().flat_map(Version::meters_mut)
    }

    /// A machine's time is billed, and by what shares it.
    pub fn compute(&self, at: Timestamp) -> Option<Compute> {
        self.version(at)?.compute
    }

    /// The version that counts at an instant; before all of them the first.
    fn version(&self, at: Timestamp) -> Option<&Version> {
        let current = self
            .versions
            .iter()
            .rev()
            .find(|version| version.from.is_none_or(|from| from <= at));
        current.or_else(|| self.versions.first())
    }
}
