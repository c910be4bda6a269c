//! `GET /v1/models` and `/v1/models/{id}`: the routes' names and the literal names in `match`; globs are not listed.

use super::Gateway;
use super::authenticate::authenticate;
use super::body::ResponseBody;
use super::failed::Told;
use super::prepare::not_found;
use crate::policy::snapshot::Snapshot;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};
use std::net::IpAddr;

pub fn list(gateway: &Gateway, headers: &HeaderMap, peer: Option<IpAddr>) -> Response<ResponseBody> {
    answer(gateway, headers, peer, |snapshot, since| {
        let data: Vec<Value> = names(snapshot).into_iter().map(|name| entry(name, since)).collect();
        Ok(json!({"object": "list", "data": data}))
    })
}

pub fn one(gateway: &Gateway, headers: &HeaderMap, peer: Option<IpAddr>, id: &str) -> Response<ResponseBody> {
    answer(gateway, headers, peer, |snapshot, since| {
        match snapshot.routes_named(id).next() {
            Some(_) => Ok(entry(id, since)),
            None => Err(not_found(id)),
        }
    })
}

fn answer(
    gateway: &Gateway,
    headers: &HeaderMap,
    peer: Option<IpAddr>,
    make: impl FnOnce(&Snapshot, i64) -> Result<Value, Told>,
) -> Response<ResponseBody> {
    let policy = gateway.live.policy();
    if let Err(error) = authenticate(&policy.snapshot, &gateway.credentials, headers, peer) {
        let told = Told::new(
            StatusCode::UNAUTHORIZED,
            "invalid_request_error",
            "invalid_api_key",
            error.to_string(),
        );
        return told.response();
    }
    match make(&policy.snapshot, policy.since.as_second()) {
        Err(told) => told.response(),
        Ok(body) => {
            let mut response = Response::new(ResponseBody::whole(body.to_string()));
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
    }
}

/// In declared order, each once.
fn names(snapshot: &Snapshot) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for route in &snapshot.routes {
        let literal = route
            .matches
            .models
            .iter()
            .filter(|pattern| pattern.is_literal())
            .map(|pattern| pattern.0.as_ref());
        for name in std::iter::once(route.name.as_ref()).chain(literal) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

fn entry(id: &str, since: i64) -> Value {
    json!({"id": id, "object": "model", "created": since, "owned_by": "planb"})
}
