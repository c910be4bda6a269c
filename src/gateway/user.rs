//! Whose request it is, as clients name their users: hashed under this installation's own key before anybody sees it.

use super::Gateway;
use super::ticket::Errand;
use crate::dialect::Inbound;
use crate::ledger::record::EndKind;
use crate::policy::snapshot::ModelId;
use crate::session::Keyer;
use http::HeaderMap;
use serde::Deserialize;
use std::sync::Arc;

/// The names that other gateways give it; the first one that is there counts, before the body's.
const HEADERS: [&str; 2] = ["x-litellm-end-user-id", "x-litellm-customer-id"];
/// Some clients append the conversation to a user's name.
const SESSION: &str = "_session_";

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    safety_identifier: Option<String>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    user_id: Option<String>,
}

/// The same name under two clients is two users.
pub fn hashed(keyer: &Keyer, headers: &HeaderMap, inbound: &Inbound, client: &str) -> Option<u64> {
    let header = HEADERS.iter().find_map(|name| headers.get(*name)?.to_str().ok());
    let name = match header.filter(|name| !name.is_empty()) {
        Some(name) => name.to_owned(),
        None => named(inbound.body())?,
    };
    Some(keyer.key(&[b"user", client.as_bytes(), name.as_bytes()]).seed())
}

/// A user of whom an attempt made one more of some licences' users.
#[derive(Debug, Default)]
pub struct Counted {
    user: u64,
    licenses: Vec<Arc<str>>,
}

impl Counted {
    /// From here on the request's user is one of those that the model's licences have.
    pub fn begin(errand: &Errand, id: ModelId) -> Self {
        let Some(user) = errand.needs.user else {
            return Self::default();
        };
        let snapshot = &errand.policy.snapshot;
        let licenses = snapshot
            .model(id)
            .licenses()
            .filter_map(|id| snapshot.licenses.get(id.0));
        let bounded = licenses.filter(|license| license.bounds_users());
        let now = errand.gateway.clock.now();
        let first = bounded.filter(|license| errand.gateway.live.license_users.lock().begin(&license.name, user, now));
        Self {
            user,
            licenses: first.map(|license| license.name.clone()).collect(),
        }
    }

    /// A call that used nothing takes nobody's place.
    pub fn settle(&self, gateway: &Gateway, end: EndKind) {
        if end == EndKind::Voided && !self.licenses.is_empty() {
            let mut users = gateway.live.license_users.lock();
            self.licenses
                .iter()
                .for_each(|license| users.forget(license, self.user));
        }
    }
}

fn named(body: &[u8]) -> Option<String> {
    let named: Named = serde_json::from_slice(body).ok()?;
    let of_metadata = named.metadata.and_then(|metadata| metadata.user_id);
    let name = [named.safety_identifier, named.user, of_metadata]
        .into_iter()
        .flatten()
        .find(|name| !name.is_empty())?;
    let person = name.split_once(SESSION).map(|(person, _)| person.to_owned());
    Some(person.filter(|person| !person.is_empty()).unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_the_names_that_clients_give_it_and_without_its_conversation() {
        for (body, wanted) in [
            (r#"{"user": "ann"}"#, Some("ann")),
            (r#"{"user": "ann", "safety_identifier": "x1"}"#, Some("x1")),
            (
                r#"{"user": "", "metadata": {"user_id": "u_1_session_9f"}}"#,
                Some("u_1"),
            ),
            (r#"{"metadata": {"team": "search"}}"#, None),
            (r#"{"user": 7}"#, None),
            (r#"{}"#, None),
        ] {
            assert_eq!(named(body.as_bytes()).as_deref(), wanted, "{body}");
        }
    }
}
