//! What a policy need not say: the one table of defaults, from which the rooms take them and the reference is checked.

use super::snapshot::{Enforce, OnDisconnect, Pick, Timeouts};
use std::time::Duration;

pub const TIMEZONE: &str = "UTC";
/// Model Studio's international site.
pub const REGION: &str = "intl";
pub const PICK: Pick = Pick::InOrder;
pub const ATTEMPTS: u8 = 3;
pub const ON_DISCONNECT: OnDisconnect = OnDisconnect::Cancel;
pub const ENFORCE: Enforce = Enforce::Hard;
pub const AFTER: Duration = Duration::ZERO;
/// A plan that came stays long enough not to flap.
pub const AT_LEAST: Duration = Duration::from_secs(300);
/// A small model loads within it; a first download needs more, and the policy says so.
pub const READY: Duration = Duration::from_secs(120);
pub const EVENTS: &str = "*";
/// Where neither provider nor route sets one.
pub const TIMEOUTS: Timeouts = Timeouts {
    connect: Some(Duration::from_secs(2)),
    first_token: Some(Duration::from_secs(60)),
    idle: Some(Duration::from_secs(30)),
    total: Some(Duration::from_secs(600)),
};

/// Key and default as the reference words them.
pub const TABLE: [(&str, &str); 19] = [
    ("timezone", "UTC"),
    ("providers.*.region", "intl"),
    ("providers.*.timeouts.connect", "2s"),
    ("providers.*.timeouts.first_token", "60s"),
    ("providers.*.timeouts.idle", "30s"),
    ("providers.*.timeouts.total", "10m"),
    ("providers.*.start.ready", "2m"),
    ("providers.*.allow_private", "false"),
    ("models.*.name", "the model's own name"),
    ("models.*.tools", "true"),
    ("routes[].pick", "in_order"),
    ("routes[].limits.attempts", "3"),
    ("routes[].on_disconnect", "cancel"),
    ("budgets.*.enforce", "hard"),
    ("plans[].after", "0s"),
    ("plans[].at_least", "5m"),
    ("plans[].until", "`when` no longer holds"),
    ("alerts[].format", "standard"),
    ("alerts[].events", "[\"*\"]"),
];
