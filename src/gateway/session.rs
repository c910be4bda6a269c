//! Which conversation a request goes on with, by the names that clients give it or else by how it begins; and what that
//! conversation has at the model that answered it last. No text is kept: only keyed hashes.

use super::Gateway;
use crate::decide::{Held, Lock};
use crate::dialect::Inbound;
use crate::dialect::chat::request::ChatRequest;
use crate::live::Policy;
use crate::policy::snapshot::ModelId;
use crate::request::{Caller, Requirements};
use crate::session::{Answered, Keyer, Session, SessionKey};
use crate::usage::Usage;
use http::HeaderMap;
use std::sync::Arc;
use std::time::Duration;

/// The names that clients and other gateways give a session, the first one that is there counts.
const HEADERS: [&str; 9] = [
    "x-claude-code-session-id",
    "x-session-id",
    "x-litellm-session-id",
    "x-litellm-trace-id",
    "x-model-affinity",
    "x-session-affinity",
    "session-id",
    "session_id",
    "x-qwen-code-session-id",
];
/// How a client names its run.
const RUN: &str = "x-planb-run";
/// Longer names are hashed.
const LONGEST_RUN: usize = 100;
/// A provider that says nothing of it keeps a prompt so long.
const USUAL_LIFETIME: Duration = Duration::from_secs(300);

/// The conversation's key: under the caller and the route, so that nobody meets another's.
pub fn key(keyer: &Keyer, headers: &HeaderMap, chat: &ChatRequest, caller: &Caller) -> SessionKey {
    let named = HEADERS.iter().find_map(|name| {
        let value = headers.get(*name)?.as_bytes();
        (!value.is_empty()).then_some(value)
    });
    let (client, route) = (caller.client.as_bytes(), caller.route.as_bytes());
    match named.or_else(|| chat.session_name()) {
        Some(name) => keyer.key(&[client, route, b"named", name]),
        None => keyer.key(&[client, route, chat.tools_json(), chat.conversation().beginning]),
    }
}

/// What a budget with `each: run` tells apart: what the client names, else the conversation, else what is asked.
pub fn run(keyer: &Keyer, headers: &HeaderMap, inbound: &Inbound, caller: &Caller) -> Arc<str> {
    let (client, route) = (caller.client.as_bytes(), caller.route.as_bytes());
    let key = match headers.get(RUN).map(|value| value.as_bytes()) {
        Some(name) if !name.is_empty() => match std::str::from_utf8(name) {
            Ok(name) if name.len() <= LONGEST_RUN => return name.into(),
            _ => keyer.key(&[client, b"run", name]),
        },
        _ => match inbound.as_chat() {
            Some(chat) => key(keyer, headers, chat, caller),
            None => keyer.key(&[client, route, b"no conversation"]),
        },
    };
    format!("{:016x}", key.seed()).into()
}

/// What the conversation has at the model that answered it last, if it was answered before and that model is still there;
/// and the label of the key with which alone it has that.
pub fn held(
    gateway: &Gateway,
    policy: &Policy,
    key: SessionKey,
    chat: &ChatRequest,
    needs: &Requirements,
) -> Option<(Held, Arc<str>)> {
    let now = gateway.clock.uptime();
    let session: Session = gateway.live.sessions.lock().get(key, now)?.clone();
    let named = |name: &Arc<str>| policy.snapshot.model_named(name);
    let going_on = chat.conversation();
    let held = Held {
        model: named(&session.model)?,
        lock: if going_on.answers_a_call {
            Some(Lock::ToolLoop)
        } else {
            going_on.sealed.then_some(Lock::Reasoning)
        },
        cached: session.is_warm(now).then(|| session.cached_share(needs.input, now)),
        moved_from: session.moved_from.as_ref().and_then(named),
        replanned: session.plans != plans_of(policy),
    };
    Some((held, session.key))
}

/// An answer came whole, with that one of the provider's keys. It counts however little the provider says of its usage:
/// the next request may go on with a tool call.
pub fn answered(gateway: &Gateway, policy: &Policy, session: SessionKey, model: (ModelId, usize), usage: &Usage) {
    let (model, key) = model;
    let (of, vendor) = (policy.snapshot.model(model), policy.snapshot.provider_of(model).vendor);
    let minutes = vendor.facts().cache_minutes.map(u64::from);
    let answer = Answered {
        model: of.name.clone(),
        key: policy
            .keys(model)
            .get(key)
            .map_or_else(Arc::default, |key| key.credential.clone()),
        input: usage.input,
        cache_read: (!usage.estimated).then(|| usage.cache_read.saturating_add(usage.cache_read_explicit)),
        output: usage.output,
        lifetime: minutes.map_or(USUAL_LIFETIME, |minutes| Duration::from_secs(minutes * 60)),
        plans: plans_of(policy),
        now: gateway.clock.uptime(),
    };
    gateway.live.sessions.lock().answered(session, answer);
}

/// A number that differs when other plans are active.
fn plans_of(policy: &Policy) -> u64 {
    let plans = policy.effective.active().iter();
    let names = plans.filter_map(|plan| policy.snapshot.plans.get(*plan));
    let bytes = names.flat_map(|plan| plan.name.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
