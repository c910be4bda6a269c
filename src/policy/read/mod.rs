//! The words as written: the tree's shape checked against [`words`], nothing interpreted.
//!
//! A typed, collecting reader: a value of the wrong shape is reported and replaced by a placeholder that later steps
//! pass over in silence, so that one slip is one error.

mod alerts;
mod budgets;
mod clients;
pub(super) mod fields;
mod licenses;
mod limits;
mod models;
mod plans;
mod prices;
mod providers;
mod routes;
mod shaping;
pub(super) mod words;

pub(super) use alerts::Alert;
pub(super) use budgets::{Budget, Held, Raise, TopUp};
pub(super) use clients::Client;
pub(super) use licenses::{Count, License, Revenue};
pub(super) use limits::Limits;
pub(super) use models::Model;
pub(super) use plans::{Change, During, Plan};
pub(super) use prices::{Free, Kinds, Ladder, Price, Tier, Window};
pub(super) use providers::{Key as ProviderKey, Provider, Start, Timeouts};
pub(super) use routes::{Match, Mirror, Need, Route};
pub(super) use shaping::Shaping;

use super::report::Report;
use super::source::{Node, Place, Value, Word};
use fields::Fields;

/// A whole policy as written.
#[derive(Debug)]
pub(super) struct Policy {
    /// Of the sections that a policy needs, those that are there in a wrong shape, which was reported.
    pub misshapen: Vec<&'static str>,
    /// Where each entry of a section stands with its name, in the order of the text: section by section.
    pub places: Vec<(&'static str, Vec<Entry>)>,
    pub timezone: Option<Word>,
    pub currency: Option<Word>,
    pub rates: Vec<(Word, Word)>,
    pub holidays: Vec<(Word, Vec<Word>)>,
    pub licenses: Vec<License>,
    pub providers: Vec<Provider>,
    pub models: Vec<Model>,
    pub clients: Vec<Client>,
    pub routes: Vec<Route>,
    pub budgets: Vec<Budget>,
    pub plans: Vec<Plan>,
    pub alerts: Vec<Alert>,
}

/// An entry of a section.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub place: Place,
    /// What stands for it stands elsewhere: `*alias`.
    pub is_alias: bool,
}

pub(super) fn read(document: &[(Word, Node)], report: &mut Report) -> Policy {
    let fields = Fields::of(Place::START, document, &words::POLICY, report);
    Policy {
        timezone: fields.word("timezone", report),
        misshapen: ["providers", "models", "routes"]
            .into_iter()
            .filter(|name| fields.node(name).is_some_and(|node| is_misshapen(name, node)))
            .collect(),
        places: SECTIONS
            .into_iter()
            .map(|name| (name, fields.node(name).map_or_else(Vec::new, entries)))
            .collect(),
        currency: fields.word("currency", report),
        rates: prices::pairs(fields, "rates", report),
        holidays: prices::holidays(fields, report),
        licenses: fields.named("licenses", report, licenses::read),
        providers: fields.named("providers", report, providers::read),
        models: fields.named("models", report, models::read),
        clients: fields.named("clients", report, clients::read),
        routes: fields.listed("routes", report, routes::read),
        budgets: fields.named("budgets", report, budgets::read),
        plans: fields.listed("plans", report, plans::read),
        alerts: fields.listed("alerts", report, alerts::read),
    }
}

/// Those with entries of their own.
const SECTIONS: [&str; 8] = [
    "licenses",
    "providers",
    "models",
    "clients",
    "routes",
    "budgets",
    "plans",
    "alerts",
];

fn entries(section: &Node) -> Vec<Entry> {
    let of = |start: Place, whole: Place| {
        let is_alias = whole.file != start.file || whole.start < start.start;
        Entry {
            place: Place {
                end: if is_alias { start.end } else { whole.end.max(start.end) },
                ..start
            },
            is_alias,
        }
    };
    match &section.value {
        Value::Map(entries) => entries.iter().map(|(name, node)| of(name.place, node.place)).collect(),
        // In a list, an alias stands where the list does not.
        Value::List(items) => items
            .iter()
            .map(|item| Entry {
                is_alias: item.place.file != section.place.file || item.place.start < section.place.start,
                place: item.place,
            })
            .collect(),
        Value::Scalar(_) => Vec::new(),
    }
}

fn is_misshapen(name: &str, node: &Node) -> bool {
    match &node.value {
        _ if node.is_null() => false,
        Value::Map(_) => name == "routes",
        Value::List(_) => name != "routes",
        Value::Scalar(_) => true,
    }
}
