//! The monotonic clock's reading as the core knows it.

/// Time since the daemon started, so that a jump of the wall clock opens, closes and outdates nothing.
pub type Uptime = std::time::Duration;
