//! Bytes ⇄ meaning, one folder a dialect. This version speaks OpenAI chat completions, inbound and outbound.

pub mod chat;
pub mod estimate;
pub mod sse;
