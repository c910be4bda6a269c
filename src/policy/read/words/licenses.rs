//! The keys of licences and of the facts that the operator declares.

use super::Kind::{Duration, In, List, Pattern, Size, Text, Truth, Word};
use super::{Section, key};

pub(super) const USES: &[&str] = &["commercial", "internal", "research"];
const DAY: super::Kind = Pattern("a day or a time", "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].+)?$");
pub(super) const TERRITORY: super::Kind = Pattern("an ISO 3166 code, or `EU`", "^[A-Za-z]{2}$");
const AMOUNT: super::Kind = Pattern(
    "an amount of money",
    "^([0-9]+|[1-9][0-9]{0,2}((,[0-9]{3})+|(_[0-9]{3})+))(\\.[0-9]{1,9})? [A-Z]{3}$",
);

#[rustfmt::skip]
pub(in crate::policy) static LICENSE: Section = Section {
    what: "a licence",
    keys: &[
        key("base", Text, "", "qwen-2024", "a licence of the catalogue to begin with; every clause given here replaces one of it"),
        key("uses", List(&Word(USES)), "all three", "[commercial, internal]", "what it permits. A request that does not say what it is for counts as commercial"),
        key("territories", List(&TERRITORY), "everywhere", "[CN, SG]", "where alone it holds; a request that does not say where is outside"),
        key("except_territories", List(&TERRITORY), "", "[EU, GB]", "where it does not hold; a request that does not say where is inside"),
        key("territory_of", Word(&["use", "licensee"]), "use", "licensee", "whether its territories mean where answers are used, or where the licensee lives (`domicile`)"),
        key("domicile", TERRITORY, "", "CN", "where you, the licensee, live: a declared fact"),
        key("starts", DAY, "", "2026-02-01", "the first day, in the policy's zone"),
        key("expires", DAY, "", "2027-01-31", "the last day that counts, in the policy's zone"),
        key("warn", Duration, "30d", "60d", "`license.expiring` is told so long before the end"),
        key("users", In(&COUNT), "", "{max: 100M, declared: 12k}", "users a month"),
        key("seats", In(&COUNT), "", "{max: 50, declared: 40}", "seats"),
        key("gpus", In(&COUNT), "", "{max: 8, declared: 8}", "GPUs"),
        key("revenue", In(&REVENUE), "", "{max: 20000000 USD, per: year, declared: 3000000 USD}", "the revenue up to which it holds"),
        key("service", Word(&["allowed", "forbidden"]), "allowed", "forbidden", "whether the model itself may be offered to others as a service"),
        key("offered", Truth, "false", "true", "you offer the model as a service: a declared fact"),
        key("display", Text, "", "Built with Llama", "what must be shown to users; `done` when it is"),
        key("notice", Text, "", "e-mail to the vendor", "what must be kept, sent or passed on; `done` when it is"),
        key("outputs", Text, "", "not to train other models", "what holds for its outputs; `done` when it is seen to"),
        key("fee", Pattern("an amount of money a month or a year", "^([0-9]+|[1-9][0-9]{0,2}((,[0-9]{3})+|(_[0-9]{3})+))(\\.[0-9]{1,9})? [A-Z]{3}/(month|year)$"), "", "2000 USD/month", "shown; it is part of no request's cost"),
    ],
    later: &[],
};

#[rustfmt::skip]
pub(in crate::policy) static COUNT: Section = Section {
    what: "a count of a licence",
    keys: &[
        key("max", Size, "", "100M", "how many it allows"),
        key("declared", Size, "", "12k", "how many there are, as you know it: planb does not count them yet"),
        key("as_of", Pattern("a day", "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), "", "2026-11-01", "when that was"),
    ],
    later: &[],
};

#[rustfmt::skip]
pub(in crate::policy) static REVENUE: Section = Section {
    what: "the revenue of a licence",
    keys: &[
        key("max", AMOUNT, "", "20000000 USD", "up to which it holds"),
        key("per", Word(&["month", "year"]), "year", "month", "of which time"),
        key("declared", AMOUNT, "", "3000000 USD", "what it is, as you know it, in the same currency"),
        key("as_of", Pattern("a day", "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), "", "2026-11-01", "when that was"),
        key("only", Word(&["service"]), "", "service", "it counts only where the model itself is offered as a service"),
    ],
    later: &[],
};
