//! How the control API writes an instant.

use jiff::Timestamp;

/// RFC 3339 in UTC, to the millisecond.
pub fn time(at: Timestamp) -> String {
    format!("{at:.3}")
}
