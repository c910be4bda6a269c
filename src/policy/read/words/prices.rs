//! The keys of prices: kinds, tiers, windows, ladders, quotas and fees.

use super::Kind::{
    Either, In, List, Map, Money, NameIn, Options, Pattern, Percentage, Price, Size, Text, Timezone, Whole, Word,
};
use super::plans::{HOURS, WEEKDAYS};
use super::{Key, Kind, REQUIRED, Section, key};

/// The units of a price per token.
const PER_TOKEN: Kind = Price(&["M", "k"]);
const PERIODS: &[&str] = &["day", "week", "month", "quarter", "year"];
pub(super) const DAY: Kind = Pattern("a day", "^[0-9]{4}-[0-9]{2}-[0-9]{2}$");
const INSTANT: Kind = Pattern("a day or a time", "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].+)?$");
const FEE: Kind = Price(PERIODS);

macro_rules! kinds {
    ($($more:expr,)*) => {
        &[
            key("input", PER_TOKEN, "", "2 USD/M", "tokens of the prompt"),
            key("cache_read", PER_TOKEN, "as `input`", "0.25 USD/M", "tokens of the prompt that the provider had cached by itself"),
            key("cache_read_explicit", PER_TOKEN, "as `cache_read`", "0.2 USD/M", "those from a cache that the request set up"),
            key("cache_write", PER_TOKEN, "as `input`", "2.5 USD/M", "tokens that are written to the cache for minutes"),
            key("cache_write_1h", PER_TOKEN, "as `cache_write`", "4 USD/M", "for an hour"),
            key("cache_write_12h", PER_TOKEN, "as `cache_write_1h`", "5 USD/M", "for half a day"),
            key("input_audio", PER_TOKEN, "as `input`", "3 USD/M", "tokens of sound"),
            key("input_image", PER_TOKEN, "as `input`", "2 USD/M", "tokens of pictures"),
            key("output", PER_TOKEN, "", "6 USD/M", "tokens of the answer"),
            key("output_thinking", PER_TOKEN, "as `output`", "12 USD/M", "the whole answer of a call in thinking mode"),
            key("output_audio", PER_TOKEN, "as `output`", "12 USD/M", "tokens of sound in the answer"),
            $($more,)*
        ]
    };
}

#[rustfmt::skip]
pub(in crate::policy) static PRICE: Section = Section {
    what: "`price`",
    keys: kinds![
        key("from", INSTANT, "always", "2027-01-01", "in a list of prices: from when this one counts"),
        key("request", Price(&["request"]), "", "0.001 USD/request", "each call"),
        key("web_search", Price(&["k"]), "", "10 USD/k", "each search that the provider makes, by the thousand"),
        key("web_fetch", Price(&["k"]), "", "5 USD/k", "each page that the provider fetches"),
        key("tool_call", Price(&["k"]), "", "2.5 USD/k", "each use of another tool that the provider runs"),
        key("compute", Price(&["h"]), "", "0.18 USD/h", "an hour of the machine that answers, shared by what runs on it at the time"),
        key("concurrency", Whole(1, 10_000), "what runs at the time", "4", "how many requests share the machine's hour"),
        key("tiers", List(&In(&TIER)), "", "[{above: 128k, input: 4 USD/M, output: 12 USD/M}]", "rates for the whole of a request with more input, ascending"),
        key("windows", List(&In(&WINDOW)), "", "[{days: [mon-fri], hours: [\"09:00-18:00\"], times: 200%}]", "hours in which other rates count; the first that is open"),
        key("service", In(&SERVICE), "the catalogue's", "{flex: 50%, priority: 200%}", "what a service tier multiplies; the tier that the answer names is billed"),
        key("multipliers", Options(&Percentage), "the catalogue's", "{\"inference_geo=us\": 110%}", "what a field at the top of the request multiplies where it has this value, a text, a number, `true` or `false`"),
        key("discount", Percentage, "0%", "10%", "off everything"),
        key("surcharge", Percentage, "0%", "5%", "on everything"),
        key("ladder", In(&LADDER), "", "{per: month, steps: [{above: 100M, input: 1.6 USD/M, output: 4.8 USD/M}]}", "other rates from a volume on"),
        key("free", In(&FREE), "", "{tokens: 1M, until: 2027-02-28}", "tokens that cost nothing, drawn before anything else"),
        key("commit", In(&COMMIT), "", "{amount: 500 USD, per: month}", "money that is spent in any case: use it or lose it"),
        key("minimum", FEE, "", "500 USD/month", "the least that a period costs"),
        key("fee", FEE, "", "2000 USD/month", "what having the model costs, used or not; no part of a request's cost"),
        key("as_of", DAY, "", "2026-11-23", "when somebody last looked"),
    ],
    later: &[],
};

#[rustfmt::skip]
pub(in crate::policy) static TIER: Section = Section {
    what: "a tier of a price",
    keys: kinds![
        key("above", Size, REQUIRED, "128k", "input tokens, cached ones too; a request with more of them is in this tier"),
    ],
    later: &[],
};

#[rustfmt::skip]
pub(in crate::policy) static WINDOW: Section = Section {
    what: "a window of a price",
    keys: kinds![
        key("name", Text, "", "peak", "for people"),
        key("timezone", Timezone, "the policy's", "Asia/Shanghai", "whose hours and days"),
        key("days", List(&WEEKDAYS), "every day", "[mon-fri]", "weekdays on which its hours begin"),
        key("hours", List(&HOURS), "the whole day", "[\"09:00-12:00\", \"14:00-18:00\"]", "intervals; one that passes midnight belongs to the day on which it begins"),
        key("except", NameIn("holidays"), "", "cn-statutory-holidays", "days on which its hours do not begin"),
        key("times", Percentage, "100%", "200%", "what every token costs, of what it costs outside"),
    ],
    later: &[],
};

#[rustfmt::skip]
pub(in crate::policy) static SERVICE: Section = Section {
    what: "`service`",
    keys: &[
        key("batch", Percentage, "", "50%", "asynchronous"),
        key("flex", Percentage, "", "50%", "slow and cheap"),
        key("priority", Percentage, "", "200%", "before others"),
        key("scale", Percentage, "", "100%", "capacity that is paid for"),
        key("fast", Percentage, "", "200%", "quick"),
        key("ultrafast", Percentage, "", "600%", "quicker"),
    ],
    later: &[],
};

#[rustfmt::skip]
pub(in crate::policy) static LADDER: Section = Section {
    what: "`ladder`",
    keys: &[
        key("per", Word(PERIODS), REQUIRED, "month", "when it begins anew"),
        key("by", Word(&["tokens", "money"]), "tokens", "money", "what is counted"),
        key("kind", Word(&["marginal", "whole"]), "marginal", "whole", "`marginal`: each step's rates for its own volume; `whole`: the step that is reached re-rates the period"),
        key("shared", SHARED, "the model's own", "qwen-contract", "models with the same name here count together"),
        key("steps", List(&In(&STEP)), REQUIRED, "[{above: 100M, input: 1.6 USD/M, output: 4.8 USD/M}]", "ascending"),
    ],
    later: &[],
};

const SHARED: Kind = Pattern("a name", "^[A-Za-z0-9][A-Za-z0-9._/:-]{0,63}$");

#[rustfmt::skip]
pub(in crate::policy) static STEP: Section = Section {
    what: "a step of a ladder",
    keys: kinds![
        key("above", Either(&[Size, Money]), REQUIRED, "100M", "from this volume of the period on: tokens, or money where `by: money`"),
    ],
    later: &[],
};

#[rustfmt::skip]
pub(in crate::policy) static FREE: Section = Section {
    what: "`free`",
    keys: &[
        key("tokens", Size, REQUIRED, "1M", "in and out together"),
        key("until", INSTANT, "", "2027-02-28", "the last day that counts, in the policy's zone, or a written-out time"),
        key("per", Word(PERIODS), "once", "month", "when it begins anew"),
        key("shared", SHARED, "the model's own", "qwen-trial", "as of a ladder"),
    ],
    later: &[],
};

#[rustfmt::skip]
pub(in crate::policy) static COMMIT: Section = Section {
    what: "`commit`",
    keys: &[
        key("amount", Money, REQUIRED, "500 USD", "in the price's currency"),
        key("per", Word(PERIODS), REQUIRED, "month", "when it begins anew"),
        key("shared", SHARED, "the model's own", "qwen-plan", "as of a ladder"),
    ],
    later: &[],
};

/// Days off, for `except`.
pub(super) const DAYS: Kind = List(&Pattern(
    "a day, or the first and the last of several",
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}(\\.\\.[0-9]{4}-[0-9]{2}-[0-9]{2})?$",
));

/// What a unit of another currency is worth.
pub(super) const RATES: Key = key(
    "rates",
    Map(&Money),
    "",
    "{CNY: 0.14 USD}",
    "what one unit of another currency is worth in the policy's",
);
