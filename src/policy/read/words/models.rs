//! The keys of models.

use super::Kind::{Either, In, List, NameIn, Size, Text, Truth, Whole, Word};
use super::{PRICE, REQUIRED, Section, TIMEOUTS, key};

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
        key("min_output", Size, "1k, 4k where it thinks within its output", "500", "an answer that would have to be shorter is not started"),
        key("price", Either(&[In(&PRICE), List(&In(&PRICE))]), "free where `supply: local`, else unpriced", "{input: 2 USD/M, output: 6 USD/M}", "what its use costs, or a list of prices over time. A hosted model without one is *unpriced*, and never used under a hard budget"),
        key("tools", Truth, "true", "false", "can call tools"),
        key("images", Truth, "true", "false", "can read images"),
        key("json_schema", Truth, "true", "false", "can answer by a JSON schema"),
        key("timeouts", In(&TIMEOUTS), "", "{first_token: 90s}", "the tightest of provider, model and route counts"),
    ],
    later: &[
        "license", "limits", "retires", "successor", "space", "domain", "residence", "reasoning", "set",
        "default", "strip", "rename", "clamp", "uses", "territory", "disabled", "audio", "dimensions",
        "weight", "weights", "value", "probe",
    ],
};
