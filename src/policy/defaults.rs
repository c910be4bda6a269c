//! What a policy need not say, as values: the rooms take them from here. How the reference words them stands beside
//! each key in `read/words.rs`; a test holds the two together.

use super::snapshot::{Enforce, Held, OnDisconnect, Pick, Timeouts, Wish};
use std::time::Duration;

pub const TIMEZONE: &str = "UTC";
pub const PICK: Pick = Pick::InOrder;
pub const ATTEMPTS: u8 = 3;
/// Below this many tokens an unbounded answer is not worth starting.
pub const MIN_OUTPUT: u64 = 1_000;
pub const ON_DISCONNECT: OnDisconnect = OnDisconnect::Cancel;
pub const ENFORCE: Enforce = Enforce::Hard;
/// A provider that bills an answer that nobody got has long said so.
pub const HELD: Held = Held::After(Duration::from_secs(900));
pub const AFTER: Duration = Duration::ZERO;
/// A plan that came stays long enough not to flap.
pub const AT_LEAST: Duration = Duration::from_secs(300);
/// A small model loads within it; a first download needs more, and the policy says so.
pub const READY: Duration = Duration::from_secs(120);
/// In a queue for a limit.
pub const WAIT: Duration = Duration::from_secs(2);
pub const EVENTS: &str = "*";
/// What can only narrow the policy.
pub const MAY_SET: [Wish; 4] = [Wish::MinQuality, Wish::MaxCost, Wish::Deadline, Wish::Explain];
/// Long enough to negotiate a renewal.
pub const LICENSE_WARN: Duration = Duration::from_secs(30 * 86_400);
/// Where neither provider, model nor route sets one.
pub const TIMEOUTS: Timeouts = Timeouts {
    connect: Some(Duration::from_secs(2)),
    first_token: Some(Duration::from_secs(60)),
    idle: Some(Duration::from_secs(30)),
    total: Some(Duration::from_secs(600)),
};
