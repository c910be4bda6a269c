//! `x-planb-explain: 1`: the decision itself as the answer, without a call. Every model of the route appears once.

use super::Gateway;
use super::body::ResponseBody;
use super::mirror;
use super::prepare::Prepared;
use super::survey::Survey;
use crate::decide;
use crate::decide::explain::{Explanation, Grounds, PlanLine};
use http::{HeaderValue, Response, header};
use std::sync::Arc;

pub fn response(gateway: &Arc<Gateway>, prepared: &Prepared, survey: &Survey) -> Response<ResponseBody> {
    let (grounds, now) = (grounds(prepared, survey), gateway.clock.now());
    let mut told = Explanation::new(&grounds, &prepared.route, &prepared.needs, now);
    told.mirror = mirror::explained(gateway, prepared);
    let explanation = told.json();
    let mut response = Response::new(ResponseBody::whole(explanation.to_string()));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// What the decision rested on, for whoever asks and for the record.
pub fn grounds(prepared: &Prepared, survey: &Survey) -> Grounds {
    let (snapshot, decision) = (&prepared.policy.snapshot, &survey.decision);
    let plans = decision.plans.iter().map(|plan| PlanLine {
        name: snapshot.plans[*plan].name.clone(),
        why: prepared.policy.effective.why(*plan),
    });
    let terms = decide::terms(prepared.rules(), prepared.target);
    let dropped = prepared.reshapes.iter().filter_map(|(id, reshaped)| {
        let fields = &reshaped.as_ref().ok()?.dropped;
        (!fields.is_empty()).then(|| (*id, fields.clone()))
    });
    Grounds {
        stay: prepared.held.zip(decision.stay).map(|(held, stay)| (held.model, stay)),
        dropped: dropped.collect(),
        ..Grounds::of(snapshot, &terms, decision, plans.collect())
    }
}
