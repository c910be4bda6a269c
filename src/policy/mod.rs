//! Text to snapshot, in steps that can each be read alone.

pub mod condition;
pub mod snapshot;
