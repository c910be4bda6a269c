//! What the control API shows of the time ahead: where budgets will be at their end, when their money runs out, and what
//! usually burns in each hour of the week.

use super::instant::time;
use crate::budget::{AccountView, UsualWeek};
use crate::forecast::{Projection, RunsOut};
use crate::live::Live;
use crate::money::Money;
use crate::period::window::WEEKDAYS;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// `null` of what has no end.
pub fn projected(projection: &Projection) -> Value {
    projection.end.map_or(Value::Null, |end| {
        let amount = |amount: Money| amount.to_string();
        json!({"expected": amount(end.expected), "low": amount(end.low), "high": amount(end.high)})
    })
}

/// `null` where the money lasts.
pub fn runs_out(projection: &Projection) -> Value {
    let RunsOut {
        expected,
        earliest,
        latest,
    } = projection.runs_out;
    if earliest.is_none() {
        return Value::Null;
    }
    json!({"expected": expected.map(time), "earliest": earliest.map(time), "latest": latest.map(time)})
}

pub(super) fn forecasts(live: &Live, now: Timestamp) -> Vec<Value> {
    let currency = live.policy().snapshot.currency;
    let views = live.books.lock().views();
    let prospects = live.prospects.lock();
    let one = |(name, week): (&std::sync::Arc<str>, UsualWeek)| {
        let own = views.iter().filter(|view| view.budget == *name);
        let accounts: Vec<Value> = own
            .filter_map(|view| Some(account(view, &prospects.of(view, now)?)))
            .collect();
        json!({
            "name": &**name,
            "currency": currency.code(),
            "learned_hours": week.watched,
            "accounts": accounts,
            "week": by_day(&week.burn),
        })
    };
    prospects.weeks().map(one).collect()
}

fn account(view: &AccountView, projection: &Projection) -> Value {
    json!({
        "key": (!view.key.is_empty()).then_some(&*view.key),
        "period_start": time(view.span.start),
        "period_end": time(view.span.end),
        "limit": view.limit.to_string(),
        "spent": view.posted.plus(view.held).to_string(),
        "projected": projected(projection),
        "runs_out": runs_out(projection),
    })
}

/// Of each weekday its 24 hours, by the wall of the budget's zone.
fn by_day(burn: &[Money]) -> Value {
    let days = WEEKDAYS.iter().zip(burn.chunks(24));
    let day = |(name, hours): (&&str, &[Money])| {
        let hours: Vec<String> = hours.iter().map(Money::to_string).collect();
        ((*name).to_owned(), json!(hours))
    };
    Value::Object(days.map(day).collect::<Map<_, _>>())
}
