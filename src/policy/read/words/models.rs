//! The keys of models.

use super::Kind::{Anything, Either, Fields, In, List, NameIn, Pattern, Size, Text, Truth, Whole, Word};
use super::licenses::TERRITORY;
use super::{CLAMP, PRICE, RATES, REQUIRED, Section, TIMEOUTS, key};

#[rustfmt::skip]
pub(in crate::policy) static MODEL: Section = Section {
    what: "a model",
    keys: &[
        key("provider", NameIn("providers"), REQUIRED, "qwen", "whose it is"),
        key("name", Text, "the model's own name", "qwen3.8-max", "the provider's name for it"),
        key("supply", Word(&["licensed", "competitor", "local"]), "the catalogue's, else required", "licensed", "the kind of dependence, not the place"),
        key("quality", Whole(0, 100), "", "88", "your own number, on one scale per route"),
        key("context", Size, "the catalogue's, else unknown", "1M", "tokens in and out together"),
        key("max_output", Size, "the catalogue's, else `context`", "64k", "the longest answer"),
        key("min_output", Size, "1k, 4k where it thinks within its output", "500", "an answer that would have to be shorter is not started"),
        key("price", Either(&[In(&PRICE), List(&In(&PRICE))]), "free where `supply: local`, else unpriced", "{input: 2 USD/M, output: 6 USD/M}", "what its use costs, or a list of prices over time. A hosted model without one is *unpriced*, and never used under a hard budget or a cap on the cost of a request"),
        key("tools", Truth, "the catalogue's, else true", "false", "can call tools"),
        key("images", Truth, "the catalogue's, else true", "false", "can read images"),
        key("json_schema", Truth, "the catalogue's, else true", "false", "can answer by a JSON schema"),
        key("timeouts", In(&TIMEOUTS), "", "{first_token: 90s}", "the tightest of provider, model and route counts"),
        key("set", Fields(&Anything), "", "{seed: 7}", "fields of the request's body and what they are set to. The route's words come first, then the model's, then the provider's"),
        key("default", Fields(&Anything), "", "{temperature: 0.7}", "fields that are set where the request has none"),
        key("strip", List(&Text), "", "[logit_bias, user]", "fields that are left out; inside an object as `extra.top_k`"),
        key("rename", Fields(&Text), "", "{max_tokens: max_completion_tokens}", "fields under another name"),
        key("clamp", Fields(&In(&CLAMP)), "", "{temperature: {min: 0, max: 1}}", "bounds of numbers"),
        key("on_unsupported", Word(&["refuse", "drop"]), "refuse", "drop", "fields that the vendor refuses: the model is no candidate, or they are left out"),
        key("limits", In(&RATES), "", "{in_flight: 4}", "what goes to it at most"),
        key("reasoning", Truth, "the catalogue's, else true", "false", "can think before it answers"),
        key("audio", Truth, "the catalogue's, else true", "false", "can hear"),
        key("disabled", Truth, "false", "true", "it is no candidate"),
        key("license", Text, "the provider's, else the catalogue's", "qwen-enterprise", "the terms of a call: one of `licenses`, or of the catalogue"),
        key("weights_license", Text, "the catalogue's", "qwen-2024", "the terms of its weights; they count where `supply: local`"),
        key("retires", Pattern("a day, a time, or `never`", "^(never|[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].+)?)$"), "the catalogue's", "2027-03-01", "from that day on, in the policy's zone, it is no candidate; told 30 and 7 days before"),
        key("successor", NameIn("models"), "", "qwen-next", "the model that takes its place in every route once it has retired"),
        key("space", Text, "the catalogue's, of an embeddings model", "text-embedding-v4", "the space of its vectors; a route keeps to one"),
        key("domain", Text, "the provider's", "alibaba-account", "models of one domain fail together"),
        key("residence", List(&TERRITORY), "the provider's", "[DE]", "where data stays"),
        key("labels", List(&Text), "", "[no-training]", "words of your own, besides its provider's"),
    ],
    // Of the watch over the paths that plans would take.
    later: &["probe"],
};
