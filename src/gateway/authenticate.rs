//! Client key → client with its tags. Without clients configured, loopback alone may call and its headers are trusted.

use crate::policy::snapshot::Snapshot;
use crate::request::{Caller, Tags};
use crate::upstream::credentials::Credentials;
use http::HeaderMap;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use subtle::ConstantTimeEq;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unauthenticated {
    #[error("a client key is needed: send it as `Authorization: Bearer KEY` or `x-api-key: KEY`")]
    NoKey,
    #[error("the client key is not known here")]
    WrongKey,
    #[error("without clients in the policy only this machine may call")]
    NotLocal,
}

/// Who calls, and whether its headers may say more about the request than its client does.
#[derive(Clone, Debug)]
pub struct Authenticated {
    pub caller: Caller,
    /// No clients are configured: loopback, trusted.
    pub trusted: bool,
}

/// `peer` is `None` on a transport that is local by nature.
pub fn authenticate(
    snapshot: &Snapshot,
    credentials: &Credentials,
    headers: &HeaderMap,
    peer: Option<IpAddr>,
) -> Result<Authenticated, Unauthenticated> {
    if snapshot.clients.is_empty() {
        let local = peer.is_none_or(|peer| peer.to_canonical().is_loopback());
        let caller = Caller { tags: tags_of(headers), purpose: word_of(headers, "x-planb-use"), ..Caller::default() };
        return if local { Ok(Authenticated { caller, trusted: true }) } else { Err(Unauthenticated::NotLocal) };
    }
    let given = digest(key_of(headers).ok_or(Unauthenticated::NoKey)?.as_bytes());
    let mut found = None;
    // Every key is compared, and by digest, so that time tells neither which client nor how much of a key was right.
    for client in &snapshot.clients {
        let Ok(key) = credentials.get(&client.key) else { continue };
        if bool::from(digest(key.secret.expose_secret().as_bytes()).ct_eq(&given)) {
            found = Some(client);
        }
    }
    let client = found.ok_or(Unauthenticated::WrongKey)?;
    let caller = Caller { client: client.name.clone(), tags: client.tags.clone(), ..Caller::default() };
    Ok(Authenticated { caller, trusted: false })
}

fn key_of(headers: &HeaderMap) -> Option<&str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text("authorization").and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
    });
    bearer.or_else(|| text("x-api-key")).filter(|key| !key.is_empty())
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// `x-planb-tags: team=search, app=chat`; bounded, and what has no `=` is left out.
fn tags_of(headers: &HeaderMap) -> Tags {
    const MOST: usize = 16;
    let text = headers.get("x-planb-tags").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    Tags::new(pairs.take(MOST).map(|(name, value)| (name.trim(), value.trim())))
}

fn word_of(headers: &HeaderMap, name: &str) -> std::sync::Arc<str> {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().trim().into()
}
