//! A request in the dialect that its client speaks: what the way through the daemon needs to know of it, whichever it is.

use super::chat::answer::{self, Answer};
use super::chat::request::{ChatRequest, Shape};
use super::embeddings;
use super::embeddings::request::EmbeddingsRequest;
use super::members::Unreadable;
use super::options;
use crate::catalog::VendorFacts;
use crate::request::Requirements;
use bytes::Bytes;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub enum Inbound {
    Chat(Box<ChatRequest>),
    Embeddings(EmbeddingsRequest),
}

impl Inbound {
    pub fn chat(body: Bytes) -> Result<Self, Unreadable> {
        ChatRequest::read(body).map(|chat| Self::Chat(Box::new(chat)))
    }

    pub fn embeddings(body: Bytes) -> Result<Self, Unreadable> {
        EmbeddingsRequest::read(body).map(Self::Embeddings)
    }

    /// The request where it is part of a conversation.
    pub fn as_chat(&self) -> Option<&ChatRequest> {
        match self {
            Self::Chat(chat) => Some(chat),
            Self::Embeddings(_) => None,
        }
    }

    /// As the client wrote it.
    pub const fn body(&self) -> &Bytes {
        match self {
            Self::Chat(chat) => chat.body(),
            Self::Embeddings(embeddings) => embeddings.body(),
        }
    }

    /// The same request with another body, read anew.
    pub fn with_body(&self, body: Bytes) -> Result<Self, Unreadable> {
        match self {
            Self::Chat(_) => Self::chat(body),
            Self::Embeddings(_) => Self::embeddings(body),
        }
    }

    /// What the client calls the model.
    pub fn model(&self) -> &str {
        match self {
            Self::Chat(chat) => &chat.model,
            Self::Embeddings(embeddings) => &embeddings.model,
        }
    }

    pub const fn dialect(&self) -> &'static str {
        match self {
            Self::Chat(_) => "chat",
            Self::Embeddings(_) => "embeddings",
        }
    }

    /// Behind a provider's base URL.
    pub const fn path(&self) -> &'static str {
        match self {
            Self::Chat(_) => "/chat/completions",
            Self::Embeddings(_) => "/embeddings",
        }
    }

    pub const fn stream(&self) -> bool {
        match self {
            Self::Chat(chat) => chat.stream,
            Self::Embeddings(_) => false,
        }
    }

    /// The client asked for usage in the stream and gets to see it.
    pub const fn wants_usage(&self) -> bool {
        match self {
            Self::Chat(chat) => chat.wants_usage,
            Self::Embeddings(_) => false,
        }
    }

    /// What it needs of a model by its own words; who asks is for others to say. `priced` are the fields that the policy
    /// has prices for.
    pub fn needs(&self, priced: &[Arc<str>]) -> Requirements {
        let mut needs = match self {
            Self::Chat(chat) => chat.needs(),
            Self::Embeddings(embeddings) => Requirements {
                input: embeddings.input,
                choices: 1,
                embeds: true,
                ..Requirements::default()
            },
        };
        needs.extras.options = options::options(self.body(), priced);
        needs
    }

    /// The bytes for one provider.
    pub fn for_upstream(&self, upstream: &str, vendor: &VendorFacts, shape: Shape) -> Bytes {
        match self {
            Self::Chat(chat) => chat.for_upstream(upstream, vendor, shape),
            Self::Embeddings(embeddings) => embeddings.for_upstream(upstream),
        }
    }

    /// What a body with a success status turned out to be.
    pub fn answer(&self, body: &[u8]) -> Answer {
        match self {
            Self::Chat(chat) => answer::read(body, chat.stop),
            Self::Embeddings(_) => embeddings::answer::read(body),
        }
    }
}
