//! The keys of models and their prices.

use super::Kind::{In, NameIn, Price, Size, Text, Truth, Whole, Word};
use super::{REQUIRED, Section, key};

/// The units of a price per token.
const PER_TOKEN: &[&str] = &["M", "k"];

#[rustfmt::skip]
pub(in crate::policy) static MODEL: Section = Section {
    what: "a model",
    keys: &[
        key("provider", NameIn("providers"), REQUIRED, "qwen", "whose it is"),
        key("name", Text, "the model's own name", "qwen3.8-max", "the provider's name for it"),
        key("supply", Word(&["licensed", "competitor", "local"]), REQUIRED, "licensed", "the kind of dependence, not the place"),
        key("quality", Whole(0, 100), "", "88", "your own number, on one scale per route"),
        key("context", Size, "unknown", "1M", "tokens in and out together"),
        key("max_output", Size, "`context`", "64k", "the longest answer"),
        key("price", In(&PRICE), "free where `supply: local`, else unpriced", "{input: 2 USD/M, output: 6 USD/M}", "what its use costs. A hosted model without one is *unpriced*, and never used under a hard budget"),
        key("tools", Truth, "true", "false", "can call tools"),
        key("images", Truth, "true", "false", "can read images"),
        key("json_schema", Truth, "true", "false", "can answer by a JSON schema"),
    ],
    later: &[
        "license", "limits", "timeouts", "retires", "successor", "space", "domain", "residence", "reasoning", "set",
        "default", "strip", "rename", "clamp", "min_output", "uses", "territory", "disabled", "audio", "dimensions",
        "weight", "weights", "value", "probe",
    ],
};

#[rustfmt::skip]
pub(in crate::policy) static PRICE: Section = Section {
    what: "`price`",
    keys: &[
        key("input", Price(PER_TOKEN), REQUIRED, "2 USD/M", "tokens of the prompt"),
        key("cache_read", Price(PER_TOKEN), "as `input`", "0.25 USD/M", "tokens of the prompt that the provider had cached"),
        key("output", Price(PER_TOKEN), REQUIRED, "6 USD/M", "tokens of the answer"),
    ],
    later: &[
        "cache_write", "cache_write_5m", "cache_write_1h", "cache_read_explicit", "cache_storage", "reasoning",
        "thinking_output", "image", "image_input", "image_output", "audio", "audio_input", "audio_output", "video",
        "request", "compute", "web_search", "web_fetch", "tool_call", "tiers", "windows", "ladder", "free", "quota",
        "fee", "minimum", "discount", "surcharge", "service_tiers", "batch", "flex", "priority", "from", "until",
        "committed", "currency", "per_request",
    ],
};
