//! Every key of the policy language, section by section, one line a key: its type, default, example and meaning.
//!
//! The one table behind the reader's errors, the JSON Schema and `docs/policy-reference.md` (written anew by
//! `PLANB_ACCEPT=1 cargo test --lib policy::`). Words of the product that this version does not do are `later`.

mod accounts;
mod licenses;
mod models;
mod plans;
mod prices;
mod providers;
mod routes;

pub(in crate::policy) use accounts::{ALERT, BUDGET, CLIENT, HELD, RAISE, TOP_UP};
pub(in crate::policy) use licenses::{COUNT, LICENSE, REVENUE};
pub(in crate::policy) use models::MODEL;
pub(in crate::policy) use plans::{CHANGE, CHANGED_LIMITS, DURING, PLAN};
pub(in crate::policy) use prices::{COMMIT, FREE, LADDER, PRICE, SERVICE, STEP, TIER, WINDOW};
use providers::RATE;
pub(in crate::policy) use providers::{CLAMP, PROVIDER, PROVIDER_KEY, RATES, START, TIMEOUTS};
pub(in crate::policy) use routes::{LIMITS, MATCH, MIRROR, NEED, PICKS, ROUTE, SIZE, STICKS, WEIGHTS};

/// The keys of one kind of map.
#[derive(Debug)]
pub(in crate::policy) struct Section {
    /// As it is called in messages.
    pub what: &'static str,
    pub keys: &'static [Key],
    /// Words of the product that this version does not do.
    pub later: &'static [&'static str],
}

#[derive(Debug)]
pub(in crate::policy) struct Key {
    pub name: &'static str,
    pub kind: Kind,
    /// As people write it; [`REQUIRED`], or empty where nothing stands for the key.
    pub default: &'static str,
    /// The value alone, as it stands behind the key in YAML.
    pub example: &'static str,
    /// One line for the reference and for editors.
    pub about: &'static str,
}

/// In the place of a default.
pub(in crate::policy) const REQUIRED: &str = "required";

/// What may stand behind a key.
#[derive(Debug)]
pub(in crate::policy) enum Kind {
    Text,
    Truth,
    /// From, to.
    Whole(u64, u64),
    Duration,
    /// A day of the calendar.
    Date,
    Money,
    /// The units that may stand behind `USD/`.
    Price(&'static [&'static str]),
    Size,
    Percentage,
    Credential,
    Address,
    Timezone,
    /// Conditions over live signals.
    State,
    /// Conditions over a model and who asks.
    Selector,
    Vendor,
    /// Of an alert, or the first word of one.
    Event,
    Word(&'static [&'static str]),
    /// Words for people, and a regular expression for the schema.
    Pattern(&'static str, &'static str),
    /// The name of an entry in that section of the policy.
    NameIn(&'static str),
    List(&'static Kind),
    /// Names of the policy's own, each with such a value.
    Map(&'static Kind),
    /// Options of requests, `name=value`, each with such a value.
    Options(&'static Kind),
    /// Fields of a request's body, each with such a value.
    Fields(&'static Kind),
    /// Any value of a body.
    Anything,
    In(&'static Section),
    /// One of several shapes.
    Either(&'static [Kind]),
}

pub(in crate::policy) const fn key(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    example: &'static str,
    about: &'static str,
) -> Key {
    Key {
        name,
        kind,
        default,
        example,
        about,
    }
}

impl Section {
    pub fn names(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.keys.iter().map(|key| key.name)
    }

    pub fn has(&self, name: &str) -> bool {
        self.keys.iter().any(|key| key.name == name)
    }
}

/// Every section with the places where it stands, `providers.*.timeouts`, in the order of the policy.
pub(in crate::policy) fn sections() -> Vec<(&'static Section, Vec<String>)> {
    fn walk(section: &'static Section, path: &str, found: &mut Vec<(&'static Section, Vec<String>)>) {
        match found.iter_mut().find(|(known, _)| std::ptr::eq(*known, section)) {
            Some((_, places)) => return places.push(path.to_owned()),
            None => found.push((section, vec![path.to_owned()])),
        }
        for key in section.keys {
            let dot = if path.is_empty() { "" } else { "." };
            inside(&key.kind, &format!("{path}{dot}{}", key.name), found);
        }
    }
    fn inside(kind: &'static Kind, path: &str, found: &mut Vec<(&'static Section, Vec<String>)>) {
        match kind {
            Kind::In(section) => walk(section, path, found),
            Kind::List(of) => inside(of, &format!("{path}[]"), found),
            Kind::Map(of) | Kind::Options(of) | Kind::Fields(of) => inside(of, &format!("{path}.*"), found),
            Kind::Either(kinds) => kinds.iter().for_each(|kind| inside(kind, path, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(&POLICY, "", &mut found);
    found
}

use Kind::{In, List, Map, Pattern, Timezone};

#[rustfmt::skip]
pub(in crate::policy) static POLICY: Section = Section {
    what: "the policy",
    keys: &[
        key("timezone", Timezone, "UTC", "Asia/Shanghai", "IANA name; budgets' periods begin at its midnight"),
        key("currency", Pattern("three capital letters", "^[A-Z]{3}$"), "that of the first limit, rate or price", "USD", "in which budgets, limits and costs are counted"),
        prices::RATES,
        key("holidays", Map(&prices::DAYS), "", "{factory: [2027-01-01, 2027-02-05..2027-02-11]}", "days off by a calendar's name, for the windows of prices and plans. A calendar of the catalogue gets these besides"),
        key("licenses", Map(&In(&LICENSE)), "", "{qwen-enterprise: {uses: [commercial, internal], expires: 2027-01-31}}", "terms that models may be used under"),
        key("providers", Map(&In(&PROVIDER)), REQUIRED, "{qwen: {vendor: dashscope, api_key: env:KEY}}", "endpoints with their credentials"),
        key("models", Map(&In(&MODEL)), REQUIRED, "{tiny: {provider: home, supply: local}}", "what can be called"),
        key("clients", Map(&In(&CLIENT)), "", "{search: {key: file:search.key}}", "applications; without any, only this machine may call"),
        key("routes", List(&In(&ROUTE)), REQUIRED, "[{name: chat, try: [qwen-max, tiny]}]", "what applications name in `model`"),
        key("budgets", Map(&In(&BUDGET)), "", "{month: {limit: 500 USD, per: month}}", "limits on money"),
        key("plans", List(&In(&PLAN)), "", "[{name: outage, when: '!provider(\"qwen\").up', avoid: 'model.provider == \"qwen\"'}]", "contingencies that run by themselves"),
        key("alerts", List(&In(&ALERT)), "", "[{url: env:HOOK, secret: env:HOOK_KEY}]", "webhooks"),
    ],
    // Of pacing.
    later: &["values"],
};
