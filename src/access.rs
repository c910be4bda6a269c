//! Who calls: a key to its client. Without clients in the policy, whoever is on this machine.
//!
//! Every key of every client is compared, by digest and in constant time. A key that two clients have is nobody's: whose
//! money would it spend?

use crate::peer::Peer;
use crate::policy::snapshot::{ClientId, CredentialRef, Snapshot};
use crate::upstream::credentials::{Credentials, digest};
use http::HeaderMap;
use jiff::Timestamp;
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("a client key is needed: send it as `Authorization: Bearer KEY` or `x-api-key: KEY`")]
    NoKey,
    #[error("the client key is not known here")]
    WrongKey,
    #[error("two clients of the policy have this key, so that it is nobody's; each needs one of its own")]
    SharedKey,
    #[error("the key of client `{client}` was good up to and including {last}")]
    Expired { client: Arc<str>, last: Arc<str> },
    #[error("without clients in the policy only this machine may call")]
    NotLocal,
}

/// The client that calls; `None` where the policy has none and the caller is on this machine.
pub fn identify(
    snapshot: &Snapshot,
    credentials: &Credentials,
    headers: &HeaderMap,
    peer: Peer,
    now: Timestamp,
) -> Result<Option<ClientId>, Refused> {
    if snapshot.clients.is_empty() {
        return if peer.is_local() {
            Ok(None)
        } else {
            Err(Refused::NotLocal)
        };
    }
    let given = digest(key_of(headers).ok_or(Refused::NoKey)?);
    let mut found: Vec<ClientId> = Vec::new();
    for (id, client) in snapshot.clients.iter().enumerate() {
        for key in &client.keys {
            let matches = credentials.get(key).is_ok_and(|known| known.has_digest(&given));
            if matches && found.last() != Some(&ClientId(id)) {
                found.push(ClientId(id));
            }
        }
    }
    let [id] = found.as_slice() else {
        return Err(if found.is_empty() {
            Refused::WrongKey
        } else {
            Refused::SharedKey
        });
    };
    let client = snapshot.client(*id);
    match &client.expires {
        Some(expiry) if now >= expiry.end => Err(Refused::Expired {
            client: client.name.clone(),
            last: expiry.last.clone(),
        }),
        _ => Ok(Some(*id)),
    }
}

/// Pairs of clients whose references lead to the same key, which no reading of the policy can see.
pub fn shared_keys(snapshot: &Snapshot, credentials: &Credentials) -> Vec<(Arc<str>, Arc<str>)> {
    let mut known: Vec<(ClientId, &CredentialRef)> = Vec::new();
    let mut shared = Vec::new();
    for (id, client) in snapshot.clients.iter().enumerate() {
        for key in &client.keys {
            let Ok(value) = credentials.get(key) else { continue };
            for (other, theirs) in known.iter().filter(|(other, _)| other.0 != id) {
                if credentials.get(theirs).is_ok_and(|theirs| value.is_same(&theirs)) {
                    shared.push((snapshot.client(*other).name.clone(), client.name.clone()));
                }
            }
            known.push((ClientId(id), key));
        }
    }
    shared.dedup();
    shared
}

fn key_of(headers: &HeaderMap) -> Option<&str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text("authorization").and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
    });
    bearer.or_else(|| text("x-api-key")).filter(|key| !key.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Sources, compile};
    use http::{HeaderName, HeaderValue};

    const TEXT: &str = "
timezone: Asia/Shanghai
providers: {home: {vendor: llama.cpp}}
models: {m: {provider: home, supply: local}}
routes: [{name: chat, try: [m]}]
clients:
  one: {keys: [env:ONE, env:ONE_OLD], expires: 2027-06-30}
  two: {key: env:TWO}
  three: {key: env:THREE}
  four: {key: env:FOUR}
";

    fn setup() -> (Snapshot, Credentials) {
        let snapshot = compile(&Sources::single("p.yaml", "".into(), TEXT), Timestamp::UNIX_EPOCH)
            .unwrap()
            .snapshot;
        let credentials = Credentials::with_environment(|name| {
            Some(match name {
                "ONE" => "sk-one".into(),
                "ONE_OLD" => "sk-old".into(),
                "TWO" => "sk-two".into(),
                "THREE" | "FOUR" => "sk-same".into(),
                _ => return None,
            })
        });
        credentials.track(snapshot.clients.iter().flat_map(|client| client.keys.clone()));
        (snapshot, credentials)
    }

    fn ask(header: &'static str, key: &str, now: &str) -> Result<Option<ClientId>, Refused> {
        let (snapshot, credentials) = setup();
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static(header), HeaderValue::from_str(key).unwrap());
        let far = Peer(Some([192, 0, 2, 1].into()));
        identify(&snapshot, &credentials, &headers, far, now.parse().unwrap())
    }

    const NOON: &str = "2026-11-23T12:00:00Z";

    #[test]
    fn each_key_of_a_client_is_as_good_as_the_other() {
        for key in ["Bearer sk-one", "bearer  sk-old"] {
            assert_eq!(ask("authorization", key, NOON), Ok(Some(ClientId(0))), "{key}");
        }
        assert_eq!(ask("x-api-key", "sk-two", NOON), Ok(Some(ClientId(1))));
        for key in [
            "",
            "Bearer ",
            "Bearer sk-on",
            "Bearer sk-onee",
            "Basic sk-one",
            "sk-one",
        ] {
            assert!(ask("authorization", key, NOON).is_err(), "{key}");
        }
    }

    #[test]
    fn a_key_that_two_clients_have_is_nobodys_and_both_are_named() {
        assert_eq!(ask("x-api-key", "sk-same", NOON), Err(Refused::SharedKey));
        let (snapshot, credentials) = setup();
        assert_eq!(shared_keys(&snapshot, &credentials), [("three".into(), "four".into())]);
    }

    #[test]
    fn the_last_day_counts_whole_in_the_policys_zone() {
        assert_eq!(
            ask("x-api-key", "sk-one", "2027-06-30T15:59:59Z"),
            Ok(Some(ClientId(0)))
        );
        let refused = ask("x-api-key", "sk-one", "2027-06-30T16:00:00Z").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the key of client `one` was good up to and including 2027-06-30"
        );
        assert_eq!(
            ask("x-api-key", "sk-two", "2027-06-30T16:00:00Z"),
            Ok(Some(ClientId(1)))
        );
    }
}
