//! What a budget will have spent when its period ends, when its money runs out, and how much burns in each hour of the
//! week: learned from what was spent in the hours before.
//!
//! Pure and exact: amounts are whole nano-units, shares whole millionths, so that the same hours always say the same.
//! It knows no holidays, no plans and no limits: it goes on as it has gone, the recent days before the earlier ones.

mod curve;
mod history;
mod week;

#[cfg(test)]
mod tests;

pub use curve::{Curve, Pace, Projection, Range, RunsOut, Stand};
pub use history::{History, MOST_HOURS, hour_at, hour_of};
pub use week::{HOURS_OF_WEEK, Week};

/// Millionths: of an average hour, of an amount.
const ONE: u64 = 1_000_000;
