//! OpenAI chat completions. `request` reads and rewrites the client's bytes, `answer` reads what came back whole,
//! `stream` event by event, `error` writes errors in this dialect's shape, `mask` hides who answered,
//! `cost` says what it cost.

pub mod answer;
mod billed;
pub mod conversation;
pub mod cost;
pub mod decode;
pub mod encode;
pub mod error;
mod extras;
pub mod mask;
pub mod request;
pub mod seals;
pub mod stream;
mod wire;
