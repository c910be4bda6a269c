//! Words to meaning: names to indices, units to numbers, defaults filled in, paths made whole.
//!
//! Goes on after every error: what other sections refer to by index keeps a placeholder in its place, the rest is left
//! out. Whether the parts make sense together is `check`.

mod alerts;
mod budgets;
mod changes;
mod choose;
mod clients;
mod credentials;
mod cycles;
mod dates;
mod during;
mod exchange;
mod licenses;
mod limits;
mod list_prices;
mod matching;
mod meters;
mod mirror;
mod models;
mod plans;
mod prices;
mod providers;
mod routes;
mod shaping;
mod start;
mod traits;
pub(super) mod units;
mod urls;
mod windows;

pub(super) use alerts::alert_patterns;

pub(super) use shaping::json;

use super::condition::{self, Fault, Names, Selector, StateCondition};
use super::defaults;
use super::mask::shown;
use super::nearest::suggestion;
use super::read::Policy;
use super::report::{Report, WHOLE_IN_QUOTES};
use super::snapshot::{AlertTarget, Budget, Client, Enforce, Model, Plan, Provider, Route};
use super::source::{Files, Place, Style, Word};
use crate::license::License;
use crate::money::{Currency, Ratio};
use crate::period::calendar::Calendar;
use exchange::Exchange;
use jiff::tz::TimeZone;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// The parts of a snapshot.
pub(super) struct Draft {
    pub timezone: TimeZone,
    pub timezone_name: Arc<str>,
    pub currency: Currency,
    pub licenses: Vec<License>,
    pub rates: Vec<(Currency, Ratio)>,
    pub providers: Vec<Provider>,
    pub models: Vec<Model>,
    pub clients: Vec<Client>,
    pub routes: Vec<Route>,
    pub budgets: Vec<Budget>,
    pub plans: Vec<Plan>,
    pub alerts: Vec<AlertTarget>,
    /// Every selector of the policy, each text once, at its place.
    pub selectors: Vec<Selector>,
}

/// `None` for a policy with nothing in it.
pub(super) fn resolve<'f>(
    written: &Policy,
    directory: &Path,
    files: &'f Files,
    report: &mut Report<'f>,
) -> Option<Draft> {
    if written.providers.is_empty() && written.models.is_empty() && written.routes.is_empty() {
        // Something that could not be read may have been it.
        if report.has_errors() {
            return None;
        }
        report
            .error(
                Place::START,
                "empty-policy",
                "the policy names no provider, no model and no route",
            )
            .help("the smallest one has `providers`, `models` and `routes`, one of each");
        return None;
    }
    let names = names_of(written);
    let mut resolver = Resolver {
        report,
        files,
        directory,
        places: places_of(&names),
        names,
        selectors: Vec::new(),
        exchange: Exchange::new(written),
        calendars: Vec::new(),
        timezone_name: Arc::from(defaults::TIMEZONE),
        zone: TimeZone::UTC,
        starts: written
            .providers
            .iter()
            .map(|provider| provider.start.is_some())
            .collect(),
    };
    if let Some((zone, name)) = resolver.timezone(written.timezone.as_ref()) {
        (resolver.zone, resolver.timezone_name) = (zone, name);
    }
    resolver.exchange(written);
    resolver.calendars(&written.holidays);
    resolver.require_sections(written);
    let providers = resolver.providers(&written.providers);
    let mut licenses = resolver.licenses(&written.licenses);
    let mut models = resolver.models(written, &providers, &mut licenses);
    meters::join(&mut models);
    let clients = resolver.clients(&written.clients);
    let facts = super::snapshot::facts_of(&models, &providers, &licenses);
    resolver.names.know(&facts, &licenses);
    let routes = resolver.routes(&written.routes, &facts);
    let budgets = resolver.budgets(&written.budgets, &written.routes);
    let plans = resolver.plans(&written.plans, &facts);
    let alerts = resolver.alerts(&written.alerts);
    Some(Draft {
        timezone: resolver.zone,
        timezone_name: resolver.timezone_name,
        currency: resolver.exchange.currency,
        licenses,
        rates: resolver.exchange.rates,
        providers,
        models,
        clients,
        routes,
        budgets,
        plans,
        alerts,
        selectors: resolver.selectors,
    })
}

/// What a word may refer to by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Referent {
    Provider,
    Model,
    Client,
    Route,
}

impl Referent {
    const fn word(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Model => "model",
            Self::Client => "client",
            Self::Route => "route",
        }
    }
}

struct Resolver<'r, 'f> {
    report: &'r mut Report<'f>,
    files: &'r Files,
    directory: &'r Path,
    names: Names,
    /// The index of each name; of two that are alike, the first.
    places: HashMap<(Referent, Arc<str>), usize>,
    selectors: Vec<Selector>,
    exchange: Exchange,
    calendars: Vec<(Arc<str>, Calendar)>,
    timezone_name: Arc<str>,
    zone: TimeZone,
    /// By provider: planb starts its server.
    starts: Vec<bool>,
}

impl Resolver<'_, '_> {
    /// A zone and its name.
    pub fn timezone(&mut self, word: Option<&Word>) -> Option<(TimeZone, Arc<str>)> {
        let word = word.filter(|word| !word.broken)?;
        if let Ok(zone) = TimeZone::get(&word.text) {
            return Some((zone, Arc::clone(&word.text)));
        }
        let message = format!("no time zone is called `{}`", shown(&word.text));
        self.report
            .error(word.place, "unknown-timezone", message)
            .help("names are those of the IANA database: `UTC`, `Asia/Shanghai`, `Europe/Berlin`");
        None
    }

    fn require_sections(&mut self, written: &Policy) {
        let sections = [
            ("providers", written.providers.is_empty()),
            ("models", written.models.is_empty()),
            ("routes", written.routes.is_empty()),
        ];
        let absent = |(name, empty): &&(&str, bool)| *empty && !written.misshapen.contains(name);
        for (name, _) in sections.iter().filter(absent) {
            let example = match *name {
                "providers" => "providers: {NAME: {vendor: openai, api_key: env:OPENAI_API_KEY}}",
                "models" => "models: {NAME: {provider: PROVIDER}}",
                _ => "routes: [{name: chat, try: [MODEL]}]",
            };
            self.report
                .error(Place::START, "missing-key", format!("the policy has no `{name}`"))
                .help(format!("write `{example}`"));
        }
    }

    /// A required word; its absence is reported where `place` is.
    fn required<'w>(&mut self, word: Option<&'w Word>, place: Place, key: &str, of: &str) -> Option<&'w Word> {
        if word.is_none() {
            let found = self.report.error(place, "missing-key", format!("{of} needs `{key}`"));
            found.maybe_help(example_of(key).map(|example| format!("write `{key}: {example}`")));
        }
        word.filter(|word| !word.broken)
    }

    /// The index of a name that a word refers to.
    fn lookup(&mut self, word: &Word, to: Referent) -> Option<usize> {
        if word.broken {
            return None;
        }
        let found = self.index(to, word);
        if found.is_none() {
            let names = known(&self.names, to).iter().map(AsRef::as_ref);
            let help = self.report.is_read().then(|| suggestion(&word.text, names)).flatten();
            let provider = to.word() == "model" && self.names.providers.contains(&word.text);
            let help = match help {
                Some(help) if provider => Some(format!("`{}` is a provider; {help}", shown(&word.text))),
                help => help,
            };
            let message = format!("no {} is called `{}`", to.word(), shown(&word.text));
            self.report.error(word.place, "unknown-name", message).maybe_help(help);
        }
        found
    }

    fn index(&self, to: Referent, word: &Word) -> Option<usize> {
        self.places.get(&(to, Arc::clone(&word.text))).copied()
    }

    /// Names travel in headers, URLs and metrics, so they are plain.
    fn check_name(&mut self, word: &Word, kind: &str) {
        let text = word.text.as_ref();
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:".contains(c);
        let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if word.broken || begins && text.len() <= 64 && text.chars().all(plain) {
            return;
        }
        let message = format!("`{}` cannot be the name of a {kind}", shown(text));
        self.report
            .error(word.place, "bad-name", message)
            .help("names have up to 64 letters, digits, `.`, `_`, `-`, `/` and `:`, and begin with a letter or digit");
    }

    fn selector(&mut self, word: Option<&Word>) -> Option<Selector> {
        let word = word.filter(|word| !word.broken)?;
        self.check_quoted(word);
        let (selector, faults) = condition::selector(&word.text, &self.names);
        self.report_faults(word, faults);
        let selector = selector?;
        if let Some(known) = self.selectors.iter().find(|known| known.text() == selector.text()) {
            return Some(known.clone());
        }
        let placed = selector.placed(self.selectors.len());
        self.selectors.push(placed.clone());
        Some(placed)
    }

    fn state(&mut self, word: &Word) -> Option<StateCondition> {
        self.check_quoted(word);
        let (state, faults) = condition::state(&word.text, &self.names);
        self.report_faults(word, faults);
        state
    }

    /// YAML ends a plain text where a condition would go on.
    fn check_quoted(&mut self, word: &Word) {
        if word.style == Style::Plain
            && !matches!(word.text.as_ref(), "true" | "false")
            && self.files.comment_behind(word).is_none()
        {
            self.report
                .warning(
                    word.place,
                    "unquoted",
                    "this condition is not quoted: ` #` would cut it off, and `: ` or `, ` break it",
                )
                .help("put it in single quotes; `planb fmt` does");
        }
    }

    fn report_faults(&mut self, word: &Word, faults: Vec<Fault>) {
        // What has a right form and a wrong name was not cut.
        let (cut, wrong) = (
            self.files.comment_behind(word),
            faults.iter().any(|fault| fault.code == "syntax"),
        );
        if let Some(place) = cut {
            if wrong {
                // What is left of it is wrong because of that, and not worth a word.
                self.report.cut_off(place);
                return;
            }
            let message = "YAML takes `#` and all that follows for a comment: it is no part of the condition";
            self.report.warning(place, "unquoted", message).help(WHOLE_IN_QUOTES);
        }
        for fault in faults {
            let place = self.files.within(word, fault.range);
            let found = if fault.warning {
                self.report.warning(place, fault.code, fault.message)
            } else {
                self.report.error(place, fault.code, fault.message)
            };
            found.maybe_help(fault.help);
        }
    }
}

/// How what is always needed is written.
fn example_of(key: &str) -> Option<&'static str> {
    Some(match key {
        "secret" => "env:HOOK_KEY",
        "url" => "https://ops.example/hook",
        "limit" => "500 USD",
        "per" => "month",
        "provider" => "PROVIDER",
        "vendor" => "openai",
        "name" => "chat",
        _ => return None,
    })
}

fn names_of(written: &Policy) -> Names {
    let hard =
        |word: Option<&Word>| word.map_or(defaults::ENFORCE == Enforce::Hard, |word| word.text.as_ref() != "soft");
    let budgets = written.budgets.iter();
    Names {
        providers: written.providers.iter().map(|p| Arc::clone(&p.name.text)).collect(),
        models: written.models.iter().map(|m| Arc::clone(&m.name.text)).collect(),
        clients: written.clients.iter().map(|c| Arc::clone(&c.name.text)).collect(),
        routes: written.routes.iter().map(|r| text_of(r.name.as_ref())).collect(),
        licenses: written.licenses.iter().map(|l| Arc::clone(&l.name.text)).collect(),
        vendors: written.providers.iter().map(|p| text_of(p.vendor.as_ref())).collect(),
        budgets: budgets
            .map(|b| (Arc::clone(&b.name.text), hard(b.enforce.as_ref())))
            .collect(),
        ..Names::default()
    }
}

/// In the order of the text; empty where a route has no name.
fn known(names: &Names, of: Referent) -> &[Arc<str>] {
    match of {
        Referent::Provider => &names.providers,
        Referent::Model => &names.models,
        Referent::Client => &names.clients,
        Referent::Route => &names.routes,
    }
}

fn places_of(names: &Names) -> HashMap<(Referent, Arc<str>), usize> {
    let mut places = HashMap::new();
    for of in [Referent::Provider, Referent::Model, Referent::Client, Referent::Route] {
        for (at, name) in known(names, of).iter().enumerate() {
            places.entry((of, Arc::clone(name))).or_insert(at);
        }
    }
    places
}

fn text_of(word: Option<&Word>) -> Arc<str> {
    word.map_or_else(|| Arc::from(""), |word| Arc::clone(&word.text))
}
