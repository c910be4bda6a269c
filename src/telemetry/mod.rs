//! What can be measured and logged from outside: the names stand here and nowhere else.

pub mod logs;
pub mod metrics;

pub use metrics::Metrics;
