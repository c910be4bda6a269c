//! The durable record.

pub mod record;
