//! Everything that reaches out to providers: connections, credentials, the egress guard, probes and local servers.
//!
//! What an answer means is [`crate::failure`]'s to say; who is asked is decided elsewhere.

pub mod balance;
pub mod call;
pub mod connect;
pub mod credentials;
pub mod egress;
pub mod local;
pub mod probe;
mod reuse;
