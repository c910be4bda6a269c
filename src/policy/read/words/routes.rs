//! The keys of routes.

use super::Kind::{
    self, Anything, Duration, Either, Fields, In, List, Map, Money, NameIn, Percentage, Selector, Size, Text, Truth,
    Whole, Word,
};
use super::licenses::{TERRITORY, USES};
use super::{CLAMP, RATE, REQUIRED, Section, TIMEOUTS, key};

pub(in crate::policy) const PICKS: &[&str] = &["in_order", "cheapest", "fastest", "weighted"];
pub(in crate::policy) const WEIGHTS: Kind = Map(&Whole(0, 1_000_000));
pub(in crate::policy) const STICKS: &[&str] = &["conversation", "none"];
/// One text or several.
const TEXTS: Kind = Either(&[Text, List(&Text)]);
const DIALECT: Kind = Word(&["chat", "embeddings"]);
const USE: Kind = Word(USES);

#[rustfmt::skip]
pub(in crate::policy) static ROUTE: Section = Section {
    what: "a route",
    keys: &[
        key("name", Text, REQUIRED, "chat", "unique; what applications name in `model`. An earlier route whose `match` takes that name, as `\"*\"` does, comes first"),
        key("match", In(&MATCH), "", "{model: [\"gpt-*\"]}", "which requests it serves; of several routes that match, the first does"),
        key("try", List(&Either(&[NameIn("models"), Selector])), REQUIRED, "[qwen-max, 'model.supply == \"local\"']", "models, the preferred one first; a selector stands for the models that it matches, in the order of the file"),
        key("pick", Word(PICKS), "in_order", "cheapest", "the order in which candidates are tried: as listed, by what this request would cost, by how fast each lately was, or by lot"),
        key("weights", WEIGHTS, "", "{qwen-max: 80, tiny: 20}", "for `pick: weighted`: each model's share; a model without one comes after the others"),
        key("stick", Word(STICKS), "`conversation` where it picks by cost or speed, else `none`", "none", "requests of one conversation stay where their prompt is cached"),
        key("need", In(&NEED), "", "{quality: 60}", "what a model must have to be a candidate"),
        key("limits", In(&LIMITS), "", "{cost: 0.05 USD}", "bounds on one request, and on all together"),
        key("cap_output", Truth, "false", "true", "a client's own output bound is lowered to what limits and money allow, where it would exclude the model"),
        key("min_output", Size, "that of each model", "500", "an answer that would have to be shorter is not started"),
        key("set", Fields(&Anything), "", "{seed: 7}", "fields of the request's body and what they are set to. The route's words come first, then the model's, then the provider's"),
        key("default", Fields(&Anything), "", "{temperature: 0.7}", "fields that are set where the request has none"),
        key("strip", List(&Text), "", "[logit_bias, user]", "fields that are left out; inside an object as `extra.top_k`"),
        key("rename", Fields(&Text), "", "{max_tokens: max_completion_tokens}", "fields under another name"),
        key("clamp", Fields(&In(&CLAMP)), "", "{temperature: {min: 0, max: 1}}", "bounds of numbers"),
        key("on_unsupported", Word(&["refuse", "drop"]), "refuse", "drop", "fields that the vendor refuses: the model is no candidate, or they are left out"),
        key("timeouts", In(&TIMEOUTS), "", "{total: 5m}", "the tightest of provider, model and route counts"),
        key("heartbeat", Duration, "off", "15s", "how long a streamed answer may be silent before a comment keeps its connection alive, from 1s to 10m; the first one sends the head of the answer, and from then on a failure is an event of the stream"),
        key("on_disconnect", Word(&["cancel", "finish"]), "cancel", "finish", "when the client leaves: `cancel` the call, or `finish` it for exact books"),
        key("expose", Word(&["all", "none"]), "all", "none", "`none`: nobody sees the names of models and providers in its answers; as of clients"),
        key("mirror", In(&MIRROR), "", "{model: tiny, share: 5%, budget: shadow}", "copies of some requests go to another model too; the clients meet nothing of it"),
    ],
    later: &["resume", "cascade", "hedge", "min_speed"],
};

#[rustfmt::skip]
pub(in crate::policy) static MIRROR: Section = Section {
    what: "a mirror",
    keys: &[
        key("model", NameIn("models"), REQUIRED, "tiny", "where the copies go; it may be one that the route tries, and is not sent what it served itself"),
        key("share", Percentage, REQUIRED, "5%", "of the route's admitted requests; above 0 %"),
        key("budget", NameIn("budgets"), REQUIRED, "shadow", "pays for the copies, and for nothing else: requests never touch it. It has no `covers`"),
    ],
    later: &[],
};

#[rustfmt::skip]
pub(in crate::policy) static MATCH: Section = Section {
    what: "`match`",
    keys: &[
        key("model", List(&Text), "", "[\"gpt-*\", qwen-max]", "names besides the route's own; `*` stands for any characters"),
        key("dialect", Either(&[DIALECT, List(&DIALECT)]), "", "chat", "how the client speaks"),
        key("tag", Map(&TEXTS), "", "{team: [search, \"ads-*\"]}", "tags of the request, each with the texts that count; `*` stands for any characters"),
        key("client", Either(&[NameIn("clients"), List(&NameIn("clients"))]), "", "[search-app]", "who asks"),
        key("header", Map(&TEXTS), "", "{x-env: canary}", "headers of the request, each with the texts that count"),
        key("size", In(&SIZE), "", "{above: 8k, up_to: 100k}", "the prompt's tokens, as estimated"),
        key("tools", Truth, "", "true", "only requests with tools, or only those without"),
        key("images", Truth, "", "true", "only requests with images, or only those without"),
        key("use", Either(&[USE, List(&USE)]), "", "[internal, research]", "what the answer is for; a request that does not say is commercial"),
    ],
    later: &[],
};

#[rustfmt::skip]
pub(in crate::policy) static SIZE: Section = Section {
    what: "`size`",
    keys: &[
        key("above", Size, "", "8k", "more tokens than this"),
        key("up_to", Size, "", "100k", "at most so many"),
    ],
    later: &[],
};

#[rustfmt::skip]
pub(in crate::policy) static NEED: Section = Section {
    what: "`need`",
    keys: &[
        key("quality", Whole(0, 100), "", "60", "the least; then every candidate needs a `quality`"),
        key("tools", Truth, "false", "true", "can call tools, whether the request brings any or not"),
        key("images", Truth, "false", "true", "can read images"),
        key("json_schema", Truth, "false", "true", "can answer by a JSON schema"),
        key("context", Size, "", "100k", "holds so many tokens; a model whose context is unknown does"),
        key("reasoning", Truth, "false", "true", "can think before it answers"),
        key("residence", List(&TERRITORY), "", "[EU]", "data stays within these; where nobody knows a model's, it does not"),
        key("labels", List(&Text), "", "[no-training]", "has every one of these labels"),
        key("use", Either(&[USE, List(&USE)]), "", "commercial", "its licences permit each of these uses, whatever the request says it is for"),
        key("territory", Either(&[TERRITORY, List(&TERRITORY)]), "", "[DE, FR]", "its licences hold in each of these territories, wherever the request says it is from"),
        key("speed", Whole(1, 1_000_000), "", "40", "tokens a second after the first one, as measured over its answers of late; a model that was not measured in the last ten minutes has it"),
    ],
    later: &[],
};

#[rustfmt::skip]
pub(in crate::policy) static LIMITS: Section = Section {
    what: "a route's `limits`",
    keys: &[
        key("cost", Money, "", "0.05 USD", "the most that one attempt may cost"),
        key("attempts", Whole(1, 3), "3", "2", "how many models one request may try"),
        key("output", Size, "", "8k", "the longest answer"),
        key("requests", RATE, "", "600/min", "what is asked of the route at most; then 429"),
        key("tokens", RATE, "", "1M/min", "as of providers"),
        key("in_flight", Whole(1, 1_000_000), "", "50", "under way at one time"),
        key("queue", Whole(1, 10_000), "none", "20", "how many may wait for their turn"),
        key("wait", Duration, "2s in a `queue`, not at all for money", "500ms", "how long one of them waits, up to 60s; and how long a request waits for money that others have reserved, where it would be refused for that"),
    ],
    later: &[],
};
