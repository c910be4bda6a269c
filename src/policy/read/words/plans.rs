//! The keys of plans.

use super::Kind::{
    Duration, Either, In, List, Map, Money, NameIn, Pattern, Selector, Size, State, Text, Timezone, Truth, Whole, Word,
};
use super::{Kind, NEED, PICKS, REQUIRED, STICKS, Section, WEIGHTS, key};

#[rustfmt::skip]
pub(in crate::policy) static PLAN: Section = Section {
    what: "a plan",
    keys: &[
        key("name", Text, REQUIRED, "austerity", "unique"),
        key("when", State, "`during` alone", "'budget(\"month\").used > 0.8'", "what brings it into force; required without `during`"),
        key("until", State, "`when` no longer holds", "'budget(\"month\").used < 0.5'", "what must hold, besides `when` no longer holding, before it is released"),
        key("after", Duration, "0s", "30s", "how long `when` must have held"),
        key("at_least", Duration, "5m", "10m", "how long it stays in force"),
        key("during", Either(&[In(&DURING), List(&In(&DURING))]), "at any time", "{hours: [\"22:00-06:00\"], days: [mon-fri]}", "windows of time, one or a list, outside which it is not active; without `when` it is active in all of them"),
        key("only", Selector, "", "'model.supply == \"local\"'", "no other models"),
        key("avoid", Selector, "", "'model.provider == \"qwen\"'", "not these models"),
        key("shed", Text, "", "Only the night team is served until Monday.", "every request is refused with this message"),
        key("message", Text, "", "Paid models are off until the month ends.", "what clients are told where its restrictions leave no model"),
        key("warm", List(&NameIn("providers")), "", "[home]", "local servers that are started and kept running while it is active"),
        key("change", Map(&In(&CHANGE)), "", "{chat: {pick: cheapest}}", "routes by name, or `\"*\"` for all of them, and what changes of each; what is said of one route comes after what is said of all"),
    ],
    later: &["approve"],
};

#[rustfmt::skip]
pub(super) const HOURS: Kind = Pattern("`09:00-18:00`", "^([01][0-9]|2[0-3]):[0-5][0-9] *- *(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$");
#[rustfmt::skip]
pub(super) const WEEKDAYS: Kind = Pattern("`mon` … `sun`, or a run such as `mon-fri`", "^(mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))?$");

#[rustfmt::skip]
pub(in crate::policy) static DURING: Section = Section {
    what: "`during`",
    keys: &[
        key("hours", List(&HOURS), "the whole day", "[\"22:00-06:00\"]", "intervals; one that passes midnight belongs to the day on which it begins"),
        key("days", List(&WEEKDAYS), "every day", "[mon-fri]", "weekdays"),
        key("timezone", Timezone, "the policy's", "Asia/Shanghai", "whose wall clock counts"),
        key("from", Pattern("a date", "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), "", "2027-01-01", "the first day"),
        key("until", Pattern("a date", "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), "", "2027-01-31", "the last day, which counts"),
        key("except", NameIn("holidays"), "", "cn-statutory-holidays", "days on which its hours do not begin, as of the windows of prices"),
    ],
    later: &[],
};

#[rustfmt::skip]
pub(in crate::policy) static CHANGE: Section = Section {
    what: "a plan's change of a route",
    keys: &[
        key("pick", Word(PICKS), "", "cheapest", "another order"),
        key("stick", Word(STICKS), "", "none", "as of routes"),
        key("weights", WEIGHTS, "", "{qwen-max: 50, tiny: 50}", "other weights, in place of all of the route's"),
        key("need", In(&NEED), "", "{quality: 0}", "another need"),
        key("try", List(&Either(&[NameIn("models"), Selector])), "", "[tiny, 'model.supply == \"competitor\"']", "the route's models in another order: these first, then the rest; names none that the route lacks"),
        key("limits", In(&CHANGED_LIMITS), "", "{cost: 0.01 USD, output: 2k}", "other bounds on one request"),
        key("cap_output", Truth, "", "true", "as of routes"),
        key("min_output", Size, "", "500", "as of routes"),
        key("thinking", Word(&["off"]), "", "off", "switches thinking off by the model's own field; a model without one stays a candidate as it is"),
        key("shed", Text, "", "The batch queue is closed until Monday.", "its requests are refused with this message"),
    ],
    later: &[],
};

#[rustfmt::skip]
pub(in crate::policy) static CHANGED_LIMITS: Section = Section {
    what: "a changed route's `limits`",
    keys: &[
        key("cost", Money, "", "0.01 USD", "the most that one attempt may cost"),
        key("attempts", Whole(1, 3), "", "1", "how many models one request may try"),
        key("output", Size, "", "2k", "the longest answer"),
    ],
    later: &[],
};
