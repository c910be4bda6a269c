//! Once a second: periods roll, providers are judged, plans come and go, budgets tell what they crossed.

use super::announce::Announcer;
use super::{books, providers};
use crate::alert::{AlertEvent, EventKind};
use crate::budget::{Crossing, Notice};
use crate::gateway::Gateway;
use crate::ledger::record::{ManualRecord, PlanRecord};
use crate::live::FrozenSignals;
use crate::plan::Transition;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

const EACH: Duration = Duration::from_secs(1);

pub struct Ticker {
    pub gateway: Arc<Gateway>,
    pub announcer: Arc<Announcer>,
    /// A plan was overridden by hand: act at once.
    pub overridden: Arc<Notify>,
}

impl Ticker {
    pub async fn run(self, stop: CancellationToken) {
        let mut each = tokio::time::interval(EACH);
        each.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = each.tick() => {}
                () = self.overridden.notified() => {}
            }
            self.tick().await;
        }
    }

    async fn tick(&self) {
        let gateway = &self.gateway;
        let now = gateway.clock.now();
        let rebuilds = gateway.live.books.lock().roll(now);
        books::rebuild(gateway, rebuilds).await;
        let policy = gateway.live.policy();
        for event in providers::refresh(gateway, &policy, false) {
            self.announcer.announce(event).await;
        }
        for transition in self.plans() {
            self.tell_plan(&transition).await;
        }
        let (notices, violations) = {
            let mut books = gateway.live.books.lock();
            (books.take_notices(), books.take_violations())
        };
        for notice in &notices {
            self.tell_budget(notice).await;
        }
        for violation in violations {
            tracing::error!(%violation, "the books do not add up; the budget spends nothing until they are read anew");
        }
        self.measure();
    }

    /// One frozen set of signals for all plans; the policy is composed anew where one changed.
    fn plans(&self) -> Vec<Transition> {
        let live = &self.gateway.live;
        let policy = live.policy();
        let mut plans = live.plans.lock();
        let signals = FrozenSignals::take(&policy, &live.books.lock());
        let transitions = plans.tick(&policy.snapshot.plans, &signals, self.gateway.clock.now());
        if !transitions.is_empty() {
            live.recompose(&plans);
        }
        transitions
    }

    async fn tell_plan(&self, transition: &Transition) {
        let record = PlanRecord {
            plan: transition.name.clone(),
            at: transition.at,
            active: transition.activated,
            since: transition.activated.then_some(transition.at),
            why: transition.why.clone(),
            manual: transition.manual.as_ref().map(|manual| ManualRecord { active: manual.active, until: manual.until }),
        };
        if let Err(error) = self.gateway.ledger.plan_changed(record).await {
            tracing::error!(%error, plan = %transition.name, "the plan's change could not be recorded");
        }
        let kind = if transition.activated { EventKind::PlanActivated } else { EventKind::PlanReleased };
        let data = json!({
            "plan": &*transition.name,
            "why": transition.why,
            "manual": transition.manual.is_some(),
        });
        self.announcer.announce(AlertEvent { kind, at: transition.at, dedupe: None, data }).await;
    }

    async fn tell_budget(&self, notice: &Notice) {
        let currency = self.gateway.live.policy().snapshot.currency;
        let (kind, threshold, word) = match notice.crossing {
            Crossing::Threshold(basis_points) => (EventKind::BudgetThreshold, Some(basis_points), basis_points.to_string()),
            Crossing::Exhausted => (EventKind::BudgetExhausted, None, "exhausted".to_owned()),
        };
        let pool = &notice.pool;
        let spent = notice.posted.plus(notice.held);
        let data = json!({
            "budget": &*pool.budget,
            "key": (!notice.key.is_empty()).then_some(&*notice.key),
            "period_start": pool.span.start.to_string(),
            "period_end": pool.span.end.to_string(),
            "threshold": threshold.map(|basis_points| f64::from(basis_points) / 10_000.0),
            "used": spent.share_of(notice.limit),
            "limit": notice.limit.to_string(),
            "posted": notice.posted.to_string(),
            "held": notice.held.to_string(),
            "currency": currency.code(),
        });
        let dedupe = format!("{}\u{1f}{}\u{1f}{}\u{1f}{word}", pool.budget, notice.key, pool.span.start);
        self.announcer.announce(AlertEvent { kind, at: notice.at, dedupe: Some(dedupe), data }).await;
    }

    fn measure(&self) {
        let gateway = &self.gateway;
        let policy = gateway.live.policy();
        let used: Vec<_> = {
            let books = gateway.live.books.lock();
            policy.snapshot.budgets.iter().map(|budget| (budget.name.clone(), books.used(&budget.name))).collect()
        };
        for (name, used) in used {
            gateway.metrics.set_budget_used(&name, used);
        }
        for (plan, active) in policy.snapshot.plans.iter().zip(gateway.live.plans.lock().active()) {
            gateway.metrics.set_plan_active(&plan.name, active);
        }
        for (provider, live) in policy.snapshot.providers.iter().zip(policy.providers.iter()) {
            gateway.metrics.set_provider_up(&provider.name, live.is_up());
        }
        gateway.metrics.ledger_degraded.set(i64::from(gateway.ledger.state().state != "ok"));
    }
}
