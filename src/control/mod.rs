//! The control API: health, metrics, and what people and tools ask of a running daemon. Reads are open on loopback,
//! and elsewhere to clients of `scope: read`; what changes something needs the admin token. Shapes are stable: fields may be added.

mod actions;
mod forecasts;
mod instant;
mod raise;
mod token;
mod views;

pub use forecasts::{projected, runs_out};
pub use token::AdminToken;

use crate::clock::Clock;
use crate::fleet::Fleet;
use crate::ledger::Ledger;
use crate::ledger::read::DecisionQuery;
use crate::ledger::refusals::RefusalQuery;
use crate::live::Live;
use crate::telemetry::Metrics;
use crate::upstream::credentials::Credentials;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

pub struct Control {
    pub live: Arc<Live>,
    pub ledger: Ledger,
    pub fleet: Option<Arc<Fleet>>,
    pub metrics: Arc<Metrics>,
    pub clock: Clock,
    pub token: AdminToken,
    pub credentials: Arc<Credentials>,
    /// Policy, ledger and listener are there, and the daemon is not stopping.
    pub ready: AtomicBool,
    /// Asks for the policy's files to be read again.
    pub reload: Arc<Notify>,
    /// Tells the tick that a plan was overridden, so that it acts at once.
    pub overridden: Arc<Notify>,
}

/// Decisions a page when nothing is said, and at most.
const DECISIONS: u32 = 50;
const MOST_DECISIONS: u32 = 1_000;

/// A plan's changes a page, likewise.
const EVENTS: u32 = 50;
const MOST_EVENTS: u32 = 1_000;

pub fn router(control: Arc<Control>) -> Router {
    let guarded = Router::new()
        .route("/planb/status", get(status))
        .route("/planb/budgets", get(budgets))
        .route("/planb/budgets/{name}/raise", post(raise::raise))
        .route("/planb/forecast", get(forecast))
        .route("/planb/fleet", get(fleet))
        .route("/planb/proof", get(proof))
        .route("/planb/plans", get(plans))
        .route("/planb/plans/{name}", get(plan))
        .route("/planb/plans/{name}/{action}", post(actions::override_plan))
        .route("/planb/decisions", get(decisions))
        .route("/planb/decisions/{id}", get(decision))
        .route("/planb/refusals", get(refusals))
        .route("/planb/policy", get(policy))
        .route("/planb/policy/reload", post(actions::reload))
        .route("/metrics", get(metrics))
        .layer(middleware::from_fn_with_state(control.clone(), token::guard));
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .merge(guarded)
        .fallback(|| async {
            refused(
                StatusCode::NOT_FOUND,
                "there is nothing at this address; /planb/status shows what planb does, /v1 is the API of applications",
            )
        })
        .with_state(control)
}

async fn readyz(State(control): State<Arc<Control>>) -> Response {
    if control.ready.load(Ordering::Relaxed) {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
    }
}

async fn metrics(State(control): State<Arc<Control>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], control.metrics.text()).into_response()
}

async fn status(State(control): State<Arc<Control>>) -> Response {
    Json(views::status(&control)).into_response()
}

async fn budgets(State(control): State<Arc<Control>>) -> Response {
    Json(json!({"budgets": views::budgets(&control.live, control.clock.now())})).into_response()
}

async fn forecast(State(control): State<Arc<Control>>) -> Response {
    Json(json!({"forecasts": forecasts::forecasts(&control.live, control.clock.now())})).into_response()
}

async fn fleet(State(control): State<Arc<Control>>) -> Response {
    let Some(fleet) = &control.fleet else {
        let said = "this daemon shares its budgets with nobody: it was started without --fleet";
        return refused(StatusCode::NOT_FOUND, said);
    };
    match fleet.summary().await {
        Ok(found) => Json(views::fleet(&fleet.state(), &found)).into_response(),
        Err(failed) => refused(StatusCode::SERVICE_UNAVAILABLE, &failed.to_string()),
    }
}

/// Adds the books up from the open reservations and compares, at this instant.
async fn proof(State(control): State<Arc<Control>>) -> Response {
    let books = control.live.books.lock();
    let (proof, open) = (books.prove(), books.open_reservations());
    drop(books);
    let violation = proof.err().map(|violation| violation.to_string());
    Json(json!({"proven": violation.is_none(), "open_reservations": open, "violation": violation})).into_response()
}

async fn plans(State(control): State<Arc<Control>>) -> Response {
    Json(json!({"plans": views::plans(&control)})).into_response()
}

#[derive(Deserialize)]
struct HistoryParams {
    limit: Option<u32>,
}

async fn plan(
    State(control): State<Arc<Control>>,
    Path(name): Path<String>,
    Query(params): Query<HistoryParams>,
) -> Response {
    let limit = params.limit.unwrap_or(EVENTS).clamp(1, MOST_EVENTS);
    let view = views::plan(&control, &name);
    match control.ledger.plan_history(name.clone(), limit).await {
        Err(error) => refused(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        Ok(history) if view.is_none() && history.is_empty() => {
            refused(StatusCode::NOT_FOUND, &format!("no plan is named `{name}`"))
        }
        Ok(history) => {
            let mut plan = view.unwrap_or_else(|| json!({"name": name}));
            plan["history"] = json!(history);
            Json(plan).into_response()
        }
    }
}

async fn policy(State(control): State<Arc<Control>>) -> Response {
    Json(views::policy(&control.live)).into_response()
}

#[derive(Deserialize)]
struct DecisionsParams {
    limit: Option<u32>,
    since: Option<String>,
    model: Option<String>,
    route: Option<String>,
}

async fn decisions(State(control): State<Arc<Control>>, Query(params): Query<DecisionsParams>) -> Response {
    let since = match since(params.since.as_deref()) {
        Ok(since) => since,
        Err(told) => return *told,
    };
    let limit = params.limit.unwrap_or(DECISIONS).clamp(1, MOST_DECISIONS);
    let query = DecisionQuery {
        limit,
        since,
        model: params.model,
        route: params.route,
    };
    match control.ledger.decisions(query).await {
        Ok(found) => Json(json!({"decisions": found})).into_response(),
        Err(error) => refused(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
}

/// An instant, or what to answer where it is none.
fn since(text: Option<&str>) -> Result<Option<Timestamp>, Box<Response>> {
    let why = "`since` must be an RFC 3339 time such as 2026-11-23T10:00:00Z";
    let read = text.map(str::parse::<Timestamp>).transpose();
    read.map_err(|_| Box::new(refused(StatusCode::BAD_REQUEST, why)))
}

#[derive(Deserialize)]
struct RefusalsParams {
    limit: Option<u32>,
    since: Option<String>,
    client: Option<String>,
    code: Option<String>,
}

/// What was turned away before there was a decision, up to now.
async fn refusals(State(control): State<Arc<Control>>, Query(params): Query<RefusalsParams>) -> Response {
    let since = match since(params.since.as_deref()) {
        Ok(since) => since,
        Err(told) => return *told,
    };
    let query = RefusalQuery {
        limit: params.limit.unwrap_or(DECISIONS).clamp(1, MOST_DECISIONS),
        since,
        client: params.client,
        code: params.code,
    };
    match control.ledger.refusals(query).await {
        Ok(found) => Json(json!({"refusals": found})).into_response(),
        Err(error) => refused(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
}

async fn decision(State(control): State<Arc<Control>>, Path(id): Path<String>) -> Response {
    match control.ledger.decision(id).await {
        Ok(Some(found)) => Json(found).into_response(),
        Ok(None) => refused(StatusCode::NOT_FOUND, "no decision has this id"),
        Err(error) => refused(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
}

fn refused(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"error": {"message": message}}))).into_response()
}
