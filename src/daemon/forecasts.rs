//! Tells how budgets will end: as metrics, and as one event for each account and period whose limit will very likely be
//! passed.

use super::announce::Announcer;
use crate::alert::{AlertEvent, EventKind};
use crate::budget::AccountView;
use crate::control::{projected, runs_out};
use crate::forecast::Projection;
use crate::gateway::Gateway;
use crate::money::Money;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::json;
use std::collections::HashSet;
use std::sync::Arc;

/// Accounts by budget, key and period.
type Account = (Arc<str>, Arc<str>, Timestamp);

#[derive(Debug, Default)]
pub struct Told {
    /// The minute and the state of knowledge that were looked at last.
    last: Mutex<(i64, u64)>,
    told: Mutex<HashSet<Account>>,
}

/// Once a minute, and when more is known.
pub async fn tell(gateway: &Gateway, announcer: &Announcer, told: &Told) {
    let now = gateway.clock.now();
    let looked = (now.as_second().div_euclid(60), gateway.live.prospects.lock().news());
    if std::mem::replace(&mut *told.last.lock(), looked) == looked {
        return;
    }
    let views = gateway.live.books.lock().views();
    let foretold: Vec<(AccountView, Projection)> = {
        let prospects = gateway.live.prospects.lock();
        let of = |view: AccountView| prospects.of(&view, now).map(|found| (view, found));
        views.into_iter().filter_map(of).collect()
    };
    measure(gateway, &foretold);
    let present = |account: &Account| foretold.iter().any(|(view, _)| account_of(view) == *account);
    told.told.lock().retain(present);
    for (view, projection) in &foretold {
        let passes = projection.end.is_some_and(|end| end.low > view.limit);
        let spent = view.posted.plus(view.held);
        if passes && spent < view.limit && told.told.lock().insert(account_of(view)) {
            announcer.announce(event(gateway, view, projection, now)).await;
        }
    }
}

fn account_of(view: &AccountView) -> Account {
    (view.budget.clone(), view.key.clone(), view.span.start)
}

/// Of a keyed budget the key that is worst off.
fn measure(gateway: &Gateway, foretold: &[(AccountView, Projection)]) {
    for budget in &gateway.live.policy().snapshot.budgets {
        let own = || foretold.iter().filter(|(view, _)| view.budget == budget.name);
        let share = |of: fn(&crate::forecast::Range) -> Money| {
            let shares = own().filter_map(|(view, found)| Some(of(&found.end?).share_of(view.limit)));
            shares.reduce(f64::max)
        };
        let shares = [
            ("expected", share(|end| end.expected)),
            ("low", share(|end| end.low)),
            ("high", share(|end| end.high)),
        ];
        let runs_out = own().filter_map(|(_, found)| found.runs_out.expected).min();
        gateway
            .metrics
            .set_budget_forecast(&budget.name, shares, runs_out.map(|at| at.as_second()));
    }
}

fn event(gateway: &Gateway, view: &AccountView, projection: &Projection, now: Timestamp) -> AlertEvent {
    let (start, end) = (view.span.start, view.span.end);
    AlertEvent {
        kind: EventKind::BudgetForecast,
        at: now,
        dedupe: Some(format!(
            "{}\u{1f}{}\u{1f}{start}\u{1f}{end}\u{1f}forecast",
            view.budget, view.key
        )),
        data: json!({
            "budget": &*view.budget,
            "key": (!view.key.is_empty()).then_some(&*view.key),
            "period_start": start.to_string(),
            "period_end": end.to_string(),
            "limit": view.limit.to_string(),
            "posted": view.posted.to_string(),
            "held": view.held.to_string(),
            "used": view.posted.plus(view.held).share_of(view.limit),
            "projected": projected(projection),
            "runs_out": runs_out(projection),
            "currency": gateway.live.policy().snapshot.currency.code(),
        }),
    }
}
