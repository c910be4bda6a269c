//! The keys of plans.

use super::Kind::{Duration, In, Map, Selector, State, Text, Word};
use super::{NEED, REQUIRED, Section, key};

#[rustfmt::skip]
pub(in crate::policy) static PLAN: Section = Section {
    what: "a plan",
    keys: &[
        key("name", Text, REQUIRED, "austerity", "unique"),
        key("when", State, REQUIRED, "'budget(\"month\").used > 0.8'", "what brings it into force"),
        key("until", State, "`when` no longer holds", "'budget(\"month\").used < 0.5'", "what must hold, besides `when` no longer holding, before it is released"),
        key("after", Duration, "0s", "30s", "how long `when` must have held"),
        key("at_least", Duration, "5m", "10m", "how long it stays in force"),
        key("only", Selector, "", "'model.supply == \"local\"'", "no other models"),
        key("avoid", Selector, "", "'model.provider == \"qwen\"'", "not these models"),
        key("change", Map(&In(&CHANGE)), "", "{chat: {pick: cheapest}}", "routes by name, and what changes of each"),
    ],
    later: &["shed", "message", "cap_output", "approve", "requires", "for", "alert", "probe", "set"],
};

#[rustfmt::skip]
pub(in crate::policy) static CHANGE: Section = Section {
    what: "a plan's change of a route",
    keys: &[
        key("pick", Word(&["in_order", "cheapest"]), "", "cheapest", "another order"),
        key("need", In(&NEED), "", "{quality: 0}", "another need"),
    ],
    later: &[
        "weights", "try", "limits", "cap_output", "timeouts", "shed", "message", "stick", "min_output",
        "on_disconnect", "heartbeat", "set",
    ],
};
