//! The live signals of one instant, read from every machine under its own short lock.

use super::{LicenseUsers, Live, Policy, ProviderState};
use crate::health::Level;
use crate::plan::Now;
use crate::policy::condition::signature::Live as Of;
use crate::policy::condition::{Signals, Value};
use crate::policy::snapshot::{Provider, ProviderId};
use std::sync::Arc;

impl Live {
    /// All that state conditions of this policy may read.
    pub fn freeze(&self, policy: &Policy, now: Now) -> Signals {
        let mut signals = Signals::default();
        signals.set_time(now.wall, &policy.snapshot.timezone);
        self.freeze_budgets(policy, &mut signals);
        self.freeze_providers(policy, now, &mut signals);
        self.freeze_models(policy, now, &mut signals);
        freeze_licenses(policy, now, &self.license_users.lock(), &mut signals);
        signals
    }

    fn freeze_budgets(&self, policy: &Policy, signals: &mut Signals) {
        let books = self.books.lock();
        for budget in &policy.snapshot.budgets {
            let (name, stands) = (&budget.name, books.outlook(&budget.name).unwrap_or_default());
            let mut put = |of, value: Value, stale| signals.put(of, name.clone(), value, stale);
            put(Of::BudgetUsed, stands.used.into(), stands.stale);
            put(Of::BudgetRemaining, stands.remaining.as_number().into(), stands.stale);
            put(Of::BudgetBurn, stands.burn.as_number().into(), stands.stale);
            put(Of::BudgetExhausted, stands.exhausted.into(), stands.stale);
            if let Some(forecast) = stands.forecast {
                put(Of::BudgetForecast, forecast.into(), stands.forecast_stale);
            }
        }
    }

    fn freeze_providers(&self, policy: &Policy, now: Now, signals: &mut Signals) {
        let health = self.health.lock();
        for (index, provider) in policy.snapshot.providers.iter().enumerate() {
            let (name, endpoint) = (&provider.name, &provider.base_url);
            let state = policy.provider(ProviderId(index)).standing().state;
            if let Some((left, stale)) = policy.provider(ProviderId(index)).balance(now.up) {
                let left = Value::Number(left.as_number());
                signals.put(Of::ProviderBalance, name.clone(), left, stale);
            }
            signals.set(Of::ProviderUp, name.clone(), state.is_up());
            signals.set(Of::ProviderCooling, name.clone(), state == ProviderState::Cooling);
            level(
                signals,
                Of::ProviderErrorRate,
                name,
                health.error_rate(endpoint, now.up),
            );
            level(
                signals,
                Of::ProviderFirstToken,
                name,
                health.first_token_p95(endpoint, now.up),
            );
            let quota = health.quota_left(endpoint, &credentials(provider), now.up);
            level(signals, Of::ProviderQuotaLeft, name, quota);
        }
    }
}

/// What a licence does not bound has no value.
fn freeze_licenses(policy: &Policy, now: Now, counted: &LicenseUsers, signals: &mut Signals) {
    for license in &policy.snapshot.licenses {
        let mut put = |of, value: Option<f64>| {
            if let Some(value) = value {
                signals.set(of, license.name.clone(), value);
            }
        };
        let days = license.days_left(now.wall, &policy.snapshot.timezone);
        put(Of::LicenseDaysLeft, days.map(|days| days as f64));
        put(Of::LicenseSeats, license.seats_used());
        put(Of::LicenseUsers, license.users_used(counted.counted(&license.name)));
    }
}

fn level(signals: &mut Signals, of: Of, name: &Arc<str>, level: Option<Level>) {
    if let Some(level) = level {
        signals.put(of, name.clone(), Value::Number(level.value), level.stale);
    }
}

/// As health names them.
fn credentials(provider: &Provider) -> Vec<Arc<str>> {
    provider.weighted_keys().into_iter().map(|(label, _)| label).collect()
}
