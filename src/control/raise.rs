//! Raises a budget's limit by hand, with an end; written to the ledger, so that a restart keeps it.

use super::instant::time;
use super::{Control, refused};
use crate::ledger::record::{RaiseRecord, Record};
use crate::money::{Currency, Money};
use crate::policy::snapshot::Raise;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

const EXPECTED: &str = "the body is {\"by\": \"200\", \"currency\": \"USD\", \"until\": \"2026-12-24T00:00:00Z\"}";

/// `by` zero ends every earlier raise by hand.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    by: String,
    currency: String,
    until: Option<String>,
}

pub async fn raise(State(control): State<Arc<Control>>, Path(name): Path<String>, body: axum::body::Bytes) -> Response {
    let now = control.clock.now();
    let currency = control.live.policy().snapshot.currency;
    let asked = match read(&body, currency, now) {
        Ok(asked) => asked,
        Err(message) => return refused(StatusCode::BAD_REQUEST, &message),
    };
    // Recorded before it is in force: what a restart would forget must not be spent.
    let record = RaiseRecord {
        budget: name.as_str().into(),
        at: now,
        by: asked.as_ref().map(|raise| raise.by),
        currency,
        until: asked.as_ref().map_or(now, |raise| raise.until),
    };
    let unknown = || refused(StatusCode::NOT_FOUND, &format!("no budget is called `{name}`"));
    if !control
        .live
        .policy()
        .snapshot
        .budgets
        .iter()
        .any(|budget| *budget.name == *name)
    {
        return unknown();
    }
    let recorded = match control.ledger.send(Record::Raise(record)).await {
        Ok(()) => control.ledger.flush().await,
        Err(error) => Err(error),
    };
    if let Err(error) = recorded {
        return refused(StatusCode::SERVICE_UNAVAILABLE, &error.to_string());
    }
    let in_force = {
        let mut books = control.live.books.lock();
        let raises = match asked {
            Some(raise) => books.raises(&name, now).into_iter().chain([raise]).collect(),
            None => Vec::new(),
        };
        if !books.raise(&name, raises, now) {
            return unknown();
        }
        books.raises(&name, now)
    };
    let raise = |raise: &Raise| json!({"by": raise.by.to_string(), "until": time(raise.until)});
    let raises: Vec<_> = in_force.iter().map(raise).collect();
    Json(json!({"budget": name, "currency": currency.code(), "raises": raises})).into_response()
}

fn read(body: &[u8], currency: Currency, now: Timestamp) -> Result<Option<Raise>, String> {
    let body: Body = serde_json::from_slice(body).map_err(|error| format!("{EXPECTED}: {error}"))?;
    if body.currency != currency.code() {
        return Err(format!("the policy's currency is {currency}"));
    }
    let by = Money::parse(&body.by).filter(|by| *by >= Money::ZERO);
    let by = by.ok_or_else(|| format!("`{}` is no amount; {EXPECTED}", body.by))?;
    if by == Money::ZERO {
        return Ok(None);
    }
    let until = body.until.as_deref().and_then(|until| until.parse::<Timestamp>().ok());
    match until {
        Some(until) if until > now => Ok(Some(Raise { by, from: None, until })),
        Some(until) => Err(format!("the end {until} has passed")),
        None => Err(format!("a raise has an end; {EXPECTED}")),
    }
}
