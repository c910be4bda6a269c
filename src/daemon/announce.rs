//! What happened, put into the outbox for every alert target that asked for it.

use crate::alert::{AlertEvent, EventKind};
use crate::ledger::Ledger;
use crate::ledger::record::OutboxEvent;
use crate::live::Live;
use serde_json::Value;
use std::sync::Arc;
use uuid::Uuid;

pub struct Announcer {
    pub live: Arc<Live>,
    pub ledger: Ledger,
}

impl Announcer {
    /// Durable with the ledger's next transaction. An event that nobody asked for is only logged.
    pub async fn announce(&self, event: AlertEvent) {
        let kind = event.kind.name();
        if let Some(line) = line(event.kind, &event.data) {
            tracing::info!("{line}");
        }
        let targets = self.targets(event.kind);
        if targets.is_empty() {
            return;
        }
        let row = OutboxEvent {
            id: format!("msg_{}", Uuid::now_v7().simple()).into(),
            kind: kind.into(),
            at: event.at,
            dedupe: event.dedupe.as_deref().map(Arc::from),
            body: event.body().into(),
            targets,
        };
        if let Err(error) = self.ledger.event(row).await {
            tracing::error!(%error, event = kind, "the event could not be kept for delivery");
        }
    }

    /// Somebody has asked for such events.
    pub fn is_wanted(&self, kind: EventKind) -> bool {
        !self.targets(kind).is_empty()
    }

    fn targets(&self, kind: EventKind) -> Vec<Arc<str>> {
        let policy = self.live.policy();
        let kind = kind.name();
        let wants =
            |target: &&crate::policy::snapshot::AlertTarget| target.events.iter().any(|pattern| pattern.matches(kind));
        let targets = policy.snapshot.alerts.iter().filter(wants);
        targets.map(|target| target.id.clone()).collect()
    }
}

/// What happened, for people. A policy's own events are told by whoever read it.
fn line(kind: EventKind, data: &Value) -> Option<String> {
    let word = |name: &str| data[name].as_str().unwrap_or_default();
    Some(match kind {
        EventKind::PlanActivated => format!("plan {} is active: {}", word("plan"), word("why")),
        EventKind::PlanReleased => format!("plan {} is released: {}", word("plan"), word("why")),
        EventKind::PlanFlapping => format!(
            "plan {} came and went three times in an hour and stays active: {}",
            word("plan"),
            word("why")
        ),
        EventKind::ProviderDown => format!("provider {} is {}: {}", word("provider"), word("state"), word("reason")),
        EventKind::ProviderRecovered => format!("provider {} is up again", word("provider")),
        EventKind::BudgetOverdraft
        | EventKind::BudgetThreshold
        | EventKind::BudgetHeld
        | EventKind::BudgetKeysFull
        | EventKind::BudgetExhausted
        | EventKind::BudgetForecast => {
            let key = data["key"].as_str();
            let key = key.map_or_else(String::new, |key| format!(" of {key}"));
            format!("budget {}{key}{}", word("budget"), of_budget(kind, data))
        }
        EventKind::LicenseExpiring => format!(
            "licence {} ends with {}, in {} days",
            word("license"),
            word("expires"),
            data["days_left"]
        ),
        EventKind::LicenseExpired => format!("licence {} ended with {}", word("license"), word("expires")),
        EventKind::ModelRetiring => {
            let heir = data["successor"].as_str();
            let then = heir.map_or("no successor is named".to_owned(), |heir| format!("then {heir} serves"));
            format!("model {} retires on {}; {then}", word("model"), word("retires"))
        }
        EventKind::LedgerDegraded | EventKind::LedgerRecovered => {
            let what = match data["budget"].as_str() {
                Some(budget) => format!("budget {budget}"),
                None => "the ledger".to_owned(),
            };
            let is = match kind {
                EventKind::LedgerDegraded => "cannot be relied on and pays for nothing",
                _ => "is in order again",
            };
            format!("{what} {is}: {}", word("reason"))
        }
        EventKind::PolicyRejected | EventKind::PolicyReloaded => return None,
    })
}

/// What follows a budget's name.
fn of_budget(kind: EventKind, data: &Value) -> String {
    let word = |name: &str| data[name].as_str().unwrap_or_default();
    let percent = |name: &str, places: f64| (data[name].as_f64().unwrap_or_default() * 100.0 * places).round() / places;
    let spent = || {
        let (posted, held, limit) = (word("posted"), word("held"), word("limit"));
        format!("{posted} posted and {held} held of {limit} {}", word("currency"))
    };
    match kind {
        EventKind::BudgetOverdraft => format!(
            ": something cost more than had been reserved for it, {} beyond in all",
            word("overdraft")
        ),
        EventKind::BudgetThreshold => format!(" has passed {} %: {}", percent("threshold", 100.0), spent()),
        EventKind::BudgetHeld => format!(
            ": {} % of the limit are held because nobody has told the bill",
            percent("held_share", 10.0)
        ),
        EventKind::BudgetKeysFull => " has as many keys as it may; new ones share `(other)`".to_owned(),
        EventKind::BudgetForecast => {
            let (end, out) = (&data["projected"], &data["runs_out"]["expected"]);
            let when = out.as_str().map_or_else(String::new, |at| format!(", reached by {at}"));
            let amount = |name: &str| end[name].as_str().unwrap_or_default();
            let (expected, low, high) = (amount("expected"), amount("low"), amount("high"));
            let (limit, currency) = (word("limit"), word("currency"));
            format!(" will pass its limit of {limit} {currency}{when}: {expected} at its end ({low} to {high})")
        }
        _ => format!(" is exhausted: {}", spent()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn events_are_told_in_a_line() {
        let data = json!({"budget": "teams", "key": "search", "threshold": 0.8, "posted": "0.7", "held": "0.1",
            "limit": "1", "currency": "USD"});
        assert_eq!(
            line(EventKind::BudgetThreshold, &data).unwrap(),
            "budget teams of search has passed 80 %: 0.7 posted and 0.1 held of 1 USD"
        );
        let data = json!({"plan": "outage", "why": "provider(\"qwen\").up = false"});
        assert_eq!(
            line(EventKind::PlanActivated, &data).unwrap(),
            "plan outage is active: provider(\"qwen\").up = false"
        );
    }
}
