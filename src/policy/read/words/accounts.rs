//! The keys of clients, budgets and alerts.

use super::Kind::{
    Address, Credential, Date, Duration, Either, Event, In, List, Map, Money, NameIn, Pattern, Percentage, Selector,
    Text, Timezone, Truth, Word,
};
use super::{RATES, REQUIRED, Section, key};

const COMPAT: super::Kind = Word(&["openai_quota_429", "openrouter"]);

#[rustfmt::skip]
pub(in crate::policy) static CLIENT: Section = Section {
    what: "a client",
    keys: &[
        key("key", Credential, "`keys`", "file:search.key", "what it calls with; no two clients have the same"),
        key("keys", List(&Credential), "`key`", "[file:search.key, file:search.old]", "several, each as good as the other: an old and a new one while a key is changed"),
        key("tags", Map(&Text), "", "{team: search}", "what conditions read as `tag.NAME`; names have letters, digits and `_`"),
        key("use", Word(&["commercial", "internal", "research"]), "what the request says, where `may_set` lets it", "research", "what its answers are for"),
        key("territory", Pattern("an ISO 3166 code, or `EU`", "^[A-Za-z]{2}(-[A-Za-z0-9]{1,3})?$"), "what the request says, where `may_set` lets it", "DE", "where its answers are used"),
        key("routes", List(&NameIn("routes")), "all", "[chat]", "the routes that are there for it; all others are unknown to it"),
        key("expires", Date, "", "2027-06-30", "the last day of its keys, in the policy's time zone"),
        key("may_set", List(&Word(&["tags", "use", "territory", "min_quality", "max_cost", "deadline", "explain"])), "[min_quality, max_cost, deadline, explain]", "[tags, max_cost]", "which `x-planb-…` headers it may add; what is written here wins over them"),
        key("scope", List(&Word(&["inference", "read"])), "[inference]", "[inference, read]", "`inference`: call models; `read`: ask the control API from elsewhere too"),
        key("expose", Word(&["all", "none"]), "all", "none", "`none`: it never sees the names of models and providers"),
        key("limits", In(&RATES), "", "{requests: 60/min}", "what it may ask for at most; then 429"),
        key("compat", Either(&[COMPAT, List(&COMPAT)]), "none", "[openai_quota_429, openrouter]", "habits that it expects: `openai_quota_429` answers want of money with 429 in place of 402, `openrouter` tells the cost in `usage.cost`"),
    ],
    later: &[],
};

#[rustfmt::skip]
pub(in crate::policy) static BUDGET: Section = Section {
    what: "a budget",
    keys: &[
        key("limit", Money, "required without `credit`", "2000 USD", "what may be spent in one period"),
        key("per", Either(&[Word(&["hour", "day", "week", "month", "quarter", "year"]), Pattern("a window that slides", "^([0-9]+[mhd])+ rolling$")]), "required without `credit`", "month", "the period; a week begins on Monday. `10m rolling` is the last ten minutes at any time, in 60 steps: whole minutes, hours or days, up to `31d rolling`"),
        key("credit", List(&In(&TOP_UP)), "", "[{amount: 500 USD, on: 2026-11-01}]", "money paid in beforehand, in place of `limit` and `per`: it is there from its day on, has no period, and is exhausted when it is gone"),
        key("carry_over", Either(&[Percentage, Money]), "nothing", "50%", "what a period leaves of its limit is there in the next period besides, and only there: at most this share of the limit, or this amount"),
        key("start", Pattern("an hour of a day, a weekday, a day of the month (1 to 28), or month and day", "^([0-2][0-9]:00|mon|tue|wed|thu|fri|sat|sun|[0-9]{1,2}(-[0-9]{1,2})?)$"), "with the calendar", "04-01", "where periods begin: `\"06:00\"` of a day, `sun` of a week, `15` of a month, `04-01` of a quarter or a year"),
        key("timezone", Timezone, "the policy's", "Asia/Shanghai", "the zone in which its periods begin"),
        key("held", Either(&[Word(&["keep"]), In(&HELD)]), "{after: 15m}", "keep", "what becomes of money whose bill nobody told: posted as estimated after a while, or held until somebody says what it was"),
        key("raise", List(&In(&RAISE)), "", "[{by: 200 USD, until: 2026-12-24}]", "what raises the limit for a while"),
        key("covers", Selector, "every request", "'model.supply != \"local\"'", "which requests count"),
        key("each", Pattern("`tag.NAME`, `client`, `model`, `provider`, `route`, `use` or `run`", "^(tag\\.[A-Za-z_][A-Za-z0-9_]*|client|model|provider|route|use|run)$"), "", "tag.team", "one limit for each of them, rather than one for all; a `run` is what `x-planb-run` names, else the conversation. 10,000 keys, then `(other)`"),
        key("alert_at", List(&Percentage), "", "[50%, 80%]", "shares of the limit that are announced, ascending; from 1 % to 100 %, or to 1000 % where it is soft"),
        key("enforce", Word(&["hard", "soft"]), "hard", "soft", "`hard` refuses what does not fit; `soft` counts and alerts"),
    ],
    // Of pacing.
    later: &["pace"],
};

#[rustfmt::skip]
pub(in crate::policy) static RAISE: Section = Section {
    what: "a raise of a budget",
    keys: &[
        key("by", Money, REQUIRED, "200 USD", "how much higher the limit is"),
        key("from", Pattern("a day or a time", "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].+)?$"), "at once", "2026-12-20", "the first day that counts, in the policy's zone, or a written-out time"),
        key("until", Pattern("a day or a time", "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].+)?$"), REQUIRED, "2026-12-24", "the last day that counts, in the policy's zone, or a written-out time; what was spent stays spent"),
    ],
    later: &[],
};

#[rustfmt::skip]
pub(in crate::policy) static TOP_UP: Section = Section {
    what: "a top-up of a credit",
    keys: &[
        key("amount", Money, REQUIRED, "500 USD", "how much was paid in"),
        key("on", Pattern("a day or a time", "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].+)?$"), REQUIRED, "2026-11-01", "from this day on it may be spent, in the budget's zone, or from a written-out time. What is spent counts from the first top-up on"),
    ],
    later: &["expires"],
};

#[rustfmt::skip]
pub(in crate::policy) static HELD: Section = Section {
    what: "`held`",
    keys: &[
        key("after", Duration, REQUIRED, "15m", "how long money is held for a bill that nobody told, from `1s` to `31d`"),
    ],
    later: &[],
};

#[rustfmt::skip]
pub(in crate::policy) static ALERT: Section = Section {
    what: "an alert",
    keys: &[
        key("url", Either(&[Address, Credential]), REQUIRED, "env:HOOK_URL", "where to; an address, or a credential that holds one"),
        key("secret", Credential, REQUIRED, "env:HOOK_KEY", "what signs it"),
        key("format", Word(&["standard"]), "standard", "standard", "`standard` is Standard Webhooks"),
        key("events", List(&Event), "[\"*\"]", "[budget, plan]", "first words (`plan`), whole names (`plan.activated`) or `\"*\"`"),
        key("allow_private", Truth, "false", "true", "as of providers"),
    ],
    // Of a format.
    later: &["routing_key"],
};
