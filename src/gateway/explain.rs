//! `x-planb-explain: 1`: the decision itself as the answer, without a call. Every model of the route appears once.

use super::body::ResponseBody;
use super::prepare::Prepared;
use super::survey::Survey;
use crate::decide::Candidate;
use http::{HeaderValue, Response, header};
use serde_json::json;

pub fn response(prepared: &Prepared, survey: &Survey) -> Response<ResponseBody> {
    let snapshot = &prepared.policy.snapshot;
    let candidates: Vec<_> = survey
        .decision
        .candidates
        .iter()
        .enumerate()
        .map(|(place, candidate)| {
            let model = snapshot.model(candidate.id);
            json!({
                "model": &*model.name,
                "provider": &*snapshot.provider(model.provider).name,
                "supply": model.supply.word(),
                "quality": model.quality,
                "place": if place == 0 { "chosen" } else { "next" },
                "worst_cost": candidate.worst.to_string(),
                // Without any bound at all there is no number to give.
                "output": (candidate.output < u64::MAX).then_some(candidate.output),
                "output_cap": candidate.cap,
                "cold": candidate.cold,
                "thinking": thinking(prepared, candidate),
            })
        })
        .collect();
    let excluded: Vec<_> = survey
        .decision
        .excluded
        .iter()
        .map(|exclusion| {
            json!({
                "model": &*snapshot.model(exclusion.id).name,
                "reason": exclusion.reason.code(),
                "detail": exclusion.reason.to_string(),
            })
        })
        .collect();
    let body = json!({
        "object": "planb.explanation",
        "route": &*prepared.route,
        "input": prepared.needs.input,
        "currency": snapshot.currency.code(),
        "plans": survey.plans.iter().map(|plan| plan.to_string()).collect::<Vec<_>>(),
        "candidates": candidates,
        "excluded": excluded,
    });
    let mut response = Response::new(ResponseBody::whole(body.to_string()));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// What an active plan makes of thinking; nothing where none says anything of it.
fn thinking(prepared: &Prepared, candidate: &Candidate) -> Option<&'static str> {
    let now = prepared.route_id().and_then(|id| prepared.policy.effective.route(id))?;
    let traits = &prepared.policy.snapshot.model(candidate.id).traits;
    if !traits.reasoning {
        return None;
    }
    let can = traits.thinking_switch.is_some();
    now.terms
        .thinking_off
        .then_some(if can { "switched off" } else { "cannot be switched off" })
}
