//! Once a second: what plans read, shown as metrics.

use crate::gateway::Gateway;
use crate::policy::condition::{Signals, Value};

pub fn measure(gateway: &Gateway, signals: &Signals) {
    let policy = gateway.live.policy();
    for (signal, sample) in signals.iter() {
        let value = match sample.value {
            Value::Number(value) => value,
            Value::Truth(value) => f64::from(u8::from(value)),
            Value::Text(_) => continue,
        };
        gateway.metrics.set_signal(signal, value, sample.stale);
    }
    for budget in &policy.snapshot.budgets {
        let used = gateway.live.books.lock().used(&budget.name);
        gateway.metrics.set_budget_used(&budget.name, used);
    }
    for (plan, active) in policy.snapshot.plans.iter().zip(gateway.live.plans.lock().active()) {
        gateway.metrics.set_plan_active(&plan.name, active);
    }
    let metrics = &gateway.metrics;
    if let Some(fleet) = &gateway.fleet {
        metrics.fleet_degraded.set(i64::from(fleet.is_failing()));
        metrics.fleet_apart.set(i64::from(!fleet.is_good()));
    }
    metrics
        .ledger_degraded
        .set(i64::from(gateway.ledger.state().state != "ok"));
}
