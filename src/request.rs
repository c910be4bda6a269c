//! What one request needs, as far as a decision must know it: no prompt text, no bytes.

use crate::money::Money;
use crate::usage::{CacheLife, ServiceTier};
use std::sync::Arc;

/// Name → value pairs, sorted by name; a tag that is not there is the empty string.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tags(Vec<(Arc<str>, Arc<str>)>);

impl Tags {
    /// Later pairs replace earlier ones of the same name.
    pub fn new<K: Into<Arc<str>>, V: Into<Arc<str>>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        let mut tags = Self::default();
        for (name, value) in pairs {
            tags.set(name.into(), value.into());
        }
        tags
    }

    pub fn set(&mut self, name: Arc<str>, value: Arc<str>) {
        match self.0.binary_search_by(|(known, _)| known.as_ref().cmp(&name)) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (name, value)),
        }
    }

    pub fn get(&self, name: &str) -> &str {
        match self.0.binary_search_by(|(known, _)| known.as_ref().cmp(name)) {
            Ok(at) => &self.0[at].1,
            Err(_) => "",
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }
}

/// Who asks and for what: the request's half of a selector's environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Caller {
    /// The policy's name of the client; empty where no clients are configured.
    pub client: Arc<str>,
    pub tags: Tags,
    /// `commercial`, `internal`, `research` or empty.
    pub purpose: Arc<str>,
    /// The name of the route that serves the request; `planb/NAME` for one model asked for by name.
    pub route: Arc<str>,
    /// What the client calls the run that it is part of, else a keyed hash of the conversation; empty where no budget
    /// asks. No selector reads it.
    pub run: Arc<str>,
    /// Where the answer is used: an ISO 3166 code or `EU`, in capitals; empty where nobody said.
    pub territory: Arc<str>,
    /// The budget that pays for this call, which is a mirror's shadow call; empty for what serves a client.
    pub mirror: Arc<str>,
}

impl Caller {
    pub fn is_shadow(&self) -> bool {
        !self.mirror.is_empty()
    }
}

/// What a request says of thinking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Thinking {
    Off,
    /// Asked for, without a budget of its own.
    On,
    /// Tokens.
    Budget(u64),
    /// Not mentioned: the model's own default counts.
    #[default]
    Unstated,
}

/// What a request may be billed for besides plain tokens at the plain rate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    /// The service tier that it asks for.
    pub tier: Option<ServiceTier>,
    /// It leaves the tier to the provider, which may choose a dearer one.
    pub any_tier: bool,
    /// How long it wants its prompt kept in the provider's cache.
    pub cache: CacheLife,
    /// It sends or wants sound.
    pub audio: bool,
    /// The most searches, page fetches and other uses of the provider's own tools that it allows.
    pub searches: u32,
    pub fetches: u32,
    pub tool_calls: u32,
    /// Options with a price, as `name=value` (`inference_geo=us`).
    pub options: Vec<Arc<str>>,
}

/// What the request needs of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    pub caller: Arc<Caller>,
    /// Tokens; never below the true count.
    pub input: u64,
    /// The client's own bound on output tokens per choice, if it set one.
    pub output_bound: Option<u64>,
    /// What the request says of thinking; it matters where a vendor does not count it under the output bound.
    pub thinking: Thinking,
    /// How many choices are asked for (`n`), at least 1.
    pub choices: u64,
    pub tools: bool,
    pub images: bool,
    pub json_schema: bool,
    pub audio: bool,
    /// It asks for vectors of its texts, and not for an answer.
    pub embeds: bool,
    pub stream: bool,
    pub extras: Extras,
    /// `x-planb-min-quality`, 0 to 100.
    pub min_quality: Option<u8>,
    /// Whose request it is: a keyed hash, never a name.
    pub user: Option<u64>,
    /// `x-planb-max-cost`.
    pub max_cost: Option<Money>,
}

impl Requirements {
    /// Those of a copy that `budget` pays for. What the client would pay and how good an answer it wants is about its own.
    pub fn mirrored(&self, budget: &Arc<str>) -> Self {
        Self {
            caller: Arc::new(Caller {
                mirror: budget.clone(),
                ..(*self.caller).clone()
            }),
            min_quality: None,
            max_cost: None,
            ..self.clone()
        }
    }
}
