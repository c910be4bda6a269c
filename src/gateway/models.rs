//! `GET /v1/models` and `/v1/models/{id}`: the routes' names and the literal names in `match`; globs are not listed.

use super::Gateway;
use super::authenticate::authenticate;
use super::body::ResponseBody;
use super::failed::Told;
use super::prepare::not_found;
use super::turned_away::TurnedAway;
use crate::policy::snapshot::{Client, RouteId, Snapshot};
use http::{HeaderMap, HeaderValue, Response, header};
use serde_json::{Value, json};
use std::net::IpAddr;

pub fn list(gateway: &Gateway, headers: &HeaderMap, peer: Option<IpAddr>) -> Response<ResponseBody> {
    answer(gateway, headers, peer, |snapshot, client, since| {
        let data: Vec<Value> = names(snapshot, client)
            .into_iter()
            .map(|name| entry(name, since))
            .collect();
        Ok(json!({"object": "list", "data": data}))
    })
}

pub fn one(gateway: &Gateway, headers: &HeaderMap, peer: Option<IpAddr>, id: &str) -> Response<ResponseBody> {
    answer(gateway, headers, peer, |snapshot, client, since| {
        let there = |id: &RouteId| client.is_none_or(|client| client.may_call(*id));
        match snapshot.routes_named(id).find(there) {
            Some(_) => Ok(entry(id, since)),
            None => Err(not_found(id)),
        }
    })
}

fn answer(
    gateway: &Gateway,
    headers: &HeaderMap,
    peer: Option<IpAddr>,
    make: impl FnOnce(&Snapshot, Option<&Client>, i64) -> Result<Value, Told>,
) -> Response<ResponseBody> {
    let policy = gateway.live.policy();
    let snapshot = &policy.snapshot;
    let client = match authenticate(gateway, snapshot, headers, peer) {
        Ok(id) => id.map(|id| snapshot.client(id)),
        Err(away) => return away.response(gateway),
    };
    match make(snapshot, client, policy.since.as_second()) {
        Err(told) => {
            let client = client.map(|client| client.name.clone()).unwrap_or_default();
            TurnedAway::from(told).by(&client).response(gateway)
        }
        Ok(body) => {
            let mut response = Response::new(ResponseBody::whole(body.to_string()));
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
    }
}

/// Of the routes that are there for the client, in declared order, each once.
fn names<'a>(snapshot: &'a Snapshot, client: Option<&Client>) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    let there = |id: usize| client.is_none_or(|client| client.may_call(RouteId(id)));
    for (_, route) in snapshot.routes.iter().enumerate().filter(|(id, _)| there(*id)) {
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
