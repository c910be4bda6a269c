//! Bytes ⇄ meaning, one folder a dialect. This version speaks OpenAI chat completions and embeddings, inbound and
//! outbound, and Anthropic's Messages outbound; [`Inbound`] is a request as clients make it, [`translate`] joins two
//! dialects through the neutral form.

pub mod chat;
pub mod embeddings;
pub mod estimate;
mod inbound;
mod members;
pub mod messages;
pub mod neutral;
mod object;
mod options;
mod plain;
pub mod refused;
mod said;
pub mod shape;
pub mod sse;
pub mod translate;
pub mod trial;

pub use inbound::Inbound;
pub use members::Unreadable;
