//! `x-planb-explain: 1`: the decision itself as the answer, without a call. Every model of the route appears once.

use super::body::ResponseBody;
use super::prepare::Prepared;
use super::survey::Survey;
use crate::decide;
use crate::decide::explain::{Explanation, PlanLine};
use http::{HeaderValue, Response, header};
use jiff::Timestamp;
use serde_json::json;

pub fn response(prepared: &Prepared, survey: &Survey, now: Timestamp) -> Response<ResponseBody> {
    let mut explanation = explanation(prepared, survey, now).json();
    if let (Some(stay), Some(told)) = (survey.decision.stay, explanation.as_object_mut()) {
        let model = prepared
            .held
            .map(|held| &*prepared.policy.snapshot.model(held.model).name);
        told.insert("conversation".to_owned(), json!({"model": model, "stay": stay.word()}));
    }
    let mut response = Response::new(ResponseBody::whole(explanation.to_string()));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn explanation(prepared: &Prepared, survey: &Survey, now: Timestamp) -> Explanation {
    let policy = &prepared.policy;
    let plans = survey.plans.iter().map(|name| PlanLine {
        name: name.to_string(),
        why: String::new(),
    });
    let terms = decide::terms(prepared.rules(), prepared.target);
    Explanation::new(
        &policy.snapshot,
        &prepared.route,
        &terms,
        &prepared.needs,
        &survey.decision,
        plans.collect(),
        now,
    )
}
