//! Providers: where models are called, with which key and patience.

use super::{Limits, Shaping};
use crate::catalog::{KeyHeader, Place, Vendor, Wire};
use crate::policy::condition::StateCondition;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Where a secret is found; its value is read by the edges and never part of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CredentialRef {
    Env(Arc<str>),
    /// The name of a file in the folder that systemd hands over in `$CREDENTIALS_DIRECTORY`.
    Credential(Arc<str>),
    /// Absolute, or relative to the working directory when the policy's own path is.
    File(PathBuf),
}

impl CredentialRef {
    /// As the policy writes it. Names the credential without telling it.
    pub fn label(&self) -> String {
        match self {
            Self::Env(name) => format!("env:{name}"),
            Self::Credential(name) => format!("credential:{name}"),
            Self::File(path) => format!("file:{}", path.display()),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Provider {
    pub name: Arc<str>,
    pub vendor: Vendor,
    /// Its region's facts: which list and prices hold, where data stays.
    pub place: Place,
    /// Without a trailing slash and with its path (`…/v1`): [`Self::address`] says what is appended.
    pub base_url: Arc<str>,
    /// The same of models that are called in the Messages dialect, where they have a host of their own.
    pub messages_url: Option<&'static str>,
    pub key_header: KeyHeader,
    /// Empty: the vendor needs no key and none was given.
    pub keys: Vec<ProviderKey>,
    pub timeouts: Timeouts,
    /// False for `breaker: none`.
    pub breaker: bool,
    /// False for `cooldown: none`.
    pub cooldown: bool,
    pub allow_private: bool,
    /// Its models are no candidates.
    pub disabled: bool,
    pub limits: Limits,
    pub shaping: Shaping,
    pub start: Option<Start>,
    pub running: Running,
}

/// When a local server runs; an edit of it restarts nothing.
#[derive(Clone, Debug, Default)]
pub struct Running {
    /// A server that planb started is stopped once nothing has asked for it so long; `None` is never.
    pub idle: Option<Duration>,
    /// Kept running while this holds.
    pub warm_when: Option<StateCondition>,
}

/// One of the keys of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderKey {
    pub credential: CredentialRef,
    /// As the policy calls it, or its place in the list from 1; empty where it is the only one.
    pub name: Arc<str>,
    /// Its share of the requests, beside the others'.
    pub weight: u32,
    pub limits: Limits,
}

impl Provider {
    /// Where a model is called; `path` is the one of OpenAI's API that the request came to.
    pub fn address(&self, upstream: &str, path: &str, stream: bool) -> String {
        let base = &self.base_url;
        match Wire::of(self.vendor, upstream) {
            Wire::Chat if self.vendor == Vendor::Vertex => format!("{base}/endpoints/openapi{path}"),
            Wire::Chat => format!("{base}{path}"),
            Wire::Messages => format!("{}/v1/messages", self.messages_url.unwrap_or(base)),
            Wire::RawPredict => {
                let verb = if stream { "streamRawPredict" } else { "rawPredict" };
                format!("{base}/publishers/anthropic/models/{upstream}:{verb}")
            }
        }
    }

    /// Where a model is called to chat, as it is shown.
    pub fn chat_address(&self, upstream: &str) -> String {
        self.address(upstream, "/chat/completions", false)
    }

    /// The free listing that tells whether it answers.
    pub fn listing(&self) -> String {
        format!("{}{}", self.base_url, self.vendor.facts().listing_path)
    }

    /// What health knows its keys by, and their weights. A provider without keys has one nameless.
    pub fn weighted_keys(&self) -> Vec<(Arc<str>, u32)> {
        if self.keys.is_empty() {
            return vec![("".into(), 1)];
        }
        let one = |key: &ProviderKey| (key.credential.label().into(), key.weight);
        self.keys.iter().map(one).collect()
    }
}

/// `None` leaves the word to the next wider scope; the tightest of those given counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    pub connect: Option<Duration>,
    pub first_token: Option<Duration>,
    pub idle: Option<Duration>,
    pub total: Option<Duration>,
}

/// How to run a local server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The program (resolved from the policy's folder when it has a slash) and its arguments.
    pub command: Vec<String>,
    /// The policy's folder, in which the command runs.
    pub directory: PathBuf,
    /// On top of planb's own environment.
    pub env: Vec<(Arc<str>, Arc<str>)>,
    /// How long the server may take until its health path answers.
    pub ready: Duration,
}
