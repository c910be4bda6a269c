//! Requests that cost one cent each, so that a budget says how many fit.

use super::{Price, Upstream, Usage};
use serde_json::{Value, json};

/// In nano-units: with [`Price::OUTPUT_ONLY`] a request of [`one_cent`] costs as much, reserved and billed.
pub const CENT: i64 = 10_000_000;

pub fn one_cent() -> Value {
    json!({"model": "chat", "max_tokens": 1_000, "messages": [{"role": "user", "content": "Say hello."}]})
}

/// A provider that bills a cent for every answer.
pub async fn cents() -> Upstream {
    let upstream = Upstream::start("alpha", Price::OUTPUT_ONLY).await;
    upstream.answers("A whole cent of words", Usage::new(10, 1_000));
    upstream
}
