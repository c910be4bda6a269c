//! Prometheus metrics with bounded labels: every label value comes from the policy or from a fixed list of words.
//! Names are shared with the policy, so that counting a request copies no text.
//!
//! Money is counted in integer nano-units of the policy's currency. `docs/metrics.md` lists every name; a test holds
//! the two together.

use crate::policy::condition::signature::Environment;
use crate::policy::condition::{Signal, evaluations};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    pub route: Arc<str>,
    pub outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AttemptLabels {
    pub model: Arc<str>,
    pub provider: Arc<str>,
    /// Which of the provider's keys; empty where there is one only.
    pub key: Arc<str>,
    pub supply: &'static str,
    pub outcome: &'static str,
    pub class: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TokenLabels {
    pub model: Arc<str>,
    pub kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ModelLabels {
    pub model: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct NameLabels {
    pub name: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BoundLabels {
    name: Arc<str>,
    bound: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SignalLabels {
    /// `budget`, `provider`, …; of what `name` is the name.
    pub of: &'static str,
    pub name: Arc<str>,
    pub signal: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EnvironmentLabels {
    pub environment: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ExclusionLabels {
    pub model: Arc<str>,
    pub reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RefusalLabels {
    pub client: Arc<str>,
    pub code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LimitLabels {
    pub of: &'static str,
    pub limit: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ResultLabels {
    pub result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct MirrorLabels {
    pub route: Arc<str>,
    pub model: Arc<str>,
    pub outcome: &'static str,
}

/// Seconds; from a local cache hit to a long reasoning pause.
const LATENCY_BUCKETS: [f64; 12] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

pub struct Metrics {
    registry: Registry,
    pub requests: Family<RequestLabels, Counter>,
    pub attempts: Family<AttemptLabels, Counter>,
    pub excluded: Family<ExclusionLabels, Counter>,
    pub limited: Family<LimitLabels, Counter>,
    pub mirrors: Family<MirrorLabels, Counter>,
    pub refusals: Family<RefusalLabels, Counter>,
    pub tokens: Family<TokenLabels, Counter>,
    pub spend: Family<ModelLabels, Counter>,
    pub held: Family<ModelLabels, Counter>,
    pub first_token: Family<ModelLabels, Histogram>,
    pub in_flight: Gauge,
    pub queued: Gauge,
    pub budget_used: Family<NameLabels, Gauge<f64, AtomicU64>>,
    pub budget_held: Family<NameLabels, Gauge<f64, AtomicU64>>,
    pub budget_keys: Family<NameLabels, Gauge>,
    budget_forecast: Family<BoundLabels, Gauge<f64, AtomicU64>>,
    budget_runs_out: Family<NameLabels, Gauge>,
    pub signals: Family<SignalLabels, Gauge<f64, AtomicU64>>,
    pub signals_stale: Family<SignalLabels, Gauge>,
    evaluations: Family<EnvironmentLabels, Counter>,
    pub plan_active: Family<NameLabels, Gauge>,
    pub provider_up: Family<NameLabels, Gauge>,
    pub reloads: Family<ResultLabels, Counter>,
    pub deliveries: Family<ResultLabels, Counter>,
    pub ledger_degraded: Gauge,
    pub fleet_degraded: Gauge,
    pub fleet_apart: Gauge,
    pub records_dropped: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(LATENCY_BUCKETS);
        let mut metrics = Self {
            registry: Registry::with_prefix("planb"),
            requests: Family::default(),
            attempts: Family::default(),
            excluded: Family::default(),
            limited: Family::default(),
            mirrors: Family::default(),
            refusals: Family::default(),
            tokens: Family::default(),
            spend: Family::default(),
            held: Family::default(),
            first_token: Family::new_with_constructor(histogram),
            in_flight: Gauge::default(),
            queued: Gauge::default(),
            budget_used: Family::default(),
            budget_held: Family::default(),
            budget_keys: Family::default(),
            budget_forecast: Family::default(),
            budget_runs_out: Family::default(),
            signals: Family::default(),
            signals_stale: Family::default(),
            evaluations: Family::default(),
            plan_active: Family::default(),
            provider_up: Family::default(),
            reloads: Family::default(),
            deliveries: Family::default(),
            ledger_degraded: Gauge::default(),
            fleet_degraded: Gauge::default(),
            fleet_apart: Gauge::default(),
            records_dropped: Counter::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    /// The exposition text for `/metrics`.
    pub fn text(&self) -> String {
        for environment in [Environment::State, Environment::Selector] {
            let labels = EnvironmentLabels {
                environment: environment.word(),
            };
            let counter = self.evaluations.get_or_create(&labels);
            counter.inner().store(evaluations(environment), Ordering::Relaxed);
        }
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    pub fn set_budget_used(&self, budget: &str, used: f64) {
        self.budget_used
            .get_or_create(&NameLabels { name: budget.into() })
            .set(used);
    }

    pub fn set_budget_holdings(&self, budget: &Arc<str>, held: f64, keys: usize) {
        let labels = NameLabels { name: budget.clone() };
        self.budget_held.get_or_create(&labels).set(held);
        let keys = i64::try_from(keys).unwrap_or(i64::MAX);
        self.budget_keys.get_or_create(&labels).set(keys);
    }

    /// Over the limit, by bound; what is not known has no series.
    pub fn set_budget_forecast(
        &self,
        name: &Arc<str>,
        shares: [(&'static str, Option<f64>); 3],
        runs_out: Option<i64>,
    ) {
        for (bound, share) in shares {
            let labels = BoundLabels {
                name: name.clone(),
                bound,
            };
            match share {
                Some(share) => _ = self.budget_forecast.get_or_create(&labels).set(share),
                None => _ = self.budget_forecast.remove(&labels),
            }
        }
        let labels = NameLabels { name: name.clone() };
        match runs_out {
            Some(at) => _ = self.budget_runs_out.get_or_create(&labels).set(at),
            None => _ = self.budget_runs_out.remove(&labels),
        }
    }

    pub fn set_signal(&self, signal: &Signal, value: f64, stale: bool) {
        let labels = SignalLabels {
            of: signal.live.subject().word(),
            name: signal.name.clone(),
            signal: signal.live.word(),
        };
        self.signals.get_or_create(&labels).set(value);
        self.signals_stale.get_or_create(&labels).set(i64::from(stale));
    }

    pub fn set_plan_active(&self, plan: &str, active: bool) {
        self.plan_active
            .get_or_create(&NameLabels { name: plan.into() })
            .set(i64::from(active));
    }

    pub fn set_provider_up(&self, provider: &str, up: bool) {
        self.provider_up
            .get_or_create(&NameLabels { name: provider.into() })
            .set(i64::from(up));
    }

    /// `reloaded` or `rejected`.
    pub fn count_reload(&self, result: &'static str) {
        self.reloads.get_or_create(&ResultLabels { result }).inc();
    }

    /// `delivered`, `failed` or `dead`.
    pub fn count_delivery(&self, result: &'static str) {
        self.deliveries.get_or_create(&ResultLabels { result }).inc();
    }

    pub fn observe_first_token(&self, model: &Arc<str>, after: Duration) {
        self.first_token
            .get_or_create(&ModelLabels { model: model.clone() })
            .observe(after.as_secs_f64());
    }

    fn register(&mut self) {
        self.register_traffic();
        self.register_money();
        self.register_house();
    }

    fn register_traffic(&mut self) {
        let r = &mut self.registry;
        r.register(
            "requests",
            "Inference requests by route and outcome",
            self.requests.clone(),
        );
        r.register(
            "attempts",
            "Calls to providers by outcome and failure class",
            self.attempts.clone(),
        );
        r.register(
            "excluded",
            "Models found no candidate, by reason",
            self.excluded.clone(),
        );
        r.register(
            "limited",
            "Times that a limit of the policy let nothing in",
            self.limited.clone(),
        );
        r.register(
            "mirrors",
            "Copies of requests for a mirror's model, by what became of them",
            self.mirrors.clone(),
        );
        r.register(
            "refusals",
            "Requests turned away before there was a decision, by code",
            self.refusals.clone(),
        );
        r.register(
            "tokens",
            "Tokens by model and kind (input, cache_read, output)",
            self.tokens.clone(),
        );
        r.register(
            "first_token_seconds",
            "Time to the first meaningful event of a stream",
            self.first_token.clone(),
        );
        r.register("in_flight", "Inference requests under way", self.in_flight.clone());
        let waiting = "Requests that wait their turn under a limit of the policy";
        r.register("queued", waiting, self.queued.clone());
    }

    fn register_money(&mut self) {
        let r = &mut self.registry;
        r.register(
            "spend_nanos",
            "Posted cost in nano-units of the policy's currency",
            self.spend.clone(),
        );
        r.register(
            "held_nanos",
            "Cost held because the bill is unknown, in nano-units",
            self.held.clone(),
        );
        r.register(
            "budget_used_ratio",
            "(posted + held) / limit; the fullest key of a keyed budget",
            self.budget_used.clone(),
        );
        r.register(
            "budget_held_ratio",
            "Held money / limit; the largest of a keyed budget",
            self.budget_held.clone(),
        );
        r.register(
            "budget_keys",
            "Accounts of the present period",
            self.budget_keys.clone(),
        );
        r.register(
            "budget_forecast_ratio",
            "Spend expected by the period's end / limit, by bound (expected, low, high)",
            self.budget_forecast.clone(),
        );
        r.register(
            "budget_runs_out_timestamp_seconds",
            "When the limit is expected to be reached",
            self.budget_runs_out.clone(),
        );
    }

    fn register_house(&mut self) {
        let r = &mut self.registry;
        r.register(
            "signal",
            "Each live signal that conditions may read, true as 1",
            self.signals.clone(),
        );
        r.register(
            "signal_stale",
            "1 while the signal is the last that was heard",
            self.signals_stale.clone(),
        );
        r.register(
            "condition_evaluations",
            "Conditions evaluated, by environment (state, selector)",
            self.evaluations.clone(),
        );
        r.register("plan_active", "1 while the plan is in force", self.plan_active.clone());
        r.register(
            "provider_up",
            "1 while the provider counts as up",
            self.provider_up.clone(),
        );
        r.register(
            "policy_reloads",
            "Policy edits by result (reloaded, rejected)",
            self.reloads.clone(),
        );
        r.register(
            "alert_deliveries",
            "Webhook deliveries by result",
            self.deliveries.clone(),
        );
        r.register(
            "ledger_degraded",
            "1 while the ledger cannot be written",
            self.ledger_degraded.clone(),
        );
        r.register(
            "fleet_degraded",
            "1 while the fleet's database does not answer",
            self.fleet_degraded.clone(),
        );
        r.register(
            "fleet_apart",
            "1 while nothing may be drawn on a shared budget",
            self.fleet_apart.clone(),
        );
        r.register(
            "records_dropped",
            "Records of free requests that the ledger had no room for",
            self.records_dropped.clone(),
        );
    }
}

#[cfg(test)]
mod tests {

    #[test]
    fn every_metric_is_in_the_documented_list() {
        let listed = include_str!("../../docs/metrics.md");
        let source = include_str!("metrics.rs").split("#[cfg(test)]").next().unwrap();
        let names: Vec<&str> = source
            .split(".register(")
            .skip(1)
            .filter_map(|rest| rest.split('"').nth(1))
            .collect();
        assert!(names.len() > 15, "{names:?}");
        for name in names {
            assert!(
                listed.contains(&format!("`planb_{name}")),
                "docs/metrics.md does not list {name}"
            );
        }
    }
}
