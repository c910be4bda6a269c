//! Bytes ⇄ meaning, one folder a dialect. This version speaks OpenAI chat completions and
//! embeddings, inbound and outbound; [`Inbound`] is a request in either.

pub mod chat;
pub mod embeddings;
pub mod estimate;
mod inbound;
mod members;
mod options;
mod plain;
pub mod refused;
mod said;
pub mod shape;
pub mod sse;
pub mod trial;

pub use inbound::Inbound;
pub use members::Unreadable;
