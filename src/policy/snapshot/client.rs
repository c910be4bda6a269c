//! Clients: applications with a key and what they are tagged with.

use super::CredentialRef;
use crate::request::Tags;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub struct Client {
    pub name: Arc<str>,
    pub key: CredentialRef,
    pub tags: Tags,
}
