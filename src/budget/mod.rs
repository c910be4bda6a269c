//! The books: what every budget has spent, holds and has promised, and whether one more request fits.
//!
//! Promises that a reservation is taken from all budgets that cover a request or from none, that it has exactly one
//! end, that no admission passes a hard limit or a lease that was made durable beforehand, and that a request that fits
//! is not refused. Values in, values out: time is an argument, the store is asked by whoever holds the books.
//!
//! Who holds them calls [`Books::end`] and sends the attempt's record to the ledger inside one critical section: the
//! order of records is then the order of ends, and a rebuild that is asked for later sees every earlier record.

mod account;
mod books;
mod charge;
mod forecast;
mod hold;
mod notice;
mod outlook;
mod periods;
mod pool;
mod pool_id;
mod prospects;
mod raise;
mod report;
mod reserve;
mod room;
mod share;
mod sharing;
mod spent;
mod standing;
mod window;
mod worst;

pub use account::AccountView;
pub use books::{Books, RebuildRequest, Rebuilt, RebuiltAccount};
pub use charge::{Charges, Facts, NONE_KEY, OTHER_KEY, UNACCOUNTED_KEY, classes, covers, key_of};
pub use forecast::Outlook;
pub use hold::{HeldAttempt, HeldIn};
pub use notice::{Broken, Crossing, Holding, Notice, Violation};
pub use outlook::{PastDecisions, PastFound, PastRequest, PastSpend};
pub use pool::{Grant, GrantRequest};
pub use pool_id::PoolId;
pub use prospects::{HoursFound, HoursRequest, Prospects, UsualWeek};
pub use reserve::{End, Ended, Headroom, Posting, Refusal, ReservationId};
pub use share::{ShareAnswer, ShareRequest};
pub use spent::Spent;

#[cfg(test)]
mod tests;
