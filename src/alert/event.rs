//! The events that alerts are about, and the body that tells them.

use jiff::Timestamp;
use serde_json::{Value, json};

/// What can happen. The names are the policy's and the webhooks'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    BudgetThreshold,
    BudgetExhausted,
    /// Its limit will very likely be passed.
    BudgetForecast,
    /// A provider billed more than its bound allows.
    BudgetOverdraft,
    /// Much of a limit is held because nobody has told the bill.
    BudgetHeld,
    /// A budget has as many keys as it may.
    BudgetKeysFull,
    PlanActivated,
    PlanReleased,
    /// It turned too often and is held on.
    PlanFlapping,
    LicenseExpiring,
    LicenseExpired,
    /// The ledger cannot be written, or a budget's books do not add up.
    LedgerDegraded,
    LedgerRecovered,
    ModelRetiring,
    PolicyRejected,
    PolicyReloaded,
    ProviderDown,
    ProviderRecovered,
}

impl EventKind {
    pub const ALL: [Self; 18] = [
        Self::BudgetThreshold,
        Self::BudgetExhausted,
        Self::BudgetForecast,
        Self::BudgetOverdraft,
        Self::BudgetHeld,
        Self::BudgetKeysFull,
        Self::PlanActivated,
        Self::PlanReleased,
        Self::PlanFlapping,
        Self::LicenseExpiring,
        Self::LicenseExpired,
        Self::LedgerDegraded,
        Self::LedgerRecovered,
        Self::ModelRetiring,
        Self::PolicyRejected,
        Self::PolicyReloaded,
        Self::ProviderDown,
        Self::ProviderRecovered,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::BudgetThreshold => "budget.threshold",
            Self::BudgetExhausted => "budget.exhausted",
            Self::BudgetForecast => "budget.forecast",
            Self::BudgetOverdraft => "budget.overdraft",
            Self::BudgetHeld => "budget.held",
            Self::BudgetKeysFull => "budget.keys_full",
            Self::PlanActivated => "plan.activated",
            Self::PlanReleased => "plan.released",
            Self::PlanFlapping => "plan.flapping",
            Self::LicenseExpiring => "license.expiring",
            Self::LicenseExpired => "license.expired",
            Self::LedgerDegraded => "ledger.degraded",
            Self::LedgerRecovered => "ledger.recovered",
            Self::ModelRetiring => "model.retiring",
            Self::PolicyRejected => "policy.rejected",
            Self::PolicyReloaded => "policy.reloaded",
            Self::ProviderDown => "provider.down",
            Self::ProviderRecovered => "provider.recovered",
        }
    }
}

/// Something that happened, for every target that wants to know.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertEvent {
    pub kind: EventKind,
    pub at: Timestamp,
    /// Events with the same word are one: a budget's threshold is told once a period, also across restarts.
    pub dedupe: Option<String>,
    pub data: Value,
}

impl AlertEvent {
    /// `{type, timestamp, data}` as sent and signed: made once, so that every try carries the same bytes.
    pub fn body(&self) -> String {
        json!({"type": self.kind.name(), "timestamp": self.at.to_string(), "data": self.data}).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::snapshot::EventPattern;

    #[test]
    fn the_body_says_type_time_and_data() {
        let data = json!({"budget": "month", "used": 0.8});
        let at = "2026-11-23T18:00:00.25Z".parse().unwrap();
        let event = AlertEvent {
            kind: EventKind::BudgetThreshold,
            at,
            dedupe: None,
            data: data.clone(),
        };
        let body: Value = serde_json::from_str(&event.body()).unwrap();
        let expected = json!({"type": "budget.threshold", "timestamp": "2026-11-23T18:00:00.25Z", "data": data});
        assert_eq!(body, expected);
    }

    #[test]
    fn every_event_is_reached_by_its_first_word() {
        for kind in EventKind::ALL {
            let word = kind.name().split_once('.').unwrap().0;
            assert!(EventPattern(word.into()).matches(kind.name()));
        }
    }
}
