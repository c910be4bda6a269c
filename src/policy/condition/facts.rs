//! What selectors may know of a model.

use std::sync::Arc;

/// Of a model in a policy, or of one that a record names.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelFacts {
    pub name: Arc<str>,
    pub provider: Arc<str>,
    pub supply: &'static str,
    /// `None` where only the record is left of it: what depends on these is not known, and does not match.
    pub more: Option<MoreFacts>,
}

/// What the policy and the catalogue say of a model besides.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MoreFacts {
    pub vendor: &'static str,
    pub quality: Option<u8>,
    pub context: Option<u64>,
    /// Empty without one.
    pub license: Arc<str>,
    pub domain: Arc<str>,
    /// Codes of territories; empty where nobody said.
    pub residence: Vec<Arc<str>>,
    pub labels: Vec<Arc<str>>,
}

impl ModelFacts {
    /// What a record says.
    pub fn recorded(name: impl Into<Arc<str>>, provider: impl Into<Arc<str>>, supply: &'static str) -> Self {
        Self {
            name: name.into(),
            provider: provider.into(),
            supply,
            more: None,
        }
    }
}
