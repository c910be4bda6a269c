//! What changes something: a plan's override by hand, a reload.

use super::instant::time;
use super::{Control, refused};
use crate::plan::{Now, Override, PlanError};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// An override ends at `until`, or after `for` seconds; without either it stays until it is released by another.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct OverrideBody {
    until: Option<String>,
    #[serde(rename = "for")]
    seconds: Option<u32>,
}

pub async fn override_plan(
    State(control): State<Arc<Control>>,
    Path((name, action)): Path<(String, String)>,
    body: axum::body::Bytes,
) -> Response {
    let activate = match action.as_str() {
        "activate" => true,
        "release" => false,
        _ => return refused(StatusCode::NOT_FOUND, "a plan can be `activate`d or `release`d"),
    };
    let until = match end_of(&body, control.clock.now()) {
        Ok(until) => until,
        Err(message) => return refused(StatusCode::BAD_REQUEST, &message),
    };
    let now = Now {
        wall: control.clock.now(),
        up: control.clock.uptime(),
    };
    match control.live.override_plan(
        &name,
        Override {
            active: activate,
            until,
        },
        now,
    ) {
        Ok(()) => {}
        Err(error @ PlanError::Unknown(_)) => return refused(StatusCode::NOT_FOUND, &error.to_string()),
        Err(error @ PlanError::EndPassed(_)) => return refused(StatusCode::BAD_REQUEST, &error.to_string()),
    }
    control.overridden.notify_one();
    let until = until.map(time);
    Json(json!({"plan": name, "active": activate, "until": until})).into_response()
}

fn end_of(body: &[u8], now: Timestamp) -> Result<Option<Timestamp>, String> {
    const EXPECTED: &str =
        "the body may be empty or {\"until\": \"2026-11-23T18:00:00Z\"} or {\"for\": 3600} (seconds)";
    if body.trim_ascii().is_empty() {
        return Ok(None);
    }
    let body: OverrideBody = serde_json::from_slice(body).map_err(|error| format!("{EXPECTED}: {error}"))?;
    match (body.until, body.seconds) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(EXPECTED.to_owned()),
        (Some(until), None) => until.parse::<Timestamp>().map(Some).map_err(|_| EXPECTED.to_owned()),
        (None, Some(seconds)) => now
            .checked_add(SignedDuration::from_secs(i64::from(seconds)))
            .map(Some)
            .map_err(|_| "`for` is too long".to_owned()),
    }
}

/// Reads the files again; what comes of it shows in `/planb/policy`.
pub async fn reload(State(control): State<Arc<Control>>) -> Response {
    control.reload.notify_one();
    (StatusCode::ACCEPTED, Json(json!({"reload": "asked for"}))).into_response()
}
