//! A compiled policy: immutable, complete, every name resolved to an index. A request sees exactly one.
//!
//! Nothing here refers to text, files or live state; [`crate::live`] keeps what must outlive a snapshot by name.

mod alert;
mod budget;
mod change;
mod client;
mod limits;
mod matching;
mod mirror;
mod model;
mod need;
mod plan;
mod provider;
mod route;
mod shadowing;
mod shaping;
mod succession;
mod traits;

pub use super::supply::Supply;
pub use alert::{AlertTarget, AlertUrl, EventPattern};
pub use budget::{Budget, CarryOver, Cycle, Each, Enforce, Held, Raise, TopUp};
pub use change::{RouteChange, Scope};
pub use client::{Client, Compat, Expiry, Wish};
pub use limits::{Limits, Rate};
pub use matching::{Asked, Criterion, HeaderValues, Match, Pattern, RouteIndex, Unmatched};
pub use mirror::Mirror;
pub use model::Model;
pub use need::{Need, Unmet};
pub use plan::Plan;
pub use provider::{CredentialRef, Provider, ProviderKey, Running, Start, Timeouts};
pub use route::{OnDisconnect, Pick, Route, Stick, Terms};
pub use shaping::{Clamp, Path, Shaping};
pub use traits::{LicenseId, Listed, Retirement, Traits};

use super::condition::{ModelFacts, MoreFacts, Selectors};
use crate::catalog::ThinkingSwitch;
use crate::license::License;
use crate::money::{Currency, Ratio};
use crate::price::Price;
use jiff::tz::TimeZone;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Index into [`Snapshot::providers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProviderId(pub usize);
/// Index into [`Snapshot::models`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelId(pub usize);
/// Index into [`Snapshot::clients`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(pub usize);
/// Index into [`Snapshot::routes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteId(pub usize);

#[derive(Clone, Debug)]
pub struct Snapshot {
    /// SHA-256 over the sources' names and texts, in lower-case hexadecimal.
    pub hash: Arc<str>,
    /// The files as read, one after another, each under a `# --- name` line when there are several.
    pub text: Arc<str>,
    /// What was asked for: a file's or directory's path, or `built-in quickstart`.
    pub origin: Arc<str>,
    pub timezone: TimeZone,
    pub timezone_name: Arc<str>,
    pub currency: Currency,
    pub licenses: Vec<License>,
    /// What one unit of another currency is worth in it.
    pub rates: Vec<(Currency, Ratio)>,
    pub providers: Vec<Provider>,
    pub models: Vec<Model>,
    /// Fields of a request that some price goes by.
    pub priced_fields: Arc<[Arc<str>]>,
    pub model_index: HashMap<Arc<str>, ModelId>,
    pub clients: Vec<Client>,
    pub routes: Vec<Route>,
    pub route_index: RouteIndex,
    pub budgets: Vec<Budget>,
    pub plans: Vec<Plan>,
    pub alerts: Vec<AlertTarget>,
    /// What selectors know of the models, and what they answer.
    pub selectors: Arc<Selectors>,
}

impl Snapshot {
    pub fn provider(&self, id: ProviderId) -> &Provider {
        &self.providers[id.0]
    }

    /// Some budget tells runs apart.
    pub fn counts_runs(&self) -> bool {
        self.budgets.iter().any(|budget| budget.each == Some(Each::Run))
    }

    pub fn model(&self, id: ModelId) -> &Model {
        &self.models[id.0]
    }

    /// The licences that a model is used under.
    pub fn license_names(&self, id: ModelId) -> Vec<Arc<str>> {
        let licenses = self.model(id).licenses();
        licenses
            .filter_map(|of| Some(self.licenses.get(of.0)?.name.clone()))
            .collect()
    }

    pub fn provider_of(&self, id: ModelId) -> &Provider {
        self.provider(self.model(id).provider)
    }

    pub fn client(&self, id: ClientId) -> &Client {
        &self.clients[id.0]
    }

    pub fn route(&self, id: RouteId) -> &Route {
        &self.routes[id.0]
    }

    /// The first route that takes the request, by name and by every other criterion.
    pub fn route_for(&self, asked: &Asked<'_>) -> Result<RouteId, Unmatched<'_>> {
        self.route_index.find(&self.routes, asked)
    }

    /// The routes that a name may mean, in file order.
    pub fn routes_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = RouteId> + 'a {
        self.route_index.named(name)
    }

    /// By their own names; of two that are alike, the first.
    pub fn routes_by_name(&self) -> HashMap<&str, RouteId> {
        let mut names = HashMap::with_capacity(self.routes.len());
        for (at, route) in self.routes.iter().enumerate() {
            names.entry(route.name.as_ref()).or_insert(RouteId(at));
        }
        names
    }

    pub fn model_named(&self, name: &str) -> Option<ModelId> {
        self.model_index.get(name).copied()
    }

    /// Some route lists it for its clients.
    pub fn is_tried(&self, id: ModelId) -> bool {
        let mut routes = self.routes.iter();
        routes.any(|route| route.terms.candidates.contains(&id))
    }

    /// How a model's thinking is switched off, where it can be.
    pub fn thinking_switch(&self, id: ModelId) -> Option<ThinkingSwitch> {
        self.model(id).traits.thinking_switch
    }

    /// What selectors may know of a model.
    pub fn facts(&self, id: ModelId) -> &Arc<ModelFacts> {
        &self.selectors.models()[id.0]
    }
}

/// Each once.
pub(super) fn priced_fields(models: &[Model]) -> Arc<[Arc<str>]> {
    let prices = models.iter().filter_map(|model| model.price.as_ref());
    let fields: BTreeSet<&str> = prices.flat_map(Price::priced_fields).collect();
    fields.into_iter().map(Arc::from).collect()
}

/// Models by name; of two that are alike, the first.
pub(super) fn index_of(models: &[Model]) -> HashMap<Arc<str>, ModelId> {
    let mut index = HashMap::with_capacity(models.len());
    for (at, model) in models.iter().enumerate() {
        index.entry(model.name.clone()).or_insert(ModelId(at));
    }
    index
}

/// What selectors may know of each model.
pub(super) fn facts_of(models: &[Model], providers: &[Provider], licenses: &[License]) -> Vec<ModelFacts> {
    let facts = |model: &Model| {
        let provider = providers.get(model.provider.0);
        let license = model.traits.license.and_then(|id| licenses.get(id.0));
        let residence = model.traits.residence.iter();
        ModelFacts {
            name: model.name.clone(),
            provider: provider.map_or_else(|| "".into(), |provider| provider.name.clone()),
            supply: model.supply.word(),
            more: Some(MoreFacts {
                vendor: provider.map_or("", |provider| provider.vendor.word()),
                quality: model.quality,
                context: model.context,
                license: license.map_or_else(|| "".into(), |license| license.name.clone()),
                domain: model.traits.domain.clone(),
                residence: residence.map(|place| place.code().into()).collect(),
                labels: model.traits.labels.clone(),
            }),
        }
    };
    models.iter().map(facts).collect()
}
