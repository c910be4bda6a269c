//! One change of a policy, a state or a request: applied, and told in words.

use crate::money::{Currency, Money};
use crate::policy::cases::Ask;
use crate::policy::snapshot::{LicenseId, Pick, Snapshot, Terms};
use crate::price::Price;
use crate::request::Thinking;
use std::fmt;
use std::sync::Arc;

/// One change of the policy, the state or the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tweak {
    ReleasePlan(Arc<str>),
    Left {
        budget: Arc<str>,
        money: Money,
    },
    Up(Arc<str>),
    Quality {
        route: Arc<str>,
        least: u8,
    },
    /// The route needs no residence and no labels.
    Anywhere {
        route: Arc<str>,
    },
    Speed {
        route: Arc<str>,
        least: u32,
    },
    CostLimit {
        route: Arc<str>,
        most: Money,
    },
    OutputLimit {
        route: Arc<str>,
        most: u64,
    },
    /// The request's own bounds, what it goes without, and the most that it may have.
    Ask(&'static str, String),
    /// The route asks for no such ability.
    Ability {
        route: Arc<str>,
        what: &'static str,
    },
    /// The route asks for so much context only.
    Context {
        route: Arc<str>,
        least: u64,
    },
    /// Limits of a model, its provider and its keys are not used up.
    Room(Arc<str>),
    License(Arc<str>),
    Enable(Arc<str>),
    Priced(Arc<str>),
    Front {
        route: Arc<str>,
        model: Arc<str>,
    },
    Pick {
        route: Arc<str>,
        pick: Pick,
    },
    Cheaper {
        model: Arc<str>,
        than: Arc<str>,
        percent: u8,
    },
    Down(Arc<str>),
}

/// What the request would have to say instead.
pub(super) fn change_ask(ask: &mut Ask, what: &str, value: &str) {
    let needs = &mut ask.needs;
    match (what, value) {
        ("without", "tools") => needs.tools = false,
        ("without", "images") => needs.images = false,
        ("without", "a JSON schema") => needs.json_schema = false,
        ("without", "audio") => needs.audio = false,
        ("without", "a request to think") => needs.thinking = Thinking::Unstated,
        ("without", "service_tier") => needs.extras.tier = None,
        ("min_quality", least) => needs.min_quality = least.parse().ok(),
        ("output", most) => needs.output_bound = most.parse().ok(),
        ("max_cost", most) => needs.max_cost = Money::parse(most),
        ("input", most) => needs.input = most.parse().unwrap_or(needs.input),
        _ => {}
    }
}

pub(super) fn change_policy(snapshot: &mut Snapshot, tweak: &Tweak) {
    match tweak {
        Tweak::Quality { route, least } => change(snapshot, route, |terms| terms.need.quality = Some(*least)),
        Tweak::Anywhere { route } => change(snapshot, route, |terms| {
            (terms.need.residence, terms.need.labels) = Default::default();
        }),
        Tweak::Speed { route, least } => change(snapshot, route, |terms| terms.need.speed = Some(*least)),
        Tweak::CostLimit { route, most } => change(snapshot, route, |terms| terms.max_cost = Some(*most)),
        Tweak::OutputLimit { route, most } => change(snapshot, route, |terms| terms.max_output = Some(*most)),
        Tweak::Context { route, least } => change(snapshot, route, |terms| terms.need.context = Some(*least)),
        Tweak::Pick { route, pick } => change(snapshot, route, |terms| terms.pick = *pick),
        Tweak::Front { route, model } => {
            if let Some(id) = snapshot.model_named(model) {
                change(snapshot, route, |terms| {
                    let rest = terms.candidates.iter().copied().filter(|known| *known != id);
                    terms.candidates = std::iter::once(id).chain(rest).collect();
                });
            }
        }
        Tweak::Ability { route, what } => change(snapshot, route, |terms| match *what {
            "tools" => terms.need.tools = None,
            "images" => terms.need.images = None,
            "a JSON schema" => terms.need.json_schema = None,
            _ => terms.need.reasoning = None,
        }),
        Tweak::License(name) => {
            let is = |id: &LicenseId| snapshot.licenses.get(id.0).is_some_and(|known| known.name == *name);
            for model in &mut snapshot.models {
                model.traits.license = model.traits.license.filter(|id| !is(id));
                model.traits.weights_license = model.traits.weights_license.filter(|id| !is(id));
            }
        }
        Tweak::Enable(name) => {
            if let Some(id) = snapshot.model_named(name) {
                let model = &mut snapshot.models[id.0];
                (model.traits.disabled, model.traits.retires) = (false, None);
                let provider = model.provider;
                snapshot.providers[provider.0].disabled = false;
            }
        }
        Tweak::Priced(name) => {
            if let Some(id) = snapshot.model_named(name) {
                snapshot.models[id.0].price = Some(Price::FREE);
            }
        }
        Tweak::Cheaper { model, percent, .. } => {
            if let Some(id) = snapshot.model_named(model) {
                let model = &mut snapshot.models[id.0];
                model.price = model.price.as_ref().map(|price| price.at_percent(*percent));
            }
        }
        Tweak::ReleasePlan(_)
        | Tweak::Left { .. }
        | Tweak::Up(_)
        | Tweak::Room(_)
        | Tweak::Ask(..)
        | Tweak::Down(_) => {}
    }
}

fn change(snapshot: &mut Snapshot, route: &Arc<str>, change: impl FnOnce(&mut Terms)) {
    if let Some(route) = snapshot.routes.iter_mut().find(|known| known.name == *route) {
        change(&mut route.terms);
    }
}

impl Tweak {
    /// For people; amounts are in this currency.
    pub fn told(&self, currency: Currency) -> String {
        InWords(self, currency).to_string()
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, currency: Currency) -> fmt::Result {
        match self {
            Self::ReleasePlan(plan) => write!(f, "plan `{plan}` is released by hand"),
            Self::Left { budget, money } => write!(f, "budget `{budget}` has {money} {currency} or more left"),
            Self::Up(provider) => write!(f, "provider `{provider}` is up and has its key"),
            Self::Quality { route, least } => write!(f, "route `{route}` needs a quality of {least} only"),
            Self::Anywhere { route } => write!(f, "route `{route}` needs no residence and no labels"),
            Self::Speed { route, least } => {
                write!(f, "`need.speed` of route `{route}` is {least} or less")
            }
            Self::CostLimit { route, most } => {
                write!(f, "`limits.cost` of route `{route}` is {most} {currency} or more")
            }
            Self::OutputLimit { route, most } => write!(f, "`limits.output` of route `{route}` is {most} or more"),
            Self::Ask("without", what) => write!(f, "the request goes without {what}"),
            Self::Ask("min_quality", least) => write!(f, "the request asks for a quality of {least} only"),
            Self::Ask("output", most) => write!(f, "the request bounds its answer to {most} tokens"),
            Self::Ask("max_cost", most) => write!(f, "the request allows a cost of {most} {currency}"),
            Self::Ask(_, most) => write!(f, "the request has {most} tokens in or less"),
            Self::Ability { route, what } => write!(f, "route `{route}` does not need {what}"),
            Self::Context { route, least } => write!(f, "route `{route}` needs {least} tokens of context only"),
            Self::Room(model) => write!(f, "no limit of `{model}`, its provider or its keys is used up"),
            Self::License(license) => write!(f, "licence `{license}` permits it"),
            Self::Enable(model) => write!(f, "`{model}` is neither switched off nor retired"),
            Self::Priced(model) => write!(f, "`{model}` has a price"),
            Self::Front { route, model } => write!(f, "route `{route}` tries `{model}` first"),
            Self::Pick { route, pick } => write!(f, "route `{route}` picks `{}`", pick.word()),
            Self::Cheaper {
                model,
                than,
                percent: 0,
            } => write!(f, "`{model}` is free, and so not dearer than `{than}`"),
            Self::Cheaper { model, than, percent } => {
                write!(
                    f,
                    "`{model}` costs {percent} % of its price or less, and so less than `{than}`"
                )
            }
            Self::Down(model) => write!(f, "`{model}` is not there"),
        }
    }
}

struct InWords<'a>(&'a Tweak, Currency);

impl fmt::Display for InWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f, self.1)
    }
}
