//! A compiled policy: immutable, complete, every name resolved to an index. A request sees exactly one.
//!
//! Nothing here refers to text, files or live state; [`crate::live`] keeps what must outlive a snapshot by name.

use super::condition::{Selector, StateCondition};
pub use super::supply::Supply;
use crate::catalog::Vendor;
use crate::money::{Currency, Money};
use crate::period::Period;
use crate::price::Price;
use crate::request::Tags;
use jiff::tz::TimeZone;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Index into [`Snapshot::providers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProviderId(pub usize);
/// Index into [`Snapshot::models`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelId(pub usize);
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
    pub providers: Vec<Provider>,
    pub models: Vec<Model>,
    pub clients: Vec<Client>,
    pub routes: Vec<Route>,
    pub budgets: Vec<Budget>,
    pub plans: Vec<Plan>,
    pub alerts: Vec<AlertTarget>,
}

/// Where a secret is found; its value is read by the edges and never part of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CredentialRef {
    Env(Arc<str>),
    /// Absolute, or relative to the working directory when the policy's own path is.
    File(PathBuf),
}

impl CredentialRef {
    /// As the policy writes it. Names the credential without telling it.
    pub fn label(&self) -> String {
        match self {
            Self::Env(name) => format!("env:{name}"),
            Self::File(path) => format!("file:{}", path.display()),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Provider {
    pub name: Arc<str>,
    pub vendor: Vendor,
    /// Without a trailing slash and with its path (`…/v1`): `/chat/completions` and `/models` are appended.
    pub base_url: Arc<str>,
    /// `None`: the vendor needs no key and none was given.
    pub api_key: Option<CredentialRef>,
    pub timeouts: Timeouts,
    /// False for `breaker: none`.
    pub breaker: bool,
    /// False for `cooldown: none`.
    pub cooldown: bool,
    pub allow_private: bool,
    pub start: Option<Start>,
}

/// `None` leaves the word to the next wider scope; the tightest of those given counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    pub connect: Option<Duration>,
    pub first_token: Option<Duration>,
    pub idle: Option<Duration>,
    pub total: Option<Duration>,
}

/// How to run a local server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The program (resolved from the policy's folder when it has a slash) and its arguments.
    pub command: Vec<String>,
    /// The policy's folder, in which the command runs.
    pub directory: PathBuf,
    /// How long the server may take until its health path answers.
    pub ready: Duration,
}

#[derive(Clone, Debug)]
pub struct Model {
    /// The policy's name.
    pub name: Arc<str>,
    pub provider: ProviderId,
    /// The provider's name for it.
    pub upstream: Arc<str>,
    pub supply: Supply,
    /// 0 to 100 on the operator's own scale.
    pub quality: Option<u8>,
    /// Tokens, input and output together; `None` is unknown and bounds nothing.
    pub context: Option<u64>,
    pub max_output: Option<u64>,
    /// `None`: unpriced, hence no candidate under a hard budget. A `local` model without a price is free.
    pub price: Option<Price>,
    pub tools: bool,
    pub images: bool,
    pub json_schema: bool,
}

#[derive(Clone, Debug)]
pub struct Client {
    pub name: Arc<str>,
    pub key: CredentialRef,
    pub tags: Tags,
}

/// A name in `match: {model: […]}`; `*` stands for any run of characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(pub Arc<str>);

impl Pattern {
    pub fn is_literal(&self) -> bool {
        !self.0.contains('*')
    }

    /// Iterative so that no pattern can make it exponential.
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut p, mut n, mut star) = (0, 0, None);
        while n < name.len() {
            if pattern.get(p) == Some(&b'*') {
                star = Some((p, n));
                p += 1;
            } else if pattern.get(p) == Some(&name[n]) {
                (p, n) = (p + 1, n + 1);
            } else if let Some((at, from)) = star {
                (p, n, star) = (at + 1, from + 1, Some((at, from + 1)));
            } else {
                return false;
            }
        }
        pattern[p..].iter().all(|byte| *byte == b'*')
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    InOrder,
    Cheapest,
}

impl Pick {
    pub const fn word(self) -> &'static str {
        match self {
            Self::InOrder => "in_order",
            Self::Cheapest => "cheapest",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDisconnect {
    Cancel,
    Finish,
}

#[derive(Clone, Debug)]
pub struct Route {
    pub name: Arc<str>,
    /// The route's own name matches always, besides these.
    pub matches: Vec<Pattern>,
    pub candidates: Vec<ModelId>,
    pub pick: Pick,
    pub need_quality: Option<u8>,
    /// The most that one attempt may cost.
    pub max_cost: Option<Money>,
    /// Attempts a request, 1 to 3.
    pub attempts: u8,
    /// The most output tokens a request may ask for.
    pub max_output: Option<u64>,
    pub timeouts: Timeouts,
    pub on_disconnect: OnDisconnect,
}

/// What one account of a budget is kept for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Each {
    Tag(Arc<str>),
    Client,
    Model,
    Provider,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enforce {
    Hard,
    Soft,
}

#[derive(Clone, Debug)]
pub struct Budget {
    pub name: Arc<str>,
    /// For each key where `each` is set.
    pub limit: Money,
    pub per: Period,
    pub enforce: Enforce,
    /// `None` covers everything.
    pub covers: Option<Selector>,
    pub each: Option<Each>,
    /// Shares of the limit in basis points (1/100 %), ascending.
    pub alert_at: Vec<u32>,
    /// Name, covers, each, period and currency: while it stays the same, accounts carry over a reload.
    pub shape: Arc<str>,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub name: Arc<str>,
    pub when: StateCondition,
    /// Default: `when` no longer holds.
    pub until: Option<StateCondition>,
    pub after: Duration,
    pub at_least: Duration,
    pub only: Option<Selector>,
    pub avoid: Option<Selector>,
    /// In file order.
    pub change: Vec<(RouteId, RouteChange)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouteChange {
    pub pick: Option<Pick>,
    pub need_quality: Option<u8>,
}

#[derive(Clone, Debug)]
pub enum AlertUrl {
    Literal(Arc<str>),
    Reference(CredentialRef),
}

#[derive(Clone, Debug)]
pub struct AlertTarget {
    pub url: AlertUrl,
    pub secret: CredentialRef,
    pub events: Vec<EventPattern>,
    pub allow_private: bool,
    /// Identifies the target over reloads: a hash of the URL as written.
    pub id: Arc<str>,
}

/// `plan`, `plan.activated` or `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPattern(pub Arc<str>);

impl EventPattern {
    pub fn matches(&self, event: &str) -> bool {
        let pattern = self.0.as_ref();
        pattern == "*" || pattern == event || event.split('.').next() == Some(pattern)
    }
}

impl Snapshot {
    pub fn provider(&self, id: ProviderId) -> &Provider {
        &self.providers[id.0]
    }

    pub fn model(&self, id: ModelId) -> &Model {
        &self.models[id.0]
    }

    pub fn provider_of(&self, id: ModelId) -> &Provider {
        self.provider(self.model(id).provider)
    }

    /// The first route that serves `name`: by its own name or by `match`.
    pub fn route_for(&self, name: &str) -> Option<RouteId> {
        let serves = |route: &Route| route.name.as_ref() == name || route.matches.iter().any(|p| p.matches(name));
        self.routes.iter().position(serves).map(RouteId)
    }

    pub fn model_named(&self, name: &str) -> Option<ModelId> {
        self.models
            .iter()
            .position(|model| model.name.as_ref() == name)
            .map(ModelId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        let matches = |pattern: &str, name: &str| Pattern(pattern.into()).matches(name);
        assert!(matches("gpt-*", "gpt-6"));
        assert!(matches("*", ""));
        assert!(matches("a*b*c", "aXXbYYbc"));
        assert!(!matches("a*b*c", "aXXbYY"));
        assert!(!matches("chat", "chatty"));
        assert!(!matches("gpt-*", "my-gpt-6"));
    }

    #[test]
    fn events_match_by_first_word_whole_name_or_all() {
        let matches = |pattern: &str, event: &str| EventPattern(pattern.into()).matches(event);
        assert!(matches("plan", "plan.activated"));
        assert!(matches("plan.activated", "plan.activated"));
        assert!(matches("*", "budget.threshold"));
        assert!(!matches("plan", "planet.found"));
        assert!(!matches("plan.activated", "plan.released"));
    }
}
