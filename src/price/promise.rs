//! What was promised to an attempt under way of the meters of its price, until it is settled.

use super::meter::Meter;
use super::places::Stretch;
use super::version::Version;

/// What an attempt under way may still add to the meters of its price.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Promise {
    pub(super) tokens: u64,
    /// Of them, those that are free whatever others draw meanwhile.
    pub(super) free: u64,
    /// Its places on a ladder; where that is not known, those that it finds in the end.
    pub(super) places: Vec<Stretch>,
    pub(super) era: u32,
    /// Of a ladder that re-rates the whole: the volume up to which it was reserved for.
    pub(super) top: u64,
}

impl Promise {
    pub(super) fn places(&self) -> &[Stretch] {
        &self.places
    }
}

/// The meters on which a promise is open, each with what it may add.
pub(super) fn pending<'v>(version: &'v Version, promise: &Promise) -> impl Iterator<Item = (&'v Meter, u64)> {
    let ladder = version.ladder.as_ref().map(|ladder| (&ladder.meter, promise.tokens));
    let free = version.free.as_ref().map(|quota| (&quota.meter, promise.free));
    let commitment = version.commitment.as_ref().map(|commitment| (&commitment.meter, 0));
    ladder.into_iter().chain(free).chain(commitment)
}
