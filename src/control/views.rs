//! What the control API shows of the live state. Money is a decimal string beside its currency, time is RFC 3339.

use super::Control;
use super::forecasts::{projected, runs_out};
use super::instant::time;
use crate::budget::AccountView;
use crate::fleet::{FleetBudget, FleetState};
use crate::forecast::Projection;
use crate::health::{Options, ProviderHealth, Verdict};
use crate::live::{Live, Policy};
use crate::plan::{Now, why};
use crate::policy::snapshot::{ModelId, Provider, ProviderKey};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

pub fn status(control: &Control) -> Value {
    let policy = control.live.policy();
    let ledger = control.ledger.state();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "started_at": time(control.clock.started_at()),
        "ready": control.ready.load(Ordering::Relaxed),
        "policy": {
            "hash": &*policy.snapshot.hash,
            "source": &*policy.snapshot.origin,
            "since": time(policy.since),
            "rejected": rejected(&control.live),
        },
        "providers": providers(control, &policy),
        "models": models(control, &policy),
        "plans": active(&control.live),
        "stale": control.live.freeze(&policy, now(control)).stale(),
        "ledger": {"kind": ledger.kind, "state": ledger.state, "reason": ledger.reason},
        "fleet": control.fleet.as_ref().map(|fleet| fleet_view(&fleet.state())),
    })
}

fn fleet_view(state: &FleetState) -> Value {
    json!({
        "name": &*state.name,
        "holder": &*state.holder,
        "database": state.database,
        "state": state.state,
        "reason": state.reason,
        "draws_for_s": state.draws_for.as_secs(),
        "daemons": state.daemons,
    })
}

/// The sums of all, as the fleet's store knows them, with each daemon's part.
pub fn fleet(state: &FleetState, budgets: &[FleetBudget]) -> Value {
    let budget = |budget: &FleetBudget| {
        let part = |part: &crate::fleet::FleetPart| {
            json!({
                "machine": part.machine,
                "holder": part.holder,
                "posted": part.posted,
                "held": part.held,
                "leased": part.leased,
                "told_at": part.told_at,
            })
        };
        json!({
            "name": budget.budget,
            "key": (!budget.key.is_empty()).then_some(&budget.key),
            "period_start": budget.period_start,
            "period_end": budget.period_end,
            "currency": budget.currency,
            "limit": budget.limit,
            "posted": budget.posted,
            "held": budget.held,
            "leased": budget.leased,
            "free": budget.free,
            "daemons": budget.daemons.iter().map(part).collect::<Vec<_>>(),
        })
    };
    let budgets: Vec<Value> = budgets.iter().map(budget).collect();
    json!({"fleet": fleet_view(state), "budgets": budgets})
}

pub fn policy(live: &Live) -> Value {
    let policy = live.policy();
    json!({
        "source": &*policy.snapshot.origin,
        "hash": &*policy.snapshot.hash,
        "since": time(policy.since),
        "text": &*policy.snapshot.text,
        "projected": live.projected(),
        "rejected": rejected(live),
    })
}

pub fn budgets(live: &Live, now: Timestamp) -> Vec<Value> {
    let currency = live.policy().snapshot.currency;
    let views = live.books.lock().views();
    let prospects = live.prospects.lock();
    let one = |view: &AccountView| budget(view, currency.code(), prospects.of(view, now).as_ref());
    views.iter().map(one).collect()
}

pub fn plan(control: &Control, name: &str) -> Option<Value> {
    plans(control).into_iter().find(|plan| plan["name"] == name)
}

pub fn plans(control: &Control) -> Vec<Value> {
    let live = &control.live;
    let plans = live.plans.lock();
    let policy = live.policy();
    let signals = live.freeze(&policy, now(control));
    let views = plans.views();
    policy
        .snapshot
        .plans
        .iter()
        .map(|plan| {
            let view = views.iter().find(|view| view.name == plan.name);
            let word = view.and_then(|view| view.overridden);
            let by_hand = view.filter(|view| view.active && word.is_some_and(|word| word.active));
            let word = word.map(|word| json!({"active": word.active, "until": word.until.map(time)}));
            json!({
                "name": &*plan.name,
                "active": view.is_some_and(|view| view.active),
                "since": view.and_then(|view| view.since).map(time),
                "condition": plan.condition(),
                "why": by_hand.map_or_else(|| why(plan, &signals), |view| view.why.clone()),
                "override": word,
                "flapping": view.is_some_and(|view| view.latched),
            })
        })
        .collect()
}

fn now(control: &Control) -> Now {
    Now {
        wall: control.clock.now(),
        up: control.clock.uptime(),
    }
}

fn active(live: &Live) -> Vec<String> {
    live.plans
        .lock()
        .views()
        .iter()
        .filter(|view| view.active)
        .map(|view| view.name.to_string())
        .collect()
}

fn rejected(live: &Live) -> Value {
    match live.rejected() {
        None => Value::Null,
        Some(rejected) => json!({"at": time(rejected.at), "diagnostics": rejected.diagnostics}),
    }
}

fn providers(control: &Control, policy: &Policy) -> Vec<Value> {
    let all = policy.snapshot.providers.iter().zip(policy.providers.iter());
    all.map(|(provider, live)| {
        let standing = live.standing();
        json!({
            "name": &*provider.name,
            "url": address(policy, provider),
            "state": standing.state.word(),
            "reason": (!standing.reason.is_empty()).then_some(&*standing.reason),
            "since": time(standing.since),
            "keys": keys(control, policy, provider),
        })
    })
    .collect()
}

/// Where its first model is called; of a vendor that has several APIs each model says its own.
fn address(policy: &Policy, provider: &Provider) -> String {
    let mut models = (0..policy.snapshot.models.len()).map(ModelId);
    let first = models.find(|id| std::ptr::eq(policy.snapshot.provider_of(*id), provider));
    let upstream = first.map_or("", |id| &policy.snapshot.model(id).upstream);
    provider.chat_address(upstream)
}

/// Of a provider with several: how each stands, whatever models it was used for.
fn keys(control: &Control, policy: &Policy, provider: &Provider) -> Vec<Value> {
    let (now, health) = (control.clock.uptime(), control.live.health.lock());
    let models: Vec<ModelId> = (0..policy.snapshot.models.len())
        .map(ModelId)
        .filter(|id| std::ptr::eq(policy.snapshot.provider_of(*id), provider))
        .collect();
    let one = |(at, key): (usize, &ProviderKey)| {
        let names: Vec<_> = models
            .iter()
            .filter_map(|id| policy.keys(*id).get(at).cloned())
            .collect();
        let (state, reason) = match control.credentials.present(&key.credential) {
            Err(missing) => ("no_credential", Some(missing.to_string())),
            Ok(()) => match health.provider_state(&provider.base_url, &names, now) {
                ProviderHealth::Up => ("up", None),
                ProviderHealth::Cooling { reason, .. } => ("cooling", Some(reason.word().to_owned())),
                ProviderHealth::Down { reason, .. } => ("down", Some(reason.word().to_owned())),
            },
        };
        json!({"name": &*key.name, "weight": key.weight, "state": state, "reason": reason})
    };
    let several = provider.keys.iter().enumerate().filter(|_| provider.keys.len() > 1);
    several.map(one).collect()
}

/// Available as far as the model alone is concerned: credential, server, breaker, cooling. Budgets and plans depend on
/// the request.
fn models(control: &Control, policy: &Policy) -> Vec<Value> {
    let (now, at) = (control.clock.uptime(), control.clock.now());
    let health = control.live.health.lock();
    let one = |(id, model): (usize, &crate::policy::snapshot::Model)| {
        let provider = policy.snapshot.provider(model.provider);
        let standing = policy.provider(model.provider).standing();
        let verdict = health.best_verdict(policy.keys(ModelId(id)).iter(), Options::of(provider), now);
        let reason = match (&verdict, standing.state.is_up()) {
            (_, false) => Some(format!("{}: {}", standing.state.word(), standing.reason)),
            (Verdict::Wait { reason, .. }, true) => Some(reason.word().to_owned()),
            (Verdict::Ready, true) => None,
        };
        json!({
            "name": &*model.name,
            "provider": &*provider.name,
            "url": provider.chat_address(&model.upstream),
            "supply": model.supply.word(),
            "available": reason.is_none(),
            "reason": reason,
            "fee": model.price.as_ref().and_then(|price| price.flat_fee(at)).map(|fee| fee.to_string()),
        })
    };
    policy.snapshot.models.iter().enumerate().map(one).collect()
}

fn budget(view: &AccountView, currency: &str, ahead: Option<&Projection>) -> Value {
    json!({
        "name": &*view.budget,
        "key": (!view.key.is_empty()).then_some(&*view.key),
        "period_start": time(view.span.start),
        "period_end": time(view.span.end),
        "currency": currency,
        "limit": view.limit.to_string(),
        "carried": view.carried.to_string(),
        "posted": view.posted.to_string(),
        "reserved": view.reserved.to_string(),
        "held": view.held.to_string(),
        "overdraft": view.overdraft.to_string(),
        "remaining": view.remaining.to_string(),
        "used": view.used,
        "held_share": view.held.share_of(view.limit),
        "forecast": view.forecast,
        "projected": ahead.map_or(Value::Null, projected),
        "runs_out": ahead.map_or(Value::Null, runs_out),
        "exhausted": view.exhausted,
        "exhausted_at": view.exhausted_at.map(time),
        "state": if view.degraded { "degraded" } else if view.rebuilding { "rebuilding" } else { "ok" },
    })
}
