//! Alerts: a webhook and which events it gets.

use super::CredentialRef;
use std::sync::Arc;

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

#[cfg(test)]
mod tests {
    use super::*;

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
