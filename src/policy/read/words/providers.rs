//! The keys of providers, and of the maps that routes share with them.

use super::Kind::{
    Address, Anything, Credential, Duration, Either, Fields, In, List, Map, Pattern, Percentage, State, Text, Truth,
    Vendor, Whole, Word,
};
use super::licenses::TERRITORY;
use super::{Kind, REQUIRED, Section, key};

#[rustfmt::skip]
pub(in crate::policy) static PROVIDER: Section = Section {
    what: "a provider",
    keys: &[
        key("vendor", Vendor, REQUIRED, "dashscope", "brings the address, the error table, the health probe and the quirks of its API"),
        key("region", Word(&["intl", "cn", "us", "hk", "eu", "jp", "us-east-1", "us-east-2", "us-west-2", "eu-central-1", "eu-west-1", "eu-west-3", "eu-north-1", "ap-northeast-1", "ap-southeast-2", "ap-south-1"]), "the vendor's first", "cn", "of a vendor that has several: which address, prices and residence hold; keys do not cross regions"),
        key("base_url", Address, "the vendor's own", "http://127.0.0.1:8081", "what the vendor's official SDK is given; `/chat/completions` is appended, or `/v1/messages` where it speaks Anthropic's dialect. A local server without a path gets `/v1`; `openai-compatible`, `anthropic-compatible` and `vertex` need it"),
        key("api_key", Credential, "", "env:DASHSCOPE_API_KEY", "hosted vendors need it"),
        key("key_header", Word(&["bearer", "x-api-key"]), "the vendor's", "bearer", "the header that carries the key: `authorization: Bearer KEY`, or `x-api-key: KEY`, which is the default of `anthropic` and `anthropic-compatible`"),
        key("keys", List(&Either(&[Credential, In(&PROVIDER_KEY)])), "`api_key`", "[env:QWEN_A, {key: env:QWEN_B, weight: 2}]", "several keys of one account or region, in turn; one that is refused or out of quota rests alone"),
        key("timeouts", In(&TIMEOUTS), "", "{first_token: 30s}", "the tightest of provider, model and route counts"),
        key("start", In(&START), "", "{command: [./serve], ready: 10m}", "a local server on this machine, started when it is first needed"),
        key("breaker", Word(&["none"]), "", "none", "`none`: failures never keep its models from traffic"),
        key("cooldown", Word(&["none"]), "", "none", "`none`: its models never cool down after a refusal"),
        key("discount", Percentage, "0%", "10%", "off all prices of this account"),
        key("surcharge", Percentage, "0%", "5%", "on all prices of this account"),
        key("allow_private", Truth, "false", "true", "names may resolve to private addresses, and plain http may leave this machine. Cloud metadata addresses stay closed"),
        key("set", Fields(&Anything), "", "{seed: 7}", "fields of the request's body and what they are set to. The route's words come first, then the model's, then the provider's"),
        key("default", Fields(&Anything), "", "{temperature: 0.7}", "fields that are set where the request has none"),
        key("strip", List(&Text), "", "[logit_bias, user]", "fields that are left out; inside an object as `extra.top_k`"),
        key("rename", Fields(&Text), "", "{max_tokens: max_completion_tokens}", "fields under another name"),
        key("clamp", Fields(&In(&CLAMP)), "", "{temperature: {min: 0, max: 1}}", "bounds of numbers"),
        key("on_unsupported", Word(&["refuse", "drop"]), "refuse", "drop", "fields that the vendor refuses: the model is no candidate, or they are left out"),
        key("limits", In(&RATES), "", "{requests: 600/min, in_flight: 64}", "what goes to it at most"),
        key("disabled", Truth, "false", "true", "its models are no candidates"),
        key("license", Text, "", "qwen-enterprise", "the terms of its models' calls: one of `licenses`, or of the catalogue"),
        key("domain", Text, "its key, else its address", "alibaba-account", "models of one domain fail together"),
        key("residence", List(&TERRITORY), "of the vendor's region, where that is known", "[CN]", "where data stays"),
        key("labels", List(&Text), "", "[no-training]", "words of your own that hold for all of its models"),
    ],
    // Of the watch over the paths that plans would take; of the floor under a stream's speed.
    later: &["probe", "min_speed"],
};

#[rustfmt::skip]
pub(in crate::policy) static PROVIDER_KEY: Section = Section {
    what: "a key",
    keys: &[
        key("key", Credential, REQUIRED, "env:QWEN_B", "where it is"),
        key("name", Text, "its place in the list, from 1", "second", "what status, metrics and the ledger call it"),
        key("weight", Whole(1, 100), "1", "2", "its share of the requests, beside the others'"),
        key("limits", In(&RATES), "", "{requests: 60/min}", "what goes out with it at most"),
    ],
    later: &[],
};

#[rustfmt::skip]
pub(in crate::policy) static TIMEOUTS: Section = Section {
    what: "`timeouts`",
    keys: &[
        key("connect", Duration, "2s", "1s", "until connected"),
        key("first_token", Duration, "60s", "30s", "until a stream's first content; a whole answer shows none before its end"),
        key("idle", Duration, "30s", "15s", "between two pieces of a stream"),
        key("total", Duration, "10m", "5m", "each attempt"),
    ],
    later: &[],
};

#[rustfmt::skip]
pub(in crate::policy) static START: Section = Section {
    what: "`start`",
    keys: &[
        key("command", List(&Text), REQUIRED, "[llama-server, -m, qwen3-4b.gguf, --port, \"8080\"]", "program and arguments; a program with a slash is found from the policy's folder"),
        key("ready", Duration, "2m", "10m", "how long until its health path answers"),
        key("idle", Duration, "never", "30m", "stops a server that planb started once nothing has asked for it so long"),
        key("warm_when", State, "", "'budget(\"month\").used > 0.8'", "started, and not stopped for idleness, while this holds"),
        key("env", Map(&Text), "", "{CUDA_VISIBLE_DEVICES: \"0\"}", "variables on top of planb's own; no secrets"),
    ],
    later: &[],
};

/// As people write rates.
pub(super) const RATE: Kind = Pattern(
    "a rate, `600/min`: a count by `s`, `min`, `h` or `day`",
    "^[0-9][0-9.]*(k|M|Ki|Mi)? ?/ ?(s|min|h|day)$",
);

#[rustfmt::skip]
pub(in crate::policy) static RATES: Section = Section {
    what: "`limits`",
    keys: &[
        key("requests", RATE, "", "600/min", "so many at once, and then evenly"),
        key("tokens", RATE, "", "1M/min", "estimated input and reserved output when a request is let in, what it used afterwards"),
        key("in_flight", Whole(1, 1_000_000), "", "50", "under way at one time"),
        key("queue", Whole(1, 10_000), "none", "20", "how many may wait for their turn"),
        key("wait", Duration, "2s", "500ms", "how long one of them waits, up to 60s"),
    ],
    later: &[],
};

#[rustfmt::skip]
pub(in crate::policy) static CLAMP: Section = Section {
    what: "the bounds of a number",
    keys: &[
        key("min", Anything, "", "0", "the least"),
        key("max", Anything, "", "1", "the most"),
    ],
    later: &[],
};
