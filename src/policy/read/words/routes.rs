//! The keys of routes.

use super::Kind::{In, List, Money, NameIn, Size, Text, Whole, Word};
use super::{REQUIRED, Section, TIMEOUTS, key};

#[rustfmt::skip]
pub(in crate::policy) static ROUTE: Section = Section {
    what: "a route",
    keys: &[
        key("name", Text, REQUIRED, "chat", "unique; requests for it are always this route's"),
        key("match", In(&MATCH), "", "{model: [\"gpt-*\"]}", "what else it serves; the first route that matches does"),
        key("try", List(&NameIn("models")), REQUIRED, "[qwen-max, tiny]", "models, the preferred one first"),
        key("pick", Word(&["in_order", "cheapest"]), "in_order", "cheapest", "the order in which candidates are tried"),
        key("need", In(&NEED), "", "{quality: 60}", "what a model must have to be a candidate"),
        key("limits", In(&LIMITS), "", "{cost: 0.05 USD}", "bounds on one request"),
        key("timeouts", In(&TIMEOUTS), "", "{total: 5m}", "the tightest of provider and route counts"),
        key("on_disconnect", Word(&["cancel", "finish"]), "cancel", "finish", "when the client leaves: `cancel` the call, or `finish` it for exact books"),
    ],
    later: &[
        "cap_output", "min_output", "heartbeat", "stick", "expose", "mirror", "set", "default", "strip", "rename",
        "clamp", "weights", "resume", "cascade", "hedge", "approve", "residence", "refusals", "retry", "min_speed",
        "value", "wait", "drop",
    ],
};

#[rustfmt::skip]
pub(in crate::policy) static MATCH: Section = Section {
    what: "`match`",
    keys: &[
        key("model", List(&Text), "", "[\"gpt-*\", qwen-max]", "further names; `*` stands for any characters"),
    ],
    later: &["tag", "tags", "client", "use", "path", "dialect", "when", "headers"],
};

#[rustfmt::skip]
pub(in crate::policy) static NEED: Section = Section {
    what: "`need`",
    keys: &[
        key("quality", Whole(0, 100), "", "60", "the least; then every candidate needs a `quality`"),
    ],
    later: &["use", "territory", "residence", "tools", "images", "json_schema", "context", "speed"],
};

#[rustfmt::skip]
pub(in crate::policy) static LIMITS: Section = Section {
    what: "a route's `limits`",
    keys: &[
        key("cost", Money, "", "0.05 USD", "the most that one attempt may cost"),
        key("attempts", Whole(1, 3), "3", "2", "how many models one request may try"),
        key("output", Size, "", "8k", "the longest answer"),
    ],
    later: &["requests", "tokens", "in_flight", "wait", "input"],
};
