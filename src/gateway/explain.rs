//! `x-planb-explain: 1`: the decision itself as the answer, without a call. Every model of the route appears once.

use super::Gateway;
use super::body::ResponseBody;
use super::grounds::grounds;
use super::mirror;
use super::prepare::Prepared;
use super::survey::Survey;
use crate::decide::explain::Explanation;
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
