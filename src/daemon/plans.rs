//! Plans in the daemon: turned each second from one frozen set of signals, recorded, announced; brought back at the start.

use super::announce::Announcer;
use crate::alert::{AlertEvent, EventKind};
use crate::clock::Clock;
use crate::gateway::Gateway;
use crate::ledger::record::{ManualRecord, PlanRecord};
use crate::ledger::{Ledger, LedgerError};
use crate::live::PlanChange;
use crate::plan::{News, Now, Override, Plans, Reading, Recorded, View};
use crate::policy::condition::Signals;
use crate::policy::snapshot::Snapshot;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

/// How far back toggles count.
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// One evaluation of all plans, with what changed outside it since the last; each change is recorded, then told. Returns
/// the signals that they read.
pub async fn turn(gateway: &Gateway, announcer: &Announcer) -> Signals {
    let changes = gateway.live.take_plan_changes().into_iter();
    let (news, signals) = evaluate(gateway);
    for change in changes.chain(news.into_iter().map(PlanChange::of_news)) {
        tell(gateway, announcer, &change).await;
    }
    signals
}

/// One frozen set of signals for all plans; the policy is composed anew where one changed.
fn evaluate(gateway: &Gateway) -> (Vec<News>, Signals) {
    let live = &gateway.live;
    let mut plans = live.plans.lock();
    // Under the lock that a reload takes: these readings and those plans are of one policy.
    let policy = live.policy();
    let now = now(gateway.clock);
    let signals = live.freeze(&policy, now);
    let of = |plan| Reading::of(plan, &signals, now.wall);
    let readings: Vec<Reading> = policy.snapshot.plans.iter().map(of).collect();
    let news = plans.tick(&readings, now);
    let turned = news.iter().any(|news| news.transition().is_some());
    if turned || policy.effective.is_due(now.wall) {
        live.recompose(&plans, now.wall);
    }
    (news, signals)
}

/// Local servers that are to run: those of active plans' `warm`, and those whose `warm_when` holds; the others may rest.
pub fn keep_warm(gateway: &Gateway, signals: &Signals) {
    let live = &gateway.live;
    let policy = live.policy();
    let snapshot = &policy.snapshot;
    let mut warm = vec![false; snapshot.providers.len()];
    let plans = policy
        .effective
        .active()
        .iter()
        .filter_map(|plan| snapshot.plans.get(*plan));
    for provider in plans.flat_map(|plan| &plan.warm) {
        warm[provider.0] = true;
    }
    for (provider, warm) in snapshot.providers.iter().zip(warm) {
        let running = &provider.running;
        if warm || running.warm_when.as_ref().is_some_and(|when| when.holds(signals)) {
            gateway.locals.keep(&provider.name);
        } else if let Some(idle) = running.idle {
            gateway.locals.rest_after(&provider.name, idle);
        }
    }
}

/// Recorded so that it stands after a restart, then announced.
async fn tell(gateway: &Gateway, announcer: &Announcer, change: &PlanChange) {
    let views = gateway.live.plans.lock().views();
    let view = views.into_iter().find(|view| view.name == change.plan);
    let record = record_of(change, view, gateway.clock.now());
    if let Err(error) = gateway.ledger.plan_changed(record).await {
        tracing::error!(%error, plan = %change.plan, "the plan's change could not be recorded");
    }
    if let Some((at, why)) = &change.flapping {
        let data = json!({"plan": &*change.plan, "why": why});
        announce(announcer, EventKind::PlanFlapping, *at, data).await;
    }
    let Some(transition) = &change.transition else { return };
    let kind = if transition.activated {
        EventKind::PlanActivated
    } else {
        EventKind::PlanReleased
    };
    let data = json!({"plan": &*transition.name, "why": transition.why, "manual": change.by_hand});
    announce(announcer, kind, transition.at, data).await;
}

fn record_of(change: &PlanChange, view: Option<View>, now: Timestamp) -> PlanRecord {
    let word = view.as_ref().and_then(|view| view.overridden);
    let cause = match &change.transition {
        Some(transition) => transition.cause.word(),
        None if change.by_hand => "hand",
        None => "",
    };
    // An activation that latches is told twice, and only the second time is the latch.
    let latched = view.as_ref().is_some_and(|view| view.latched) && change.transition.is_none();
    PlanRecord {
        plan: change.plan.clone(),
        at: now,
        active: view.as_ref().is_some_and(|view| view.active),
        since: view.as_ref().and_then(|view| view.since),
        why: view.map(|view| view.why).unwrap_or_default(),
        manual: word.map(|word| ManualRecord {
            active: word.active,
            until: word.until,
        }),
        cause: cause.into(),
        latched,
    }
}

async fn announce(announcer: &Announcer, kind: EventKind, at: Timestamp, data: serde_json::Value) {
    announcer
        .announce(AlertEvent {
            kind,
            at,
            dedupe: None,
            data,
        })
        .await;
}

/// Plans go on as they stood when the last daemon ended.
pub async fn restored(ledger: &Ledger, snapshot: &Snapshot, clock: Clock) -> Result<Plans, LedgerError> {
    let mut plans = Plans::new(&snapshot.plans);
    let now = now(clock);
    let toggles = ledger.plan_toggles(now.wall - HOUR).await?;
    for record in ledger.plan_states().await? {
        let of_plan = toggles.iter().filter(|(plan, _)| *plan == record.plan);
        let recorded = Recorded {
            active: record.active,
            since: record.since.unwrap_or(record.at),
            overridden: record.manual.map(|manual| Override {
                active: manual.active,
                until: manual.until,
            }),
            latched: record.latched,
            toggles: of_plan.map(|(_, at)| *at).collect(),
        };
        plans.restore(&record.plan, &recorded, now);
    }
    Ok(plans)
}

fn now(clock: Clock) -> Now {
    Now {
        wall: clock.now(),
        up: clock.uptime(),
    }
}
